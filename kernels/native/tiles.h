// Tiles (AMX), where the processor and the system have them: 16 lines multiplied at once.

#pragma once

#include <cstdint>

#if defined(__AMX_INT8__) && defined(__AMX_BF16__) && defined(__linux__)
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#define TILES 1
#else
#define TILES 0
#endif

#if TILES
namespace {

// The shapes of the eight tiles, as the processor reads them: bytes of a row, and rows.
struct alignas(64) TileShapes {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {};
    uint8_t high[16] = {};
};

// Linux asks that tiles be asked for, once a process.
inline bool tiles_permitted() {
    constexpr int REQUEST = 0x1023, TILE_DATA = 18;  // ARCH_REQ_XCOMP_PERM
    return syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
}

}  // namespace
#endif
