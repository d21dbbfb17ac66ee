"""Notes that are given, made ready to be told while a piece grows: when each is told, sounds and may not be doubled."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.language.given import AHEAD_TICKS, pair
from model.language.sounding import SUSTAINED
from model.language.tokenizer import encode_body
from model.language.vocabulary import VOCABULARY
from model.learning.corpus import tidy
from model.notes import Piece

Ids = NDArray[np.int64]
# Instrument row and pitch.
Key = tuple[int, int]

_NONE = np.zeros(0, np.int64)


class Told(NamedTuple):
    """A token that comes in place of a drawn one.

    Attributes:
        token: its id.
        tick: where it stands: when a given note sounds, or now.
        given: a given note; otherwise the piece's own (a tempo mark, the end of a note).
    """

    token: int
    tick: int
    given: bool


class GivenMusic:
    """All given notes of a piece, counted from the first of them. Shared by its candidates.

    Args:
        piece: the given notes; its tempo marks are those of the whole piece.
    """

    def __init__(self, piece: Piece) -> None:
        given = tidy(piece)
        tokens = np.array(encode_body(given)[:-1], np.int64)
        ticks = np.cumsum(VOCABULARY.wait_ticks[tokens])
        self.tempi = given.tempi
        self.last_tick = int(ticks[-1]) if len(ticks) else 0
        is_note = VOCABULARY.pitch_of[tokens] >= 0
        places = np.flatnonzero(VOCABULARY.wait_ticks[tokens] == 0)
        at = np.where(is_note[places], np.maximum(ticks[places] - AHEAD_TICKS, 0), ticks[places])
        # Notes before a tempo mark of the same moment, as `weave` has them.
        order = np.lexsort((places, ~is_note[places], at))
        self.told = [Told(int(tokens[n]), int(ticks[n]), bool(is_note[n])) for n in places[order].tolist()]
        self.at: list[int] = at[order].tolist()
        self._notes = [told for told in self.told if told.given]
        self._find_sounding(tokens, ticks)

    def _find_sounding(self, tokens: Ids, ticks: Ids) -> None:
        """Find what sounds when, and what nobody else may then strike."""
        starts: dict[int, list[Key]] = {}
        ends: dict[int, list[Key]] = {}
        strokes: dict[int, list[Ids]] = {}
        self.strikes: dict[Key, list[int]] = {}
        on, off = pair(tokens)
        for first, last in zip(on.tolist(), off.tolist(), strict=True):
            key = (int(VOCABULARY.instrument_of[tokens[first]]), int(VOCABULARY.pitch_of[tokens[first]]))
            tick = int(ticks[first])
            if SUSTAINED[key[0]]:
                starts.setdefault(tick, []).append(key)
                ends.setdefault(int(ticks[last]), []).append(key)
                self.strikes.setdefault(key, []).append(tick)
            else:
                strokes.setdefault(tick, []).append(VOCABULARY.onset_ids[key[0]][key[1]])
        self.strokes = {tick: np.concatenate(ids) for tick, ids in strokes.items()}
        self._moments = sorted({0, *starts, *ends})
        self._sounding: list[tuple[tuple[Key, int], ...]] = []
        self._taken: list[Ids] = []
        now: dict[Key, int] = {}
        for tick in self._moments:
            for key in ends.get(tick, ()):
                now.pop(key, None)
            for key in starts.get(tick, ()):
                now[key] = tick
            self._sounding.append(tuple(now.items()))
            ids = [VOCABULARY.onset_ids[row][pitch] for row, pitch in now]
            self._taken.append(np.concatenate(ids) if ids else _NONE)

    def sounding(self, tick: int) -> tuple[tuple[Key, int], ...]:
        """Return which given notes sound at a time, each with its onset."""
        return self._sounding[bisect_right(self._moments, tick) - 1]

    def taken(self, tick: int) -> Ids:
        """Return the note-ons that would double a given note at a time."""
        taken, strokes = self._taken[bisect_right(self._moments, tick) - 1], self.strokes.get(tick)
        return taken if strokes is None else np.concatenate([taken, strokes])

    def next_strike(self, key: Key, tick: int) -> int | None:
        """Return when a given note is next struck on a pitch of an instrument, `tick` or later."""
        strikes = self.strikes.get(key, [])
        n = bisect_left(strikes, tick)
        return strikes[n] if n < len(strikes) else None

    def notes_told(self, count: int) -> list[Told]:
        """Return the first `count` tokens of given notes in the order in which they are told."""
        return self._notes[:count]

    @property
    def most_at_once(self) -> int:
        """The most notes that sound together."""
        return max(len(keys) for keys in self._sounding)
