"""What sounds at each moment, as numbers: the notes that a note-off may end.

MuseNet's model had to gather from thousands of tokens which notes still
sound. A small model spends much of itself on that, and lets notes hang; so it
is told. For each pitch: whether it sounds, and how young its note is on a
short and a long scale; for each instrument: how many of its notes sound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.instruments import INSTRUMENTS
from model.language.vocabulary import VOCABULARY

PITCHES = 128
# Whether it sounds, youth on two scales, and notes by instrument.
SOUNDING = 3 * PITCHES + len(INSTRUMENTS)
# Ticks after which a note is half as young: a sixteenth or so, and a bar or so.
SHORT_TICKS, LONG_TICKS = 15.0, 120.0
# A chord of four counts as one.
_NOTE = np.float32(0.25)
SUSTAINED = np.array([i.sustains for i in INSTRUMENTS])

Features = NDArray[np.float32]


def write_note(rows: Features, pitch: int, instrument: int, ages: NDArray[np.float64]) -> None:
    """Add a note to the moments it sounds in; of equal pitches the younger counts."""
    rows[:, pitch] = 1.0
    for place, scale in ((PITCHES + pitch, SHORT_TICKS), (2 * PITCHES + pitch, LONG_TICKS)):
        np.maximum(rows[:, place], np.exp2(-ages / scale), out=rows[:, place], casting="same_kind")
    rows[:, 3 * PITCHES + instrument] += _NOTE


def sounding(tokens: NDArray[np.int64], ticks: NDArray[np.int64]) -> Features:
    """Return what sounds after each token of a piece, shape [tokens, `SOUNDING`].

    Args:
        tokens: shape [tokens], nothing sounding before the first.
        ticks: time after each token, shape [tokens].
    """
    out = np.zeros((len(tokens), SOUNDING), np.float32)
    instruments, pitches = VOCABULARY.instrument_of[tokens], VOCABULARY.pitch_of[tokens]
    struck = VOCABULARY.velocity_of[tokens] > 0
    since: dict[tuple[int, int], int] = {}

    def close(key: tuple[int, int], end: int) -> None:
        first = since.pop(key)
        write_note(out[first:end], key[1], key[0], (ticks[first:end] - ticks[first]).astype(float))

    for n in np.flatnonzero((instruments >= 0) & SUSTAINED[instruments]):
        key = (int(instruments[n]), int(pitches[n]))
        if key in since:
            close(key, int(n))
        if struck[n]:
            since[key] = int(n)
    for key in list(since):
        close(key, len(tokens))
    return out


@dataclass(slots=True)
class Sounding:
    """What sounds in a piece as it grows, one token at a time."""

    _since: dict[tuple[int, int], int] = field(default_factory=dict)

    def copy(self) -> Sounding:
        """Return the same, free to go on otherwise."""
        return Sounding(dict(self._since))

    def step(self, token: int, tick: int) -> Features:
        """Let a token pass at a time; return what sounds after it, shape [`SOUNDING`]."""
        _, instrument, pitch, velocity = VOCABULARY.said[token]
        if instrument >= 0 and INSTRUMENTS[instrument].sustains:
            self._since.pop((instrument, pitch), None)
            if velocity > 0:
                self._since[instrument, pitch] = tick
        # As `write_note`, number by number: for one moment arrays would cost more than they do.
        out = np.zeros(SOUNDING, np.float32)
        for (row, key), onset in self._since.items():
            out[key] = 1.0
            short, long = math.exp2((onset - tick) / SHORT_TICKS), math.exp2((onset - tick) / LONG_TICKS)
            if short > out[PITCHES + key]:
                out[PITCHES + key], out[2 * PITCHES + key] = short, long
            out[3 * PITCHES + row] += _NOTE
        return out
