"""What a MIDI file turns while its notes sound: volume, place on the stage, vibrato, bends. Torch-free.

Source: General MIDI 1 Developer Guidelines (RP-003, volume and expression), RP-015 (reset of
controllers), MIDI 1.0 Detailed Specification (bend range).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Numbers of controllers. A bend has one beyond all of them.
MODULATION, VOLUME, PLACE, EXPRESSION, RESET = 1, 7, 10, 11, 121
DATA_COARSE, DATA_FINE, OTHER_FINE, OTHER_COARSE, NUMBER_FINE, NUMBER_COARSE = 6, 38, 98, 99, 100, 101
BEND = 128
OF_BEND = frozenset((DATA_COARSE, DATA_FINE, OTHER_FINE, OTHER_COARSE, NUMBER_FINE, NUMBER_COARSE, RESET, BEND))
KNOWN = OF_BEND | {MODULATION, VOLUME, PLACE, EXPRESSION}
# A value that was sent already is no news; these mean something each time.
TOLD_AGAIN = frozenset((RESET, DATA_COARSE, DATA_FINE))
# What a file that says nothing means. Volume 100 is as loud as we play anyway.
_USUAL_VOLUME = 100
_CENTRE = 64
_BEND_CENTRE = 8192
_BEND_SEMITONES = 2.0
# What is turned down all the way is not heard, but it is there: a fade comes back from it.
SILENT_DB = -60.0
# A bend goes two octaves at most, whatever range is asked for.
_MOST_SEMITONES = 24.0
_NO_PARAMETER = (127, 127)

# (tick, number, value): 0 to 127, of a bend 0 to 16383.
Turn = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Curve:
    """A value that changes in steps.

    Attributes:
        times_s: of the steps, ascending; it has the first value before, too.
        values: as many.
    """

    times_s: tuple[float, ...] = (0.0,)
    values: tuple[float, ...] = (0.0,)

    def at(self, time_s: float) -> float:
        """Return the value at a time."""
        return self.values[max(0, bisect_right(self.times_s, time_s) - 1)]

    def next_s(self, time_s: float) -> float:
        """Return when its next step after a time is; infinity: never."""
        following = bisect_right(self.times_s, time_s)
        return self.times_s[following] if following < len(self.times_s) else math.inf

    @property
    def moves(self) -> bool:
        """Whether it is not the same for ever."""
        return len(self.values) > 1


@dataclass(frozen=True, slots=True)
class Controls:
    """What is turned while the notes of one part sound.

    Attributes:
        gain_db: added to the level of its notes.
        place: -1 left to 1 right of where it stands.
        bend_cents: added to the pitch.
        vibrato: 0 to 1, more than the instrument has by itself.
    """

    gain_db: Curve = Curve()
    place: Curve = Curve()
    bend_cents: Curve = Curve()
    vibrato: Curve = Curve()

    def next_s(self, time_s: float) -> float:
        """Return when the next step after a time is; infinity: never."""
        curves = (self.gain_db, self.place, self.bend_cents, self.vibrato)
        return min(curve.next_s(time_s) for curve in curves)


PLAIN = Controls()


def controls_of(turns: Iterable[Turn], times_s: Sequence[float]) -> Controls:
    """Return the curves that turns of controllers draw.

    Args:
        turns: in order of time.
        times_s: of each, in seconds.
    """
    held = {VOLUME: _USUAL_VOLUME, EXPRESSION: 127, PLACE: _CENTRE, MODULATION: 0, BEND: _BEND_CENTRE}
    number, other = list(_NO_PARAMETER), False
    semitones, cents = _BEND_SEMITONES, 0.0
    drawn: tuple[list[tuple[float, float]], ...] = ([], [], [], [])
    for (_, what, value), time_s in zip(turns, times_s, strict=True):
        if what == RESET:
            # RP-015: volume and place stay.
            held |= {EXPRESSION: 127, MODULATION: 0, BEND: _BEND_CENTRE}
            number, other = list(_NO_PARAMETER), False
        elif what in (NUMBER_COARSE, NUMBER_FINE):
            number[what == NUMBER_FINE], other = value, False
        elif what in (OTHER_COARSE, OTHER_FINE):
            other = True
        elif what in (DATA_COARSE, DATA_FINE):
            if number != [0, 0] or other:
                continue
            semitones, cents = (value, cents) if what == DATA_COARSE else (semitones, float(min(value, 99)))
        else:
            held[what] = value
        reach = 100 * min(_MOST_SEMITONES, semitones + cents / 100)
        now = (
            _db(held[VOLUME], _USUAL_VOLUME) + _db(held[EXPRESSION], 127),
            # 0 and 1 are both as far left as it goes.
            max(-1.0, (held[PLACE] - _CENTRE) / 63),
            (held[BEND] - _BEND_CENTRE) / _BEND_CENTRE * reach,
            held[MODULATION] / 127,
        )
        for steps, drawn_value in zip(drawn, now, strict=True):
            steps.append((time_s, drawn_value))
    return Controls(*(_curve(steps, start) for steps, start in zip(drawn, (0.0, 0.0, 0.0, 0.0), strict=True)))


def _db(value: int, usual: int) -> float:
    """Return what a volume adds, in dB; RP-003: 40 log of its part."""
    return max(SILENT_DB, 40 * math.log10(value / usual)) if value else SILENT_DB


def _curve(steps: Sequence[tuple[float, float]], start: float) -> Curve:
    """Return steps as a curve: of several at a time the last, and none that changes nothing."""
    times_s, values = [0.0], [start]
    for time_s, value in steps:
        if time_s <= times_s[-1]:
            values[-1] = value
        elif value != values[-1]:
            times_s.append(time_s)
            values.append(value)
    return Curve(tuple(times_s), tuple(values))
