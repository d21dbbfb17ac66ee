"""Drawing the next token on the CPU, in torch and numpy: what `kernels.decoding.sampling` promises.

Shapes: N rows, V vocabulary, W words of 32 tokens, R rules of a row.

The draw is integer arithmetic, so that a GPU and a CPU draw the same token from
the same logits, and not merely nearly always: sums of floats depend on their
order, sums of integers do not. How far a token is behind the best is counted in
2**-15 of an octave (`key`: 0 for the best), and its chance is 2**-key as an
integer of 30 bits (`mass`), by a polynomial. Chances are true to 2e-5 of
themselves, a hundredth of what bfloat16 does to a logit; what is 31 octaves
behind the best is never drawn. Tokens of the same key stay or go together.

With the keys sorted, what may be drawn is a range of mass, every rule moves an
end of it, and a random number in it is the token.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kernels.decoding.philox import words

__all__ = ["DEAD", "FINE", "MOST", "POLYNOMIAL", "ROWS", "SCALE", "SHUT", "Rules", "draw", "fake", "reference"]

# Steps of a key in an octave, in bits, and the first key whose mass is zero.
FINE = 15
DEAD = 31 << FINE
# Coefficients of 2**-f = 1 - f (c1 - f (c2 - ...)) on [0, 1) in units of 2**-30, at Chebyshev points: true to 4e-7.
POLYNOMIAL = (1 << 30, 744260865, 257928559, 59494488, 10033292, 1077640)
# Logits are read up to this; what is not above its negative is not allowed, and becomes SHUT: far enough to be dead at
# any temperature, near enough that no product overflows.
MOST = float(np.float32(1e25))
SHUT = -float(np.float32(1e26))
# Keys in a nat of logits.
SCALE = float(np.float32((1 << FINE) * math.log2(math.e)))
# Keys have so many bits; above them, on the CPU, stands the row. So many rows fit an int32.
ROW = 20
ROWS = 1 << (31 - ROW)

Ints = NDArray[np.int64]


@functools.cache
def _table() -> Tensor:
    """Return the mass of every key of the first octave, shape [2**FINE]."""
    f = torch.arange(1 << FINE, dtype=torch.int64)
    mass = torch.full_like(f, POLYNOMIAL[-1])
    for c in POLYNOMIAL[-2::-1]:
        mass = c - (mass * f >> FINE)
    return mass.int()


class Rules(NamedTuple):
    """The rules as the draw needs them, a number for each row; None for those that no row has."""

    scale: Tensor
    top_k: Ints | None
    top_p: Ints | None
    min_p: NDArray[np.int32] | None
    anti_p: Ints | None
    anti_chance: Ints

    @classmethod
    def of(cls, rules_NR: Tensor) -> Rules:
        """Return rules [N, R]."""
        temperature, top_k, top_p, min_p, anti_p, anti_chance = rules_NR.numpy().T
        return cls(
            torch.from_numpy(np.float32(-SCALE) / np.maximum(temperature, np.float32(1e-6)))[:, None],
            np.where(top_k > 0, top_k, 2**30).astype(np.int64) if (top_k > 0).any() else None,
            _word(top_p) if (top_p < 1).any() else None,
            (_word(min_p) >> 1).astype(np.int32) if (min_p > 0).any() else None,
            _word(anti_p) if (anti_p > 0).any() else None,
            _word(anti_chance),
        )


def reference(
    logits_NV: Tensor, allowed_NW: Tensor, rows_N: Tensor, rules_NR: Tensor, seed_step: Tensor
) -> tuple[Tensor, Tensor]:
    """Draw on the CPU; see `sample`."""
    seed, step = seed_step.tolist()
    device = logits_NV.device
    tensors = [torch.split(x.detach().cpu(), ROWS) for x in (logits_NV, allowed_NW, rows_N, rules_NR)]
    drawn = [
        draw(logits, allowed, rows, Rules.of(rules), seed, step) if len(rows) else fake(logits, *4 * [rows])
        for logits, allowed, rows, rules in zip(*tensors, strict=True)
    ]
    tokens_N, nats_N = (torch.cat(parts).to(device) for parts in zip(*drawn, strict=True))
    return tokens_N, nats_N


def draw(
    logits_NV: Tensor, allowed_NW: Tensor, rows_N: Tensor, rules: Rules, seed: int, step: int
) -> tuple[Tensor, Tensor]:
    """Draw for up to `ROWS` rows; see `kernels.decoding.sampling.sample`."""
    N, V = logits_NV.shape
    draw_N, chance_N = words(seed, rows_N.numpy(), step).T
    x_NV = _allowed(logits_NV.float().contiguous(), allowed_NW)
    best_N1 = x_NV.amax(1, keepdim=True)
    if not best_N1.numpy().max() <= MOST:
        x_NV = x_NV.nan_to_num_(nan=SHUT, posinf=MOST).clamp_(max=MOST)
        best_N1 = x_NV.amax(1, keepdim=True)
    none_N = best_N1.numpy()[:, 0] <= -MOST
    behind_NV = x_NV - best_N1.clamp_(min=-MOST)
    # Below the bound exp() is slow, and adds nothing.
    sums_N = behind_NV.clamp(min=-87.0).exp_().sum(1)
    key_NV = behind_NV.mul_(rules.scale).clamp_(max=DEAD).int().numpy()

    # All rows as one sorted line, row n from place n * V on, its number above its keys: one search finds a place each.
    line_NV = np.sort(key_NV, axis=1)
    mass = _mass(torch.from_numpy(line_NV).view(-1))
    row_N = np.arange(N, dtype=np.int32) << ROW
    line_NV |= row_N[:, None]
    reached = torch.zeros(N * V + 1, dtype=torch.int64)
    torch.cumsum(mass, 0, out=reached[1:])
    line, before, start_N = line_NV.ravel(), reached.numpy(), np.arange(N) * V

    def place(mass_N: Ints) -> Ints:
        """Return where the mass passes an amount."""
        out: Ints = np.minimum(np.searchsorted(before, mass_N, side="right") - 1, len(line) - 1)
        return out

    def until(place_N: Ints) -> Ints:
        """Return the mass up to a place and all that is as likely."""
        return before[np.searchsorted(line, line[place_N], side="right")]

    def since(place_N: Ints) -> Ints:
        """Return the mass before a place and all that is as likely."""
        return before[np.searchsorted(line, line[place_N])]

    # What may be drawn is a stretch of the line, and so a range of mass.
    first_N = before[start_N]
    low_N, high_N = first_N, before[start_N + V]
    if rules.top_k is not None:
        high_N = until(start_N + np.minimum(rules.top_k, V) - 1)
    if rules.top_p is not None:
        target_N = np.maximum(_share(high_N - first_N, rules.top_p), 1)
        high_N = np.minimum(high_N, until(place(first_N + target_N - 1)))
    if rules.min_p is not None:
        kept_N = np.count_nonzero(mass.view(N, V).numpy() >= rules.min_p[:, None], axis=1)
        high_N = np.minimum(high_N, before[start_N + kept_N])
    if rules.anti_p is not None:
        target_N = _share(high_N - first_N, rules.anti_p) + 1
        likely_N = until(place(np.minimum(first_N + target_N, high_N) - 1))
        likely_N = np.where(likely_N < high_N, likely_N, since(place(high_N - 1)))
        low_N = np.where((rules.anti_p > 0) & (chance_N >> 1 < rules.anti_chance), likely_N, low_N)
    drawn_N = low_N + _share(high_N - low_N, draw_N >> 1)
    place_N = place(drawn_N)
    # Those that are as likely have a turn each, in the order of the vocabulary.
    turn_N = (drawn_N - since(place_N)) // np.maximum(mass.numpy()[place_N], 1)
    equal = np.flatnonzero(key_NV == (line[place_N] ^ row_N)[:, None])
    at_N = equal[np.minimum(np.searchsorted(equal, start_N) + turn_N, len(equal) - 1)]
    nats_N = x_NV.numpy().ravel()[at_N] - best_N1.numpy()[:, 0] - np.log(sums_N.numpy())
    token_N = at_N - start_N
    if none_N.any():
        token_N[none_N], nats_N[none_N] = -1, -math.inf
    return torch.from_numpy(token_N), torch.from_numpy(nats_N)


def _allowed(logits_NV: Tensor, allowed_NW: Tensor) -> Tensor:
    """Return the logits of what is allowed, SHUT for the rest."""
    bits = np.ascontiguousarray(allowed_NW.numpy()).view(np.uint8)
    bits = np.unpackbits(bits, axis=1, count=logits_NV.shape[1], bitorder="little")
    # Chosen by bit operations: where() mispredicts every other branch and takes ten times as long.
    x = (-bits.view(np.int8)).astype(np.int32)
    shut = np.float32(SHUT).view(np.int32)
    x &= logits_NV.numpy().view(np.int32) ^ shut
    x ^= shut
    return torch.from_numpy(x.view(np.float32))


def _mass(key: Tensor) -> Tensor:
    """Return the mass of keys."""
    mass = _table().index_select(0, key & ((1 << FINE) - 1))
    mass >>= key >> FINE
    return mass


def _word(share: NDArray[np.float32]) -> Ints:
    """Return shares of 0 to 1 in units of 2**-31."""
    return (np.minimum(np.maximum(share, 0), 1) * np.float32(2**31)).astype(np.int64)


def _share(total: Ints, word: Ints) -> Ints:
    """Return total * word / 2**31, rounded down; the product itself would not fit."""
    out: Ints = (total >> 31) * word + ((total & 0x7FFFFFFF) * word >> 31)
    return out


def fake(
    logits_NV: Tensor, allowed_NW: Tensor, rows_N: Tensor, rules_NR: Tensor, seed_step: Tensor
) -> tuple[Tensor, Tensor]:
    """Return what comes back, empty."""
    del allowed_NW, rows_N, rules_NR, seed_step
    N = logits_NV.shape[0]
    return logits_NV.new_empty(N, dtype=torch.int64), logits_NV.new_empty(N, dtype=torch.float32)
