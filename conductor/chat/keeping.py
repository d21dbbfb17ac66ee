"""Polls outlive the conductor that held them: what they decide from, as plain values and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conductor.chat.poll import Poll, Polling


def plain(state: Polling, now_s: float, wall_s: float) -> dict[str, Any]:
    """Return what the next conductor must know of the polls.

    What came of a poll is not kept: it is in the show's own state already.

    Args:
        state: of the polls.
        now_s: monotonic time.
        wall_s: the time of day, in seconds since 1970: it goes on where the machine was off meanwhile.
    """
    kept = {"seed": state.seed, "held": state.held, "since": state.since, "asked": sorted(state.asked), "poll": None}
    if state.poll is None:
        return kept
    poll, left_s = state.poll, max(0.0, state.poll.closes_s - now_s)
    about = {"number": poll.number, "choices": list(poll.choices), "cue_id": poll.cue_id, "by": poll.by}
    open_ = {**about, "votes": dict(poll.votes), "left_s": round(left_s, 2), "closes_wall_s": round(wall_s + left_s, 2)}
    return {**kept, "poll": open_}


def restored(kept: Mapping[str, Any], now_s: float, wall_s: float) -> Polling:
    """Return the polls as they were kept; an open one closes when its audience was told it would.

    Whatever the time of day says, it is not open for longer than it had left.

    Args:
        kept: what `plain` returned.
        now_s: monotonic time.
        wall_s: the time of day, as in `plain`.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is nothing of the kind.
    """
    poll = None
    if kept["poll"] is not None:
        was = kept["poll"]
        left_s = min(max(0.0, float(was["closes_wall_s"]) - wall_s), float(was["left_s"]))
        votes = {str(person): int(place) for person, place in was["votes"].items()}
        choices = tuple(map(str, was["choices"]))
        poll = Poll(int(was["number"]), choices, now_s + left_s, votes, str(was["cue_id"]), str(was["by"]))
    return Polling(int(kept["seed"]), int(kept["held"]), int(kept["since"]), poll, asked=frozenset(kept["asked"]))
