"""The fused operations of training and sampling beside plain torch.

Shapes: M positions, C width, V vocabulary, N rows, W words of bits.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.decoding.sampling import pack, sample
from kernels.proof.build import Work
from kernels.training.cross_entropy import linear_cross_entropy
from kernels.training.embedding import embedding_sum
from kernels.training.norm import norm_residual
from tests.bench.gpu.case import Case, compiled

__all__ = ["full", "medium", "small"]

VOCABULARY = 5489


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def norm(M: int, C: int) -> Case:
    """Add to the stream and norm it."""

    def inputs(device: torch.device, dtype: torch.dtype) -> list[Tensor]:
        g = _generator(M)
        shapes = ((M, C), (M, C), (C,), (C,))
        return [torch.randn(shape, generator=g).to(device, dtype) for shape in shapes]

    eps = 1e-5

    def ours(x: Tensor, residual: Tensor, weight: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
        return norm_residual(x, residual, weight, eps, scale)

    def kernel(x: Tensor, residual: Tensor, weight: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
        normed, total, _ = torch.ops.conductor.norm_residual(x, residual, weight, scale, eps)
        return normed, total

    def exact(x: Tensor, residual: Tensor, weight: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
        total = x + scale * residual
        return F.rms_norm(total, (C,), weight, eps), total

    return Case(
        f"norm with residual, M {M}, C {C}",
        inputs,
        ours,
        kernel,
        exact,
        {"compiled": compiled(exact), "eager": exact},
        # Forward reads 2 and writes 2; backward reads the sum, the residual (for the gradient of its scale) and what
        # comes from above of both, and writes 2.
        Work(2 * M * C * 10, 0),
        gradients=(0, 1, 2, 3),
    )


def embedding(M: int, C: int, V: int) -> Case:
    """The sum of a token's embeddings: four tables, a clock of sines, and what sounds."""
    rows = (32, 128, 128, 2)
    tick_periods, beat_periods = [2**n for n in range(1, 15)], [0.125, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 8.0, 16.0]
    clocks = 2 * (len(tick_periods) + len(beat_periods))

    def inputs(device: torch.device, dtype: torch.dtype) -> list[Tensor]:
        g = _generator(M)
        shapes = ((V, C), *((count, C) for count in rows), (C, clocks), (M, C))
        tables = [torch.randn(shape, generator=g).to(device, dtype) for shape in shapes]
        indices = [torch.randint(0, count, (M,), generator=g) for count in (V, *rows, 20_000)]
        # 64ths of a beat: float32 and float64 agree on which turn of a clock it is.
        beats = torch.randint(0, 64 * 500, (M,), generator=g) / 64
        return [*tables, *(x.to(device) for x in (*indices, beats))]

    def parts(given: tuple[Tensor, ...]) -> tuple[Any, ...]:
        table, *small, time, sounding = given[:7]
        tokens, *indices, ticks, beats = given[7:]
        return table, small, time, sounding, tokens, indices, ticks, beats

    def ours(*given: Tensor) -> Tensor:
        table, small, time, sounding, tokens, indices, ticks, beats = parts(given)
        periods = tick_periods, beat_periods
        return embedding_sum(tokens, table, indices, small, ticks, beats, periods, time, sounding)

    def kernel(*given: Tensor) -> Tensor:
        table, small, time, sounding, tokens, indices, ticks, beats = parts(given)
        starts = [sum(rows[:n]) for n in range(len(rows))]
        of_all = torch.stack([index + start for index, start in zip(indices, starts, strict=True)])
        clock = (ticks, beats, tick_periods, beat_periods)
        out: Tensor = torch.ops.conductor.embedding_sum(tokens, table, of_all, torch.cat(small), *clock, time, sounding)
        return out

    def exact(*given: Tensor) -> Tensor:
        table, small, time, sounding, tokens, indices, ticks, beats = parts(given)
        by_tick, by_beat = (
            torch.tensor(p, device=beats.device, dtype=beats.dtype) for p in (tick_periods, beat_periods)
        )
        # Whole turns are left out before float32 forgets the rest.
        turns = torch.cat([ticks[:, None] % by_tick / by_tick, (beats[:, None] / by_beat).frac()], dim=1)
        features = torch.cat([(2 * math.pi * turns).sin(), (2 * math.pi * turns).cos()], dim=1).to(time.dtype)
        total: Tensor = features @ time.T + table[tokens] + sounding
        for rows_, index in zip(small, indices, strict=True):
            total = total + rows_[index]
        return total

    numbers = V * C + sum(rows) * C + C * clocks + 2 * M * C
    return Case(
        f"sum of embeddings, M {M}, C {C}, V {V}",
        inputs,
        ours,
        kernel,
        exact,
        {"compiled": compiled(exact), "eager": exact},
        # Forward all tables and what sounds are read and the sum is written; backward what comes from above is read and
        # the gradients of all of them are written. The clock's product, and its gradient by the factors.
        Work(2 * 2 * numbers + 2 * 56 * M, 2 * 2 * M * C * clocks),
        gradients=tuple(range(7)),
    )


def cross_entropy(M: int, C: int, V: int) -> Case:
    """Linear layer and cross-entropy with mixup's two targets."""

    def inputs(device: torch.device, dtype: torch.dtype) -> list[Tensor]:
        g = _generator(M)
        targets, seconds = (torch.randint(0, V, (M,), generator=g) for _ in range(2))
        x, table = torch.randn(M, C, generator=g), torch.randn(V, C, generator=g) / C**0.5
        weights = torch.rand(M, generator=g)
        return [x.to(device, dtype), table.to(device, dtype), *(t.to(device) for t in (targets, seconds, weights))]

    share = 0.7

    def ours(x: Tensor, table: Tensor, targets: Tensor, seconds: Tensor, weights: Tensor) -> Tensor:
        return linear_cross_entropy(x, table, targets, weights, seconds, weights, torch.tensor(share))

    def kernel(x: Tensor, table: Tensor, targets: Tensor, seconds: Tensor, weights: Tensor) -> Tensor:
        nats, others, _ = torch.ops.conductor.linear_nats(x, table, targets, seconds)
        mean: Tensor = ((share * nats + (1 - share) * others) * weights).sum() / weights.sum().clamp(min=1.0)
        return mean

    def exact(x: Tensor, table: Tensor, targets: Tensor, seconds: Tensor, weights: Tensor) -> Tensor:
        logits = x @ table.T
        logits = logits if logits.dtype == torch.float64 else logits.float()
        nats = share * F.cross_entropy(logits, targets, reduction="none")
        nats = nats + (1 - share) * F.cross_entropy(logits, seconds, reduction="none")
        return (nats * weights).sum() / weights.sum().clamp(min=1.0)

    return Case(
        f"linear + cross-entropy, M {M}, C {C}, V {V}",
        inputs,
        ours,
        kernel,
        exact,
        {"compiled": compiled(exact), "eager": exact},
        # Three products; x and the table are read twice and their gradients written once.
        Work(2 * 3 * (M * C + V * C), 3 * 2 * M * C * V),
        gradients=(0, 1),
    )


def sampling(N: int, V: int) -> Case:
    """A draw under all rules; the token that the CPU draws is what is right."""

    def inputs(device: torch.device, dtype: torch.dtype) -> list[Tensor]:
        g = _generator(N)
        allowed = pack(torch.rand(N, V, generator=g) < 0.5)
        # The same numbers on every device, whatever the dtype of the others.
        logits = (3 * torch.randn(N, V, generator=g)).to(dtype).float()
        return [x.to(device) for x in (logits, allowed, torch.arange(N) * 11)]

    def ours(logits: Tensor, allowed: Tensor, rows: Tensor) -> Tensor:
        return sample(logits.float(), allowed, rows, 5, 3, temperature=0.9, top_k=200, top_p=0.95, min_p=0.01)[0]

    def kernel(logits: Tensor, allowed: Tensor, rows: Tensor) -> Tensor:
        rules = torch.tensor([[0.9, 200.0, 0.95, 0.01, 0.0, 1.0]], device=logits.device).expand(N, -1).contiguous()
        step = torch.tensor([5, 3], device=logits.device)
        tokens: Tensor = torch.ops.conductor.sample(logits, allowed, rows, rules, step)[0]
        return tokens

    def exact(logits: Tensor, allowed: Tensor, rows: Tensor) -> Tensor:
        return ours(logits.cpu(), allowed.cpu(), rows.cpu()).to(logits.device)

    def eager(logits: Tensor, allowed: Tensor, _rows: Tensor) -> Tensor:
        bits = (allowed[:, :, None] >> torch.arange(32, device=logits.device)) & 1
        x = (logits / 0.9).masked_fill(bits.flatten(1)[:, :V] == 0, float("-inf"))
        x = x.masked_fill(x < x.topk(200).values[:, -1:], float("-inf"))
        chances, order = x.softmax(-1).sort(dim=-1, descending=True)
        chances = chances.masked_fill(chances.cumsum(-1) - chances >= 0.95, 0.0)
        chances = chances.masked_fill(chances < 0.01 * chances[:, :1], 0.0)
        return order.gather(1, chances.multinomial(1)).squeeze(1)

    return Case(
        f"sampling, N {N}, V {V}",
        inputs,
        ours,
        kernel,
        exact,
        # Draws of its own: its speed alone can be compared.
        {"eager": eager},
        Work(4 * N * V + 4 * N * -(-V // 32) + 12 * N, 0),
        same=True,
    )


def small() -> list[Case]:
    """Return cases for correctness: nothing is a multiple of a block."""
    return [norm(37, 40), embedding(37, 40, 101), cross_entropy(37, 24, 101), sampling(3, 301)]


def medium() -> list[Case]:
    """Return cases for correctness on a GPU: more than a block each way, the model's own vocabulary."""
    M, C = 333, 200
    return [norm(M, C), embedding(M, C, VOCABULARY), cross_entropy(M, C, VOCABULARY), sampling(16, VOCABULARY)]


def full() -> list[Case]:
    """Return cases for speed: a training batch of the preset `large`, and a step of best of 8."""
    return [
        norm(8192, 1280),
        embedding(8192, 1280, VOCABULARY),
        cross_entropy(8192, 1280, VOCABULARY),
        sampling(8, VOCABULARY),
    ]
