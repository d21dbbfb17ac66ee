"""The night ahead: what will be drawn and when, without playing it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conductor.radio.drawing import draw, follow_of, gap_of
from conductor.setlist.plan import Cue, Endless

# No rule looks further back.
_BEFORE = 40


@dataclass(frozen=True, slots=True)
class Planned:
    """A piece of the night.

    Attributes:
        moment_s: when it is expected on air, in seconds since 1970.
        cue: what is drawn.
    """

    moment_s: float
    cue: Cue


def night(endless: Endless, seed: int, start_s: float, cues: Sequence[Cue] = ()) -> Iterator[Planned]:
    """Yield what is drawn one after the other, for ever.

    It is what a show that begins then plays, as long as nobody at the desk moves anything, no clock is put, and
    pieces are about as long as they were planned.

    Args:
        endless: what is drawn from.
        seed: of the drawing.
        start_s: when the first piece begins, in seconds since 1970.
        cues: what is played before.
    """
    ends_s = start_s + sum(cue.duration_s for cue in cues) + sum(gap_of(cue.follow) for cue in cues[1:])
    before = list(cues)
    index = 0
    while True:
        index += 1
        moment_s = ends_s + (gap_of(follow_of(endless, seed, index)) if before else 0.0)
        cue = draw(endless, seed, index, before, moment_s)
        yield Planned(moment_s, cue)
        before = [*before[-_BEFORE:], cue]
        ends_s = moment_s + cue.duration_s
