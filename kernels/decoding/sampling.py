"""Drawing the next token: grammar, temperature, top-k, top-p, min-p, anti-nucleus, in one pass.

Shapes: N rows, V vocabulary, W words of 32 tokens, R rules of a row (`RULES`).

The rules apply in this order, each to what the one before it left. They and the
draw are integer arithmetic (`kernels.decoding.sampling_cpu` says how), so that every
device draws the same token from the same logits. The kernel holds a row in
registers and finds by bisection what the CPU finds by sorting.

Sources: Fan et al. (2018), top-k; Holtzman et al. (2020), top-p; Nguyen et al.
(2024), min-p; `kernels.decoding.philox`.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kernels.decoding.sampling_cpu import DEAD, FINE, MOST, POLYNOMIAL, ROWS, SCALE, SHUT, Rules, draw, fake, reference
from kernels.dispatch import jit, register, tl, triton
from kernels.native.drawing import can_draw
from kernels.native.drawing import draw as compiled_draw
from kernels.native.drawing import log_sum_exp as compiled_log_sum_exp
from kernels.proof.build import Build, Tuning, Work

__all__ = ["BUILDS", "RULES", "log_sum_exp", "pack", "sample"]

RULES = ("temperature", "top_k", "top_p", "min_p", "anti_p", "anti_chance")
# The kernel holds a row in the registers of one program.
LONGEST = 32768

Rule = float | Tensor


def pack(allowed_NV: NDArray[np.bool_] | Tensor) -> Tensor:
    """Return what is allowed as bits, shape [N, W], int32: bit v % 32 of word v // 32 is token v."""
    allowed = np.asarray(allowed_NV, dtype=np.bool_)
    padded = np.zeros((allowed.shape[0], -(-allowed.shape[1] // 32) * 32), np.bool_)
    padded[:, : allowed.shape[1]] = allowed
    return torch.from_numpy(np.packbits(padded, axis=1, bitorder="little").view(np.int32))


# mypy: disable-error-code="no-untyped-def, no-untyped-call"


@jit
def share_of(total, word):
    """Return total * word / 2**31, rounded down (`_share`)."""
    return (total >> 31) * word + (((total & 0x7FFFFFFF) * word) >> 31)


@jit
def word_of(share):
    """Return a share of 0 to 1 in units of 2**-31 (`_word`)."""
    return (tl.minimum(tl.maximum(share, 0.0), 1.0) * 2147483648.0).to(tl.int64)


@jit
def mass_to(key, mass, last):
    """Return the mass of all keys up to one."""
    return tl.sum(tl.where(key <= last, mass, 0).to(tl.int64))


@jit
def reach(key, mass, target, DEAD: tl.constexpr):
    """Return the smallest key up to which there is a mass of `target`."""
    low = 0
    high = DEAD
    for _ in range(20):
        middle = (low + high) >> 1
        enough = mass_to(key, mass, middle) >= target
        high = tl.where(enough, middle, high)
        low = tl.where(enough, low, tl.minimum(middle + 1, high))
    return high


@jit
def sample_kernel(
    logits, allowed, rows, rules, seed_step, tokens, nats, V, W, row_stride,
    BLOCK: tl.constexpr, FINE: tl.constexpr, DEAD: tl.constexpr, SCALE: tl.constexpr, MOST: tl.constexpr,
    SHUT: tl.constexpr, ONE: tl.constexpr, C1: tl.constexpr, C2: tl.constexpr, C3: tl.constexpr, C4: tl.constexpr,
    C5: tl.constexpr,
):  # fmt: skip
    """Draw one row's token."""
    n = tl.program_id(0)
    v = tl.arange(0, BLOCK)
    word = tl.load(allowed + n * W + (v >> 5), mask=v < V, other=0)
    x = tl.load(logits + n.to(tl.int64) * row_stride + v, mask=v < V, other=0.0).to(tl.float32)
    # Not (x > -MOST) where x is not a number.
    x = tl.where((((word >> (v & 31)) & 1) != 0) & (x > -MOST), tl.minimum(x, MOST), SHUT)
    best = tl.max(x)
    none = best <= -MOST
    best = tl.maximum(best, -MOST)
    sums = tl.sum(tl.exp(x - best))

    rules += n * 6
    temperature = tl.maximum(tl.load(rules), 1e-6)
    scale = -tl.div_rn(SCALE, temperature)
    key = tl.minimum((x - best) * scale, DEAD * 1.0).to(tl.int32)
    f = ((key & ((1 << FINE) - 1)) << (32 - FINE)).to(tl.uint32, bitcast=True)
    mass = C4 - tl.umulhi(tl.full([BLOCK], C5, tl.uint32), f)
    mass = C3 - tl.umulhi(mass, f)
    mass = C2 - tl.umulhi(mass, f)
    mass = C1 - tl.umulhi(mass, f)
    mass = (ONE - tl.umulhi(mass, f)).to(tl.int32) >> (key >> FINE)

    # What may be drawn is a range of mass, from the likeliest on.
    low = tl.full([], 0, tl.int64)
    high = tl.sum(mass.to(tl.int64))
    top_k = tl.load(rules + 1)
    if top_k > 0:
        wanted = tl.minimum(top_k, V * 1.0).to(tl.int32)
        first = 0
        last = DEAD
        for _ in range(20):
            middle = (first + last) >> 1
            enough = tl.sum((key <= middle).to(tl.int32)) >= wanted
            last = tl.where(enough, middle, last)
            first = tl.where(enough, first, tl.minimum(middle + 1, last))
        high = mass_to(key, mass, last)
    top_p = tl.load(rules + 2)
    if top_p < 1:
        target = tl.maximum(share_of(high, word_of(top_p)), 1)
        high = tl.minimum(high, mass_to(key, mass, reach(key, mass, target, DEAD)))
    min_p = tl.load(rules + 3)
    if min_p > 0:
        high = tl.minimum(high, tl.sum(tl.where(mass >= (word_of(min_p) >> 1).to(tl.int32), mass, 0).to(tl.int64)))

    seed = tl.load(seed_step)
    step = tl.load(seed_step + 1)
    zero = tl.full([1], 0, tl.uint32)
    philox_key = (tl.load(rows + n) << 32) | (seed & 0xFFFFFFFF)
    draw, chance, _, _ = tl.philox(philox_key, zero + step.to(tl.uint32), zero + (seed >> 32).to(tl.uint32), zero, zero)
    draw = tl.sum(draw.to(tl.int64)) >> 1
    chance = tl.sum(chance.to(tl.int64)) >> 1
    anti_p = tl.load(rules + 4)
    if (anti_p > 0) & (chance < word_of(tl.load(rules + 5))):
        target = tl.minimum(share_of(high, word_of(anti_p)) + 1, high)
        low = mass_to(key, mass, reach(key, mass, target, DEAD))
        if low >= high:
            low = mass_to(key, mass, reach(key, mass, high, DEAD) - 1)

    drawn = low + share_of(high - low, draw)
    last = reach(key, mass, drawn + 1, DEAD)
    # Those that are as likely have a turn each, in the order of the vocabulary.
    equal = (key == last).to(tl.int32)
    turn = (drawn - mass_to(key, mass, last - 1)) // tl.maximum(tl.max(equal * mass), 1)
    token = tl.sum(tl.where((equal > 0) & (tl.cumsum(equal, 0) == turn + 1), v, 0))
    token = tl.where(none, -1, token)
    tl.store(tokens + n, token.to(tl.int64))
    # Read again: kept, the logits would take registers all the way.
    chosen = tl.load(logits + n.to(tl.int64) * row_stride + tl.maximum(token, 0)).to(tl.float32)
    chosen = tl.minimum(chosen, MOST)
    tl.store(nats + n, tl.where(none, float("-inf"), chosen - best - tl.log(tl.maximum(sums, 1.0))))


def _warps(block: int, width: int) -> int:
    """Return how many warps hold a row: 16 tokens a thread."""
    return max(4, min(1024, block // 16) // width)


_CONSTANTS: dict[str, Any] = {
    "FINE": FINE, "DEAD": DEAD, "SCALE": SCALE, "MOST": MOST, "SHUT": SHUT,
    **dict(zip(("ONE", "C1", "C2", "C3", "C4", "C5"), POLYNOMIAL, strict=True)),
}  # fmt: skip


def launch(
    logits_NV: Tensor, allowed_NW: Tensor, rows_N: Tensor, rules_NR: Tensor, seed_step: Tensor
) -> tuple[Tensor, Tensor]:
    """Draw with the kernel; see `sample`."""
    N, V = logits_NV.shape
    if V > LONGEST:
        return reference(logits_NV, allowed_NW, rows_N, rules_NR, seed_step)
    tokens_N, nats_N = fake(logits_NV, allowed_NW, rows_N, rules_NR, seed_step)
    block = max(1024, triton.next_power_of_2(V))
    if N:
        sample_kernel[(N,)](
            *(logits_NV, allowed_NW, rows_N, rules_NR, seed_step, tokens_N, nats_N),
            *(V, allowed_NW.shape[1], logits_NV.stride(0)),
            **_CONSTANTS,
            BLOCK=block,
            # AMD's warps have 64 threads.
            num_warps=_warps(block, 64 if torch.version.hip else 32),
            num_stages=1,
        )
    return tokens_N, nats_N


_sample = register("sample", reference, launch, fake)


@functools.lru_cache(maxsize=64)
def _same_rules(rows: int, rules: tuple[float, ...]) -> tuple[Tensor, Rules]:
    """Return rules that all rows share, shape [N, R], and as the draw needs them."""
    rules_NR = torch.tensor([rules], dtype=torch.float32).repeat(rows, 1)
    return rules_NR, Rules.of(rules_NR)


def sample(
    logits_NV: Tensor,
    allowed_NW: Tensor,
    rows_N: Tensor,
    seed: int,
    step: int,
    *,
    temperature: Rule = 1.0,
    top_k: Rule = 0,
    top_p: Rule = 1.0,
    min_p: Rule = 0.0,
    anti_p: Rule = 0.0,
    anti_chance: Rule = 1.0,
) -> tuple[Tensor, Tensor]:
    """Draw a token for each row, the same on every device and in whatever company.

    A rule is a number for all rows or a tensor of one for each.

    Args:
        logits_NV: float32, float16 or bfloat16; NaN is never drawn.
        allowed_NW: bits of the tokens that may be drawn, int32 (`pack`).
        rows_N: names of the rows, int64 of 0 to 2**32 - 1: what a row draws depends on its name, not its place.
        seed: 0 to 2**63 - 1.
        step: 0 to 2**32 - 1; each has draws of its own.
        temperature: above 0; logits are divided by it. The best alone: top_k = 1.
        top_k: the k likeliest stay, and what is as likely as the last of them; 0 for all.
        top_p: of those, the fewest likeliest stay whose share of the chance reaches it; 1 for all.
        min_p: what is less likely than this share of the likeliest goes; 0 for nothing.
        anti_p: the fewest likeliest go whose share of the chance exceeds it, but never all: the least likely stay;
            0 for nothing.
        anti_chance: the chance of a row to lose its likeliest at this step, 0 to 1.

    Returns:
        Tokens, shape [N], int64, and their log-probabilities among all that is allowed, at temperature 1 and without
        the other rules, float32. A row with nothing allowed has token -1 and log-probability -inf.

    Raises:
        ValueError: an argument has the wrong shape, dtype, device or range.
    """
    rules = (temperature, top_k, top_p, min_p, anti_p, anti_chance)
    N = _checked(logits_NV, allowed_NW, rows_N, seed, step, rules)
    device = logits_NV.device
    prepared: Rules | None = None
    if any(isinstance(rule, Tensor) for rule in rules):
        rules_NR = torch.stack(
            [torch.as_tensor(rule, dtype=torch.float32, device=device).expand(N) for rule in rules], dim=1
        )
    elif torch.compiler.is_compiling() or device.type != "cpu":
        rules_NR = torch.tensor([[float(rule) for rule in rules]], dtype=torch.float32, device=device).repeat(N, 1)
    else:
        rules_NR, prepared = _same_rules(N, tuple(float(rule) for rule in rules))
    if device.type == "cpu" and not torch.compiler.is_compiling():
        if N and can_draw(logits_NV):
            return compiled_draw(logits_NV, allowed_NW, rows_N, rules_NR, seed, step)
        if 0 < N <= ROWS:
            return draw(logits_NV.detach(), allowed_NW, rows_N, prepared or Rules.of(rules_NR), seed, step)
        return reference(logits_NV, allowed_NW, rows_N, rules_NR, torch.tensor([seed, step]))
    # Where the seed and the step are on the device, a CUDA graph can be played again with other ones:
    # such callers keep all tensors themselves and call the operator.
    tokens_N, nats_N = _sample(logits_NV, allowed_NW, rows_N, rules_NR, torch.tensor([seed, step], device=device))
    return tokens_N, nats_N


def log_sum_exp(logits_NV: Tensor, allowed_NW: Tensor) -> Tensor:
    """Return the log of the summed exponentials of what is allowed, shape [N], float32; -inf where nothing is.

    Args:
        logits_NV: float32.
        allowed_NW: bits of the tokens that are summed, int32 (`pack`).
    """
    if logits_NV.device.type == "cpu" and can_draw(logits_NV):
        return compiled_log_sum_exp(logits_NV, allowed_NW)
    bits = allowed_NW[..., None] >> torch.arange(32, device=allowed_NW.device, dtype=torch.int32) & 1
    allowed_NV = bits.flatten(1)[:, : logits_NV.shape[1]].bool()
    return logits_NV.float().masked_fill(~allowed_NV, -torch.inf).logsumexp(dim=1)


def _checked(
    logits_NV: Tensor, allowed_NW: Tensor, rows_N: Tensor, seed: int, step: int, rules: tuple[Rule, ...]
) -> int:
    """Return the number of rows, everything being as `sample` wants it."""
    if logits_NV.dim() != 2 or logits_NV.shape[1] == 0 or logits_NV.stride(1) != 1:
        raise ValueError(f"logits_NV is {list(logits_NV.shape)}; wanted [N, V], the tokens of a row side by side")
    if logits_NV.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise ValueError(f"logits_NV is {logits_NV.dtype}; wanted float32, float16 or bfloat16")
    N, V = logits_NV.shape
    for name, x, shape, dtype in (
        ("allowed_NW", allowed_NW, (N, -(-V // 32)), torch.int32),
        ("rows_N", rows_N, (N,), torch.int64),
    ):
        if x.shape != shape or x.dtype != dtype or not x.is_contiguous():
            raise ValueError(f"{name} is {list(x.shape)}, {x.dtype}; wanted {list(shape)}, {dtype}, contiguous")
        if x.device != logits_NV.device:
            raise ValueError(f"{name} is on {x.device}, logits_NV on {logits_NV.device}")
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed is {seed}; it can be 0 to 2**63 - 1")
    if not 0 <= step < 2**32:
        raise ValueError(f"step is {step}; it can be 0 to 2**32 - 1")
    for name, rule, (least, most) in zip(RULES, rules, _RANGES, strict=True):
        if isinstance(rule, Tensor):
            if rule.shape != (N,) or rule.device != logits_NV.device:
                raise ValueError(f"{name} is {list(rule.shape)} on {rule.device}; wanted [{N}] on {logits_NV.device}")
        elif not least <= rule <= most:
            raise ValueError(f"{name} is {rule:g}; it can be {least:g} to {most:g}")
    return N


# What a rule can be, in the order of `RULES`; of top_k, what float32 counts.
_RANGES = ((1e-6, 1e6), (0, 2**24), (0, 1), (0, 1), (0, 1), (0, 1))


_TYPES = {
    "logits": "*fp32", "allowed": "*i32", "rows": "*i64", "rules": "*fp32", "seed_step": "*i64",
    "tokens": "*i64", "nats": "*fp32", "V": "i32", "W": "i32", "row_stride": "i32",
}  # fmt: skip


def _build(rows: int, vocabulary: int) -> Build:
    words_ = -(-vocabulary // 32)
    block = triton.next_power_of_2(vocabulary) if triton else 0
    return Build(
        name=f"sampling, {vocabulary} tokens",
        kernel=sample_kernel,
        types=_TYPES,
        constants=_CONSTANTS,
        size=f"N {rows}, V {vocabulary}",
        work=Work(bytes=rows * (4 * vocabulary + 4 * words_ + 4 * len(RULES) + 8 + 12), flops=0),
        matrix=False,
        tuning={
            "default": Tuning({"BLOCK": block}, _warps(block, 32), 1),
            "gfx942": Tuning({"BLOCK": block}, _warps(block, 64), 1),
        },
    )


BUILDS: tuple[Build, ...] = (_build(8, 5489), _build(8, 1024))
