"""Training attention beside SDPA, FlexAttention and probabilities written out.

Shapes: B rows, H query heads, K key-value heads, T tokens, D head size.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from kernels.attention.operation import attention
from kernels.attention.patterns import CAUSAL, Pattern
from kernels.proof.build import Work
from tests.bench.gpu.case import Case

__all__ = ["full", "medium", "small"]

# Of MuseNet's context: a window, and patterns with as many tokens a stride as strides a context.
PATTERNS = {
    "causal": CAUSAL,
    "window 512": Pattern("window", 512),
    "strided 64": Pattern("strided", 64),
    "fixed 64": Pattern("fixed", 64, 16),
}


@functools.lru_cache(maxsize=4)
def mask(pattern: Pattern, heads: int, tokens: int, device: torch.device) -> Tensor:
    """Return what is seen, shape [H, T, T]."""
    place, head = torch.arange(tokens, device=device), torch.arange(heads, device=device)
    seen: Tensor = pattern.allowed(place[:, None], place, head[:, None, None])
    return seen.expand(heads, tokens, tokens).contiguous()


@functools.lru_cache(maxsize=8)
def _block_mask(pattern: Pattern, heads: int, tokens: int, device: torch.device) -> Any:
    def seen(_row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        allowed: Tensor = pattern.allowed(query, key, head)
        return allowed

    return create_block_mask(seen, None, heads, tokens, tokens, device=str(device))


@functools.cache
def _compiled() -> Any:
    # Not when this file is imported: torch's compiler takes seconds to load.
    return torch.compile(flex_attention, dynamic=False)


def exact(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern) -> Tensor:
    """Attend with all probabilities there at once."""
    (_, H, T, D), K = q.shape, k.shape[1]
    k, v = (x.repeat_interleave(H // K, dim=1) for x in (k, v))
    scores = (q @ k.mT) / math.sqrt(D)
    scores = scores.masked_fill(~mask(pattern, H, T, q.device), float("-inf"))
    return scores.softmax(-1) @ v


def sdpa(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern) -> Tensor:
    """Attend with torch's own attention; patterns as a mask."""
    if pattern == CAUSAL:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    seen = mask(pattern, q.shape[1], q.shape[2], q.device)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=seen, enable_gqa=True)


def flex(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern) -> Tensor:
    """Attend with FlexAttention, which skips blocks in which nothing is seen."""
    # On the CPU, where it has no backward, only its meaning is of interest.
    attend = _compiled() if q.is_cuda else flex_attention
    out: Tensor = attend(
        q, k, v, block_mask=_block_mask(pattern, q.shape[1], q.shape[2], q.device), enable_gqa=q.shape[1] != k.shape[1]
    )
    return out


def _kernel(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern) -> Tensor:
    pattern = pattern.within(q.shape[2])
    out: Tensor = torch.ops.conductor.attention(q, k, v, pattern.kind, pattern.stride, pattern.summary)[0]
    return out


def work(B: int, H: int, K: int, T: int, D: int, pattern: Pattern) -> Work:
    """Return what forward and backward must do: 2 products forward, 5 backward of what is seen."""
    pairs = B * H * pattern.seen(0, T)
    queries, keys = B * H * T * D, B * K * T * D
    # Forward reads q, k, v and writes the output; backward reads all of them and what comes from above, and writes
    # three gradients. bfloat16; the log-sum-exp in float32, written and read.
    numbers = (2 * queries + 2 * keys) + (3 * queries + 2 * keys) + (queries + 2 * keys)
    return Work(2 * numbers + 8 * B * H * T, 7 * 2 * D * pairs)


def _case(name: str, B: int, H: int, K: int, T: int, D: int, pattern: Pattern) -> Case:
    def inputs(device: torch.device, dtype: torch.dtype) -> list[Tensor]:
        generator = torch.Generator().manual_seed(T)
        shapes = ((B, H, T, D), (B, K, T, D), (B, K, T, D))
        return [torch.randn(shape, generator=generator).to(device, dtype) for shape in shapes]

    return Case(
        f"attention, {name}, {H}/{K} heads x {D}, T {T}",
        inputs,
        functools.partial(attention, pattern=pattern),
        functools.partial(_kernel, pattern=pattern),
        functools.partial(exact, pattern=pattern),
        {
            "SDPA": functools.partial(sdpa, pattern=pattern),
            "FlexAttention": functools.partial(flex, pattern=pattern),
            "eager": functools.partial(exact, pattern=pattern),
        },
        work(B, H, K, T, D, pattern),
        gradients=(0, 1, 2),
    )


def small() -> list[Case]:
    """Return cases for correctness: odd lengths, grouped heads, every pattern."""
    return [
        _case("causal", 1, 2, 1, 67, 32, CAUSAL),
        _case("window 20", 1, 2, 2, 67, 32, Pattern("window", 20)),
        _case("strided 8", 1, 2, 1, 51, 32, Pattern("strided", 8)),
        _case("fixed 8", 1, 2, 1, 51, 32, Pattern("fixed", 8, 4)),
    ]


def medium() -> list[Case]:
    """Return cases for correctness on a GPU: as many blocks as there are kinds of, every head size."""
    patterns = (CAUSAL, Pattern("window", 100), Pattern("strided", 24), Pattern("fixed", 24, 8))
    return [
        _case(f"{pattern.kind} {pattern.stride}", 1, 4, 2, 333, D, pattern)
        for pattern in patterns
        for D in (40, 64, 128)
    ]


def full() -> list[Case]:
    """Return cases for speed: MuseNet's own shape and grouped heads, a row of 4096 tokens each."""
    return [
        *(_case(name, 2, 24, 24, 4096, 64, pattern) for name, pattern in PATTERNS.items()),
        _case("causal", 2, 12, 4, 4096, 128, CAUSAL),
    ]
