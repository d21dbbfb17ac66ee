// Keys and values of some sequences, and the attention of a few rows to them.
//
// A sequence begins with the tokens that all sequences share, the prefix, and goes on with its own.

#pragma once

#include <type_traits>

#include "lines.h"

namespace {

constexpr int MOST_ROWS = 64;
constexpr float NOTHING = -std::numeric_limits<float>::infinity();

// Where a row stands: it is the token at `position` of a sequence (-1: of what all share).
struct Row {
    int sequence, position;
};

// A block that a row may see: of its 16 tokens those from `first` to before `end`.
struct Seen {
    int row, sequence, block, place, first, end;
};

// Scores of a block's 16 keys for some queries. Two sums each, as one would wait for itself.
template <class Kept, int QUERIES>
inline void score(const Words* keys, const Words* next, const uint32_t* queries, int words, float* scores, size_t stride, float scale) {
    typename Kept::Sums even[QUERIES] = {}, odd[QUERIES] = {};
    for (int w = 0; w < words; w += 2) {
        __builtin_prefetch(next + w);
        __builtin_prefetch(next + w + 1);
        for (int q = 0; q < QUERIES; ++q) {
            Kept::add(even[q], keys[w], queries[q * words + w]);
            Kept::add(odd[q], keys[w + 1], queries[q * words + w + 1]);
        }
    }
    for (int q = 0; q < QUERIES; ++q) floats(scores + q * stride) = (even[q] + odd[q]) * scale;
}

// Adds a block's 16 values, weighted, to what some queries attended to.
template <class Kept, int QUERIES>
inline void gather(const Words* values, const Words* next, const uint32_t* weights, int head_size, float* out) {
    constexpr int LINES = LANES / Kept::PER_WORD;
    for (int i = 0; i < head_size / LANES; ++i) {
        typename Kept::Sums sums[QUERIES];
        for (int q = 0; q < QUERIES; ++q) sums[q] = floats(out + q * head_size + i * LANES);
        for (int n = 0; n < LINES; ++n) __builtin_prefetch(next + i * LINES + n);
        for (int n = 0; n < LINES; ++n)
            for (int q = 0; q < QUERIES; ++q) Kept::add(sums[q], values[i * LINES + n], weights[q * LINES + n]);
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

// Memory for keys and values of one kind, by layer and head in blocks of 16 tokens: first the
// keys (a line: 16 tokens), then the values (a line: 16 numbers).
template <class Kept>
struct Attention {
    int heads, kv_heads, head_size, blocks, prefix_blocks, prefix = 0;
    size_t of_a_block, of_a_head, longest;
    Aligned<Words> lines;
    Aligned<float> scores, highest, totals;
    Aligned<uint32_t> queries;

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
        highest = Aligned<float>(most * LANES);
        totals = Aligned<float>(most * LANES);
        queries = Aligned<uint32_t>(static_cast<size_t>(MOST_ROWS) * heads * words());
    }

    int words() const { return head_size / Kept::PER_WORD; }

    Words* block(int layer, int head, int sequence, int n) {
        const size_t before = sequence < 0 ? n : prefix_blocks + static_cast<size_t>(sequence) * blocks + n;
        return &lines[(static_cast<size_t>(layer) * kv_heads + head) * of_a_head + before * of_a_block];
    }

    // Takes queries, keys and values of a row, side by side.
    void take(int layer, int r, const Row& row, const float* qkv) {
        Kept::pack(&queries[static_cast<size_t>(r) * heads * words()], qkv, heads * head_size);
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

    // Calls work with each block that each row sees; of the prefix each block is read once for all rows.
    template <class Work>
    void each_block(const Row* rows, int count, int window, Work work) {
        auto first_of = [&](int r) { return window ? std::max(0, rows[r].position + 1 - window) : 0; };
        auto end_of = [&](int r) { return rows[r].sequence < 0 ? rows[r].position + 1 : prefix; };
        int furthest = 0;
        for (int r = 0; r < count; ++r) furthest = std::max(furthest, end_of(r));
        for (int b = 0; b * LANES < furthest; ++b)
            for (int r = 0; r < count; ++r)
                if (b * LANES < end_of(r) && (b + 1) * LANES > first_of(r))
                    work(Seen{r, -1, b, b, first_of(r) - b * LANES, end_of(r) - b * LANES});
        const int shared = (prefix + LANES - 1) / LANES;
        for (int r = 0; r < count; ++r) {
            if (rows[r].sequence < 0) continue;
            const int end = rows[r].position + 1 - prefix, first = std::max(0, first_of(r) - prefix);
            for (int b = first / LANES; b * LANES < end; ++b)
                work(Seen{r, rows[r].sequence, b, shared + b, first - b * LANES, end - b * LANES});
        }
    }

    // Writes what rows attend to, shape [count, heads * head_size]: softmax(q k / sqrt(head size)) v.
    void attend(int layer, int window, const Row* rows, int count, float* out) {
        const int group = heads / kv_heads;
        constexpr int LINES = LANES / Kept::PER_WORD;
        const float scale = 1.0f / std::sqrt(static_cast<float>(head_size));
        std::memset(out, 0, sizeof(float) * static_cast<size_t>(count) * heads * head_size);
        Floats *most = reinterpret_cast<Floats*>(highest.at), *total = reinterpret_cast<Floats*>(totals.at);
        for (int h = 0; h < kv_heads; ++h) {
            auto head_of = [&](int r, int q) { return static_cast<size_t>(r) * heads + h * group + q; };
            auto scores_of = [&](int r, int q) { return &scores[(static_cast<size_t>(r) * group + q) * longest]; };
            for (int n = 0; n < count * group; ++n) most[n] = Floats{} + NOTHING, total[n] = Floats{};
            each_block(rows, count, window, [&](const Seen& seen) {
                const Words* keys = block(layer, h, seen.sequence, seen.block);
                float* mine = scores_of(seen.row, 0) + seen.place * LANES;
                in_fours(group, [&](int q, auto size) {
                    score<Kept, size()>(keys, keys + of_a_block, &queries[head_of(seen.row, q) * words()], words(), mine + q * longest, longest, scale);
                });
                const bool part = seen.first > 0 || seen.end < LANES;
                for (int q = 0; q < group; ++q, mine += longest) {
                    for (int n = 0; part && n < LANES; ++n)
                        if (n < seen.first || n >= seen.end) mine[n] = NOTHING;
                    most[seen.row * group + q] = larger(most[seen.row * group + q], floats(mine));
                }
            });
            for (int n = 0; n < count * group; ++n) {
                float best = NOTHING;
                for (int i = 0; i < LANES; ++i) best = std::max(best, most[n][i]);
                most[n] = Floats{} + best;
            }
            each_block(rows, count, window, [&](const Seen& seen) {
                const Words* values = block(layer, h, seen.sequence, seen.block) + words();
                in_fours(group, [&](int q, auto size) {
                    alignas(64) uint32_t weights[size() * LINES];
                    for (int i = 0; i < size(); ++i) {
                        const int n = seen.row * group + q + i;
                        const Floats mine = floats(scores_of(seen.row, q + i) + seen.place * LANES);
                        alignas(64) float weight[LANES];
                        floats(weight) = mine > Floats{} + NOTHING ? exponential(mine - most[n]) : Floats{};
                        total[n] += floats(weight);
                        Kept::pack(weights + i * LINES, weight, LANES);
                    }
                    gather<Kept, size()>(values, values + of_a_block, weights, head_size, out + head_of(seen.row, q) * head_size);
                });
            });
            for (int r = 0; r < count; ++r)
                for (int q = 0; q < group; ++q) {
                    float* mine = out + head_of(r, q) * head_size;
                    const float share = 1.0f / sum(total[r * group + q]);
                    for (int i = 0; i < head_size; i += LANES) floats(mine + i) *= share;
                }
        }
    }
};

}  // namespace
