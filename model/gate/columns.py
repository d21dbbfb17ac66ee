"""The notes of a piece in columns, as counting them wants. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.instruments import INSTRUMENTS
from model.language.vocabulary import TICKS_PER_SECOND
from model.notes import Piece

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

DRUMS = len(INSTRUMENTS) - 1
_ROW = {instrument.name: row for row, instrument in enumerate(INSTRUMENTS)}


@dataclass(frozen=True, slots=True)
class Columns:
    """Notes in the order of their onsets; every array has shape [notes].

    Attributes:
        onset_s, offset_s: when they begin and end, in seconds.
        pitch: MIDI pitches, of drums the General MIDI keys.
        instrument: rows in `INSTRUMENTS`.
    """

    onset_s: Floats
    offset_s: Floats
    pitch: Ints
    instrument: Ints

    @property
    def ticks(self) -> Ints:
        """Onsets on the grid of 10 ms that tokens lie on."""
        return np.rint(self.onset_s * TICKS_PER_SECOND).astype(np.int64)

    @property
    def tuned(self) -> NDArray[np.bool_]:
        """Which notes are no drums."""
        tuned: NDArray[np.bool_] = self.instrument != DRUMS
        return tuned

    @property
    def end_s(self) -> float:
        """End of the last note, in seconds."""
        return float(self.offset_s.max(initial=0.0))

    def where(self, kept: NDArray[np.bool_]) -> Columns:
        """Return some of the notes."""
        return Columns(self.onset_s[kept], self.offset_s[kept], self.pitch[kept], self.instrument[kept])


def columns(piece: Piece) -> Columns:
    """Return the notes of a piece in columns."""
    rows = [(n.onset_s, n.offset_s, n.pitch, _ROW[n.instrument]) for n in piece.notes]
    table = np.array(rows, np.float64).reshape(-1, 4)
    table = table[np.argsort(table[:, 0], kind="stable")]
    return Columns(table[:, 0], table[:, 1], table[:, 2].astype(np.int64), table[:, 3].astype(np.int64))
