"""What every token knows of its place: MuseNet's added embeddings, as numbers.

Each entry describes the moment *after* its token, the one in which the next
token is chosen:

- time: ticks of 10 ms and beats since the piece began; notes that sound
  together share them,
- note in the chord: how many tokens have been at this instant,
- part: which of 128 parts of the whole piece this is,
- countdown: seconds to the end, 127 and more being 127,
- what sounds: which notes may be ended, and how young they are (`model.language.sounding`),
- given: whether the token was given ahead of time, not composed.

MuseNet's countdown also ran from 127 to 0; ours counts seconds, so that a
length asked for is met. Source: OpenAI's MuseNet post (2019).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.language.sounding import Features, Sounding, sounding
from model.language.vocabulary import TICKS_PER_SECOND, VOCABULARY
from model.notes import TempoMark

PARTS = 128
COUNTDOWN_S = 128
CHORD = 32


class Context(NamedTuple):
    """Arrays beside the tokens, of shape [..., tokens] (`sounding`: [..., tokens, features]).

    Attributes:
        ticks: int64, 10 ms since the piece began.
        beats: float32, quarter notes since the piece began.
        chord: int64, 0 to `CHORD` - 1.
        part: int64, 0 to `PARTS` - 1.
        countdown: int64, 0 to `COUNTDOWN_S` - 1.
        given: int64, 0 or 1.
        sounding: float32, see `model.language.sounding`.
    """

    ticks: NDArray[np.int64]
    beats: NDArray[np.float32]
    chord: NDArray[np.int64]
    part: NDArray[np.int64]
    countdown: NDArray[np.int64]
    given: NDArray[np.int64]
    sounding: NDArray[np.float32]


def beats_at(ticks: NDArray[np.int64], tempi: tuple[TempoMark, ...]) -> NDArray[np.float32]:
    """Return the beats since the start at each tick under a tempo map."""
    starts = np.array([m.time_s for m in tempi])
    rates = np.array([m.bpm for m in tempi]) / 60.0
    passed = np.concatenate([[0.0], np.cumsum(np.diff(starts) * rates[:-1])])
    seconds = ticks / TICKS_PER_SECOND
    at = np.clip(np.searchsorted(starts, seconds, side="right") - 1, 0, None)
    return np.asarray(passed[at] + (seconds - starts[at]) * rates[at], np.float32)


def chord_index(tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, for each token of a row, how many tokens came since time last passed."""
    places = np.arange(len(tokens))
    passes = np.where(VOCABULARY.wait_ticks[tokens] > 0, places, -1)
    last = np.maximum.accumulate(passes)
    return np.minimum(places - np.where(last < 0, 0, last), CHORD - 1)


def part_at(ticks: NDArray[np.int64], length_ticks: int) -> NDArray[np.int64]:
    """Return which part of a piece each tick is in."""
    return np.clip(ticks * PARTS // max(1, length_ticks), 0, PARTS - 1)


def countdown_at(ticks: NDArray[np.int64], length_ticks: int) -> NDArray[np.int64]:
    """Return the seconds left of a piece at each tick."""
    return np.clip((length_ticks - ticks) // TICKS_PER_SECOND, 0, COUNTDOWN_S - 1)


def place(
    tokens: NDArray[np.int64], ticks: NDArray[np.int64], beats: NDArray[np.float32], length_ticks: int
) -> Context:
    """Return the context of a row of tokens of one piece.

    Args:
        tokens: shape [tokens].
        ticks: shape [tokens], time after each token.
        beats: shape [tokens], beats after each token.
        length_ticks: length of the whole piece.
    """
    part, countdown = part_at(ticks, length_ticks), countdown_at(ticks, length_ticks)
    return Context(ticks, beats, chord_index(tokens), part, countdown, np.zeros_like(ticks), sounding(tokens, ticks))


# (ticks, beats, chord, part, countdown, sounding) of one token
Place = tuple[int, float, int, int, int, Features]


@dataclass(slots=True)
class Clock:
    """The context of a piece as it grows, one token at a time.

    Attributes:
        length_ticks: length the piece shall have.
        tick: time now, 10 ms.
        beat: quarter notes since the start.
        bpm: the tempo now.
        chord: tokens since time last passed.
        sounding: what sounds now.
    """

    length_ticks: int
    tick: int = 0
    beat: float = 0.0
    bpm: float = 120.0
    chord: int = -1
    sounding: Sounding = field(default_factory=Sounding)

    def copy(self) -> Clock:
        """Return the same place in the piece, free to go on otherwise."""
        return replace(self, sounding=self.sounding.copy())

    def step(self, token: int) -> Place:
        """Let a token pass; return where it stands."""
        waited = VOCABULARY.said[token][0]
        tempo = VOCABULARY.tempo_of(token) if token < VOCABULARY.first_wait else None
        if tempo is not None:
            self.bpm = float(tempo)
        self.tick += waited
        self.beat += waited / TICKS_PER_SECOND * self.bpm / 60.0
        self.chord = 0 if waited else min(self.chord + 1, CHORD - 1)
        part = min(self.tick * PARTS // max(1, self.length_ticks), PARTS - 1)
        countdown = min(max((self.length_ticks - self.tick) // TICKS_PER_SECOND, 0), COUNTDOWN_S - 1)
        return self.tick, self.beat, self.chord, part, countdown, self.sounding.step(token, self.tick)
