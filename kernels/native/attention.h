// Keys and values of some sequences, and the attention of a few rows to them.
//
// A sequence begins with the tokens that all sequences share, the prefix, and goes on with its own.

#pragma once

#include <type_traits>
#include <vector>

#include "lines.h"
#include "tiles.h"

namespace {

constexpr int MOST_ROWS = 64;
constexpr float NOTHING = -std::numeric_limits<float>::infinity();

// Where a row stands: it is the token at `position` of a sequence (-1: of what all share).
struct Row {
    int sequence, position;
};

// Up to 16 queries of a head and the blocks of a sequence that some of them may see.
struct Tile {
    int first, count, sequence, from, to;
};

// Scores of a block's 16 keys for some queries. Two sums each, as one would wait for itself.
template <class Kept, int QUERIES>
inline void score(const Words* keys, const Words* next, const uint32_t* queries, int words, float* scores, size_t stride) {
    typename Kept::Sums even[QUERIES] = {}, odd[QUERIES] = {};
    for (int w = 0; w < words; w += 2) {
        __builtin_prefetch(next + w);
        __builtin_prefetch(next + w + 1);
        for (int q = 0; q < QUERIES; ++q) {
            Kept::add(even[q], keys[w], queries[q * words + w]);
            Kept::add(odd[q], keys[w + 1], queries[q * words + w + 1]);
        }
    }
    for (int q = 0; q < QUERIES; ++q) floats(scores + q * stride) = even[q] + odd[q];
}

// Adds a block's 16 values, weighted, to what some queries attended to.
template <class Kept, int QUERIES>
inline void gather(const Words* values, const Words* next, const uint32_t* weights, size_t stride, int head_size, float* out) {
    constexpr int LINES = LANES / Kept::PER_WORD;
    for (int i = 0; i < head_size / LANES; ++i) {
        typename Kept::Sums sums[QUERIES];
        for (int q = 0; q < QUERIES; ++q) sums[q] = floats(out + q * head_size + i * LANES);
        for (int n = 0; n < LINES; ++n) __builtin_prefetch(next + i * LINES + n);
        for (int n = 0; n < LINES; ++n)
            for (int q = 0; q < QUERIES; ++q) Kept::add(sums[q], values[i * LINES + n], weights[q * stride + n]);
        for (int q = 0; q < QUERIES; ++q) floats(out + q * head_size + i * LANES) = sums[q];
    }
}

// Calls work(first query, how many) for up to four queries at a time, how many being known to the compiler.
template <class Work>
inline void in_fours(int queries, Work work) {
    int q = 0;
    for (; q + 4 <= queries; q += 4) work(q, std::integral_constant<int, 4>{});
    if (queries - q == 3) work(q, std::integral_constant<int, 3>{});
    if (queries - q == 2) work(q, std::integral_constant<int, 2>{});
    if (queries - q == 1) work(q, std::integral_constant<int, 1>{});
}

#if TILES
inline void fetch(const Words* lines, int count) {
    for (int n = 0; n < count; ++n) __builtin_prefetch(lines + n);
}

// Sums 0-3; queries 4 by keys 5; weights 6 by values 7.
inline void shape_attention(int queries) {
    TileShapes shapes;
    for (int t = 0; t < 8; ++t) shapes.bytes[t] = 64, shapes.high[t] = static_cast<uint8_t>(queries);
    shapes.high[5] = 16, shapes.bytes[6] = 32, shapes.high[7] = 8;
    _tile_loadconfig(&shapes);
}

inline void score_by_tiles(const Words* keys, int blocks, size_t block_lines, const uint32_t* queries, int words, float* scores,
                           size_t stride) {
    for (int b = 0; b < blocks; ++b, keys += block_lines) {
        fetch(keys + block_lines, words);
        _tile_zero(0);
        for (int w = 0; w < words; w += 16) {
            _tile_loadd(4, queries + w, static_cast<size_t>(words) * 4);
            _tile_loadd(5, keys + w, 64);
            _tile_dpbf16ps(0, 4, 5);
        }
        _tile_stored(0, scores + b * LANES, stride * 4);
    }
}

// Four times 16 numbers of a head at once.
inline void gather_by_tiles(const Words* values, int blocks, size_t block_lines, const uint32_t* weights, size_t stride,
                            int head_size, float* out) {
    constexpr int LINES = LANES / Half::PER_WORD;
    const size_t row = static_cast<size_t>(head_size) * 4;
    auto part = [&](int i, auto four) {
        float* mine = out + i * LANES;
        _tile_loadd(0, mine, row);
        _tile_loadd(1, mine + LANES, row);
        if constexpr (four()) {
            _tile_loadd(2, mine + 2 * LANES, row);
            _tile_loadd(3, mine + 3 * LANES, row);
        }
        const Words* these = values + i * LINES;
        for (int b = 0; b < blocks; ++b, these += block_lines) {
            fetch(these + block_lines, (four() ? 4 : 2) * LINES);
            _tile_loadd(6, weights + b * LINES, stride * 4);
            _tile_loadd(7, these, 64);
            _tile_dpbf16ps(0, 6, 7);
            _tile_loadd(7, these + LINES, 64);
            _tile_dpbf16ps(1, 6, 7);
            if constexpr (four()) {
                _tile_loadd(7, these + 2 * LINES, 64);
                _tile_dpbf16ps(2, 6, 7);
                _tile_loadd(7, these + 3 * LINES, 64);
                _tile_dpbf16ps(3, 6, 7);
            }
        }
        _tile_stored(0, mine, row);
        _tile_stored(1, mine + LANES, row);
        if constexpr (four()) {
            _tile_stored(2, mine + 2 * LANES, row);
            _tile_stored(3, mine + 3 * LANES, row);
        }
    };
    int i = 0;
    for (; i + 4 <= head_size / LANES; i += 4) part(i, std::true_type{});
    if (i < head_size / LANES) part(i, std::false_type{});
}
#endif

// Memory for keys and values of one kind, by layer and head in blocks of 16 tokens: first the
// keys (a line: 16 tokens), then the values (a line: 16 numbers).
template <class Kept>
struct Attention {
    int heads, kv_heads, head_size, blocks, prefix_blocks, prefix = 0;
    size_t of_a_block, of_a_head, longest;
    Aligned<Words> lines;
    static constexpr int LINES = LANES / Kept::PER_WORD;  // of 16 tokens' values
    // Of a head: scores [query, longest], the same as weights, their sums, and what is gathered by them.
    Aligned<float> scores, totals, gathered;
    Aligned<uint32_t> queries, weights;
    std::vector<Tile> tiles;

    Attention(int layers, int heads, int kv_heads, int head_size, int sequences, int capacity, int prefix_capacity)
        : heads(heads), kv_heads(kv_heads), head_size(head_size) {
        blocks = (capacity + LANES - 1) / LANES;
        prefix_blocks = (prefix_capacity + LANES - 1) / LANES;
        of_a_block = 2 * static_cast<size_t>(head_size) / Kept::PER_WORD;
        of_a_head = (prefix_blocks + static_cast<size_t>(sequences) * blocks) * of_a_block;
        longest = static_cast<size_t>(blocks + prefix_blocks) * LANES;
        lines = Aligned<Words>(of_a_head * layers * kv_heads);
        const size_t most = static_cast<size_t>(MOST_ROWS) * (heads / kv_heads);
        scores = Aligned<float>(most * longest);
        weights = Aligned<uint32_t>(most * words_a_row());
        totals = Aligned<float>(most);
        gathered = Aligned<float>(most * head_size);
        queries = Aligned<uint32_t>(static_cast<size_t>(MOST_ROWS) * heads * words());
    }

    int words() const { return head_size / Kept::PER_WORD; }

    size_t words_a_row() const { return longest / Kept::PER_WORD; }

    Words* block(int layer, int head, int sequence, int n) {
        const size_t before = sequence < 0 ? n : prefix_blocks + static_cast<size_t>(sequence) * blocks + n;
        return &lines[(static_cast<size_t>(layer) * kv_heads + head) * of_a_head + before * of_a_block];
    }

    // Takes queries, keys and values of a row, side by side.
    void take(int layer, int r, const Row& row, float* qkv) {
        const int group = heads / kv_heads;
        const float scale = 1.0f / std::sqrt(static_cast<float>(head_size));
        for (int i = 0; i < heads * head_size; i += LANES) floats(qkv + i) *= scale;
        for (int h = 0; h < kv_heads; ++h)
            Kept::pack(&queries[(static_cast<size_t>(h) * MOST_ROWS + r) * group * words()], qkv + h * group * head_size, group * head_size);
        constexpr int each = Kept::PER_WORD;
        const int place = row.sequence < 0 ? row.position : row.position - prefix, lane = place % LANES;
        for (int h = 0; h < kv_heads; ++h) {
            const float *key = qkv + (heads + h) * head_size, *value = key + kv_heads * head_size;
            Words *keys = block(layer, h, row.sequence, place / LANES), *values = keys + words();
            for (int i = 0; i < head_size; ++i) {
                Kept::put(keys + i / each, lane * each + i % each, key[i]);
                Kept::put(values + i / LANES * (LANES / each) + lane / each, i % LANES * each + lane % each, value[i]);
            }
        }
    }

    int first_of(const Row& row, int window) const { return window ? std::max(0, row.position + 1 - window) : 0; }

    // Of the prefix, and of its own sequence, the blocks that a row may see: from, to.
    void seen(const Row& row, int window, int (&of_prefix)[2], int (&own)[2]) const {
        const int first = first_of(row, window), end = row.sequence < 0 ? row.position + 1 : prefix;
        of_prefix[1] = (end + LANES - 1) / LANES, of_prefix[0] = std::min(first / LANES, of_prefix[1]);
        if (first >= end) of_prefix[0] = of_prefix[1];
        own[0] = own[1] = 0;
        if (row.sequence < 0) return;
        own[0] = std::max(0, first - prefix) / LANES, own[1] = (row.position - prefix) / LANES + 1;
    }

    // Cuts the queries of a head into tiles: of the prefix for all rows, then of each sequence for its rows.
    void cut(const Row* rows, int count, int window) {
        const int group = heads / kv_heads;
        tiles.clear();
        auto add = [&](int first_row, int end_row, int sequence) {
            for (int first = first_row * group; first < end_row * group; first += LANES) {
                Tile tile{first, std::min(LANES, end_row * group - first), sequence, std::numeric_limits<int>::max(), 0};
                for (int r = first / group; r * group < first + tile.count; ++r) {
                    int of_prefix[2], own[2];
                    seen(rows[r], window, of_prefix, own);
                    const int* range = sequence < 0 ? of_prefix : own;
                    if (range[0] < range[1]) tile.from = std::min(tile.from, range[0]), tile.to = std::max(tile.to, range[1]);
                }
                if (tile.from < tile.to) tiles.push_back(tile);
            }
        };
        add(0, count, -1);
        for (int r = 0, end; r < count; r = end) {
            for (end = r + 1; end < count && rows[end].sequence == rows[r].sequence;) ++end;
            if (rows[r].sequence >= 0) add(r, end, rows[r].sequence);
        }
    }

    // Writes what rows attend to, shape [count, heads * head_size]: softmax(q k / sqrt(head size)) v.
    void attend(int layer, int window, const Row* rows, int count, [[maybe_unused]] bool by_tiles, float* out) {
        const int group = heads / kv_heads;
        cut(rows, count, window);
        for (int h = 0; h < kv_heads; ++h) {
            const uint32_t* mine = &queries[static_cast<size_t>(h) * MOST_ROWS * group * words()];
            std::memset(weights.at, 0, sizeof(uint32_t) * count * group * words_a_row());
            std::memset(gathered.at, 0, sizeof(float) * count * group * head_size);
            each_tile(layer, h, by_tiles, [&](const Tile& tile, const Words* blocks, int place) {
                float* to = &scores[tile.first * longest + place * LANES];
                const uint32_t* from = mine + static_cast<size_t>(tile.first) * words();
#if TILES
                if (by_tiles) return score_by_tiles(blocks, tile.to - tile.from, of_a_block, from, words(), to, longest);
#endif
                for (int b = tile.from; b < tile.to; ++b, to += LANES, blocks += of_a_block)
                    in_fours(tile.count, [&](int q, auto size) {
                        score<Kept, size()>(blocks, blocks + of_a_block, from + q * words(), words(), to + q * longest, longest);
                    });
            });
            for (int n = 0; n < count * group; ++n) weigh(n, rows[n / group], window);
            each_tile(layer, h, by_tiles, [&](const Tile& tile, const Words* blocks, int place) {
                const uint32_t* from = &weights[tile.first * words_a_row() + place * LINES];
                float* to = &gathered[static_cast<size_t>(tile.first) * head_size];
                const Words* values = blocks + words();
#if TILES
                if (by_tiles) return gather_by_tiles(values, tile.to - tile.from, of_a_block, from, words_a_row(), head_size, to);
#endif
                for (int b = tile.from; b < tile.to; ++b, from += LINES, values += of_a_block)
                    in_fours(tile.count, [&](int q, auto size) {
                        gather<Kept, size()>(values, values + of_a_block, from + q * words_a_row(), words_a_row(), head_size,
                                             to + static_cast<size_t>(q) * head_size);
                    });
            });
            for (int n = 0; n < count * group; ++n)
                for (int i = 0; i < head_size; i += LANES)
                    floats(out + (static_cast<size_t>(n / group) * heads + h * group + n % group) * head_size + i) =
                        floats(&gathered[static_cast<size_t>(n) * head_size + i]) / totals[n];
        }
    }

    template <class Work>
    void each_tile(int layer, int h, [[maybe_unused]] bool by_tiles, Work work) {
        const int shared = (prefix + LANES - 1) / LANES;
        for (const Tile& tile : tiles) {
#if TILES
            if (by_tiles) shape_attention(tile.count);
#endif
            work(tile, block(layer, h, tile.sequence, tile.from), tile.sequence < 0 ? tile.from : shared + tile.from);
        }
    }

    // Turns the scores of a query into weights, against its highest, and adds them up.
    void weigh(int n, const Row& row, int window) {
        const int first = first_of(row, window), shared = (prefix + LANES - 1) / LANES;
        int of_prefix[2], own[2];
        seen(row, window, of_prefix, own);
        Floats most = Floats{} + NOTHING, total = Floats{};
        auto each_place = [&](auto work) {
            const int end = row.sequence < 0 ? row.position + 1 : prefix;
            for (int b = of_prefix[0]; b < of_prefix[1]; ++b) work(b, first - b * LANES, end - b * LANES);
            for (int b = own[0]; b < own[1]; ++b)
                work(shared + b, first - prefix - b * LANES, row.position + 1 - prefix - b * LANES);
        };
        each_place([&](int place, int from, int to) {
            float* mine = &scores[n * longest + place * LANES];
            if (from > 0 || to < LANES)
                for (int i = 0; i < LANES; ++i)
                    if (i < from || i >= to) mine[i] = NOTHING;
            most = larger(most, floats(mine));
        });
        float best = NOTHING;
        for (int i = 0; i < LANES; ++i) best = std::max(best, most[i]);
        each_place([&](int place, int, int) {
            const Floats mine = floats(&scores[n * longest + place * LANES]);
            alignas(64) float weight[LANES];
            floats(weight) = mine > Floats{} + NOTHING ? exponential(mine - best) : Floats{};
            total += floats(weight);
            Kept::pack(&weights[n * words_a_row() + place * LINES], weight, LANES);
        });
        totals[n] = sum(total);
    }
};

}  // namespace
