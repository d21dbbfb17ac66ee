"""Gradients of the sum of embeddings by its tables, and the sines of clocks that they share with it.

The rows of the vocabulary sum their tokens in order, sorted; the small tables, of
which many tokens share a row, and the factors of the sines are products with
ones and zeros, or sines, made on the spot and split over the tokens; the parts
are added at the end. Nothing is added by atomics: the same numbers every time.

Shapes: M tokens, C width, V vocabulary, N small tables, R their rows together,
P periods, F = 2 P time features, S splits of the tokens.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor

from kernels.dispatch import jit, register, tl, triton
from kernels.proof.build import Build, Tuning, Work

__all__ = ["BUILDS", "embedding_sum_backward", "padded", "periods_on", "sine", "time_features", "turned"]

VOCABULARY = Tuning({"BLOCK_M": 16, "BLOCK_C": 128}, warps=4, stages=2)
SMALL = Tuning({"BLOCK_R": 64, "BLOCK_M": 64, "BLOCK_C": 64}, warps=8, stages=2)
# Programs that fill a GPU: tokens are split until there are about as many.
PROGRAMS = 512


def time_features(ticks: Tensor, beats: Tensor, tick_periods: list[int], beat_periods: list[float]) -> Tensor:
    """Return sines, then cosines, of the clock and of the beat, shape [..., F], float32.

    Args:
        ticks: int64, shape [...].
        beats: float32, 0 or more, shaped as `ticks`.
        tick_periods: ticks of a turn.
        beat_periods: beats of a turn.
    """
    of_ticks = torch.tensor(tick_periods, device=ticks.device)
    of_beats = torch.tensor(beat_periods, device=ticks.device)
    turns = torch.cat([(ticks[..., None] % of_ticks) / of_ticks, torch.frac(beats[..., None] / of_beats)], dim=-1)
    angles = 2 * math.pi * turns
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


@functools.lru_cache(maxsize=8)
def periods_on(device: torch.device, periods: tuple[float, ...]) -> Tensor:
    """Return periods as a tensor, sent to a device once."""
    return torch.tensor(periods, dtype=torch.float32, device=device)


def padded(periods: int) -> int:
    """Return how many periods a kernel computes: a power of two, as a matrix instruction takes, 16 at least."""
    return max(16, 1 << (periods - 1).bit_length())


@jit
def sine(turns):  # type: ignore[no-untyped-def]
    """Return the sines of turns, 1 all around: exact to 1e-7, without the tables of a sine of any angle."""
    part = turns - tl.floor(turns + 0.5)
    # The quarters beyond mirror those before.
    part = tl.where(part > 0.25, 0.5 - part, tl.where(part < -0.25, -0.5 - part, part))
    x = part * 6.283185307179586
    y = x * x
    # Taylor's series to the eleventh power, at most a quarter turn away.
    series = 1 / 362880 - y * (1 / 39916800)
    series = -1 / 5040 + y * series
    series = 1 / 120 + y * series
    return x + x * y * (-1 / 6 + y * series)


@jit
def turned(ticks, beats, periods, P, TICKS: tl.constexpr, BLOCK_P: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return the turns of tokens at each period, the first TICKS of them of the clock, shape [tokens, BLOCK_P]."""
    period = tl.arange(0, BLOCK_P)
    length = tl.load(periods + period, mask=period < P, other=1.0)[None, :]
    # Whole numbers, which float32 would not hold for long.
    whole = tl.maximum(length.to(tl.int64), 1)
    of_ticks = (ticks[:, None] % whole).to(tl.float32) / length
    of_beats = beats[:, None] / length
    return tl.where((period < TICKS)[None, :], of_ticks, of_beats - tl.floor(of_beats))


@jit
def _vocabulary_kernel(  # type: ignore[no-untyped-def]
    above,
    order,  # tokens by their word
    starts,  # [V + 1], where the tokens of a word begin in `order`
    out,
    C,
    BLOCK_M: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    word = tl.program_id(0)
    columns = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    first, last = tl.load(starts + word), tl.load(starts + word + 1)
    total = tl.zeros([BLOCK_M, BLOCK_C], tl.float32)
    for turn in range(tl.cdiv(last - first, BLOCK_M)):
        place = first + turn * BLOCK_M + tl.arange(0, BLOCK_M)
        token = tl.load(order + place, mask=place < last, other=0)
        total += tl.load(
            above + token[:, None] * C + columns[None, :],
            mask=(place < last)[:, None] & (columns < C)[None, :],
            other=0.0,
        ).to(tl.float32)
    tl.store(out + word.to(tl.int64) * C + columns, tl.sum(total, 0), mask=columns < C)


@jit
def _small_kernel(  # type: ignore[no-untyped-def]
    above,
    rows,  # [N, M]
    ticks,
    beats,
    periods,
    out,  # [S, rows, C]
    M,
    C,
    R,
    P,
    each,  # tokens of a split
    N: tl.constexpr,
    TICKS: tl.constexpr,
    SINES: tl.constexpr,
    BLOCK_R: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Sum what tokens say of each row: of the small tables, or (SINES) of the factors of sines, then of cosines."""
    block, split = tl.program_id(0), tl.program_id(2)
    columns = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    inside = tl.arange(0, BLOCK_R)
    row = inside if SINES else block * BLOCK_R + inside
    total = tl.zeros([BLOCK_R, BLOCK_C], tl.float32)
    last = tl.minimum((split + 1) * each, M)
    for start in range(split * each, last, BLOCK_M):
        token = start + tl.arange(0, BLOCK_M)
        here = token < last
        above_tile = tl.load(
            above + token.to(tl.int64)[:, None] * C + columns[None, :],
            mask=here[:, None] & (columns < C)[None, :],
            other=0.0,
        )
        if SINES:
            tick = tl.load(ticks + token, mask=here, other=0)
            beat = tl.load(beats + token, mask=here, other=0.0)
            turns = turned(tick, beat, periods, P, TICKS, BLOCK_R)
            # The first block of rows are the factors of sines, the second those of cosines: a quarter turn ahead.
            parts = tl.trans(sine(turns + 0.25 * block))
        else:
            parts = tl.zeros([BLOCK_R, BLOCK_M], tl.float32)
            for n in tl.static_range(N):
                of = tl.load(rows + n * M + token, mask=here, other=-1)
                parts += (row[:, None] == of[None, :]).to(tl.float32)
        total = tl.dot(parts.to(above_tile.dtype), above_tile, total, input_precision="ieee")
    # Where a block's rows begin, and how many of them there are.
    place = block * P + row if SINES else row
    rows_in_all = 2 * P if SINES else R
    known = (row < (P if SINES else R))[:, None] & (columns < C)[None, :]
    out += split.to(tl.int64) * rows_in_all * C
    tl.store(out + place[:, None] * C + columns[None, :], total, mask=known)


def _summed(
    above_MC: Tensor, R: int, BLOCK_R: int, *, sines: bool, N: int, TICKS: int, given: tuple[Any, ...]
) -> Tensor:
    """Return the gradients of small tables, or of factors of sines and cosines, shape [rows, C]."""
    (M, C), blocks = above_MC.shape, {**SMALL.blocks, "BLOCK_R": BLOCK_R}
    tiles = (2 if sines else triton.cdiv(R, BLOCK_R)), triton.cdiv(C, blocks["BLOCK_C"])
    steps = triton.cdiv(M, blocks["BLOCK_M"])
    each = triton.cdiv(steps, max(1, min(steps, PROGRAMS // (tiles[0] * tiles[1])))) * blocks["BLOCK_M"]
    S = triton.cdiv(M, each) if M else 0
    parts_SRC = above_MC.new_empty((S, R, C), dtype=torch.float32)
    if M:
        _small_kernel[(*tiles, S)](
            *(above_MC, *given, parts_SRC),
            *(M, C, R, R // 2, each),
            N=N,
            TICKS=TICKS,
            SINES=sines,
            **blocks,
            num_warps=SMALL.warps,
            num_stages=SMALL.stages,
        )
    return parts_SRC.sum(dim=0)


def _backward_launch(
    above_MC: Tensor,
    tokens_M: Tensor,
    rows_NM: Tensor,
    ticks_M: Tensor,
    beats_M: Tensor,
    tick_periods: list[int],
    beat_periods: list[float],
    V: int,
    R: int,
) -> tuple[Tensor, Tensor, Tensor]:
    C, blocks = above_MC.shape[1], VOCABULARY.blocks
    words_M, order_M = tokens_M.sort(stable=True)
    starts_V = torch.searchsorted(words_M, torch.arange(V + 1, device=words_M.device))
    of_table_VC = above_MC.new_empty((V, C), dtype=torch.float32)
    _vocabulary_kernel[(V, triton.cdiv(C, blocks["BLOCK_C"]))](
        above_MC, order_M, starts_V, of_table_VC, C, **blocks, num_warps=VOCABULARY.warps, num_stages=VOCABULARY.stages
    )
    periods_P = periods_on(above_MC.device, (*tick_periods, *beat_periods))
    given = rows_NM, ticks_M, beats_M, periods_P
    shape = {"N": len(rows_NM), "TICKS": len(tick_periods)}
    of_small_RC = _summed(above_MC, R, SMALL.blocks["BLOCK_R"], sines=False, given=given, **shape)
    features = 2 * len(periods_P)
    of_time_FC = _summed(above_MC, features, padded(len(periods_P)), sines=True, given=given, **shape)
    return of_table_VC, of_small_RC, of_time_FC.t().contiguous()


def _backward_reference(
    above_MC: Tensor,
    tokens_M: Tensor,
    rows_NM: Tensor,
    ticks_M: Tensor,
    beats_M: Tensor,
    tick_periods: list[int],
    beat_periods: list[float],
    V: int,
    R: int,
) -> tuple[Tensor, Tensor, Tensor]:
    above_MC = above_MC.float()
    of_table_VC = above_MC.new_zeros((V, above_MC.shape[1])).index_add(0, tokens_M, above_MC)
    of_small_RC = above_MC.new_zeros((R, above_MC.shape[1]))
    for rows_M in rows_NM:
        of_small_RC = of_small_RC.index_add(0, rows_M, above_MC)
    features_MF = time_features(ticks_M, beats_M, tick_periods, beat_periods)
    return of_table_VC, of_small_RC, above_MC.t() @ features_MF


def _backward_fake(
    above_MC: Tensor,
    _tokens: Tensor,
    _rows: Tensor,
    _ticks: Tensor,
    _beats: Tensor,
    tick_periods: list[int],
    beat_periods: list[float],
    V: int,
    R: int,
) -> tuple[Tensor, Tensor, Tensor]:
    C, features = above_MC.shape[1], 2 * (len(tick_periods) + len(beat_periods))
    of_table_VC, of_small_RC, of_time_CF = (
        above_MC.new_empty(shape, dtype=torch.float32) for shape in ((V, C), (R, C), (C, features))
    )
    return of_table_VC, of_small_RC, of_time_CF


embedding_sum_backward = register("embedding_sum_backward", _backward_reference, _backward_launch, _backward_fake)


def _builds() -> tuple[Build, ...]:
    M, C, V, N, R, P, ticks = 16384, 1536, 5489, 4, 290, 24, 14
    size, stream = f"M {M}, C {C}", 2 * M * C

    def small(name: str, rows: int, block: int, *, sines: bool) -> Build:
        tuning = Tuning({**SMALL.blocks, "BLOCK_R": block}, SMALL.warps, SMALL.stages)
        splits = max(1, PROGRAMS // ((2 if sines else -(-rows // block)) * -(-C // SMALL.blocks["BLOCK_C"])))
        return Build(
            f"embeddings, backward, {name}",
            _small_kernel,
            {
                **dict.fromkeys(("rows", "ticks"), "*i64"),
                **dict.fromkeys(("beats", "periods", "out"), "*fp32"),
                "above": "*bf16",
                **dict.fromkeys(("M", "C", "R", "P", "each"), "i32"),
            },
            {"N": N, "TICKS": ticks, "SINES": sines},
            f"{size}, {rows} rows",
            Work(bytes=stream + M * (8 * N + 8 + 4) + 4 * splits * rows * C, flops=2 * M * rows * C),
            matrix=True,
            tuning={"default": tuning},
            divisible=("M", "C", "each"),
        )

    return (
        Build(
            "embeddings, backward, vocabulary",
            _vocabulary_kernel,
            {"above": "*bf16", "order": "*i64", "starts": "*i64", "out": "*fp32", "C": "i32"},
            {},
            f"{size}, V {V}",
            Work(bytes=stream + 8 * M + 8 * V + 4 * V * C, flops=0),
            matrix=False,
            tuning={"default": VOCABULARY},
            divisible=("C",),
        ),
        small("small tables", R, SMALL.blocks["BLOCK_R"], sines=False),
        small("sines", 2 * P, padded(P), sines=True),
    )


BUILDS: tuple[Build, ...] = _builds()
