"""Triton kernels of decode attention: a stretch of the sequence a program, and the merging of the stretches.

Shapes: N candidates, K key-value heads, G query heads of each, D head size (WIDE:
the power of two above), P tokens of the prompt, R rows of a tile, S places of a
block, L stretches. Scores are in bits, so that exp2 makes probabilities of them.

Sources: Dao et al. (2023), Flash-Decoding; Juravsky et al. (2024), Hydragen.
"""

from __future__ import annotations

from kernels.dispatch import jit, tl

__all__ = ["decode_attention_merge", "decode_attention_own", "decode_attention_prefix"]

# mypy: disable-error-code="no-untyped-def, no-untyped-call"


@jit
def attend(
    q_RD, k, v, k_stride, v_stride, begin, end, first_R, scale,
    BLOCK_R: tl.constexpr, BLOCK_S: tl.constexpr, D: tl.constexpr, WIDE: tl.constexpr, DOT32: tl.constexpr,
):  # fmt: skip
    """Return output, greatest score and sum of exponentials over places begin to end, from each row's first on."""
    d = tl.arange(0, WIDE)
    acc_RD = tl.zeros([BLOCK_R, WIDE], tl.float32)
    most_R = tl.full([BLOCK_R], float("-inf"), tl.float32)
    sum_R = tl.zeros([BLOCK_R], tl.float32)
    for start in range(begin, end, BLOCK_S):
        s = start + tl.arange(0, BLOCK_S)
        # Places that no row may see may hold anything.
        held = (s < end)[:, None] & (d < D)[None, :]
        k_SD = tl.load(k + s.to(tl.int64)[:, None] * k_stride + d[None, :], mask=held, other=0.0)
        v_SD = tl.load(v + s.to(tl.int64)[:, None] * v_stride + d[None, :], mask=held, other=0.0)
        if DOT32:
            k_SD = k_SD.to(tl.float32)
            v_SD = v_SD.to(tl.float32)
        scores_RS = tl.dot(q_RD, tl.trans(k_SD), input_precision="ieee") * scale
        seen = (s[None, :] >= first_R[:, None]) & (s < end)[None, :]
        scores_RS = tl.where(seen, scores_RS, float("-inf"))
        new_R = tl.maximum(most_R, tl.max(scores_RS, 1))
        # As long as a row has seen nothing, its greatest score is no number to subtract.
        base_R = tl.where(new_R == float("-inf"), 0.0, new_R)
        p_RS = tl.exp2(scores_RS - base_R[:, None])
        before_R = tl.exp2(most_R - base_R)
        sum_R = sum_R * before_R + tl.sum(p_RS, 1)
        acc_RD = tl.dot(p_RS.to(v_SD.dtype), v_SD, acc_RD * before_R[:, None], input_precision="ieee")
        most_R = new_R
    return acc_RD, most_R, sum_R


@jit
def store_part(
    part, part_lse, to_R, acc_RD, most_R, sum_R, valid_R, D: tl.constexpr, WIDE: tl.constexpr
):  # fmt: skip
    """Write what rows attended to in one stretch; a row that saw nothing has a log-sum-exp of -inf."""
    d = tl.arange(0, WIDE)
    lse_R = tl.where(sum_R > 0, most_R + tl.log2(tl.maximum(sum_R, 1e-37)), float("-inf"))
    acc_RD = acc_RD / tl.where(sum_R > 0, sum_R, 1.0)[:, None]
    tl.store(part_lse + to_R, lse_R, mask=valid_R)
    tl.store(part + to_R.to(tl.int64)[:, None] * D + d[None, :], acc_RD, mask=valid_R[:, None] & (d < D)[None, :])


@jit
def load_queries(q, n_R, h_R, valid_R, q_n, q_h, D: tl.constexpr, WIDE: tl.constexpr, DOT32: tl.constexpr):
    """Return query heads of candidates, zeros where not valid and past the head size."""
    d = tl.arange(0, WIDE)
    pointers = q + n_R.to(tl.int64)[:, None] * q_n + h_R[:, None] * q_h + d[None, :]
    q_RD = tl.load(pointers, mask=valid_R[:, None] & (d < D)[None, :], other=0.0)
    if DOT32:
        q_RD = q_RD.to(tl.float32)
    return q_RD


@jit
def decode_attention_prefix(
    q, k, v, lengths, part, part_lse, N, P, chunk, slots, window, scale, q_n, q_h, k_h, k_s, v_h, v_s,
    G: tl.constexpr, D: tl.constexpr, WIDE: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_S: tl.constexpr,
    DOT32: tl.constexpr,
):  # fmt: skip
    """Attend to a stretch of the prompt: the heads of all candidates that look at a key-value head."""
    # Programs that read the same stretch lie side by side.
    tile, split, head = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    r = tile * BLOCK_R + tl.arange(0, BLOCK_R)
    n_R = r // G
    h_R = head * G + r % G
    valid_R = n_R < N
    q_RD = load_queries(q, n_R, h_R, valid_R, q_n, q_h, D, WIDE, DOT32)
    length_R = tl.load(lengths + n_R, mask=valid_R, other=0).to(tl.int32)
    first_R = tl.where(window > 0, tl.maximum(P + length_R - window, 0), 0)
    earliest = tl.min(tl.where(valid_R, first_R, P))
    begin = tl.maximum(split * chunk, earliest // BLOCK_S * BLOCK_S)
    end = tl.minimum(split * chunk + chunk, P)
    acc_RD, most_R, sum_R = attend(
        q_RD, k + head.to(tl.int64) * k_h, v + head.to(tl.int64) * v_h, k_s, v_s, begin, end, first_R, scale,
        BLOCK_R, BLOCK_S, D, WIDE, DOT32,
    )  # fmt: skip
    to_R = (n_R * (tl.num_programs(2) * G) + h_R) * slots + split
    store_part(part, part_lse, to_R, acc_RD, most_R, sum_R, valid_R, D, WIDE)


@jit
def decode_attention_own(
    q, k, v, lengths, part, part_lse, splits, chunk, slots, window, scale,
    q_n, q_h, k_n, k_h, k_s, v_n, v_h, v_s,
    G: tl.constexpr, D: tl.constexpr, WIDE: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_S: tl.constexpr,
    DOT32: tl.constexpr,
):  # fmt: skip
    """Attend to a stretch of a candidate's own tokens: the heads that look at a key-value head."""
    split, head, n = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    r = tl.arange(0, BLOCK_R)
    n_R = n + r * 0
    h_R = head * G + r
    valid_R = r < G
    q_RD = load_queries(q, n_R, h_R, valid_R, q_n, q_h, D, WIDE, DOT32)
    length = tl.load(lengths + n).to(tl.int32)
    # Of the last `window` places some may lie in the prompt.
    first = tl.where(window > 0, tl.maximum(length - window, 0), 0)
    begin = tl.maximum(split * chunk, first // BLOCK_S * BLOCK_S)
    end = tl.minimum(split * chunk + chunk, length)
    k += n.to(tl.int64) * k_n + head * k_h
    v += n.to(tl.int64) * v_n + head * v_h
    acc_RD, most_R, sum_R = attend(
        q_RD, k, v, k_s, v_s, begin, end, first + r * 0, scale, BLOCK_R, BLOCK_S, D, WIDE, DOT32
    )
    to_R = (n_R * (tl.num_programs(1) * G) + h_R) * slots + splits + split
    store_part(part, part_lse, to_R, acc_RD, most_R, sum_R, valid_R, D, WIDE)


@jit
def decode_attention_merge(
    part, part_lse, out, splits, D: tl.constexpr, WIDE: tl.constexpr, BLOCK_L: tl.constexpr
):  # fmt: skip
    """Merge the parts of one query head."""
    row = tl.program_id(0).to(tl.int64)
    s = tl.arange(0, BLOCK_L)
    d = tl.arange(0, WIDE)
    lse_L = tl.load(part_lse + row * splits + s, mask=s < splits, other=float("-inf"))
    most = tl.max(lse_L)
    weight_L = tl.exp2(lse_L - tl.where(most == float("-inf"), 0.0, most))
    total = tl.sum(weight_L)
    held = (s < splits)[:, None] & (d < D)[None, :]
    part_LD = tl.load(part + (row * splits + s)[:, None] * D + d[None, :], mask=held, other=0.0)
    out_D = tl.sum(part_LD * weight_L[:, None], 0) / tl.where(total > 0, total, 1.0)
    tl.store(out + row * D + d, out_D.to(out.dtype.element_ty), mask=d < D)
