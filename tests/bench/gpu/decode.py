"""Decode attention of best-of-N beside SDPA and FlexAttention, to whom every candidate has the prompt to itself.

Shapes: N candidates, H query heads, K key-value heads, D head size, P tokens of
the prompt, S of a candidate's own, T = P + S.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from kernels.decoding.decode_attention import decode_attention
from kernels.proof.build import Work
from tests.bench.gpu.case import Case

__all__ = ["full", "medium", "small"]


@functools.cache
def _compiled() -> Any:
    return torch.compile(flex_attention, dynamic=False)


def _lengths(N: int, S: int) -> list[int]:
    """Return ragged lengths: the last candidate is the longest."""
    return [S - n for n in reversed(range(N))]


def _case(N: int, H: int, K: int, D: int, P: int, S: int, window: int) -> Case:
    lengths = _lengths(N, S)

    def inputs(device: torch.device, dtype: torch.dtype) -> list[Tensor]:
        g = torch.Generator().manual_seed(P)
        q = torch.randn(N, H, D, generator=g)
        prefixes = [torch.randn(K, P, D, generator=g) for _ in "kv"]
        own = [torch.randn(N, K, S, D, generator=g) for _ in "kv"]
        # What a decoder that shares nothing would have in its cache.
        whole = [torch.cat([p.expand(N, -1, -1, -1), o], dim=2) for p, o in zip(prefixes, own, strict=True)]
        return [*(x.to(device, dtype) for x in (q, *prefixes, *own, *whole)), torch.tensor(lengths, device=device)]

    def ours(*given: Tensor) -> Tensor:
        q, prefix_k, prefix_v, own_k, own_v, _, _, lengths_N = given
        return decode_attention(q, prefix_k, prefix_v, own_k, own_v, lengths_N, window)

    def kernel(*given: Tensor) -> Tensor:
        out: Tensor = torch.ops.conductor.decode_attention(*given[:5], given[7], window)
        return out

    def seen(lengths_N: Tensor) -> Tensor:
        place, last = torch.arange(P + S, device=lengths_N.device), P + lengths_N[:, None, None, None]
        return (place < last) & (place >= last - window if window else place >= 0)

    def exact(*given: Tensor) -> Tensor:
        q, k, v = given[0].unsqueeze(2), *(x.repeat_interleave(H // K, dim=1) for x in given[5:7])
        scores = (q @ k.mT / math.sqrt(D)).masked_fill(~seen(given[7]), float("-inf"))
        return (scores.softmax(-1) @ v).squeeze(2)

    def sdpa(*given: Tensor) -> Tensor:
        q, k, v = given[0].unsqueeze(2), *given[5:7]
        return F.scaled_dot_product_attention(q, k, v, attn_mask=seen(given[7]), enable_gqa=True).squeeze(2)

    @functools.lru_cache(maxsize=1)
    def block_mask(device: torch.device) -> Any:
        last = P + torch.tensor(lengths, device=device)

        def allowed(row: Tensor, _head: Tensor, _query: Tensor, key: Tensor) -> Tensor:
            return (key < last[row]) & (key >= last[row] - (window or P + S))

        return create_block_mask(allowed, N, None, 1, P + S, device=str(device))

    def flex(*given: Tensor) -> Tensor:
        attend = _compiled() if given[0].is_cuda else flex_attention
        mask = block_mask(given[0].device)
        out: Tensor = attend(given[0].unsqueeze(2), *given[5:7], block_mask=mask, enable_gqa=H != K)
        return out.squeeze(2)

    seen_own = sum(min(length, window or length) for length in lengths)
    # What any of them sees of the prompt is read once.
    seen_prefix = min(P, max(0, window - min(lengths))) if window else P
    pairs = sum(min(P + length, window or P + length) for length in lengths)
    sight = f"window {window}" if window else "causal"
    return Case(
        f"decode attention, {sight}, {H}/{K} heads x {D}, N {N}, P {P}, S {S}",
        inputs,
        ours,
        kernel,
        exact,
        {"SDPA": sdpa, "FlexAttention": flex, "eager": exact},
        Work(2 * 2 * D * (K * seen_prefix + K * seen_own + N * H), 4 * D * H * pairs),
    )


def small() -> list[Case]:
    """Return cases for correctness: ragged lengths, grouped heads, a window across the end of the prompt."""
    return [_case(3, 4, 2, 32, 45, 13, 0), _case(2, 2, 1, 32, 30, 9, 20)]


def medium() -> list[Case]:
    """Return cases for correctness on a GPU: several splits, every head size, no prompt at all."""
    return [
        *(_case(8, 12, 4, D, 700, 90, window) for D in (64, 128) for window in (0, 300)),
        _case(4, 6, 6, 64, 0, 200, 0),
    ]


def full() -> list[Case]:
    """Return cases for speed: best of 8 near the end of MuseNet's context."""
    return [_case(8, 24, 24, 64, 3584, 512, 0), _case(8, 12, 4, 128, 3584, 512, 0), _case(8, 12, 4, 64, 3584, 512, 512)]
