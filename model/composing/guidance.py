"""Soft guidance: stale figures cost, missing instruments are called for, the beat is kept.

A small model that has repeated itself finds it likely to do so again, and
hammers one note or one figure for ever; instruments that have been silent for
a while stay silent. So of each instrument the lags are watched at which its
notes repeat, in the order they are struck: a figure of k notes may come a few
times, then each further note of it costs more; so does a pitch that makes up
most of the latest notes. And an instrument asked for
that has not begun a note for a while becomes more likely, second by second.
An instrument that comes in is called on until it has played a phrase, and one
that has had too small a part is called for all the more.
A note that is held long is let go more and more likely: a small model forgets it.
Where music is not played freely, a wait that ends beside the beat costs: of the
waits of real scores two in three end on a sixteenth or a triplet, of a small
model's a little fewer, but it never finds back to a beat that it has lost.

Source: the first is the idea of "don't repeat yourself" sampling for text
(p-e-w, 2024), which penalises tokens by the length of the repeat they extend.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from model.instruments import INSTRUMENTS
from model.language.context import Clock
from model.language.vocabulary import MAX_WAIT_TICKS, TICKS_PER_SECOND, VOCABULARY

# Figures of up to this many notes, and how often one may come: a groove is repetition.
LONGEST_FIGURE = 24
TIMES, DRUM_TIMES = 5, 12
# Nats that the first note beyond costs, every further one as much again, and the most.
COST, MOST_COST = 0.5, 6.0
# Of its latest `LONGEST_FIGURE` notes, one pitch of an instrument may be so many before it costs.
MOST_OF_A_PITCH = 8
# An instrument is missing after this long, one that accompanies at once; nats a second from then on, and the most.
MISSED_S, ACCOMPANIES_S, CALL, MOST_CALL = 6.0, 0.0, 0.5, 8.0
# An instrument that has come in keeps this call until it has played so many notes.
ENTRY, PHRASE = 2.0, 8
# Of the latest notes each wanted instrument plays this share at least, or an even share's half where that is less.
LATEST, LEAST_SHARE = 96, 0.05

# A note is held long after this; nats a second for its end from then on, and the most.
HELD_S, LET_GO, MOST_LET_GO = 2.0, 1.0, 4.0

# Parts of a beat that are kept, how many ticks beside still count as on it, and what others cost.
PARTS_OF_A_BEAT, ON_BEAT_TICKS, OFF_BEAT = (4, 3), 0.6, 2.0

_ROW = {instrument.name: n for n, instrument in enumerate(INSTRUMENTS)}
_ONSETS = [
    np.flatnonzero((VOCABULARY.instrument_of == n) & (VOCABULARY.velocity_of > 0)) for n in range(len(INSTRUMENTS))
]

_ENDS = [[ids[ids >= 0] for ids in table[0][:, None]] for table in VOCABULARY.note_id]
_WAITS = np.arange(1, MAX_WAIT_TICKS + 1)

Nudge = tuple[NDArray[np.int64], float]


@dataclass(slots=True)
class _Line:
    """The latest notes of one instrument, the newest first, and how long each lag has repeated.

    Attributes:
        row: of the instrument.
        times: how often a figure may come.
        pitches: of the notes; -1 where there are none yet.
        repeats: for a lag of 1, 2, ..., of how many notes in a row each was that pitch so many notes before.
        nudges: what follows from them; they are asked for more often than they change.
    """

    row: int
    times: int
    pitches: list[int] = field(default_factory=lambda: [-1] * LONGEST_FIGURE)
    repeats: list[int] = field(default_factory=lambda: [0] * LONGEST_FIGURE)
    nudges: list[Nudge] = field(default_factory=list)

    def feed(self, pitch: int) -> None:
        """Take the next note."""
        self.repeats = [n + 1 if p == pitch else 0 for n, p in zip(self.repeats, self.pitches, strict=True)]
        self.pitches = [pitch, *self.pitches[:-1]]
        worst: dict[int, int] = {}
        for lag, repeats in enumerate(self.repeats):
            over = repeats - (self.times - 1) * (lag + 1) + 1
            if over > 0:
                # One more repeat at this lag would be the pitch that came so many notes ago.
                stale = self.pitches[lag]
                worst[stale] = max(over, worst.get(stale, 0))
        if INSTRUMENTS[self.row].sustains:
            for hammered, count in Counter(self.pitches).items():
                if hammered >= 0 and count > MOST_OF_A_PITCH:
                    worst[hammered] = max(count - MOST_OF_A_PITCH, worst.get(hammered, 0))
        onsets = VOCABULARY.onset_ids[self.row]
        self.nudges = [(onsets[stale], -min(COST * over, MOST_COST)) for stale, over in worst.items()]


@dataclass(slots=True)
class Guidance:
    """What a growing piece should have less of, and more of.

    Attributes:
        wanted: names of instruments asked for; of a group, one playing will do.
        in_time: whether the beat is to be kept; music that is played freely has its own.
        accompanies: whether all who are wanted play beside others from the beginning, each no less than half as
            much as an even share.
    """

    wanted: tuple[tuple[str, ...], ...] = ()
    in_time: bool = False
    accompanies: bool = False
    _lines: dict[int, _Line] = field(default_factory=dict)
    _heard: dict[int, int] = field(default_factory=dict)
    _held: dict[tuple[int, int], int] = field(default_factory=dict)
    # Rows of the latest notes, and of each group called for how many notes of its phrase are left.
    _latest: deque[int] = field(default_factory=lambda: deque(maxlen=LATEST))
    _counts: Counter[int] = field(default_factory=Counter)
    _entering: dict[int, int] = field(default_factory=dict)
    _rows: tuple[tuple[int, ...], ...] = ()
    # The beat last asked about, and the answer: it is asked at every token, and time passes at one in three.
    _asked: tuple[float, float] | None = None
    _beside: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(MAX_WAIT_TICKS, bool))

    def __post_init__(self) -> None:
        self._rows = tuple(tuple(_ROW[name] for name in names) for names in self.wanted)

    def feed(self, token: int, tick: int) -> None:
        """Take the token that came at a time."""
        _, row, pitch, velocity = VOCABULARY.said[token]
        if row < 0:
            return
        self._held.pop((row, pitch), None)
        if velocity <= 0:
            return
        if INSTRUMENTS[row].sustains:
            self._held[row, pitch] = tick
        for n, rows in enumerate(self._rows):
            if row in rows:
                if self._silent_s(rows, tick) > MISSED_S:
                    self._entering[n] = PHRASE
                self._entering[n] = max(0, self._entering.get(n, 0) - 1)
        self._heard[row] = tick
        if len(self._latest) == LATEST:
            self._counts[self._latest[0]] -= 1
        self._latest.append(row)
        self._counts[row] += 1
        if row not in self._lines:
            self._lines[row] = _Line(row, TIMES if INSTRUMENTS[row].sustains else DRUM_TIMES)
        self._lines[row].feed(pitch)

    def nudges(self, tick: int) -> list[Nudge]:
        """Return token ids and the nats to add to their logits at a time."""
        stale = [nudge for line in self._lines.values() for nudge in line.nudges]
        return stale + self._missing(tick) + self._long(tick)

    def beside_the_beat(self, clock: Clock) -> NDArray[np.bool_] | None:
        """Return which waits, of 1 tick and up, end beside the beat; None where it is not to be kept.

        Each costs `OFF_BEAT` against other waits; whether to wait at all is not touched.
        """
        if not self.in_time:
            return None
        if self._asked != (clock.beat, clock.bpm):
            self._asked = clock.beat, clock.bpm
            ticks_a_beat = 60.0 * TICKS_PER_SECOND / clock.bpm
            lands = clock.beat + _WAITS / ticks_a_beat
            beside = np.min([np.abs(lands - np.rint(lands * part) / part) for part in PARTS_OF_A_BEAT], axis=0)
            self._beside = beside * ticks_a_beat > ON_BEAT_TICKS
        return self._beside

    def copy(self) -> Guidance:
        """Return the same, free to go on otherwise."""
        lines = {row: replace(line) for row, line in self._lines.items()}
        return replace(
            self,
            _lines=lines,
            _heard=dict(self._heard),
            _held=dict(self._held),
            _latest=self._latest.copy(),
            _counts=self._counts.copy(),
            _entering=dict(self._entering),
            _asked=None,
        )

    def _silent_s(self, rows: tuple[int, ...], tick: int) -> float:
        return (tick - max(self._heard.get(row, 0) for row in rows)) / TICKS_PER_SECOND

    def _long(self, tick: int) -> list[Nudge]:
        found: list[Nudge] = []
        for (row, pitch), onset in self._held.items():
            held_s = (tick - onset) / TICKS_PER_SECOND
            if held_s <= HELD_S:
                # They are in the order of their onsets, the oldest first.
                break
            found.append((_ENDS[row][pitch], min(LET_GO * (held_s - HELD_S), MOST_LET_GO)))
        return found

    def _missing(self, tick: int) -> list[Nudge]:
        found: list[Nudge] = []
        missed_s, share = MISSED_S, LEAST_SHARE
        if self.accompanies:
            missed_s, share = ACCOMPANIES_S, 1.0
        # A piece for one has nobody to share with.
        least = min(share, 0.5 / len(self._rows)) * len(self._latest) if len(self._rows) > 1 else 0.0
        for n, rows in enumerate(self._rows):
            nats = min(CALL * (self._silent_s(rows, tick) - missed_s), MOST_CALL)
            if least:
                behind = least - sum(self._counts[row] for row in rows)
                nats = max(nats, ENTRY if self._entering.get(n) else 0.0, min(behind, ENTRY))
            if nats > 0:
                found += [(_ONSETS[row], nats) for row in rows]
        return found
