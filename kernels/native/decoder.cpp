// The decoder's forward pass for up to 64 rows at a time, on one thread of a CPU.
//
// A row is one token of one sequence. Rows of a sequence are given in order; each sees itself and
// what came before. What a row gives does not depend on the rows beside it.

#include <vector>

#include "attention.h"
#include "lines.h"
#include "matrix.h"
#include "sampling.h"
#include "tiles.h"

namespace {

struct Layer {
    int window = 0;
    Aligned<float> again, attention_norm, feed_forward_norm;
    Matrix qkv, out, gate_up, down;
};

struct Decoder {
    int layers, width, heads, kv_heads, head_size, hidden, vocabulary, tables, features;
    Precision precision;
    bool tiles = false;
    std::vector<Layer> layer;
    int rows = 0;  // of the stacked tables
    Aligned<float> norm, stacked, feature_rows;
    Matrix table;

    int qkv_size() const { return (heads + 2 * kv_heads) * head_size; }
};

Aligned<float> copied(const float* x, size_t n) {
    Aligned<float> out(n);
    std::memcpy(out.at, x, n * sizeof(float));
    return out;
}

// x / sqrt(mean(x^2)), times a weight for each number where there is one; as torch's rms_norm.
void normed(const float* x, const float* weight, int n, float* y) {
    Floats squares = Floats{};
    for (int i = 0; i < n; i += LANES) squares += floats(x + i) * floats(x + i);
    const float scale = 1.0f / std::sqrt(sum(squares) / static_cast<float>(n) + std::numeric_limits<float>::epsilon());
    for (int i = 0; i < n; i += LANES) floats(y + i) = floats(x + i) * scale * (weight ? floats(weight + i) : Floats{} + 1.0f);
}

// What runs: keys and values of some sequences, and the stream of the rows at work.
struct Session {
    virtual ~Session() = default;
    virtual void share(int tokens) = 0;
    virtual int wrong(const Row* rows, int count, const int32_t* indices) const = 0;
    virtual void run(const Row* rows, int count, const int32_t* indices, const float* features, int spoken, float* logits,
                     float* hidden) = 0;
};

template <class Kept>
struct Running : Session {
    const Decoder& d;
    const int sequences, capacity, prefix_capacity;
    Attention<Kept> attention;
    Inputs in;
    Aligned<float> embedded, x, y, wide, attended, cosines, sines;

    Running(const Decoder& d, int sequences, int capacity, int prefix_capacity)
        : d(d), sequences(sequences), capacity(capacity), prefix_capacity(prefix_capacity),
          attention(d.layers, d.heads, d.kv_heads, d.head_size, sequences, capacity, prefix_capacity) {
        const size_t rows = MOST_ROWS, heads = static_cast<size_t>(d.heads) * d.head_size;
        in.words = Aligned<uint32_t>(rows * std::max<size_t>({static_cast<size_t>(d.hidden), static_cast<size_t>(d.width), heads}));
        in.scale = Aligned<float>(rows);
        embedded = Aligned<float>(rows * d.width);
        x = Aligned<float>(rows * d.width);
        y = Aligned<float>(std::max(d.hidden, d.width));
        wide = Aligned<float>(rows * std::max({d.table.blocks * LANES, 2 * d.hidden, d.qkv_size(), d.width}));
        attended = Aligned<float>(rows * heads);
        const int half = d.head_size / 2, furthest = capacity + prefix_capacity;
        cosines = Aligned<float>(static_cast<size_t>(furthest) * half);
        sines = Aligned<float>(static_cast<size_t>(furthest) * half);
        for (int p = 0; p < furthest; ++p)
            for (int i = 0; i < half; ++i) {
                const float exponent = -2.0f * static_cast<float>(i) / static_cast<float>(d.head_size);
                const float angle = static_cast<float>(p) * std::pow(10000.0f, exponent);
                cosines[static_cast<size_t>(p) * half + i] = std::cos(angle);
                sines[static_cast<size_t>(p) * half + i] = std::sin(angle);
            }
    }

    float* stream(int r) { return &x[static_cast<size_t>(r) * d.width]; }

    void share(int tokens) override { attention.prefix = tokens; }

    int wrong(const Row* rows, int count, const int32_t* indices) const override {
        for (int r = 0; r < count; ++r) {
            const bool own = rows[r].sequence >= 0;
            const int first = own ? attention.prefix : 0, end = own ? attention.prefix + capacity : prefix_capacity;
            if (rows[r].sequence < -1 || rows[r].sequence >= sequences) return 1;
            if (rows[r].position < first || rows[r].position >= end) return 2;
            for (int t = 0; t < d.tables; ++t)
                if (indices[r * d.tables + t] < 0 || indices[r * d.tables + t] >= d.rows) return 3;
        }
        return 0;
    }

    // A row's embedding: rows of the stacked tables, and features times theirs.
    void embed(int r, const int32_t* indices, const float* features) {
        float* e = &embedded[static_cast<size_t>(r) * d.width];
        std::memset(e, 0, sizeof(float) * d.width);
        auto add = [&](const float* row, float much) {
            for (int i = 0; i < d.width; i += LANES) floats(e + i) += floats(row + i) * much;
        };
        for (int t = 0; t < d.tables; ++t) add(&d.stacked[static_cast<size_t>(indices[t]) * d.width], 1.0f);
        for (int f = 0; f < d.features; ++f)
            if (features[f] != 0.0f) add(&d.feature_rows[static_cast<size_t>(f) * d.width], features[f]);
        std::memcpy(stream(r), e, sizeof(float) * d.width);
    }

    // A head, normed and turned to its position.
    void turn(float* head, int position) {
        const int half = d.head_size / 2;
        normed(head, nullptr, d.head_size, head);
        const float *cosine = &cosines[static_cast<size_t>(position) * half], *sine = &sines[static_cast<size_t>(position) * half];
        for (int i = 0; i < half; ++i) {
            const float first = head[i], second = head[half + i];
            head[i] = first * cosine[i] - second * sine[i];
            head[half + i] = first * sine[i] + second * cosine[i];
        }
    }

    // wide = norm(stream) x m.
    void read(const Matrix& m, const float* weight, int count) {
        for (int r = 0; r < count; ++r) {
            normed(stream(r), weight, d.width, y.at);
            in.take(y.at, r, d.width, d.precision);
        }
        multiply(m, in, count, d.tiles, wide.at);
    }

    // stream += what was taken x m.
    void write(const Matrix& m, int count) {
        multiply(m, in, count, d.tiles, wide.at);
        for (int r = 0; r < count; ++r)
            for (int i = 0; i < d.width; i += LANES) floats(stream(r) + i) += floats(&wide[static_cast<size_t>(r) * m.blocks * LANES + i]);
    }

    void pass(int n, const Row* rows, int count) {
        const Layer& l = d.layer[n];
        for (int r = 0; r < count; ++r)
            for (int i = 0; i < d.width; i += LANES)
                floats(stream(r) + i) += floats(&l.again[i]) * floats(&embedded[static_cast<size_t>(r) * d.width + i]);
        read(l.qkv, l.attention_norm.at, count);
        const int size = d.heads * d.head_size;
        for (int r = 0; r < count; ++r) {
            float* qkv = &wide[static_cast<size_t>(r) * l.qkv.blocks * LANES];
            for (int h = 0; h < d.heads + d.kv_heads; ++h) turn(qkv + h * d.head_size, rows[r].position);
            attention.take(n, r, rows[r], qkv);
        }
        attention.attend(n, l.window, rows, count, d.tiles, attended.at);
#if TILES
        if (d.tiles) shape_tiles(count);
#endif
        for (int r = 0; r < count; ++r) in.take(&attended[static_cast<size_t>(r) * size], r, size, d.precision);
        write(l.out, count);
        read(l.gate_up, l.feed_forward_norm.at, count);
        for (int r = 0; r < count; ++r) {
            const float *gate = &wide[static_cast<size_t>(r) * 2 * d.hidden], *up = gate + d.hidden;
            for (int i = 0; i < d.hidden; i += LANES)
                floats(&y[i]) = floats(gate + i) / (1.0f + exponential(-floats(gate + i))) * floats(up + i);
            in.take(y.at, r, d.hidden, d.precision);
        }
        write(l.down, count);
    }

    void run(const Row* rows, int count, const int32_t* indices, const float* features, int spoken, float* logits,
             float* hidden) override {
#if TILES
        if (d.tiles) shape_tiles(count);
#endif
        for (int r = 0; r < count; ++r)
            embed(r, indices + static_cast<size_t>(r) * d.tables, features + static_cast<size_t>(r) * d.features);
        for (int n = 0; n < d.layers; ++n) pass(n, rows, count);
        for (int r = 0; r < count; ++r) {
            normed(stream(r), d.norm.at, d.width, stream(r));
            if (hidden) std::memcpy(hidden + static_cast<size_t>(r) * d.width, stream(r), sizeof(float) * d.width);
        }
        if (spoken > 0) speak(count - spoken, spoken, logits);
#if TILES
        if (d.tiles) _tile_release();
#endif
    }

    void speak(int first, int spoken, float* logits) {
#if TILES
        if (d.tiles) shape_tiles(spoken);
#endif
        for (int r = 0; r < spoken; ++r) in.take(stream(first + r), r, d.width, d.precision);
        multiply(d.table, in, spoken, d.tiles, wide.at);
        for (int r = 0; r < spoken; ++r)
            std::memcpy(logits + static_cast<size_t>(r) * d.vocabulary, &wide[static_cast<size_t>(r) * d.table.blocks * LANES],
                        sizeof(float) * d.vocabulary);
    }
};

}  // namespace

extern "C" {

// shape: layers, width, heads, kv_heads, head_size, hidden, vocabulary, tables, features.
Decoder* decoder_new(const int32_t* shape, const int32_t* windows, int32_t precision) {
    auto* d = new Decoder;
    int* fields[] = {&d->layers, &d->width, &d->heads, &d->kv_heads, &d->head_size, &d->hidden, &d->vocabulary, &d->tables, &d->features};
    for (int* field : fields) *field = *shape++;
    d->precision = static_cast<Precision>(precision);
    d->layer.resize(d->layers);
    for (int n = 0; n < d->layers; ++n) d->layer[n].window = windows[n];
#if TILES
    d->tiles = d->precision == INT8 && tiles_permitted();
#endif
    return d;
}

void decoder_free(Decoder* d) { delete d; }

// Matrices have a row for each output, as torch's linear layers.
void decoder_layer(Decoder* d, int32_t n, const float* again, const float* attention_norm, const float* qkv, const float* out,
                   const float* feed_forward_norm, const float* gate_up, const float* down) {
    Layer& l = d->layer[n];
    l.again = copied(again, d->width);
    l.attention_norm = copied(attention_norm, d->width);
    l.feed_forward_norm = copied(feed_forward_norm, d->width);
    l.qkv.pack(qkv, d->qkv_size(), d->width, d->precision);
    l.out.pack(out, d->width, d->heads * d->head_size, d->precision);
    l.gate_up.pack(gate_up, 2 * d->hidden, d->width, d->precision);
    l.down.pack(down, d->width, d->hidden, d->precision);
}

// stacked: the rows of all tables, shape [rows, width]; feature_rows: [features, width]; table: [vocabulary, width].
void decoder_tables(Decoder* d, const float* stacked, int32_t rows, const float* feature_rows, const float* norm, const float* table) {
    d->rows = rows;
    d->stacked = copied(stacked, static_cast<size_t>(rows) * d->width);
    d->feature_rows = copied(feature_rows, static_cast<size_t>(d->features) * d->width);
    d->norm = copied(norm, d->width);
    d->table.pack(table, d->vocabulary, d->width, d->precision);
}

// What multiplies: 2 tiles, 1 one instruction a line, 0 the compiler's vectors.
int32_t decoder_means(const Decoder* d) {
#if defined(__AVX512VNNI__)
    return d->tiles ? 2 : 1;
#else
    return d->tiles ? 2 : 0;
#endif
}

// Null where there is no memory for it.
Session* session_new(const Decoder* d, int32_t sequences, int32_t capacity, int32_t prefix_capacity) {
    try {
        if (d->precision == FLOAT32) return new Running<Single>(*d, sequences, capacity, prefix_capacity);
        return new Running<Half>(*d, sequences, capacity, prefix_capacity);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

void session_free(Session* s) { delete s; }

void session_share(Session* s, int32_t tokens) { s->share(tokens); }

// Reads up to 64 rows; returns 0, or which argument is out of range: 1 sequences, 2 positions, 3 indices. Writes the logits of the last `spoken`, shape [spoken, vocabulary], and where `hidden` is not null
// the normed stream of all, shape [count, width].
int32_t session_run(Session* s, int32_t count, const int32_t* sequences, const int32_t* positions, const int32_t* indices,
                 const float* features, int32_t spoken, float* logits, float* hidden) {
    Row rows[MOST_ROWS] = {};
    for (int r = 0; r < count; ++r) rows[r] = Row{sequences[r], positions[r]};
    const int wrong = s->wrong(rows, count, indices);
    if (!wrong) s->run(rows, count, indices, features, spoken, logits, hidden);
    return wrong;
}

// Draws a token for each row, -1 where nothing is allowed, and writes its log-probability among what is allowed, at
// temperature 1. allowed: [rows, words] bits; names: of the rows; rules: [rows, 6] as `Rules`.
void sample(int32_t count, int32_t vocabulary, const float* logits, const uint32_t* allowed, const int64_t* names,
            const float* rules, int64_t seed, int64_t step, int64_t* tokens, float* nats) {
    static thread_local Choice own;
    Choice& choice = own;
    const int words_a_row = (vocabulary + 31) / 32;
    for (int r = 0; r < count; ++r, rules += 6) {
        const Rules mine{rules[0], rules[1], rules[2], rules[3], rules[4], rules[5]};
        choice.take(logits + static_cast<size_t>(r) * vocabulary, allowed + static_cast<size_t>(r) * words_a_row, vocabulary, mine.temperature);
        tokens[r] = -1, nats[r] = -std::numeric_limits<float>::infinity();
        if (choice.found.empty()) continue;
        uint32_t words[2];
        random_words(static_cast<uint64_t>(seed), static_cast<uint32_t>(names[r]), static_cast<uint32_t>(step), words);
        const Choice::Token& token = choice.draw(mine, words);
        tokens[r] = token.id;
        nats[r] = token.behind - std::log(choice.sums);
    }
}

// Writes log(sum(exp(logits))) of what is allowed of each row.
void log_sum_exp(int32_t count, int32_t vocabulary, const float* logits, const uint32_t* allowed, float* out) {
    for (int r = 0; r < count; ++r)
        out[r] = log_sum_exp_of(logits + static_cast<size_t>(r) * vocabulary, allowed + static_cast<size_t>(r) * ((vocabulary + 31) / 32), vocabulary);
}
}
