"""How a piece closes: on a bar line, with a chord on the tonic that rings until the end asked for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from model.instruments import INSTRUMENTS
from model.language.header import find_key
from model.language.vocabulary import PITCH_CLASSES, TICKS_PER_SECOND, VOCABULARY

# The chord rings so long, at least and at most, and where there is no beat to keep.
SHORTEST_S, LONGEST_S, FREE_S = 1.2, 4.0, 2.5
# A stroke has no length: a piece for drums alone ends so soon after its last.
DRUM_S = 0.1
# No chord needs more notes, however thick the music is.
MOST_NEEDED = 4
# Kicks and crashes.
LAST_STROKES = (35, 36, 49, 57)
_DRUMS = len(INSTRUMENTS) - 1
_PITCH_CLASS = np.where(VOCABULARY.pitch_of >= 0, VOCABULARY.pitch_of % 12, -1)
_TUNED = (VOCABULARY.velocity_of > 0) & (VOCABULARY.instrument_of != _DRUMS)
_STROKES = (VOCABULARY.instrument_of == _DRUMS) & np.isin(VOCABULARY.pitch_of, LAST_STROKES)


def chord_tick(
    length_ticks: int,
    beat_ticks: float,
    beats_per_bar: float,
    *,
    in_time: bool,
    drums_alone: bool,
    first_beat: float = 0.0,
) -> int:
    """Return when the last chord is struck.

    Args:
        length_ticks: length of the piece.
        beat_ticks: ticks in a beat.
        beats_per_bar: quarter notes in a bar.
        in_time: whether there is a beat to keep.
        drums_alone: whether nothing rings.
        first_beat: when the first beat would have been, in ticks, at the tempo of the end.
    """
    second = TICKS_PER_SECOND
    latest = length_ticks - round((DRUM_S if drums_alone else SHORTEST_S) * second)
    earliest = length_ticks - round((DRUM_S if drums_alone else LONGEST_S) * second) - (drums_alone and second // 2)
    if in_time:
        for unit in (beat_ticks * beats_per_bar, beat_ticks):
            line = round((latest - first_beat) // unit * unit + first_beat)
            if line >= max(earliest, 1):
                return line
    return max(1, latest if drums_alone else length_ticks - round(min(FREE_S, length_ticks / second / 4) * second))


@dataclass(slots=True)
class LastChord:
    """The last chord of a growing piece.

    Attributes:
        tick: when it is struck.
        key: of the piece, as in the vocabulary; None: found from what has been played.
        drums_alone: whether nothing rings.
        struck: notes of it that have been struck.
    """

    tick: int
    key: str | None = None
    drums_alone: bool = False
    struck: int = 0
    _classes: list[float] = field(default_factory=lambda: [0.0] * 12)
    _heard: frozenset[int] = frozenset()
    _bass: int = 128
    _thickness: float = 1.0

    def feed(self, tick: int, row: int, pitch: int, sounding: int) -> None:
        """Take a note that is struck while others sound."""
        if tick >= self.tick:
            self.struck += 1
            if row != _DRUMS:
                self._bass = min(self._bass, pitch)
        else:
            self._heard |= {row}
            if row != _DRUMS:
                self._thickness += 0.02 * (sounding + 1 - self._thickness)

    def release(self, tick: int, pitch: int, lasted: int) -> None:
        """Take a note that ends, after so many ticks."""
        if tick <= self.tick:
            self._classes[pitch % 12] += lasted

    @property
    def whole(self) -> bool:
        """Whether enough of it has been struck."""
        if self.drums_alone:
            return self.struck > 0
        return self._bass < 128 and self.struck >= min(round(self._thickness), MOST_NEEDED)

    def fitting(self) -> NDArray[np.bool_]:
        """Return which note-ons may be a part of it, shape [vocabulary].

        The triad, and nothing but the tonic below, by those who have played before.
        """
        return np.asarray(self._chord() & np.isin(VOCABULARY.instrument_of, list(self._heard) or range(_DRUMS + 1)))

    def _chord(self) -> NDArray[np.bool_]:
        key = self.key or find_key(np.array(self._classes))
        strokes = _STROKES if self.struck or self.drums_alone else np.zeros_like(_STROKES)
        if key is None or self.drums_alone:
            return np.asarray(_STROKES if self.drums_alone else _TUNED | strokes)
        tonic, triad = _chords(key)
        # The bass is struck first, and whatever comes below it is a tonic, too.
        return np.asarray((triad & (VOCABULARY.pitch_of > self._bass)) | tonic | strokes)

    def copy(self) -> LastChord:
        """Return the same, free to go on otherwise."""
        return replace(self, _classes=list(self._classes))


@cache
def _chords(key: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the note-ons of a key's tonic and of its triad."""
    name, mode = key.split("_")
    tonic = PITCH_CLASSES.index(name)
    triad = [tonic, (tonic + (4 if mode == "major" else 3)) % 12, (tonic + 7) % 12]
    return _TUNED & (tonic == _PITCH_CLASS), _TUNED & np.isin(_PITCH_CLASS, triad)
