"""What is done for the next piece: the most that is there in time, and leaves time for those after it.

Times are seconds from now; who is composed first comes first on air, so that nearest first is the order in which most
of them can be had in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conductor.clock import minutes
from conductor.pace.effort import Effort, efforts
from conductor.pace.learning import Pace

# A piece is stored, given to the player and made ready by it.
SPARE_S = 4.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A piece that is to be composed.

    Attributes:
        style: of the vocabulary; empty: any.
        duration_s: of the music.
        candidates: that were asked for.
        left_s: until it should begin; infinite: whenever it is ready.
    """

    style: str
    duration_s: float
    candidates: int
    left_s: float


@dataclass(frozen=True, slots=True)
class Choice:
    """What is done for a piece.

    Attributes:
        effort: None: nothing that is composed is there in time.
        reason: why not all that was asked for; empty: it is.
    """

    effort: Effort | None
    reason: str = ""


def choose(pace: Pace, wanted: Sequence[Wanted]) -> Choice:
    """Return what is done for the first of the pieces to be composed.

    As long as none takes longer than the longest of a hundred, no piece is late: the first is there in time, and
    each after it still can be, if it could be at all.

    Args:
        pace: how long composing takes.
        wanted: pieces to be composed, the nearest first; not empty.
    """
    first, later = wanted[0], wanted[1:]
    left_s = _left_s(pace, first, later)
    for effort in efforts(first.candidates):
        expected = pace.expected(first.style, first.duration_s, effort)
        if expected is None or expected.p99_s <= left_s:
            whole = effort.candidates == first.candidates and not effort.context
            return Choice(effort, "" if whole else f"{effort.text}: {_say(left_s)} left")
    least = least_s(pace, first)
    return Choice(None, f"{_say(first.left_s)} left, and composing takes up to {_say(least)}")


def _left_s(pace: Pace, first: Wanted, later: Sequence[Wanted]) -> float:
    """Return how long the first may take, for its own sake and for that of those after it."""
    left_s = first.left_s - SPARE_S
    own_s = least_s(pace, first)
    if own_s > left_s:
        return left_s
    after_s = 0.0
    for each in later:
        need_s = least_s(pace, each)
        room_s = each.left_s - SPARE_S - after_s - need_s
        # Who cannot be there in time whatever is done now is no reason to do less.
        if own_s <= room_s:
            after_s += need_s
            left_s = min(left_s, room_s)
    return left_s


def least_s(pace: Pace, wanted: Wanted) -> float:
    """Return how long the least that can be done takes, once in a hundred times; 0 where nobody knows."""
    known = (pace.expected(wanted.style, wanted.duration_s, effort) for effort in efforts(wanted.candidates))
    return min((expected.p99_s for expected in known if expected is not None), default=0.0)


def _say(seconds: float) -> str:
    if seconds == float("inf"):
        return "any time"
    return f"{max(0.0, seconds):.0f} s" if seconds < 100 else minutes(seconds)
