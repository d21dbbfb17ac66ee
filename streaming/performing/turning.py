"""What a file turns while its notes sound, block by block: how loud, where, and at which pitch.

Steps of a controller become slopes that the ear takes for a hand's: no step is heard as a click.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from model.controls import Controls
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_seconds

# What is turned is there after some 30 ms.
_TOWARDS = 1 - math.exp(-BLOCK_SAMPLES / SAMPLE_RATE / 0.012)
# Nobody hears the rest.
_ARRIVED = 1e-4
_VIBRATO_HZ, _VIBRATO_CENTS = 5.5, 50.0


@dataclass(frozen=True, slots=True)
class Turned:
    """How a part is played in a block.

    Attributes:
        deck, part: whose notes.
        start, end: gains of left and right at the edges of the block; between them a straight line.
        ratio: of the frequency.
    """

    deck: int
    part: int
    start: tuple[float, float]
    end: tuple[float, float]
    ratio: float

    @property
    def gain_db(self) -> float:
        """What is added to the level at the end of the block."""
        return 10 * math.log10(max(1e-9, 0.5 * (self.end[0] ** 2 + self.end[1] ** 2)))

    @property
    def place(self) -> float:
        """Where it is then, -1 to 1."""
        return max(-1.0, min(1.0, math.atan2(self.end[1], self.end[0]) * 4 / math.pi - 1))

    @property
    def cents(self) -> float:
        """What is added to the pitch."""
        return 1200 * math.log2(self.ratio)


class Turning:
    """The hands on the controls of a piece on a deck.

    Args:
        controls: of its parts.
        deck: on which it plays.
    """

    def __init__(self, controls: Sequence[Controls], deck: int) -> None:
        self._controls = tuple(controls)
        self._deck = deck
        self._now: list[Turned | None] = [None] * len(self._controls)
        self._cents = [0.0] * len(self._controls)
        # Up to when nothing moves: most parts are turned once, before they begin.
        self._still_s = [-math.inf] * len(self._controls)

    def step(self, sample: int) -> list[Turned]:
        """Return what changes in the block to come.

        Args:
            sample: of the piece, the first of the block.
        """
        at_s, until_s = to_seconds(sample), to_seconds(sample + BLOCK_SAMPLES)
        found = []
        for index, controls in enumerate(self._controls):
            if until_s < self._still_s[index]:
                continue
            wanted, cents = gains_of(controls, until_s), controls.bend_cents.at(until_s)
            before = self._now[index]
            if before is None:
                start, end, self._cents[index] = gains_of(controls, at_s), wanted, cents
            else:
                start = before.end
                end = (_moved(start[0], wanted[0]), _moved(start[1], wanted[1]))
                self._cents[index] += (cents - self._cents[index]) * _TOWARDS
                if abs(cents - self._cents[index]) < 0.1:
                    self._cents[index] = cents
            depth = controls.vibrato.at(until_s) * _VIBRATO_CENTS
            shaken = self._cents[index] + depth * math.sin(2 * math.pi * _VIBRATO_HZ * until_s)
            now = Turned(self._deck, index + 1, start, end, 2 ** (shaken / 1200))
            if before is None or start != end or before.start != before.end or now.ratio != before.ratio:
                found.append(now)
            elif (now.end, self._cents[index], depth) == (wanted, cents, 0.0):
                self._still_s[index] = controls.next_s(until_s)
            self._now[index] = now
        return found


def gains_of(controls: Controls, time_s: float) -> tuple[float, float]:
    """Return the gains of left and right at a time; in the middle both are the same."""
    gain = 10 ** (controls.gain_db.at(time_s) / 20)
    angle = (1 + controls.place.at(time_s)) * math.pi / 4
    return gain * math.sqrt(2) * math.cos(angle), gain * math.sqrt(2) * math.sin(angle)


def gain_db_of(controls: Sequence[Controls], part: int, time_s: float) -> float:
    """Return what is added to the level of a note that begins at a time.

    Args:
        controls: of the piece's parts.
        part: of the note; 0, or one that is not there: none.
        time_s: of the piece.
    """
    return controls[part - 1].gain_db.at(time_s) if 0 < part <= len(controls) else 0.0


def _moved(value: float, towards: float) -> float:
    value += (towards - value) * _TOWARDS
    return towards if abs(towards - value) <= _ARRIVED * max(abs(towards), 1e-3) else value
