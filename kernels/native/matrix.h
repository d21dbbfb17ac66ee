// Matrices as lines, in the order in which they are read; their products with a few rows.

#pragma once

#include "lines.h"
#include "tiles.h"

namespace {

enum Precision { FLOAT32 = 0, INT8 = 1 };

inline int per_word(Precision p) { return p == FLOAT32 ? 1 : 4; }

// A matrix as lines: for each 16 outputs, all inputs.
struct Matrix {
    int blocks = 0, groups = 0;
    Aligned<Words> lines;
    Aligned<float> scale, offset;  // of each output, for bytes

    void pack(const float* weights, int out, int in, Precision precision) {
        blocks = (out + LANES - 1) / LANES, groups = in / per_word(precision);
        lines = Aligned<Words>(static_cast<size_t>(blocks) * groups);
        if (precision == INT8) scale = Aligned<float>(blocks * LANES), offset = Aligned<float>(blocks * LANES);
        for (int o = 0; o < out; ++o) {
            const float* row = weights + static_cast<size_t>(o) * in;
            float most = 0;
            for (int i = 0; i < in; ++i) most = std::max(most, std::fabs(row[i]));
            const float step = most > 0 ? most / 127 : 1.0f;
            int total = 0;
            for (int i = 0; i < in; ++i) {
                const int each = per_word(precision);
                void* line = &lines[static_cast<size_t>(o / LANES) * groups + i / each];
                const int place = o % LANES * each + i % each;
                if (precision == FLOAT32) Single::put(line, place, row[i]);
                else {
                    const int q = static_cast<int>(std::lrint(row[i] / step));
                    static_cast<int8_t*>(line)[place] = static_cast<int8_t>(q);
                    total += q;
                }
            }
            if (precision == INT8) scale[o] = step, offset[o] = -128.0f * static_cast<float>(total);
        }
    }
};

// Inputs of a multiplication as words, shape [rows, groups], with the scale of each row.
struct Inputs {
    Aligned<uint32_t> words;
    Aligned<float> scale;
    int groups = 0;

    void take(const float* x, int row, int inputs, Precision precision) {
        groups = inputs / per_word(precision);
        uint32_t* out = &words[static_cast<size_t>(row) * groups];
        if (precision == FLOAT32) {
            std::memcpy(out, x, sizeof(float) * inputs);
        } else {
            Floats most = Floats{};
            for (int i = 0; i < inputs; i += LANES) {
                const Floats v = floats(x + i);
                most = larger(most, larger(v, -v));
            }
            float highest = 0;
            for (int n = 0; n < LANES; ++n) highest = std::max(highest, most[n]);
            scale[row] = highest > 0 ? highest / 127 : 1.0f;
            const float turn = highest > 0 ? 127 / highest : 0.0f;
            typedef uint8_t Bytes __attribute__((vector_size(16)));
            for (int i = 0; i < inputs; i += LANES) {
                // Above 0, so that cutting off the fraction rounds to the nearest.
                const Bytes bytes = __builtin_convertvector(
                    __builtin_convertvector(floats(x + i) * turn + 128.5f, Ints), Bytes);
                std::memcpy(reinterpret_cast<uint8_t*>(out) + i, &bytes, 16);
            }
        }
    }
};

inline void finish(const Matrix& m, const Inputs& in, int block, int row, Floats sums, float* y) {
    if (m.scale.at) sums = (sums + floats(&m.offset[block * LANES])) * floats(&m.scale[block * LANES]) * in.scale[row];
    floats(y + static_cast<size_t>(row) * m.blocks * LANES + block * LANES) = sums;
}

template <class Kept, int ROWS>
void multiply_rows(const Matrix& m, const Inputs& in, int first, float* y) {
    const uint32_t* words = &in.words[static_cast<size_t>(first) * m.groups];
    for (int b = 0; b < m.blocks; ++b) {
        const Words* line = &m.lines[static_cast<size_t>(b) * m.groups];
        typename Kept::Sums sums[ROWS] = {};
        for (int g = 0; g < m.groups; ++g)
            for (int r = 0; r < ROWS; ++r) Kept::add(sums[r], line[g], words[static_cast<size_t>(r) * m.groups + g]);
        for (int r = 0; r < ROWS; ++r) {
            Floats out;
            if constexpr (Kept::PER_WORD == 4) out = __builtin_convertvector(sums[r], Floats);
            else out = sums[r];
            finish(m, in, b, first + r, out, y);
        }
    }
}

template <class Kept>
void multiply_by_lines(const Matrix& m, const Inputs& in, int rows, float* y) {
    int first = 0;
    for (; first + 8 <= rows; first += 8) multiply_rows<Kept, 8>(m, in, first, y);
    for (; first + 4 <= rows; first += 4) multiply_rows<Kept, 4>(m, in, first, y);
    for (; first < rows; ++first) multiply_rows<Kept, 1>(m, in, first, y);
}

#if TILES
// Sums 0-3 are two blocks of outputs by two tiles of rows; inputs 4-5; lines 6-7.
inline void shape_tiles(int rows) {
    TileShapes shapes;
    const uint8_t high = static_cast<uint8_t>(std::min(rows, 16));
    for (int t = 0; t < 8; ++t) shapes.bytes[t] = 64, shapes.high[t] = t < 6 ? high : 16;
    _tile_loadconfig(&shapes);
}

inline void multiply_by_tiles(const Matrix& m, const Inputs& in, int rows, float* y) {
    alignas(64) int32_t sums[4][16][LANES];
    const size_t stride = static_cast<size_t>(m.groups) * 4;
    for (int b = 0; b < m.blocks; b += 2) {
        const bool two = b + 1 < m.blocks;
        const Words* left = &m.lines[static_cast<size_t>(b) * m.groups];
        const Words* right = two ? left + m.groups : left;
        for (int first = 0; first < rows; first += 32) {
            const bool both = first + 16 < rows;
            const uint32_t* upper = &in.words[static_cast<size_t>(first) * m.groups];
            const uint32_t* lower = upper + static_cast<size_t>(16) * m.groups;
            _tile_zero(0);
            _tile_zero(1);
            _tile_zero(2);
            _tile_zero(3);
            for (int g = 0; g < m.groups; g += 16) {
                _tile_loadd(4, upper + g, stride);
                _tile_loadd(6, left + g, 64);
                _tile_loadd(7, right + g, 64);
                _tile_dpbusd(0, 4, 6);
                _tile_dpbusd(1, 4, 7);
                if (both) {
                    _tile_loadd(5, lower + g, stride);
                    _tile_dpbusd(2, 5, 6);
                    _tile_dpbusd(3, 5, 7);
                }
            }
            _tile_stored(0, sums[0], 64);
            _tile_stored(1, sums[1], 64);
            if (both) {
                _tile_stored(2, sums[2], 64);
                _tile_stored(3, sums[3], 64);
            }
            for (int r = first; r < std::min(rows, first + 32); ++r)
                for (int side = 0; side <= two; ++side) {
                    const int32_t* mine = sums[(r - first) / 16 * 2 + side][(r - first) % 16];
                    finish(m, in, b + side, r, __builtin_convertvector(*reinterpret_cast<const Ints*>(mine), Floats), y);
                }
        }
    }
}
#endif

// y = in x m, shape [rows, blocks * LANES]. `tiles`: whether they may be used.
inline void multiply(const Matrix& m, const Inputs& in, int rows, bool tiles, float* y) {
    if (!m.scale.at) return multiply_by_lines<Single>(m, in, rows, y);
#if TILES
    if (tiles && rows > 1) return multiply_by_tiles(m, in, rows, y);
#endif
    (void)tiles;
    multiply_by_lines<Byte>(m, in, rows, y);
}

}  // namespace
