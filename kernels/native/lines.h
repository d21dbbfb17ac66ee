// One step of which everything is made: a line of 64 bytes times a broadcast word of 4 bytes,
// added to 16 sums. A line holds 16 outputs by as many inputs as fit in a word: one float, two
// bfloat16 or four bytes. Plain vectors of the compiler, with one instruction where there is one.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace {

constexpr int LANES = 16;
typedef float Floats __attribute__((vector_size(64)));
typedef int32_t Ints __attribute__((vector_size(64)));
typedef uint32_t Words __attribute__((vector_size(64)));

template <class T>
struct Aligned {
    T* at = nullptr;
    size_t size = 0;
    Aligned() = default;
    explicit Aligned(size_t n) : size(n) {
        // Large memory on large pages: what is read once a token would else miss a page every 4 KiB.
        constexpr size_t HUGE = 2 << 20;
        const size_t page = n * sizeof(T) >= HUGE ? HUGE : 64;
        const size_t bytes = std::max<size_t>((n * sizeof(T) + page - 1) / page * page, page);
        at = static_cast<T*>(std::aligned_alloc(page, bytes));
        if (!at) throw std::bad_alloc();
#if defined(__linux__)
        if (page == HUGE) madvise(at, bytes, MADV_HUGEPAGE);
#endif
        std::memset(static_cast<void*>(at), 0, bytes);
    }
    Aligned(Aligned&& o) noexcept : at(o.at), size(o.size) { o.at = nullptr; }
    Aligned& operator=(Aligned&& o) noexcept { std::swap(at, o.at); std::swap(size, o.size); return *this; }
    ~Aligned() { std::free(at); }
    T& operator[](size_t n) { return at[n]; }
    const T& operator[](size_t n) const { return at[n]; }
};

inline Floats& floats(float* p) { return *reinterpret_cast<Floats*>(p); }
inline const Floats& floats(const float* p) { return *reinterpret_cast<const Floats*>(p); }

inline float sum(Floats x) {
    float total = 0;
    for (int n = 0; n < LANES; ++n) total += x[n];
    return total;
}

inline Floats larger(Floats a, Floats b) { return a > b ? a : b; }

// e^x by 2^n (1 + ...): relative error below 2e-7 for x <= 88; nothing below -87.
inline Floats exponential(Floats x) {
    x = larger(x, Floats{} - 87.0f);
    const Floats turns = x * 1.44269504f;
    const Ints whole = __builtin_convertvector(turns + (turns > 0.0f ? Floats{} + 0.5f : Floats{} - 0.5f), Ints);
    const Floats n = __builtin_convertvector(whole, Floats);
    const Floats r = x - n * 0.693359375f + n * 2.12194440e-4f;
    Floats y = r * 1.9875691500e-4f + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * r * r + r + 1.0f;
    return y * reinterpret_cast<Floats>((whole + 127) << 23);
}

inline uint16_t rounded(uint32_t bits) { return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16); }

// How numbers are kept: `PER_WORD` inputs a word. `add` multiplies a line with a word, `pack` writes numbers
// side by side, `put` one of them.

struct Single {
    static constexpr int PER_WORD = 1;
    typedef Floats Sums;
    static inline void add(Sums& sums, const Words& line, uint32_t word) {
        float x;
        std::memcpy(&x, &word, 4);
        sums += reinterpret_cast<Floats>(line) * x;
    }
    static inline void put(void* line, int place, float x) { static_cast<float*>(line)[place] = x; }
    static inline void pack(void* out, const float* x, int n) { std::memcpy(out, x, sizeof(float) * n); }
};

struct Half {
    static constexpr int PER_WORD = 2;
    typedef Floats Sums;
    static inline void add(Sums& sums, const Words& line, uint32_t word) {
#if defined(__AVX512BF16__)
        sums = reinterpret_cast<Floats>(_mm512_dpbf16_ps(
            reinterpret_cast<__m512>(sums), reinterpret_cast<__m512bh>(line),
            reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(word)))));
#else
        const uint32_t low = word << 16, high = word & 0xffff0000u;
        float x, y;
        std::memcpy(&x, &low, 4);
        std::memcpy(&y, &high, 4);
        sums += reinterpret_cast<Floats>(line << 16) * x;
        sums += reinterpret_cast<Floats>(line & 0xffff0000u) * y;
#endif
    }
    static inline void put(void* line, int place, float x) { pack(static_cast<uint16_t*>(line) + place, &x, 1); }
    static inline void pack(void* out, const float* x, int n) {
        for (int i = 0; i < n; ++i) static_cast<uint16_t*>(out)[i] = rounded(reinterpret_cast<const uint32_t*>(x)[i]);
    }
};

// Weights are signed bytes, inputs unsigned ones (128 is nothing).
struct Byte {
    static constexpr int PER_WORD = 4;
    typedef Ints Sums;
    static inline void add(Sums& sums, const Words& line, uint32_t word) {
#if defined(__AVX512VNNI__)
        sums = reinterpret_cast<Ints>(_mm512_dpbusd_epi32(
            reinterpret_cast<__m512i>(sums), _mm512_set1_epi32(static_cast<int>(word)),
            reinterpret_cast<__m512i>(line)));
#else
        const Ints signed_line = reinterpret_cast<Ints>(line);
        sums += (signed_line << 24 >> 24) * static_cast<int>(word & 255);
        sums += (signed_line << 16 >> 24) * static_cast<int>(word >> 8 & 255);
        sums += (signed_line << 8 >> 24) * static_cast<int>(word >> 16 & 255);
        sums += (signed_line >> 24) * static_cast<int>(word >> 24);
#endif
    }
};

}  // namespace
