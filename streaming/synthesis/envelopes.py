"""Lines from one level to another: what lets a sound come and go while it moves, and rests when it is there.

A line is a short table that an oscillator reads once. What stands still needs no line: whoever
uses one takes its level over as a number at the next block and stops it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyo64

from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

# A line has so many points for so many samples at least; before and behind it the table goes on at the level
# it starts from and arrives at, for a block each at the fastest.
_FINE, _FINE_SAMPLES = 1024, BLOCK_SAMPLES
_COARSE, SHORTEST_SAMPLES = 64, 12
# A breath before the line begins, so that no rounding lets it begin a sample early.
_BREATH = 1e-6
# Nothing is due.
NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class _Line:
    """A line in pyo's hands.

    Attributes:
        table: its points, then where it arrives, then where it starts.
        size: of the table.
        points: of the line itself.
    """

    table: Any
    size: int
    points: int
    keep: object


_LINES: dict[tuple[bool, float, bool], _Line] = {}


def _line(*, falls: bool, curve: float, fine: bool) -> _Line:
    """Return a line up from 0 to 1 or down from 1 to 0, made at its first use."""
    key = (falls, curve, fine)
    found = _LINES.get(key)
    if found is None:
        points, shortest = (_FINE, _FINE_SAMPLES) if fine else (_COARSE, SHORTEST_SAMPLES)
        beyond = -(-points * (BLOCK_SAMPLES + 2) // shortest)
        part = np.arange(points) / points
        line = ((1.0 - part) if falls else part) ** curve
        samples = np.concatenate([line, np.full(beyond, 0.0 if falls else 1.0), np.full(beyond, 1.0 if falls else 0.0)])
        data = pyo64.DataTable(size=len(samples))
        np.asarray(data.getBuffer())[:] = samples
        # pyo reads one sample behind the last: any arithmetic of its own makes that the first one.
        data.add(0.0)
        found = _LINES[key] = _Line(data._base_objs[0], len(samples), points, data)
    return found


class Envelope:
    """One line at a time.

    Attributes:
        stream: what pyo objects hear to.
        ends: the sample of the programme at which it has arrived.
    """

    def __init__(self) -> None:
        line = _line(falls=False, curve=1.0, fine=True)
        self.stream: Any = pyo64.Osc_base(line.table, freq=1.0, interp=2)
        self._falls, self._curve, self._line = False, 1.0, line
        self._starts, self.ends = 0.0, 0.0
        # How far it was when it was given another speed.
        self._before = 0.0
        self.stop()

    def rise(self, at: int, now: int, samples: float, curve: float, gain: object) -> None:
        """Go up from nothing.

        Args:
            at: sample at which it begins, in the block to come.
            now: first sample of that block.
            samples: how long it takes.
            curve: 1 is straight, more is slower at first.
            gain: where it arrives; a number or a stream of pyo.
        """
        self._begin(False, at, now, samples, curve, gain)

    def fall(self, at: int, now: int, samples: float, curve: float, gain: object) -> None:
        """Go down to nothing; as `rise`, but more `curve` is faster at first."""
        self._begin(True, at, now, samples, curve, gain)

    def _begin(self, falls: bool, at: int, now: int, samples: float, curve: float, gain: object) -> None:
        samples = max(samples, SHORTEST_SAMPLES)
        line = _line(falls=falls, curve=curve, fine=samples >= _FINE_SAMPLES)
        stream, self._line = self.stream, line
        turns = line.points / (line.size * samples)
        stream.setTable(line.table)
        stream.setFreq(turns * SAMPLE_RATE)
        # pyo's oscillators step before they read.
        stream.setPhase((1.0 - (at - now + 1) * turns - _BREATH / line.size) % 1.0)
        stream.reset()
        stream.setMul(gain)
        stream.play(0, 0)
        self._falls, self._curve, self._before = falls, curve, 0.0
        self._starts, self.ends = float(at), at + samples

    def hurry(self, now: int, samples: float) -> None:
        """Make the whole line take less time, from the block that begins at a sample on; never more."""
        part = self._part(now)
        samples = max(samples, _FINE_SAMPLES if self._line.points == _FINE else SHORTEST_SAMPLES)
        if part >= 1.0 or now + (1.0 - part) * samples >= self.ends:
            return
        self.stream.setFreq(self._line.points / (self._line.size * samples) * SAMPLE_RATE)
        self._before, self._starts, self.ends = part, float(now), now + (1.0 - part) * samples

    def level(self, now: int) -> float:
        """Return the level at a sample, without the gain."""
        part = self._part(now)
        return float((1.0 - part if self._falls else part) ** self._curve)

    def stop(self) -> None:
        """Rest."""
        self.stream.stop()

    def _part(self, now: int) -> float:
        if now >= self.ends:
            return 1.0
        left = (self.ends - now) / (self.ends - self._starts)
        return 1.0 - min(left, 1.0) * (1.0 - self._before)
