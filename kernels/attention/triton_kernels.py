"""Triton kernels of training attention: a tile of rows or of columns a program, over one part of a pattern.

Shapes: B rows of the batch, H query heads, K key-value heads, T tokens, D head
size. M rows and N columns of a tile are those of a part (`kernels.attention.patterns`),
which says what token each is. Scores are in bits, so that exp2 makes
probabilities of them; a tile of them is never written.

A pattern of several parts runs as several launches. Forward, the output so far
and its log-sum-exp are where the next part begins; backward, the gradients add up,
because the probabilities come from the log-sum-exp of all parts.

Sources: Dao (2023), FlashAttention-2; Child et al. (2019), Sparse Transformers.
"""

from __future__ import annotations

from kernels.dispatch import jit, tl

__all__ = ["attention_backward_columns", "attention_backward_rows", "attention_forward"]

# mypy: disable-error-code="no-untyped-def, no-untyped-call, type-arg"


@jit
def columns_as_tokens(column_N, lane, head, LANES: tl.constexpr, SPAN: tl.constexpr, RUN: tl.constexpr):
    """Return the tokens that columns are (`Part.token`)."""
    if SPAN == 1:
        token_N = column_N * LANES + lane
    else:
        offset = SPAN - RUN * (1 + head % (SPAN // RUN))
        token_N = column_N // RUN * SPAN + column_N % RUN + offset
    return token_N


@jit
def seen(
    row,
    column,
    AHEAD: tl.constexpr,
    SPAN: tl.constexpr,
    RUN: tl.constexpr,
    BAND: tl.constexpr,
    OWN: tl.constexpr,
):
    """Return whether rows see columns (`Part.low`, `Part.high`)."""
    mask = column < row // SPAN * RUN + AHEAD
    if BAND > 0:
        mask = mask & (column > row - BAND)
    if OWN > 0:
        mask = mask & (column >= row // OWN * OWN)
    return mask


@jit
def load_tile(pointer, token, stride, valid, MASKED: tl.constexpr, D: tl.constexpr, WIDE: tl.constexpr, DOT32):
    """Return vectors of tokens, shape [tokens, WIDE]; zeros where not valid and past the head size."""
    size = tl.arange(0, WIDE)
    pointers = pointer + token.to(tl.int64)[:, None] * stride + size[None, :]
    if D < WIDE:
        tile = tl.load(pointers, mask=valid[:, None] & (size < D)[None, :], other=0.0)
    elif MASKED:
        tile = tl.load(pointers, mask=valid[:, None], other=0.0)
    else:
        tile = tl.load(pointers)
    if DOT32:
        tile = tile.to(tl.float32)
    return tile


@jit
def forward_tile(
    acc_MD, most_M, sum_M, q_MD, row_M, n, lane, head, k, v, k_t, v_t, columns, T, scale,
    MASKED: tl.constexpr, D: tl.constexpr, WIDE: tl.constexpr, BLOCK_N: tl.constexpr, DOT32: tl.constexpr,
    LANES: tl.constexpr, AHEAD: tl.constexpr, SPAN: tl.constexpr, RUN: tl.constexpr,
    BAND: tl.constexpr, OWN: tl.constexpr,
):  # fmt: skip
    """Return output, greatest score and sum of exponentials after one more tile of columns."""
    column_N = n * BLOCK_N + tl.arange(0, BLOCK_N)
    token_N = columns_as_tokens(column_N, lane, head, LANES, SPAN, RUN)
    valid_N = (column_N < columns) & (token_N < T)
    k_ND = load_tile(k, token_N, k_t, valid_N, MASKED, D, WIDE, DOT32)
    score_MN = tl.dot(q_MD, tl.trans(k_ND), input_precision="ieee") * scale
    if MASKED:
        score_MN = tl.where(
            seen(row_M[:, None], column_N[None, :], AHEAD, SPAN, RUN, BAND, OWN), score_MN, float("-inf")
        )
    now_M = tl.maximum(most_M, tl.max(score_MN, 1))
    # A row that has seen nothing yet has no greatest score to measure by.
    base_M = tl.where(now_M == float("-inf"), 0.0, now_M)
    p_MN = tl.exp2(score_MN - base_M[:, None])
    shrink_M = tl.exp2(most_M - base_M)
    v_ND = load_tile(v, token_N, v_t, valid_N, MASKED, D, WIDE, DOT32)
    acc_MD = acc_MD * shrink_M[:, None]
    acc_MD = tl.dot(p_MN.to(v_ND.dtype), v_ND, acc_MD, input_precision="ieee")
    return acc_MD, now_M, sum_M * shrink_M + tl.sum(p_MN, 1)


@jit
def attention_forward(
    q, k, v, so_far, out, lse, table,
    q_b, q_h, q_t, k_b, k_h, k_t, v_b, v_h, v_t, H, T, columns, scale,
    GROUP: tl.constexpr, D: tl.constexpr, WIDE: tl.constexpr, DOT32: tl.constexpr, RESUME: tl.constexpr,
    LANES: tl.constexpr, AHEAD: tl.constexpr, SPAN: tl.constexpr, RUN: tl.constexpr,
    BAND: tl.constexpr, OWN: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """Attend over one part: out and lse of a tile of rows, going on from `so_far` where RESUME."""
    tile = tl.num_programs(0) // LANES - 1 - tl.program_id(0) // LANES
    lane = tl.program_id(0) % LANES
    batch, head = (tl.program_id(1) // H).to(tl.int64), tl.program_id(1) % H
    k += batch * k_b + (head // GROUP).to(tl.int64) * k_h
    v += batch * v_b + (head // GROUP).to(tl.int64) * v_h
    flat = (batch * H + head) * T
    row_M = tile * BLOCK_M + tl.arange(0, BLOCK_M)
    token_M = row_M * LANES + lane
    valid_M = token_M < T
    q_MD = load_tile(q + batch * q_b + head.to(tl.int64) * q_h, token_M, q_t, valid_M, True, D, WIDE, DOT32)
    if RESUME:
        acc_MD = load_tile(so_far + flat * D, token_M, D, valid_M, True, D, WIDE, False)
        most_M = tl.load(lse + flat + token_M, mask=valid_M, other=0.0) * 1.4426950408889634
        sum_M = tl.where(most_M == float("-inf"), 0.0, 1.0)
    else:
        acc_MD = tl.zeros((BLOCK_M, WIDE), tl.float32)
        most_M = tl.full((BLOCK_M,), float("-inf"), tl.float32)
        sum_M = tl.zeros((BLOCK_M,), tl.float32)
    first = tl.load(table + 4 * tile)
    whole = tl.load(table + 4 * tile + 1)
    whole_end = tl.load(table + 4 * tile + 2)
    last = tl.load(table + 4 * tile + 3)
    for n in tl.range(whole, whole_end):
        acc_MD, most_M, sum_M = forward_tile(
            acc_MD, most_M, sum_M, q_MD, row_M, n, lane, head, k, v, k_t, v_t, columns, T, scale,
            False, D, WIDE, BLOCK_N, DOT32, LANES, AHEAD, SPAN, RUN, BAND, OWN,
        )  # fmt: skip
    # Then the tiles on both sides of which only some is seen.
    before = whole - first
    for at in tl.range(0, before + last - whole_end):
        n = tl.where(at < before, first + at, whole_end + at - before)
        acc_MD, most_M, sum_M = forward_tile(
            acc_MD, most_M, sum_M, q_MD, row_M, n, lane, head, k, v, k_t, v_t, columns, T, scale,
            True, D, WIDE, BLOCK_N, DOT32, LANES, AHEAD, SPAN, RUN, BAND, OWN,
        )  # fmt: skip
    # What has seen nothing is zero.
    some_M = tl.where(sum_M == 0.0, 1.0, sum_M)
    size = tl.arange(0, WIDE)
    tl.store(
        out + (flat + token_M)[:, None] * D + size[None, :],
        (acc_MD / some_M[:, None]).to(out.dtype.element_ty),
        mask=valid_M[:, None] & (size < D)[None, :],
    )
    tl.store(lse + flat + token_M, (most_M + tl.log2(some_M)) * 0.6931471805599453, mask=valid_M)


@jit
def probabilities(score_bits, lse_bits):
    """Return probabilities again; a row that has seen nothing has none."""
    return tl.exp2(score_bits - tl.where(lse_bits == float("-inf"), float("inf"), lse_bits))


@jit
def rows_tile(
    dq_MD, q_MD, do_MD, lse_M, delta_M, row_M, n, lane, head, k, v, k_t, v_t, columns, T, scale,
    MASKED: tl.constexpr, D: tl.constexpr, WIDE: tl.constexpr, BLOCK_N: tl.constexpr, DOT32: tl.constexpr,
    LANES: tl.constexpr, AHEAD: tl.constexpr, SPAN: tl.constexpr, RUN: tl.constexpr,
    BAND: tl.constexpr, OWN: tl.constexpr,
):  # fmt: skip
    """Return the gradient of the queries after one more tile of columns."""
    column_N = n * BLOCK_N + tl.arange(0, BLOCK_N)
    token_N = columns_as_tokens(column_N, lane, head, LANES, SPAN, RUN)
    valid_N = (column_N < columns) & (token_N < T)
    k_ND = load_tile(k, token_N, k_t, valid_N, MASKED, D, WIDE, DOT32)
    v_ND = load_tile(v, token_N, v_t, valid_N, MASKED, D, WIDE, DOT32)
    score_MN = tl.dot(q_MD, tl.trans(k_ND), input_precision="ieee") * scale
    if MASKED:
        score_MN = tl.where(
            seen(row_M[:, None], column_N[None, :], AHEAD, SPAN, RUN, BAND, OWN), score_MN, float("-inf")
        )
    p_MN = probabilities(score_MN, lse_M[:, None])
    ds_MN = p_MN * (tl.dot(do_MD, tl.trans(v_ND), input_precision="ieee") - delta_M[:, None])
    return tl.dot(ds_MN.to(k_ND.dtype), k_ND, dq_MD, input_precision="ieee")


@jit
def attention_backward_rows(
    q, k, v, out, do, lse, delta, dq, table,
    q_b, q_h, q_t, k_b, k_h, k_t, v_b, v_h, v_t, do_b, do_h, do_t, H, T, columns, scale,
    GROUP: tl.constexpr, D: tl.constexpr, WIDE: tl.constexpr, DOT32: tl.constexpr, RESUME: tl.constexpr,
    LANES: tl.constexpr, AHEAD: tl.constexpr, SPAN: tl.constexpr, RUN: tl.constexpr,
    BAND: tl.constexpr, OWN: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """Gradient of a tile of queries over one part, and delta = sum(out * do); added to dq where RESUME."""
    tile = tl.num_programs(0) // LANES - 1 - tl.program_id(0) // LANES
    lane = tl.program_id(0) % LANES
    batch, head = (tl.program_id(1) // H).to(tl.int64), tl.program_id(1) % H
    k += batch * k_b + (head // GROUP).to(tl.int64) * k_h
    v += batch * v_b + (head // GROUP).to(tl.int64) * v_h
    flat = (batch * H + head) * T
    row_M = tile * BLOCK_M + tl.arange(0, BLOCK_M)
    token_M = row_M * LANES + lane
    valid_M = token_M < T
    q_MD = load_tile(q + batch * q_b + head.to(tl.int64) * q_h, token_M, q_t, valid_M, True, D, WIDE, DOT32)
    do_MD = load_tile(do + batch * do_b + head.to(tl.int64) * do_h, token_M, do_t, valid_M, True, D, WIDE, DOT32)
    lse_M = tl.load(lse + flat + token_M, mask=valid_M, other=float("inf")) * 1.4426950408889634
    if RESUME:
        dq_MD = load_tile(dq + flat * D, token_M, D, valid_M, True, D, WIDE, False)
        dq_MD /= scale * 0.6931471805599453
        delta_M = tl.load(delta + flat + token_M, mask=valid_M, other=0.0)
    else:
        dq_MD = tl.zeros((BLOCK_M, WIDE), tl.float32)
        out_MD = load_tile(out + flat * D, token_M, D, valid_M, True, D, WIDE, DOT32)
        delta_M = tl.sum(out_MD.to(tl.float32) * do_MD.to(tl.float32), 1)
        tl.store(delta + flat + token_M, delta_M, mask=valid_M)
    first = tl.load(table + 4 * tile)
    whole = tl.load(table + 4 * tile + 1)
    whole_end = tl.load(table + 4 * tile + 2)
    last = tl.load(table + 4 * tile + 3)
    for n in tl.range(whole, whole_end):
        dq_MD = rows_tile(
            dq_MD, q_MD, do_MD, lse_M, delta_M, row_M, n, lane, head, k, v, k_t, v_t, columns, T, scale,
            False, D, WIDE, BLOCK_N, DOT32, LANES, AHEAD, SPAN, RUN, BAND, OWN,
        )  # fmt: skip
    before = whole - first
    for at in tl.range(0, before + last - whole_end):
        n = tl.where(at < before, first + at, whole_end + at - before)
        dq_MD = rows_tile(
            dq_MD, q_MD, do_MD, lse_M, delta_M, row_M, n, lane, head, k, v, k_t, v_t, columns, T, scale,
            True, D, WIDE, BLOCK_N, DOT32, LANES, AHEAD, SPAN, RUN, BAND, OWN,
        )  # fmt: skip
    size = tl.arange(0, WIDE)
    tl.store(
        dq + (flat + token_M)[:, None] * D + size[None, :],
        # Scores are in bits and scaled, gradients neither.
        (dq_MD * (scale * 0.6931471805599453)).to(dq.dtype.element_ty),
        mask=valid_M[:, None] & (size < D)[None, :],
    )


@jit
def columns_tile(
    dk_ND, dv_ND, k_ND, v_ND, column_N, m, lane, q, do, lse, delta, q_t, do_t, T, scale,
    MASKED: tl.constexpr, D: tl.constexpr, WIDE: tl.constexpr, BLOCK_M: tl.constexpr, DOT32: tl.constexpr,
    LANES: tl.constexpr, AHEAD: tl.constexpr, SPAN: tl.constexpr, RUN: tl.constexpr,
    BAND: tl.constexpr, OWN: tl.constexpr,
):  # fmt: skip
    """Return the gradients of keys and values after one more tile of rows."""
    row_M = m * BLOCK_M + tl.arange(0, BLOCK_M)
    token_M = row_M * LANES + lane
    # A lane may be a row shorter than the longest.
    valid_M = token_M < T
    q_MD = load_tile(q, token_M, q_t, valid_M, MASKED or LANES > 1, D, WIDE, DOT32)
    do_MD = load_tile(do, token_M, do_t, valid_M, MASKED or LANES > 1, D, WIDE, DOT32)
    lse_M = tl.load(lse + token_M, mask=valid_M, other=float("inf")) * 1.4426950408889634
    delta_M = tl.load(delta + token_M, mask=valid_M, other=0.0)
    score_NM = tl.dot(k_ND, tl.trans(q_MD), input_precision="ieee") * scale
    if MASKED:
        score_NM = tl.where(
            seen(row_M[None, :], column_N[:, None], AHEAD, SPAN, RUN, BAND, OWN), score_NM, float("-inf")
        )
    p_NM = probabilities(score_NM, lse_M[None, :])
    dv_ND = tl.dot(p_NM.to(do_MD.dtype), do_MD, dv_ND, input_precision="ieee")
    ds_NM = p_NM * (tl.dot(v_ND, tl.trans(do_MD), input_precision="ieee") - delta_M[None, :])
    dk_ND = tl.dot(ds_NM.to(q_MD.dtype), q_MD, dk_ND, input_precision="ieee")
    return dk_ND, dv_ND


@jit
def attention_backward_columns(
    q, k, v, do, lse, delta, dk, dv, table,
    q_b, q_h, q_t, k_b, k_h, k_t, v_b, v_h, v_t, do_b, do_h, do_t, K, T, columns, scale,
    GROUP: tl.constexpr, D: tl.constexpr, WIDE: tl.constexpr, DOT32: tl.constexpr, RESUME: tl.constexpr,
    LANES: tl.constexpr, AHEAD: tl.constexpr, SPAN: tl.constexpr, RUN: tl.constexpr,
    BAND: tl.constexpr, OWN: tl.constexpr, SHARES: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """Gradients of a tile of keys and values over one part; added to dk and dv where RESUME.

    The heads of a group are summed here. Where they read summaries of their own,
    SHARES programs divide them: each sums the heads that read the same.
    """
    tile = tl.program_id(0) // (LANES * SHARES)
    lane, share = tl.program_id(0) // SHARES % LANES, tl.program_id(0) % SHARES
    batch, kv_head = (tl.program_id(1) // K).to(tl.int64), tl.program_id(1) % K
    column_N = tile * BLOCK_N + tl.arange(0, BLOCK_N)
    token_N = columns_as_tokens(column_N, lane, kv_head * GROUP + share, LANES, SPAN, RUN)
    valid_N = (column_N < columns) & (token_N < T)
    k_ND = load_tile(k + batch * k_b + kv_head.to(tl.int64) * k_h, token_N, k_t, valid_N, True, D, WIDE, DOT32)
    v_ND = load_tile(v + batch * v_b + kv_head.to(tl.int64) * v_h, token_N, v_t, valid_N, True, D, WIDE, DOT32)
    size = tl.arange(0, WIDE)
    places = ((batch * K + kv_head) * T + token_N)[:, None] * D + size[None, :]
    inside = valid_N[:, None] & (size < D)[None, :]
    if RESUME:
        dk_ND = tl.load(dk + places, mask=inside, other=0.0) / (scale * 0.6931471805599453)
        dv_ND = tl.load(dv + places, mask=inside, other=0.0)
    else:
        dk_ND = tl.zeros((BLOCK_N, WIDE), tl.float32)
        dv_ND = tl.zeros((BLOCK_N, WIDE), tl.float32)
    first = tl.load(table + 4 * tile)
    last = tl.load(table + 4 * tile + 3)
    for member in tl.range(share, GROUP, SHARES):
        head = (kv_head * GROUP + member).to(tl.int64)
        own_q, own_do = q + batch * q_b + head * q_h, do + batch * do_b + head * do_h
        flat = (batch * K * GROUP + head) * T
        # One loop for tiles seen in full and in part: two take registers that are not there.
        for m in tl.range(first, last):
            dk_ND, dv_ND = columns_tile(
                dk_ND, dv_ND, k_ND, v_ND, column_N, m, lane, own_q, own_do, lse + flat, delta + flat, q_t, do_t, T,
                scale, True, D, WIDE, BLOCK_M, DOT32, LANES, AHEAD, SPAN, RUN, BAND, OWN,
            )  # fmt: skip
    tl.store(dk + places, (dk_ND * (scale * 0.6931471805599453)).to(dk.dtype.element_ty), mask=inside)
    tl.store(dv + places, dv_ND.to(dv.dtype.element_ty), mask=inside)
