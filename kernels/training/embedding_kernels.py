"""The operator under the sum of embeddings: a program gathers its tokens' rows and makes their sines.

Shapes: M tokens, C width, V vocabulary, N small tables, R their rows together,
P periods, F = 2 P time features.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.dispatch import jit, register, tl, triton
from kernels.proof.build import Build, Tuning, Work
from kernels.training.embedding_gradients import embedding_sum_backward, padded, periods_on, sine, time_features, turned

__all__ = ["BUILDS", "embedding_sum"]

FORWARD = Tuning({"BLOCK_M": 32, "BLOCK_C": 64}, warps=4, stages=2)


def _dtype(*given: Tensor | None) -> torch.dtype:
    return functools.reduce(torch.promote_types, [x.dtype for x in given if x is not None])


def _reference(
    tokens_M: Tensor,
    table_VC: Tensor,
    rows_NM: Tensor,
    small_RC: Tensor,
    ticks_M: Tensor,
    beats_M: Tensor,
    tick_periods: list[int],
    beat_periods: list[float],
    time_CF: Tensor,
    sounding_MC: Tensor | None,
) -> Tensor:
    features_MF = time_features(ticks_M, beats_M, tick_periods, beat_periods)
    total_MC = features_MF @ time_CF.float().t() + F.embedding(rows_NM, small_RC).float().sum(dim=0)
    total_MC = total_MC + F.embedding(tokens_M, table_VC).float()
    if sounding_MC is not None:
        total_MC = total_MC + sounding_MC.float()
    return total_MC.to(_dtype(table_VC, small_RC, time_CF, sounding_MC))


def _fake(
    tokens_M: Tensor,
    table_VC: Tensor,
    _rows: Tensor,
    small_RC: Tensor,
    _ticks: Tensor,
    _beats: Tensor,
    _tick_periods: list[int],
    _beat_periods: list[float],
    time_CF: Tensor,
    sounding_MC: Tensor | None,
) -> Tensor:
    dtype = _dtype(table_VC, small_RC, time_CF, sounding_MC)
    return table_VC.new_empty((len(tokens_M), table_VC.shape[1]), dtype=dtype)


@jit
def _forward_kernel(  # type: ignore[no-untyped-def]
    tokens,
    table,
    rows,  # [N, M]
    small,
    ticks,
    beats,
    periods,
    time,  # [C, 2 P]
    sounding,
    out,
    M,
    C,
    V,
    R,
    P,
    N: tl.constexpr,
    TICKS: tl.constexpr,
    SOUNDING: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    token = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    columns = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    here, there = token < M, columns < C
    place = token.to(tl.int64)[:, None] * C + columns[None, :]
    both = here[:, None] & there[None, :]
    tick = tl.load(ticks + token, mask=here, other=0)
    beat = tl.load(beats + token, mask=here, other=0.0)
    turns = turned(tick, beat, periods, P, TICKS, BLOCK_P)
    period = tl.arange(0, BLOCK_P)
    factors = time + columns[None, :] * (2 * P) + period[:, None]
    known = (period < P)[:, None] & there[None, :]
    of_sines = tl.load(factors, mask=known, other=0.0)
    of_cosines = tl.load(factors + P, mask=known, other=0.0)
    total = tl.dot(sine(turns).to(of_sines.dtype), of_sines, input_precision="ieee")
    total = tl.dot(sine(turns + 0.25).to(of_sines.dtype), of_cosines, total, input_precision="ieee")
    for n in tl.static_range(N):
        row = tl.load(rows + n * M + token, mask=here, other=0)
        # Nothing beyond a table is ever read.
        known = both & ((row >= 0) & (row < R))[:, None]
        total += tl.load(small + row[:, None] * C + columns[None, :], mask=known, other=0.0).to(tl.float32)
    if SOUNDING:
        total += tl.load(sounding + place, mask=both, other=0.0).to(tl.float32)
    word = tl.load(tokens + token, mask=here, other=0)
    known = both & ((word >= 0) & (word < V))[:, None]
    total += tl.load(table + word[:, None] * C + columns[None, :], mask=known, other=0.0).to(tl.float32)
    tl.store(out + place, total.to(out.dtype.element_ty), mask=both)


def _launch(
    tokens_M: Tensor,
    table_VC: Tensor,
    rows_NM: Tensor,
    small_RC: Tensor,
    ticks_M: Tensor,
    beats_M: Tensor,
    tick_periods: list[int],
    beat_periods: list[float],
    time_CF: Tensor,
    sounding_MC: Tensor | None,
) -> Tensor:
    (N, M), (V, C) = rows_NM.shape, table_VC.shape
    out_MC = table_VC.new_empty((M, C), dtype=_dtype(table_VC, small_RC, time_CF, sounding_MC))
    periods_P = periods_on(table_VC.device, (*tick_periods, *beat_periods))
    blocks = FORWARD.blocks
    if M:
        _forward_kernel[(triton.cdiv(M, blocks["BLOCK_M"]), triton.cdiv(C, blocks["BLOCK_C"]))](
            *(tokens_M, table_VC, rows_NM, small_RC, ticks_M, beats_M, periods_P, time_CF),
            *(out_MC if sounding_MC is None else sounding_MC, out_MC),
            *(M, C, V, len(small_RC), len(periods_P)),
            N=N,
            TICKS=len(tick_periods),
            SOUNDING=sounding_MC is not None,
            BLOCK_P=padded(len(periods_P)),
            **blocks,
            num_warps=FORWARD.warps,
            num_stages=FORWARD.stages,
        )
    return out_MC


embedding_sum = register("embedding_sum", _reference, _launch, _fake)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001 (torch calls it by name)
    tokens_M, table_VC, rows_NM, small_RC, ticks_M, beats_M, *ctx.periods, time_CF, sounding_MC = inputs
    ctx.save_for_backward(tokens_M, rows_NM, ticks_M, beats_M)
    ctx.rows = len(table_VC), len(small_RC)
    ctx.dtypes = table_VC.dtype, small_RC.dtype, time_CF.dtype
    ctx.of_sounding = None if sounding_MC is None else sounding_MC.dtype


def _backward(ctx: Any, above_MC: Tensor) -> tuple[Tensor | None, ...]:
    above_MC = above_MC.contiguous()
    found = embedding_sum_backward(above_MC, *ctx.saved_tensors, *ctx.periods, *ctx.rows)
    of_table_VC, of_small_RC, of_time_CF = (x.to(dtype) for x, dtype in zip(found, ctx.dtypes, strict=True))
    of_sounding_MC = None if ctx.of_sounding is None else above_MC.to(ctx.of_sounding)
    return None, of_table_VC, None, of_small_RC, None, None, None, None, of_time_CF, of_sounding_MC


embedding_sum.register_autograd(_backward, setup_context=_save)


def _builds() -> tuple[Build, ...]:
    M, C, V, N, R, P, ticks = 16384, 1536, 5489, 4, 290, 24, 14
    clocks = {"ticks": "*i64", "beats": "*fp32", "periods": "*fp32", "rows": "*i64"}
    sizes = dict.fromkeys(("M", "C", "R", "P"), "i32")
    size = f"M {M}, C {C}"
    stream, shape = 2 * M * C, {"N": N, "TICKS": ticks}
    indices = M * (8 * N + 8 + 4)

    return (
        Build(
            "embeddings, forward",
            _forward_kernel,
            {
                **clocks,
                **sizes,
                **dict.fromkeys(("table", "small", "time", "sounding", "out"), "*bf16"),
                "tokens": "*i64",
                "V": "i32",
            },
            {**shape, "SOUNDING": True, "BLOCK_P": padded(P)},
            size,
            Work(bytes=2 * stream + 2 * C * (V + R + 2 * P) + indices + 8 * M, flops=2 * M * 2 * P * C),
            matrix=True,
            tuning={"default": FORWARD},
            divisible=("M", "C"),
        ),
    )


BUILDS: tuple[Build, ...] = _builds()
