"""Training music heard otherwise: transposed, louder or softer, slower or faster.

All of it works on token arrays, since the music is decoded nowhere in training.
Source: OpenAI's MuseNet post (2019), "raising and lowering the pitches",
"overall volumes", "timing slightly slower or faster".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.instruments import INSTRUMENTS
from model.language.vocabulary import MAX_WAIT_TICKS, VOCABULARY

Tokens = NDArray[np.int64]
_DRUMS = next(n for n, i in enumerate(INSTRUMENTS) if not i.sustains)
_LEVELS = np.array([len(i.levels) for i in INSTRUMENTS])
_LOW = np.array([i.low for i in INSTRUMENTS])
_HIGH = np.array([i.high for i in INSTRUMENTS])


def _level_of() -> Tokens:
    return np.array([0 if note is None else VOCABULARY.level_of(note) for note in VOCABULARY.notes])


_LEVEL_OF = _level_of()


def transpose(tokens: Tokens, semitones: int) -> tuple[Tokens, int]:
    """Return tokens with all notes but drums moved, and by how much they were moved.

    That is nothing where a note would leave its instrument's range.
    """
    instrument, pitch = VOCABULARY.instrument_of[tokens], VOCABULARY.pitch_of[tokens] + semitones
    moved = (instrument >= 0) & (instrument != _DRUMS)
    if np.any(moved & ((pitch < _LOW[instrument]) | (pitch > _HIGH[instrument]))):
        return tokens, 0
    out = tokens.copy()
    out[moved] = VOCABULARY.note_id[instrument[moved], _LEVEL_OF[tokens[moved]], pitch[moved]]
    return out, semitones


def change_volume(tokens: Tokens, steps_by_instrument: NDArray[np.int64]) -> Tokens:
    """Return tokens with the volume of each instrument raised by some of its levels.

    Args:
        tokens: shape [tokens].
        steps_by_instrument: levels to add (piano has 16, the others 4), a row of
            `INSTRUMENTS` each; results stay among the instrument's levels.
    """
    instrument, level = VOCABULARY.instrument_of[tokens], _LEVEL_OF[tokens]
    sounding = level > 0
    rows = instrument[sounding]
    louder = np.clip(level[sounding] + steps_by_instrument[rows], 1, _LEVELS[rows])
    out = tokens.copy()
    out[sounding] = VOCABULARY.note_id[rows, louder, VOCABULARY.pitch_of[tokens[sounding]]]
    return out


def stretch(tokens: Tokens, ticks: Tokens, factor: float) -> tuple[Tokens, Tokens]:
    """Return tokens and times with every wait longer by a factor, tempo tokens with them.

    A wait stays one token: 1 tick at least, 128 at most.

    Args:
        tokens: shape [tokens].
        ticks: time after each token, shape [tokens].
        factor: above 1 is slower.
    """
    waits = VOCABULARY.wait_ticks[tokens]
    passing = waits > 0
    after = np.rint(ticks * factor).astype(np.int64)
    before = np.rint((ticks - waits) * factor).astype(np.int64)
    out = tokens.copy()
    out[passing] = VOCABULARY.first_wait - 1 + np.clip(after - before, 1, MAX_WAIT_TICKS)[passing]
    for place in np.flatnonzero((tokens < VOCABULARY.first_wait) & (tokens > VOCABULARY.end)):
        bpm = VOCABULARY.tempo_of(int(tokens[place]))
        if bpm is not None:
            out[place] = VOCABULARY.tempo_id(bpm / factor)
    return out, after
