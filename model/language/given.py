"""Given notes: some of the music is told ahead of time, the rest is composed.

The tokens of a given note stand `AHEAD_TICKS` before it sounds (at the start of
the music at the earliest), marked by the `given` embedding and placed in the
context at the time of their sounding; the header says `given`. So a melody is
known a bar or two before it must be accompanied, and one model composes,
harmonises, accompanies and fills gaps. A wait is cut short where a given note
comes in; what is learned is the wait to the next composed note.

Source: Thickstun et al. (2023), Anticipatory Music Transformer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.instruments import INSTRUMENTS
from model.language.context import Context, chord_index, countdown_at, part_at
from model.language.sounding import SOUNDING, SUSTAINED, write_note
from model.language.vocabulary import MAX_WAIT_TICKS, VOCABULARY

AHEAD_TICKS = 400

Ints = NDArray[np.int64]


class Pairs(NamedTuple):
    """Notes of a row of tokens, arrays of shape [notes].

    Attributes:
        on: index of the token that strikes it.
        off: index of the token that ends it; for drums and what is not ended, the row's length.
    """

    on: Ints
    off: Ints


def pair(tokens: Ints) -> Pairs:
    """Return the notes of a row of tokens; an end without a beginning is passed over."""
    instruments, pitches = VOCABULARY.instrument_of[tokens], VOCABULARY.pitch_of[tokens]
    struck = VOCABULARY.velocity_of[tokens] > 0
    since: dict[tuple[int, int], int] = {}
    ends = np.full(len(tokens), len(tokens), np.int64)
    for n in np.flatnonzero((instruments >= 0) & SUSTAINED[instruments]):
        key = (int(instruments[n]), int(pitches[n]))
        if key in since:
            ends[since.pop(key)] = n
        if struck[n]:
            since[key] = int(n)
    on = np.flatnonzero(struck)
    return Pairs(on, ends[on])


def choose(rng: np.random.Generator, tokens: Ints, ticks: Ints, notes: Pairs) -> NDArray[np.bool_]:
    """Return which notes are given: some instruments, some voices, or a span of time. Shape [notes]."""
    instruments = VOCABULARY.instrument_of[tokens[notes.on]]
    present = np.unique(instruments)
    kind = rng.random()
    if kind < 0.1:
        first, last = np.sort(rng.uniform(ticks[0], ticks[-1] + 1, 2))
        onsets = ticks[notes.on]
        return np.asarray((onsets >= first) & (onsets < last))
    if len(present) > 1 and kind < 0.6:
        given = rng.random(len(INSTRUMENTS)) < 0.5
        one, other = rng.choice(present, 2, replace=False)
        given[one], given[other] = True, False
        return np.asarray(given[instruments])
    above, below = _neighbours(tokens, notes)
    voices = (above == 0, below == 0, above > 0, below > 0, (above == 0) | (below == 0), (above > 0) & (below > 0))
    return voices[rng.integers(len(voices))]


def _neighbours(tokens: Ints, notes: Pairs) -> tuple[Ints, Ints]:
    """Return how many notes sound above and below each when it is struck; a drum has neither."""
    pitches = VOCABULARY.pitch_of[tokens[notes.on]]
    pitched = SUSTAINED[VOCABULARY.instrument_of[tokens[notes.on]]]
    # A chord is struck token by token: a note sounds together with those struck at its instant.
    instant = np.cumsum(VOCABULARY.wait_ticks[tokens] > 0)
    starts = instant[notes.on]
    ends = np.append(instant, instant[-1] + 1)[notes.off]
    above, below = np.zeros(len(pitches), np.int64), np.zeros(len(pitches), np.int64)
    for n in np.flatnonzero(pitched):
        together = pitched & (starts <= starts[n]) & (ends > starts[n])
        above[n] = np.count_nonzero(together & (pitches > pitches[n]))
        below[n] = np.count_nonzero(together & (pitches < pitches[n]))
    return above, below


class Woven(NamedTuple):
    """Tokens with the given ones ahead of time.

    Attributes:
        tokens: what the model reads.
        labels: what it should have said there.
        counts: 1 where that is its own word, 0 where a given one.
        context: where each token stands.
        before: tokens of the preroll, not to be learned.
    """

    tokens: Ints
    labels: Ints
    counts: NDArray[np.float32]
    context: Context
    before: int


def weave(
    tokens: Ints,
    ticks: Ints,
    beats: NDArray[np.float32],
    given: NDArray[np.bool_],
    notes: Pairs,
    *,
    before: int,
    length_ticks: int,
    whole: bool,
) -> Woven:
    """Return a row of tokens with some of its notes ahead of time.

    Args:
        tokens: the row, shape [tokens].
        ticks: time after each token, shape [tokens].
        beats: beats after each token, shape [tokens].
        given: which notes are given, shape [notes].
        notes: the row's notes.
        before: tokens of preroll; what is given there is already past.
        length_ticks: length of the whole piece.
        whole: the row reaches the end of the piece; otherwise nothing is known of
            what is given after it, and it ends so much earlier.
    """
    told = np.zeros(len(tokens) + 1, bool)
    told[notes.on[given]] = True
    told[notes.off[given]] = True
    told = told[:-1]
    # The music begins at this tick; before it is what was heard already.
    start = int(ticks[before - 1]) if before else int(ticks[0] - VOCABULARY.wait_ticks[tokens[0]])
    places = np.flatnonzero(VOCABULARY.wait_ticks[tokens] == 0)
    new = places >= before
    at = np.where(new & told[places], np.maximum(ticks[places] - AHEAD_TICKS, start), ticks[places])
    if not whole:
        known = at <= ticks[-1] - AHEAD_TICKS
        places, new, at = places[known], new[known], at[known]
    order = np.lexsort((places, ~told[places], at, new))
    places, new, at = places[order], new[order], at[order]
    out = _Row()
    own = at[~told[places]]
    now = int(ticks[0] - VOCABULARY.wait_ticks[tokens[0]])
    row_before: int | None = None
    for place, is_new, tick in zip(places.tolist(), new.tolist(), at.tolist(), strict=True):
        if is_new and row_before is None:
            row_before = len(out.tokens)
        while now < tick:
            waited = min(MAX_WAIT_TICKS, tick - now)
            following = np.searchsorted(own, now, side="right")
            apart = int(own[following]) - now if following < len(own) else 0
            now += waited
            label = VOCABULARY.first_wait + min(MAX_WAIT_TICKS, max(apart, 1)) - 1
            out.add(VOCABULARY.first_wait + waited - 1, label, apart > 0, now, now, 0, -1)
        told_here = bool(told[place])
        out.add(int(tokens[place]), int(tokens[place]), not told_here, now, int(ticks[place]), int(told_here), place)
    return out.woven(
        tokens, ticks, beats, told, notes, len(out.tokens) if row_before is None else row_before, length_ticks
    )


class _Row:
    """A woven row as it grows."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.labels: list[int] = []
        self.counts: list[bool] = []
        self.now: list[int] = []
        self.ticks: list[int] = []
        self.given: list[int] = []
        self.source: list[int] = []

    def add(self, token: int, label: int, counts: bool, now: int, tick: int, given: int, source: int) -> None:
        self.tokens.append(token)
        self.labels.append(label)
        self.counts.append(counts)
        self.now.append(now)
        self.ticks.append(tick)
        self.given.append(given)
        self.source.append(source)

    def woven(
        self,
        tokens: Ints,
        ticks: Ints,
        beats: NDArray[np.float32],
        told: NDArray[np.bool_],
        notes: Pairs,
        before: int,
        length_ticks: int,
    ) -> Woven:
        own, now, at = (np.array(x, np.int64) for x in (self.tokens, self.now, self.ticks))
        where = np.full(len(tokens) + 1, len(own), np.int64)
        source = np.array(self.source, np.int64)
        where[source[source >= 0]] = np.flatnonzero(source >= 0)
        context = Context(
            at,
            np.interp(at, ticks, beats).astype(np.float32),
            chord_index(own),
            part_at(at, length_ticks),
            countdown_at(at, length_ticks),
            np.array(self.given, np.int64),
            _sounding(tokens, ticks, told, notes, now, where),
        )
        labels, counts = np.array(self.labels, np.int64), np.array(self.counts, np.float32)
        return Woven(own, labels, counts, context, before)


def _sounding(
    tokens: Ints, ticks: Ints, told: NDArray[np.bool_], notes: Pairs, now: Ints, where: Ints
) -> NDArray[np.float32]:
    """Return what sounds at each place of a woven row: given notes from their time on, not from their tokens."""
    out = np.zeros((len(now), SOUNDING), np.float32)
    for on, off in zip(notes.on.tolist(), notes.off.tolist(), strict=True):
        instrument, pitch = int(VOCABULARY.instrument_of[tokens[on]]), int(VOCABULARY.pitch_of[tokens[on]])
        if not SUSTAINED[instrument]:
            continue
        first, last = int(where[on]), int(where[off])
        if told[on]:
            first = int(np.searchsorted(now, ticks[on]))
            last = int(np.searchsorted(now, ticks[off])) if off < len(tokens) else len(now)
        if first < last:
            write_note(out[first:last], pitch, instrument, (now[first:last] - ticks[on]).astype(float))
    return out
