"""Where written notes stand: beats, bars, and whether they are written at all or were played by somebody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.notes import Note, TempoMark
from streaming.timeline import TempoMap

Array = NDArray[np.float64]
# Sixteenths and triplets of eighths, as parts of a beat.
_PLACES = np.array([0.0, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 5 / 6, 1.0])
# Composed notes stand on hundredths of a second: half of that is rounding, and the tempo is rounded, too.
_NEAR_S = 0.0065
# So much of what chance cannot explain stands on the grid in a score.
_WRITTEN = 0.4
# Over so few onsets nobody can tell; they are written.
_FEWEST = 8


@dataclass(frozen=True, slots=True)
class Score:
    """What is known of a piece besides its notes.

    Attributes:
        style: of the piece, or None.
        tempi: as in `model.notes.Piece`; never empty.
        beats_per_bar: quarter notes in a bar.
    """

    style: str | None = None
    tempi: tuple[TempoMark, ...] = (TempoMark(0.0, 120.0),)
    beats_per_bar: float = 4.0

    def beats(self, onsets_s: Array) -> Array:
        """Return the beats of times, float64 [notes]."""
        tempo = TempoMap(self.tempi)
        return np.array([tempo.to_beats(time_s) for time_s in onsets_s.tolist()])

    def beat_s(self, onsets_s: Array) -> Array:
        """Return how long a beat lasts at times, float64 [notes]."""
        starts = np.array([mark.time_s for mark in self.tempi])
        bpm = np.array([mark.bpm for mark in self.tempi])
        return np.asarray(60.0 / bpm[np.maximum(np.searchsorted(starts, onsets_s, side="right") - 1, 0)])


def on_grid(notes: Sequence[Note], score: Score) -> float:
    """Return how far onsets stand on sixteenths and triplets: 1 all, 0 as many as by chance.

    Args:
        notes: in any order.
        score: their tempo.
    """
    onsets_s = np.unique(np.array([note.onset_s for note in notes]))
    if len(onsets_s) == 0:
        return 1.0
    beat_s = score.beat_s(onsets_s)
    phase = score.beats(onsets_s) % 1.0
    off_s = np.abs(phase[:, None] - _PLACES).min(axis=1) * beat_s
    by_chance = np.minimum(1.0, 2 * _NEAR_S * (len(_PLACES) - 1) / beat_s)
    hits, chance = float((off_s <= _NEAR_S).mean()), float(by_chance.mean())
    return (hits - chance) / (1.0 - chance) if chance < 1.0 else 1.0


def is_written(notes: Sequence[Note], score: Score) -> bool:
    """Return whether notes stand where a score puts them; where somebody played them they do not."""
    if len({note.onset_s for note in notes}) < _FEWEST:
        return True
    return on_grid(notes, score) >= _WRITTEN
