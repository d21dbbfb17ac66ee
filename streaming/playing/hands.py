"""What a piece turns, as those who play along are told of it: a value for each controller of each instrument.

A device has one channel for an instrument, a file may have several parts for it. So the part whose note was
struck last has the hand on its controllers; a note that no part turns brings them back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from model.controls import BEND, MODULATION, PLACE, PLAIN, SILENT_DB, VOLUME, Controls
from streaming.midi.standing import NEUTRAL, REACH
from streaming.playing.deck import Deck
from streaming.synthesis.synth import Strike
from streaming.timeline import to_samples, to_seconds

_REACHES = (2, 24)


@dataclass(frozen=True, slots=True)
class Turn:
    """A controller of an instrument is turned, at a sample of the synth's clock."""

    sample: int
    instrument: str
    control: int
    value: int


@dataclass(slots=True)
class _Hold:
    """Who has the hand on an instrument's controllers."""

    deck: Deck
    part: int
    controls: Controls
    reach: int
    # Second of its piece at which something is turned next.
    next_s: float = math.inf


class Hands:
    """The hands on all controllers."""

    def __init__(self) -> None:
        self._holds: dict[str, _Hold] = {}
        self._stand: dict[tuple[str, int], int] = {}

    def turned(self, strikes: Sequence[Strike], decks: Sequence[Deck | None], now: int, until: int) -> Iterator[Turn]:
        """Yield what is turned in a block.

        Args:
            strikes: notes of pieces that begin in it.
            decks: all of them.
            now: first sample of the block.
            until: first sample of the next.
        """
        for strike in strikes:
            deck = decks[strike.deck]
            if deck is not None:
                yield from self._grasp(deck, strike, now)
        for instrument, hold in self._holds.items():
            # What has left its deck turns nothing any more.
            on = any(deck is hold.deck for deck in decks)
            if on and hold.next_s < to_seconds(until - hold.deck.start):
                sample = max(now, hold.deck.start + to_samples(hold.next_s))
                # As it is at the end of the block: of several steps in it one is told.
                yield from self._set(instrument, hold, sample, to_seconds(until - 1 - hold.deck.start))

    def _grasp(self, deck: Deck, strike: Strike, now: int) -> Iterator[Turn]:
        """Give the controllers of an instrument to the part of a note."""
        note = strike.note
        hold = self._holds.get(note.instrument)
        if hold is not None and hold.deck is deck and hold.part == note.part:
            return
        controls = deck.controls[note.part - 1] if 0 < note.part <= len(deck.controls) else PLAIN
        hold = self._holds[note.instrument] = _Hold(deck, note.part, controls, reach_of(controls))
        sample = now + strike.offset
        yield from self._set(note.instrument, hold, sample, to_seconds(sample - deck.start))

    def _set(self, instrument: str, hold: _Hold, sample: int, time_s: float) -> Iterator[Turn]:
        hold.next_s = hold.controls.next_s(time_s)
        for control, value in standing(hold.controls, time_s, hold.reach).items():
            if self._stand.get((instrument, control), NEUTRAL[control]) != value:
                self._stand[instrument, control] = value
                yield Turn(sample, instrument, control, value)


def reach_of(controls: Controls) -> int:
    """Return how many semitones a device's bends must reach for what a part bends."""
    furthest = max(abs(cents) for cents in controls.bend_cents.values)
    return _REACHES[furthest > 100 * _REACHES[0]]


def standing(controls: Controls, time_s: float, reach: int) -> Mapping[int, int]:
    """Return where the controllers stand at a time.

    Args:
        controls: of a part.
        time_s: of its piece.
        reach: of bends, in semitones.
    """
    gain_db = controls.gain_db.at(time_s)
    # As it was read: 40 log of the part of the usual volume.
    volume = 0 if gain_db <= SILENT_DB else round(NEUTRAL[VOLUME] * 10 ** (gain_db / 40))
    bend = NEUTRAL[BEND] + round(controls.bend_cents.at(time_s) / (100 * reach) * NEUTRAL[BEND])
    return {
        REACH: reach,
        VOLUME: min(127, volume),
        PLACE: min(127, max(0, NEUTRAL[PLACE] + round(63 * controls.place.at(time_s)))),
        MODULATION: min(127, max(0, round(127 * controls.vibrato.at(time_s)))),
        BEND: min(16_383, max(0, bend)),
    }
