// Drawing the next token of a row; `kernels/decoding/sampling.py` says what the rules are, and draws the same token.
//
// Integers throughout: how far a token is behind the best is its key, in 2^-15 of an octave, and its
// chance a mass of 30 bits. What may be drawn is a range of mass, from the likeliest on.

#pragma once

#include <vector>

#include "lines.h"

namespace {

constexpr int FINE = 15;
constexpr int32_t DEAD = 31 << FINE;
constexpr int64_t POLYNOMIAL[] = {1 << 30, 744260865, 257928559, 59494488, 10033292, 1077640};
constexpr float MOST_LOGIT = 1e25f;

struct Rules {
    float temperature, top_k, top_p, min_p, anti_p, anti_chance;
};

// Two random words of Philox4x32-10 (Salmon et al., 2011), for a seed, a row and a step.
inline void random_words(uint64_t seed, uint32_t row, uint32_t step, uint32_t* words) {
    uint32_t c[4] = {step, static_cast<uint32_t>(seed >> 32), 0, 0}, key[2] = {static_cast<uint32_t>(seed), row};
    for (int round = 0; round < 10; ++round) {
        const uint64_t one = c[0] * uint64_t{0xD2511F53}, two = c[2] * uint64_t{0xCD9E8D57};
        c[0] = static_cast<uint32_t>(two >> 32) ^ c[1] ^ key[0];
        c[1] = static_cast<uint32_t>(two);
        c[2] = static_cast<uint32_t>(one >> 32) ^ c[3] ^ key[1];
        c[3] = static_cast<uint32_t>(one);
        key[0] += 0x9E3779B9, key[1] += 0xBB67AE85;
    }
    words[0] = c[0], words[1] = c[1];
}

inline int32_t mass_of(int32_t key) {
    const int64_t f = key & ((1 << FINE) - 1);
    int64_t mass = POLYNOMIAL[5];
    for (int n = 4; n >= 0; --n) mass = POLYNOMIAL[n] - (mass * f >> FINE);
    return static_cast<int32_t>(mass) >> (key >> FINE);
}

// total * word / 2^31, rounded down; the product itself would not fit.
inline int64_t share_of(int64_t total, int64_t word) { return (total >> 31) * word + ((total & 0x7fffffff) * word >> 31); }

inline int64_t word_of(float share) { return static_cast<int64_t>(std::min(std::max(share, 0.0f), 1.0f) * 2147483648.0f); }

// log(sum(exp(logit))) of what is allowed.
inline float log_sum_exp_of(const float* logits, const uint32_t* allowed, int vocabulary) {
    float best = -std::numeric_limits<float>::infinity();
    auto each = [&](auto work) {
        for (int w = 0; w * 32 < vocabulary; ++w)
            for (int half = 0; half < 32; half += LANES) {
                const uint32_t bits = allowed[w] >> half & 0xffff;
                if (!bits) continue;
                alignas(64) float x[LANES];
                for (int i = 0; i < LANES; ++i) {
                    const int id = w * 32 + half + i;
                    x[i] = bits >> i & 1 && id < vocabulary ? logits[id] : -std::numeric_limits<float>::infinity();
                }
                work(floats(x));
            }
    };
    Floats most = Floats{} + best;
    each([&](const Floats& x) { most = larger(most, x); });
    for (int i = 0; i < LANES; ++i) best = std::max(best, most[i]);
    Floats total = Floats{};
    each([&](const Floats& x) { total += x - best > -87.0f ? exponential(x - best) : Floats{}; });
    return best + std::log(sum(total));
}

// The tokens of a row that can be drawn at all, octave by octave, each in the order of the vocabulary.
struct Choice {
    static constexpr int OCTAVES = 31;
    struct Token {
        int32_t id, key, mass;
        float behind;
    };
    std::vector<Token> found, tokens;
    float best = 0, sums = 0;
    int starts[OCTAVES + 1];        // of each octave among the tokens
    int64_t before[OCTAVES + 1];    // mass of the octaves before each

    // Takes the tokens that are allowed; those that are dead are left out.
    void take(const float* logits, const uint32_t* allowed, int vocabulary, float temperature) {
        found.clear();
        best = -MOST_LOGIT, sums = 0;
        for (int w = 0; w * 32 < vocabulary; ++w)
            for (uint32_t left = allowed[w]; left; left &= left - 1) {
                const int id = w * 32 + __builtin_ctz(left);
                // Not true of what is no number.
                if (id >= vocabulary || !(logits[id] > -MOST_LOGIT)) continue;
                const float logit = std::min(logits[id], MOST_LOGIT);
                best = std::max(best, logit);
                found.push_back({id, 0, 0, logit});
            }
        const float scale = -static_cast<float>((1 << FINE) * 1.4426950408889634) / std::max(temperature, 1e-6f);
        int counts[OCTAVES + 1] = {};
        Floats total = Floats{};
        for (size_t n = 0; n < found.size(); n += LANES) {
            alignas(64) float behind[LANES];
            for (size_t i = 0; i < LANES; ++i) behind[i] = n + i < found.size() ? found[n + i].behind - best : -1e3f;
            total += floats(behind) > -87.0f ? exponential(floats(behind)) : Floats{};
            for (size_t i = n; i < std::min(n + LANES, found.size()); ++i) {
                Token& token = found[i];
                token.behind = behind[i - n];
                const float key = token.behind * scale;
                token.key = static_cast<int32_t>(std::min(key, static_cast<float>(DEAD)));
                token.mass = token.key < DEAD ? mass_of(token.key) : 0;
                ++counts[token.key >> FINE];
            }
        }
        sums = sum(total);
        starts[0] = 0, before[0] = 0;
        for (int o = 0; o < OCTAVES; ++o) starts[o + 1] = starts[o] + counts[o], before[o + 1] = 0;
        tokens.resize(starts[OCTAVES]);
        int next[OCTAVES];
        std::copy(starts, starts + OCTAVES, next);
        for (const Token& token : found) {
            if (token.key >= DEAD) continue;
            const int octave = token.key >> FINE;
            tokens[next[octave]++] = token;
            before[octave + 1] += token.mass;
        }
        for (int o = 0; o < OCTAVES; ++o) before[o + 1] += before[o];
    }

    int64_t all() const { return before[OCTAVES]; }

    // How much, or how many, up to and with a key.
    int64_t mass_to(int32_t last) const {
        if (last < 0) return 0;
        if (last >= DEAD) return all();
        const int octave = last >> FINE;
        int64_t total = before[octave];
        for (int n = starts[octave]; n < starts[octave + 1]; ++n) total += tokens[n].key <= last ? tokens[n].mass : 0;
        return total;
    }

    int count_to(int32_t last) const {
        if (last >= DEAD) return starts[OCTAVES];
        const int octave = last >> FINE;
        int total = starts[octave];
        for (int n = starts[octave]; n < starts[octave + 1]; ++n) total += tokens[n].key <= last;
        return total;
    }

    // The smallest key for which something is enough, which holds from some key on.
    template <class Enough>
    static int32_t first(Enough enough) {
        int32_t low = 0, high = DEAD;
        while (low < high) {
            const int32_t middle = (low + high) >> 1;
            if (enough(middle)) high = middle;
            else low = middle + 1;
        }
        return high;
    }

    int32_t reach(int64_t target) const {
        return first([&](int32_t key) { return mass_to(key) >= target; });
    }

    // The token drawn by two random words, the rules applied one after another.
    const Token& draw(const Rules& rules, const uint32_t* words) const {
        int64_t low = 0, high = all();
        if (rules.top_k > 0 && rules.top_k < static_cast<float>(tokens.size()))
            high = mass_to(first([&](int32_t key) { return count_to(key) >= static_cast<int>(rules.top_k); }));
        if (rules.top_p < 1) high = std::min(high, mass_to(reach(std::max<int64_t>(share_of(high, word_of(rules.top_p)), 1))));
        if (rules.min_p > 0) {
            const int64_t least = word_of(rules.min_p) >> 1;
            int64_t kept = 0;
            for (const Token& token : tokens) kept += token.mass >= least ? token.mass : 0;
            high = std::min(high, kept);
        }
        if (rules.anti_p > 0 && (words[1] >> 1) < word_of(rules.anti_chance)) {
            low = mass_to(reach(std::min(share_of(high, word_of(rules.anti_p)) + 1, high)));
            if (low >= high) low = mass_to(reach(high) - 1);
        }
        const int64_t drawn = low + share_of(high - low, words[0] >> 1);
        const int32_t last = reach(drawn + 1);
        // Those that are as likely have a turn each, in the order of the vocabulary.
        int64_t turn = (drawn - mass_to(last - 1)) / std::max(mass_of(last), 1);
        const Token* mine = nullptr;
        for (int n = starts[last >> FINE]; turn >= 0; ++n)
            if (tokens[n].key == last) mine = &tokens[n], --turn;
        return *mine;
    }
};

}  // namespace
