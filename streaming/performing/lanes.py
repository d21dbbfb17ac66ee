"""Faders for the parts of files: notes that are turned together hear to a lane behind their deck's fader.

Made once at start, like the voices; a lane that nobody uses rests and costs nothing.
"""

from __future__ import annotations

import os
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from streaming.performing.turning import Turned
from streaming.timeline import BLOCK_SAMPLES

# Before pyo is imported: no window toolkit.
os.environ.setdefault("PYO_GUI_WX", "0")
import pyo64

# So many parts may be turned at a time; the others are played as they are.
LANES = 32


class Lane:
    """Two faders, left and right.

    Attributes:
        streams: what a voice hears to.
        ratio: of the frequency its voices play at.
    """

    def __init__(self) -> None:
        self._tables = [pyo64.DataTable(size=BLOCK_SAMPLES) for _ in "LR"]
        self._gains: list[NDArray[np.float64]] = [np.asarray(table.getBuffer()) for table in self._tables]
        self._scans = [pyo64.TableScan_base(table._base_objs[0]) for table in self._tables]
        self.streams: tuple[object, object] = (self._scans[0], self._scans[1])
        self.ratio = 1.0
        self.leave()

    def join(self, deck: object) -> None:
        """Work behind the fader of a deck, a pyo stream."""
        for scan in self._scans:
            scan.setMul(deck)
            scan.play(0, 0)

    def turn(self, turned: Turned) -> bool:
        """Take the gains of the block to come; return whether the pitch is another."""
        for gains, start, end in zip(self._gains, turned.start, turned.end, strict=True):
            gains[:] = end if start == end else np.linspace(start, end, BLOCK_SAMPLES, endpoint=False)
        bent, self.ratio = turned.ratio != self.ratio, turned.ratio
        return bent

    def leave(self) -> None:
        """Rest."""
        for gains, scan in zip(self._gains, self._scans, strict=True):
            gains[:] = 1.0
            scan.stop()
        self.ratio = 1.0


class Lanes:
    """All lanes, and the part of which deck each works for."""

    def __init__(self) -> None:
        self._free = [Lane() for _ in range(LANES)]
        self._used: dict[tuple[int, int], Lane] = {}
        # Of parts that are over; something may still hear to them.
        self._left: list[Lane] = []

    def of(self, deck: int, part: int) -> Lane | None:
        """Return the lane of a part; None where it has none."""
        return self._used.get((deck, part))

    def claim(self, deck: int, part: int, fader: object) -> Lane | None:
        """Return the lane of a part, which from now on has one; None where all are taken.

        Args:
            deck: whose part it is.
            part: from 1.
            fader: pyo stream of the deck.
        """
        lane = self._used.get((deck, part))
        if lane is None and (self._free or self._left):
            lane = self._free.pop() if self._free else self._left.pop(0)
            lane.leave()
            lane.join(fader)
            self._used[deck, part] = lane
        return lane

    def forget(self, deck: int, heard: Collection[Lane]) -> None:
        """Take the lanes from the parts of a deck.

        Args:
            deck: whose.
            heard: lanes that notes still hear to; they stay as they are.
        """
        for key in [key for key in self._used if key[0] == deck]:
            self._left.append(self._used.pop(key))
        for lane in [lane for lane in self._left if lane not in heard]:
            self._left.remove(lane)
            lane.leave()
            self._free.append(lane)

    def reset(self) -> None:
        """Take the lanes from all parts."""
        for lane in [*self._used.values(), *self._left]:
            lane.leave()
            self._free.append(lane)
        self._used.clear()
        self._left.clear()
