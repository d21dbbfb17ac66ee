"""Loops, note for note and nearly: how long a piece goes on repeating what it said a period ago. Torch-free.

A note is said again where the same key of the same instrument was struck a
period before, or two or three where slips are looked past, within 50 ms.
Periods are those at which notes come again most often. A theme that returns is
no loop: a loop comes round again and again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.gate.columns import Columns, Ints
from model.language.vocabulary import TICKS_PER_SECOND

NEAR_TICKS = 5
SHORTEST_TICKS, LONGEST_TICKS = 50, 1600
# So many periods are looked at, and so many earlier notes of the same key for each note.
_PERIODS, _EARLIER = 16, 32
# Fewer notes are no pattern.
_FEWEST = 16


@dataclass(frozen=True, slots=True)
class Loop:
    """The longest stretch in which a piece repeats itself.

    Attributes:
        period_s: how long what is repeated is.
        seconds: for how long it is repeated, after it was said first.
        start_s: when the repeating begins.
    """

    period_s: float
    seconds: float
    start_s: float

    @property
    def times(self) -> float:
        """How often it comes again."""
        return self.seconds / self.period_s


NONE = Loop(1.0, 0.0, 0.0)


def longest_loop(
    notes: Columns, share: float, *, back: int = 1, window_s: int = 4, least_s: float = 0.0, least_times: float = 0.0
) -> Loop:
    """Return the longest loop; of no seconds where there is none.

    Args:
        notes: of a piece.
        share: of the notes that come again in a loop, 0 to 1.
        back: how many periods back a note is looked for.
        window_s: over so many seconds shares are taken, or over a period where that is longer.
        least_s: a shorter one is none.
        least_times: one that comes again less often is none.
    """
    if len(notes.pitch) < _FEWEST:
        return NONE
    ticks = notes.ticks
    keys = notes.instrument << 7 | notes.pitch
    struck = np.sort(keys << 32 | ticks)
    seconds = int(ticks.max()) // TICKS_PER_SECOND + 1
    second = ticks // TICKS_PER_SECOND
    every = np.bincount(second, minlength=seconds)
    best = NONE
    for period in _periods(struck):
        again = np.logical_or.reduce([_struck(struck, keys, ticks - n * period) for n in range(1, back + 1)])
        width = max(window_s, -(-period // TICKS_PER_SECOND))
        there = _over(every, width)
        alike = (there > 0) & (_over(np.bincount(second, again, seconds), width) >= share * there)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], alike.astype(np.int8), [0]]))).reshape(-1, 2)
        for start, stop in edges.tolist():
            # The first and the last window may lie outside by what a loop may lack.
            seconds_said = stop - start - 1 + (2 * share - 1) * width
            loop = Loop(period / TICKS_PER_SECOND, seconds_said, max(0.0, start + 1 - share * width))
            if loop.seconds > best.seconds and loop.seconds >= least_s and loop.times >= least_times:
                best = loop
    return best


def _struck(struck: Ints, keys: Ints, ticks: Ints) -> NDArray[np.bool_]:
    """Return which keys were struck within 50 ms of a tick."""
    earliest = keys << 32 | np.maximum(ticks - NEAR_TICKS, 0)
    found = struck[np.minimum(np.searchsorted(struck, earliest), len(struck) - 1)]
    return (ticks >= -NEAR_TICKS) & (found >= earliest) & (found <= earliest + 2 * NEAR_TICKS)


def _over(counts: NDArray[np.number], width: int) -> NDArray[np.float64]:
    """Return sums over the last so many seconds, by second."""
    total = np.concatenate([np.zeros(width), np.cumsum(counts)])
    sums: NDArray[np.float64] = total[width:] - total[:-width]
    return sums


def _periods(struck: Ints) -> list[int]:
    """Return the periods in ticks at which notes come again most often.

    Args:
        struck: key << 32 | tick of every note, sorted.
    """
    counts = np.zeros(LONGEST_TICKS + 1)
    for earlier in range(1, min(_EARLIER, len(struck) - 1) + 1):
        apart = struck[earlier:] - struck[:-earlier]
        # Keys that differ are 2^32 apart.
        apart = apart[(apart >= SHORTEST_TICKS) & (apart <= LONGEST_TICKS)]
        counts += np.bincount(apart, minlength=len(counts))
    near = np.convolve(counts, np.ones(7), "same")
    found: list[int] = []
    while len(found) < _PERIODS and near.max() >= 8:
        period = int(near.argmax())
        found.append(period)
        near[max(0, period - 8) : period + 9] = 0
    return found
