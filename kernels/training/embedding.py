"""What a token says and where it stands, summed in one pass: gathered rows, sines of clocks, and more.

    out = table[token] + sum_n tables_n[index_n] + [sin a, cos a] @ time.T + sounding
    a = 2 pi (tick mod period) / period, and 2 pi frac(beat / period)

The sines are made where they are needed; what sounds is a product of its own,
whose result is added.

Shapes: C width, V vocabulary, R rows of a small table, F time features.

Source: OpenAI (2019), MuseNet: embeddings of time, part and countdown added to the token's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.dispatch import uses_triton
from kernels.training.embedding_gradients import time_features
from kernels.training.embedding_kernels import embedding_sum as by_operator

__all__ = ["embedding_sum", "time_features"]

FLOATS = (torch.float32, torch.bfloat16, torch.float16)


def embedding_sum(
    tokens: Tensor,
    table_VC: Tensor,
    indices: Sequence[Tensor],
    tables: Sequence[Tensor],
    ticks: Tensor,
    beats: Tensor,
    periods: tuple[list[int], list[float]],
    time_CF: Tensor,
    sounding: Tensor | None = None,
) -> Tensor:
    """Return the sum of a token's embeddings, shape [..., C], in the widest dtype of the tables.

    Args:
        tokens: int64, 0 to V - 1, shape [...].
        table_VC: a row for each word of the vocabulary.
        indices: int64 rows of `tables`, each shaped as `tokens`.
        tables: small tables, each of shape [rows, C].
        ticks: int64, shaped as `tokens`.
        beats: float32, 0 or more, shaped as `tokens`.
        periods: of the sines, in ticks and in beats.
        time_CF: factors of the sines of all periods, then of their cosines.
        sounding: whatever else is added, shape [..., C].

    Raises:
        ValueError: names the argument that has a wrong shape, dtype or device.
    """
    _check(tokens, table_VC, indices, tables, ticks, beats, periods, time_CF, sounding)
    if tokens.device.type == "cpu" or not uses_triton(table_VC):
        features = time_features(ticks, beats, *periods).to(time_CF.dtype)
        total = F.linear(features, time_CF)
        for index, table in zip(indices, tables, strict=True):
            total = total + F.embedding(index, table)
        if sounding is not None:
            total = total + sounding
        return F.embedding(tokens, table_VC) + total
    device, C = tokens.device.type, table_VC.shape[1]
    if torch.is_autocast_enabled(device):
        time_CF = time_CF.to(torch.get_autocast_dtype(device))
    starts = [sum(len(table) for table in tables[:n]) for n in range(len(tables))]
    # A row of indices for each table, into all tables one below the other.
    rows_NM = torch.stack([index.flatten() + start for index, start in zip(indices, starts, strict=True)])
    out_MC: Tensor = by_operator(
        tokens.flatten(),
        table_VC.contiguous(),
        rows_NM,
        torch.cat(list(tables)),
        ticks.flatten(),
        beats.flatten(),
        *periods,
        time_CF.contiguous(),
        None if sounding is None else sounding.reshape(-1, C).contiguous(),
    )
    return out_MC.view(*tokens.shape, C)


def _check(
    tokens: Tensor,
    table: Tensor,
    indices: Sequence[Tensor],
    tables: Sequence[Tensor],
    ticks: Tensor,
    beats: Tensor,
    periods: tuple[list[int], list[float]],
    time: Tensor,
    sounding: Tensor | None,
) -> None:
    if table.dim() != 2 or table.dtype not in FLOATS:
        raise ValueError(f"table_VC must be floats of shape [V, C], not {table.dtype} {list(table.shape)}")
    C, shape = table.shape[1], tokens.shape
    if not tables or len(indices) != len(tables):
        raise ValueError(f"tables and indices must be as many, at least one: {len(tables)} and {len(indices)}")
    for name, number in [
        ("tokens", tokens),
        *((f"indices[{n}]", index) for n, index in enumerate(indices)),
        ("ticks", ticks),
    ]:
        if number.shape != shape or number.dtype != torch.int64:
            raise ValueError(f"{name} must be int64 of shape {list(shape)}, not {number.dtype} {list(number.shape)}")
    if beats.shape != shape or beats.dtype != torch.float32:
        raise ValueError(f"beats must be float32 of shape {list(shape)}, not {beats.dtype} {list(beats.shape)}")
    for n, small in enumerate(tables):
        if small.dim() != 2 or small.shape[1] != C or small.dtype not in FLOATS:
            raise ValueError(f"tables[{n}] must be floats of shape [R, {C}], not {small.dtype} {list(small.shape)}")
    if not periods[0] or not periods[1] or min(min(periods[0]), min(periods[1])) <= 0:
        raise ValueError("periods must be some of ticks and some of beats, all of them positive")
    features = 2 * (len(periods[0]) + len(periods[1]))
    if time.shape != (C, features) or time.dtype not in FLOATS:
        raise ValueError(f"time_CF must be floats of shape [{C}, {features}], not {time.dtype} {list(time.shape)}")
    if sounding is not None and (sounding.shape != (*shape, C) or sounding.dtype not in FLOATS):
        raise ValueError(f"sounding must be floats of shape {[*shape, C]}, not {sounding.dtype} {list(sounding.shape)}")
    for name, given in [
        *(("table_VC", table), ("ticks", ticks), ("beats", beats), ("time_CF", time), ("sounding", sounding)),
        *((f"indices[{n}]", index) for n, index in enumerate(indices)),
        *((f"tables[{n}]", small) for n, small in enumerate(tables)),
    ]:
        if given is not None and given.device != tokens.device:
            raise ValueError(f"{name} must be on {tokens.device}, where tokens are, not on {given.device}")
