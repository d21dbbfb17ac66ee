"""Given notes as a growing piece hears them: told ahead of time, sounding on time, never doubled.

The composing side of `model.language.given`: fed token by token, a `GivenClock`
makes of given and composed notes the very context that `weave` makes of the
same music for training.

    while growing:
        told = clock.due()          # a given note, or something that a given note calls for
        if told is not None:        # it comes in place of a drawn token
            place = clock.hear(told)
        else:                       # a token is drawn, `clock.forbidden()` left out,
            place = clock.step(token)  # a wait cut to `clock.room()`
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from model.composing.given_music import GivenMusic, Ids, Key, Told
from model.composing.grammar import LAST_ONSET_S
from model.language.context import CHORD, Clock, Place, beats_at, countdown_at, part_at
from model.language.sounding import LONG_TICKS, PITCHES, SHORT_TICKS, SUSTAINED, Features, Sounding
from model.language.tokenizer import wait_tokens
from model.language.vocabulary import MAX_WAIT_TICKS, TICKS_PER_SECOND, VOCABULARY
from model.notes import Piece

_ONSETS = np.flatnonzero(VOCABULARY.velocity_of > 0)
_TUNED = _ONSETS[SUSTAINED[VOCABULARY.instrument_of[_ONSETS]]]
_ABOVE = [_TUNED[VOCABULARY.pitch_of[_TUNED] > pitch] for pitch in range(PITCHES)]
_BELOW = [_TUNED[VOCABULARY.pitch_of[_TUNED] < pitch] for pitch in range(PITCHES)]
_WAITS = np.flatnonzero(VOCABULARY.wait_ticks > 0)
# Nothing begins later than this before the end.
LAST_ONSET_TICKS = round(LAST_ONSET_S * TICKS_PER_SECOND)
_END = np.array([VOCABULARY.end])


@dataclass(slots=True)
class Telling:
    """Given music on its way into one growing piece.

    Attributes:
        music: all of it.
        others: how many notes of others sound beside the given ones; None: as many as come.
        outer: the given line is the highest voice ("top") or the lowest ("bottom"): no other crosses it; None: neither.
        passed: how much of it has been told.
    """

    music: GivenMusic
    others: int | None = None
    outer: Literal["top", "bottom"] | None = None
    passed: int = 0

    def due(self, tick: int) -> Told | None:
        """Take what is to be told at a time, if there is something."""
        if self.passed == len(self.music.told) or self.music.at[self.passed] > tick:
            return None
        told = self.music.told[self.passed]
        self.passed += 1
        return told

    def room(self, tick: int) -> int:
        """Return the ticks until something is told again, at most the longest wait."""
        if self.passed == len(self.music.at):
            return MAX_WAIT_TICKS
        return min(MAX_WAIT_TICKS, max(self.music.at[self.passed] - tick, 0))

    def fork(self) -> Telling:
        """Return the same, free to go on otherwise."""
        return replace(self)


@dataclass(slots=True)
class GivenSounding(Sounding):
    """What sounds of composed and given notes together; `notes` are the given ones."""

    notes: GivenMusic | None = None

    def copy(self) -> GivenSounding:
        """Return the same, free to go on otherwise."""
        return GivenSounding(dict(self._since), self.notes)

    def step(self, token: int, tick: int) -> Features:
        """Let a token of the piece's own pass at a time; return what sounds after it."""
        # Not `super()`: a class with slots is made twice.
        out = Sounding.step(self, token, tick)
        for (row, pitch), onset in self.notes.sounding(tick) if self.notes is not None else ():
            out[pitch] = 1.0
            short, long = math.exp2((onset - tick) / SHORT_TICKS), math.exp2((onset - tick) / LONG_TICKS)
            if short > out[PITCHES + pitch]:
                out[PITCHES + pitch], out[2 * PITCHES + pitch] = short, long
            # A chord of four counts as one, as in `write_note`.
            out[3 * PITCHES + row] += np.float32(0.25)
        return out

    @property
    def own(self) -> list[Key]:
        """Instrument row and pitch of the composed notes that sound."""
        return list(self._since)


def _nothing() -> Telling:
    return Telling(GivenMusic(Piece(())))


@dataclass(slots=True)
class GivenClock(Clock):
    """The context of a piece as it grows around given notes.

    Attributes:
        telling: the given notes.
        heard: composed notes that sound, the given ones with them; it is `sounding`.
    """

    telling: Telling = field(default_factory=_nothing)
    heard: GivenSounding = field(init=False)

    def __post_init__(self) -> None:
        before = self.sounding.copy()
        self.heard = before if isinstance(before, GivenSounding) else GivenSounding(notes=self.telling.music)
        self.sounding = self.heard

    def copy(self) -> GivenClock:
        """Return the same place in the piece, free to go on otherwise."""
        return replace(self, telling=self.telling.fork())

    def due(self) -> Told | None:
        """Take what comes now in place of a drawn token, if there is something.

        It is what is told, or the end of a composed note whose pitch a given one strikes.
        """
        told = self.telling.due(self.tick)
        if told is not None:
            return told
        for row, pitch in sorted(self.heard.own):
            if self.telling.music.next_strike((row, pitch), self.tick) == self.tick:
                return Told(int(VOCABULARY.note_id[row, 0, pitch]), self.tick, False)
        return None

    def room(self) -> int:
        """Return the longest wait, in ticks, before something is due."""
        strikes = (self.telling.music.next_strike(key, self.tick) for key in self.heard.own)
        return min([self.telling.room(self.tick), *(tick - self.tick for tick in strikes if tick is not None)])

    def hear(self, told: Told) -> Place:
        """Let what was due pass; return where it stands."""
        return self.tell(told.tick) if told.given else self.step(told.token)

    def step(self, token: int) -> Place:
        """Let a token of the piece's own pass; return where it stands."""
        tick, _, chord, part, countdown, features = Clock.step(self, token)
        # A file's tempi are finer than their tokens.
        self.beat = self._beat(tick)
        return tick, self.beat, chord, part, countdown, features

    def tell(self, tick: int) -> Place:
        """Let a token of a given note pass, which sounds at `tick`; return where it stands."""
        self.chord = min(self.chord + 1, CHORD - 1)
        return self._at(tick, self.chord, self.heard.step(VOCABULARY.pad, self.tick))

    def recall(self, count: int, place: Place) -> list[tuple[int, Place]]:
        """Return given notes that were told already and are still to come, to read music anew from somewhere.

        Args:
            count: tokens of given notes before there.
            place: of the last token of the piece's own before there.

        Returns:
            Tokens and where they stand, as they stand at the beginning of a window in training.
        """
        still = [told for told in self.telling.music.notes_told(count) if told.tick > place[0]]
        chords = (min(place[2] + n, CHORD - 1) for n in range(1, len(still) + 1))
        return [(told.token, self._at(told.tick, chord, place[5])) for told, chord in zip(still, chords, strict=True)]

    def forbidden(self) -> Ids:
        """Return the tokens that would double or cross a given voice, be one too many or too few, or end too soon."""
        music, others = self.telling.music, self.telling.others
        rules = [music.taken(self.tick)]
        if others is not None and len(self.heard.own) >= others:
            rules.append(_ONSETS)
        elif others is not None and music.sounding(self.tick) and self.length_ticks - self.tick > LAST_ONSET_TICKS:
            # All voices sing where a given one does: time passes when each has its note.
            rules.append(_WAITS)
        rules += [_ABOVE[key[1]] if self.telling.outer == "top" else _BELOW[key[1]] for key in self._line()]
        if self.tick < min(music.last_tick, self.length_ticks):
            rules.append(_END)
        return np.concatenate(rules)

    def _line(self) -> list[Key]:
        """Return what sounds of a given line that no other voice crosses."""
        return [] if self.telling.outer is None else [key for key, _ in self.telling.music.sounding(self.tick)]

    def _beat(self, tick: int) -> float:
        return float(beats_at(np.array([tick]), self.telling.music.tempi)[0])

    def _at(self, tick: int, chord: int, features: Features) -> Place:
        at = np.array([tick])
        part, countdown = int(part_at(at, self.length_ticks)[0]), int(countdown_at(at, self.length_ticks)[0])
        return tick, self._beat(tick), chord, part, countdown, features


def in_time(tokens: Sequence[int], places: Sequence[Place], until: int) -> list[int]:
    """Return music with given notes as if it had none: every token at the time at which it sounds.

    Args:
        tokens: as they came, without the header.
        places: where each stands.
        until: given notes after this tick are left out.
    """
    events = [
        (place[0], VOCABULARY.said[token][3] > 0, n)
        for n, (token, place) in enumerate(zip(tokens, places, strict=True))
        if not VOCABULARY.said[token][0] and place[0] <= until
    ]
    found: list[int] = []
    now = 0
    for tick, _, n in sorted(events):
        found += [*wait_tokens(tick - now), tokens[n]]
        now = tick
    return found + wait_tokens(until - now)
