"""Philox4x32-10: random words that are a function of where they are used.

Nothing is carried from draw to draw. A word belongs to a seed, a row and a step,
so that a candidate's draws are the same however many candidates there are beside
it, in whatever order they are made, and on every machine: Triton's `tl.philox`
computes the same words.

Source: Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3".
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["philox", "words"]

ROUNDS = 10
# The multipliers of a round, and what is added to the key after it (the golden ratio and sqrt(3) - 1).
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
LOW = 0xFFFFFFFF
# Steps of which the words are made at once: one by one they would cost more than the rest of a draw.
BLOCK = 64

Words = NDArray[Any]


def philox(counter: tuple[Words, Words, Words, Words], key: tuple[Words, Words]) -> tuple[Words, Words, Words, Words]:
    """Return four random words for each counter and key.

    Args:
        counter: four words of 32 bits, kept in 64, of shapes that broadcast.
        key: two words.

    Returns:
        Four words of 32 bits, kept in 64.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for round_ in range(ROUNDS):
        one, two = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            (two >> np.uint64(32)) ^ c1 ^ ((k0 + round_ * WEYL[0]) & LOW),
            two & LOW,
            (one >> np.uint64(32)) ^ c3 ^ ((k1 + round_ * WEYL[1]) & LOW),
            one & LOW,
        )
    return c0, c1, c2, c3


def words(seed: int, rows: NDArray[np.int64], step: int) -> NDArray[np.int64]:
    """Return two random words for each row at a step, shape [rows, 2].

    Args:
        seed: 0 to 2**63 - 1.
        rows: names of the rows, 0 to 2**32 - 1.
        step: 0 to 2**32 - 1.
    """
    found: NDArray[np.int64] = _block(seed, rows.tobytes(), step // BLOCK)[step % BLOCK]
    return found


@functools.lru_cache(maxsize=64)
def _block(seed: int, rows: bytes, block: int) -> NDArray[np.int64]:
    """Return the words of the steps of a block, shape [BLOCK, rows, 2]."""
    steps = np.arange(block * BLOCK, (block + 1) * BLOCK, dtype=np.uint64)[:, None]
    row = np.frombuffer(rows, dtype=np.int64).astype(np.uint64)[None, :]
    none = np.zeros((1, 1), np.uint64)
    found = philox((steps, none + (seed >> 32), none, none), (none + (seed & LOW), row))
    made = np.stack(found[:2], axis=-1).astype(np.int64)
    made.setflags(write=False)
    return made
