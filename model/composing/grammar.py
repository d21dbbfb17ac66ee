"""What may come next: hard masks that keep a growing piece playable.

A note-off only for what sounds, every note ended, only the instruments asked
for and only in their ranges, nothing struck twice at once, no note that hangs,
no silence that lasts, and an end where the end was asked for: a last chord on
the tonic, on a bar line, that rings until then (`model.composing.ending`).
Each rule takes tokens away from the model's choice; none is ever left without one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from model.composing.ending import LastChord
from model.instruments import BY_NAME, INSTRUMENTS
from model.language.vocabulary import TICKS_PER_SECOND, VOCABULARY

# A note is ended after this long: 99 of 100 of the training music's notes last less than 4 s.
LONGEST_NOTE_S = 5.0
LONGEST_SILENCE_S = 2.0
MOST_SOUNDING = 14
MOST_AT_ONCE = 20
MOST_IN_LAST_CHORD = 8
# Nothing begins in the last moments, so that what sounds can ring out.
LAST_ONSET_S = 0.8
# Nor just before the last chord, or before something comes that is known already.
BREATH_TICKS = 20
# The piece may end by itself this near to the length asked for, as a fraction.
NEAR_END = 0.985


def _ids(rows: Iterable[int], *, on: bool) -> NDArray[np.bool_]:
    mine = np.isin(VOCABULARY.instrument_of, list(rows))
    return mine & ((VOCABULARY.velocity_of > 0) if on else (VOCABULARY.velocity_of == 0))


@dataclass(slots=True)
class Grammar:
    """The rules of one growing piece.

    Attributes:
        instruments: names that may play.
        length_ticks: where the piece shall end.
        silence_ticks: the longest silence.
        stop_tick: no wait goes past this; None for no such place.
        last_chord: how it closes; None: as the model likes.
        tick: time now.
        ended: whether `end` has come.
    """

    instruments: tuple[str, ...]
    length_ticks: int
    silence_ticks: int = round(LONGEST_SILENCE_S * TICKS_PER_SECOND)
    stop_tick: int | None = None
    last_chord: LastChord | None = None
    tick: int = 0
    ended: bool = False
    _sounding: dict[tuple[int, int], int] = field(default_factory=dict)
    _struck: int = 0
    _last_sound: int = 0
    _onsets: NDArray[np.bool_] = field(init=False)
    _startable: NDArray[np.bool_] = field(init=False)
    _held: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        rows = [n for n, i in enumerate(INSTRUMENTS) if i.name in self.instruments]
        self._onsets = _ids(rows, on=True)
        self._startable = self._onsets.copy()
        self._held = np.zeros(len(VOCABULARY), bool)

    def mask(self) -> NDArray[np.bool_]:
        """Return which tokens may come next, shape [vocabulary]; at least one may."""
        allowed = np.zeros(len(VOCABULARY), bool)
        expired = self._expired()
        if self.tick >= self.length_ticks or expired is not None:
            # The end, or a note that hangs: only ends of notes.
            if not self._sounding:
                allowed[VOCABULARY.end] = True
            elif expired is None:
                allowed |= self._held
            else:
                allowed[VOCABULARY.note_id[expired[0], 0, expired[1]]] = True
            return allowed
        if self.last_chord is not None and self.tick >= self.last_chord.tick:
            return self._closing(self.last_chord)
        if self._may_begin() and self._struck < MOST_AT_ONCE:
            if len(self._sounding) < MOST_SOUNDING:
                allowed |= self._startable
            else:
                # Drums do not sound on: they may always come.
                allowed |= self._startable & (VOCABULARY.instrument_of == len(INSTRUMENTS) - 1)
        if self._struck == 0:
            allowed |= self._held
        silence = 0 if self._sounding else self.tick - self._last_sound
        if silence < self.silence_ticks or not allowed.any():
            self._let_wait(allowed)
        near_end = self.last_chord is None and self.tick >= NEAR_END * self.length_ticks
        if near_end and not self._sounding and self._struck == 0:
            allowed[VOCABULARY.end] = True
        return allowed

    def _may_begin(self) -> bool:
        """Return whether a note may begin: there must be time for it."""
        if self.length_ticks - self.tick <= LAST_ONSET_S * TICKS_PER_SECOND and self.last_chord is None:
            return False
        places = [self.stop_tick, None if self.last_chord is None else self.last_chord.tick]
        return not any(place is not None and 0 < place - self.tick < BREATH_TICKS for place in places)

    def _let_wait(self, allowed: NDArray[np.bool_]) -> None:
        """Allow waits, up to the next place that is not to be passed."""
        places = [self.length_ticks]
        if self.last_chord is not None and self.tick < self.last_chord.tick:
            places.append(self.last_chord.tick)
        if self.stop_tick is not None and self.tick < self.stop_tick:
            places.append(self.stop_tick)
        longest = min(VOCABULARY.first_note - VOCABULARY.first_wait, min(places) - self.tick)
        allowed[VOCABULARY.first_wait : VOCABULARY.first_wait + longest] = True

    def _closing(self, chord: LastChord) -> NDArray[np.bool_]:
        """Return what may come from the last chord on: all that sounds ends, the chord is struck, and it rings."""
        allowed = np.zeros(len(VOCABULARY), bool)
        if self.tick == chord.tick and not chord.struck and self._sounding:
            allowed |= self._held
            return allowed
        if self.tick == chord.tick and chord.struck < MOST_IN_LAST_CHORD:
            allowed |= self._startable & chord.fitting()
        if self.tick > chord.tick or chord.whole or not allowed.any():
            # All of the time that is left at once, as far as one token goes.
            longest = min(VOCABULARY.first_note - VOCABULARY.first_wait, self.length_ticks - self.tick)
            allowed[VOCABULARY.first_wait + longest - 1] = True
        return allowed

    def _expired(self) -> tuple[int, int] | None:
        """Return the note that has sounded too long; none while others begin."""
        if not self._sounding or self._struck:
            return None
        # Notes are kept in the order of their onsets: the first is the oldest.
        key, onset = next(iter(self._sounding.items()))
        return key if self.tick - onset >= LONGEST_NOTE_S * TICKS_PER_SECOND else None

    def feed(self, token: int) -> None:
        """Take the token that came; one of a prompt may break the rules."""
        waited, row, pitch, velocity = VOCABULARY.said[token]
        if waited:
            self.tick += waited
            if self._struck:
                self._startable = self._onsets.copy()
                for row, pitch in self._sounding:
                    self._forbid(row, pitch)
            self._struck = 0
            if self._sounding:
                self._last_sound = self.tick
            return
        if token == VOCABULARY.end:
            self.ended = True
            return
        if row < 0:
            return
        if velocity == 0:
            onset = self._sounding.pop((row, pitch), None)
            if onset is not None:
                if self.last_chord is not None:
                    self.last_chord.release(self.tick, pitch, self.tick - onset)
                self._held[token] = False
                ids = VOCABULARY.onset_ids[row][pitch]
                self._startable[ids] = self._onsets[ids]
            return
        self._struck += 1
        self._last_sound = self.tick
        self._forbid(row, pitch)
        if self.last_chord is not None:
            self.last_chord.feed(self.tick, row, pitch, len(self._sounding))
        if INSTRUMENTS[row].sustains:
            self._sounding.pop((row, pitch), None)
            self._sounding[row, pitch] = self.tick
            self._held[VOCABULARY.note_id[row, 0, pitch]] = True

    def _forbid(self, row: int, pitch: int) -> None:
        self._startable[VOCABULARY.onset_ids[row][pitch]] = False

    def copy(self) -> Grammar:
        """Return the same rules at the same place, free to go on otherwise."""
        chord = None if self.last_chord is None else self.last_chord.copy()
        twin = replace(self, last_chord=chord)
        twin._sounding, twin._struck, twin._last_sound = dict(self._sounding), self._struck, self._last_sound
        twin._startable, twin._held = self._startable.copy(), self._held.copy()
        return twin

    @property
    def held(self) -> list[int]:
        """The tokens that would end what sounds now."""
        return [int(VOCABULARY.note_id[row, 0, pitch]) for row, pitch in self._sounding]

    @property
    def sounding(self) -> list[str]:
        """Names of the instruments whose notes sound now."""
        names = tuple(BY_NAME)
        return [names[row] for row, _ in self._sounding]
