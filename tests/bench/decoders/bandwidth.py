"""What the machine can do: how fast it reads memory and multiplies matrices.

A step of decoding reads every weight, and every key and value that its tokens
see, once; it cannot be faster than that reading, nor than its multiplications.

Source: Williams et al. (2009), the roofline model.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from model.network.config import Config
from model.network.transformer import Transformer
from tests.bench.decoders.case import VOCABULARY_SIZE, Case

# Larger than the caches, and about what a small network reads at a step.
MEMORY_BYTES, NEAR_BYTES = 256 * 2**20, 16 * 2**20
# Seconds spent on each figure.
LONG_S = 0.15
SIDE = 2048
# Bytes of a number of the weights, and of keys and values.
WEIGHT_BYTES = {"int8": 1, "bfloat16": 2, "torch": 2, "float32": 4}
CACHE_BYTES = {"int8": 2, "bfloat16": 2, "torch": 2, "float32": 4}


@dataclass(frozen=True, slots=True)
class Step:
    """What a step of all candidates must read and multiply.

    Attributes:
        weight_bytes: every matrix once.
        cache_bytes: keys and values, those of the shared prompt once.
        flops: multiplications and additions.
    """

    weight_bytes: float
    cache_bytes: float
    flops: float

    def seconds(self, bytes_per_s: float, flops_per_s: float) -> float:
        """Return the time below which no step can be."""
        return max((self.weight_bytes + self.cache_bytes) / bytes_per_s, self.flops / flops_per_s)


def step_of(case: Case, weight_bytes: int, cache_bytes: int) -> Step:
    """Return the mean step of a case.

    Args:
        case: what is decoded.
        weight_bytes: of a number of the weights.
        cache_bytes: of a number of keys and values.
    """
    config = case.config
    entries = _entries(config)
    shared = own = seen = 0
    for step in range(case.tokens):
        for layer in range(config.layers):
            window = config.layer_window(layer) or case.capacity
            sees = min(window, case.context + step + 1)
            new = min(window, step + 1)
            seen, own, shared = seen + sees, own + new, shared + sees - new
    token = 2 * config.kv_heads * config.head_size * cache_bytes
    return Step(
        weight_bytes=entries * weight_bytes,
        cache_bytes=token * (shared + case.batch * own) / case.tokens,
        flops=case.batch * (2 * entries + 4 * config.heads * config.head_size * seen / case.tokens),
    )


def _entries(config: Config) -> int:
    """Return the entries of all matrices that a step multiplies with."""
    with torch.device("meta"):
        network = Transformer(config)
    named = {name: weight.numel() for name, weight in network.named_parameters() if weight.dim() == 2}
    # The token table is put together once; of the places' tables a row is read, but for two that are multiplied.
    read = [count for name, count in named.items() if name.startswith(("blocks", "places.time", "places.sounding"))]
    return sum(read) + VOCABULARY_SIZE * config.width


def read_bytes_per_s(size: int) -> float:
    """Return the highest rate at which a buffer of `size` bytes was read."""
    # Two halves of whole cache lines, for what reads two at once.
    half = max(16, size // 128 * 16)
    numbers = torch.ones(2 * half)
    first, second = numbers[:half], numbers[half:]
    ways: list[Callable[[], object]] = [numbers.sum, lambda: first.dot(second)]
    return max(numbers.nbytes / _least(way) for way in ways)


def matrix_flops_per_s(bf16: bool) -> float:
    """Return the highest rate of multiplying large matrices, in bfloat16 or float32."""
    x = torch.randn(SIDE, SIDE).to(torch.bfloat16 if bf16 else torch.float32)
    y = torch.randn(SIDE, SIDE).to(x.dtype)
    return 2 * SIDE**3 / _least(lambda: x @ y)


def measure(sizes: list[int]) -> dict[str, object]:
    """Return what the machine does now.

    Args:
        sizes: of further buffers to be read, bytes; what is less than `NEAR_BYTES` counts as so much,
            as calls would take longer than reading.

    Returns:
        Bytes a second by size of the buffer, and operations a second.
    """
    read = {size: read_bytes_per_s(max(size, NEAR_BYTES)) for size in (*sizes, NEAR_BYTES, MEMORY_BYTES)}
    return {
        "read": {str(size): rate for size, rate in read.items()},
        "bf16": matrix_flops_per_s(True),
        "fp32": matrix_flops_per_s(False),
    }


def _least(work: Callable[[], object]) -> float:
    """Return the least seconds that some work took; the first time does not count."""
    work()
    least, until = float("inf"), time.perf_counter() + LONG_S
    while (began := time.perf_counter()) < until:
        work()
        least = min(least, time.perf_counter() - began)
    return least
