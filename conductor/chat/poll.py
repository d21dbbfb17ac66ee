"""A poll of the audience: a pure function (state, event) -> (state, actions), with the time in the event.

A poll is opened by itself during every so many drawn pieces, early in the piece, so that what wins can still be
composed before the next one begins; or for a cue that asks for one; or by an operator. One person has one vote, the
last one counts. A tie is settled by the seed; without votes nothing is different from what the seed had drawn.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from conductor.chat.plan import PollPlan

# The card that announces a piece is gone by then.
OPENS_AFTER_S = 7.0
# Shorter, nobody has read it.
LEAST_S = 15.0
# How long what came of it is seen.
SHOWN_S = 8.0
MOST_VOTERS = 50_000
MOST_CHOICES = 6


@dataclass(frozen=True, slots=True)
class Poll:
    """A poll that is open.

    Attributes:
        number: 1 and up.
        choices: styles, as people read them in this order.
        closes_s: monotonic time of its end.
        votes: of each person, the place of the choice, 0 and up.
        cue_id: the cue whose style is asked for; empty: of a piece that is drawn.
        by: the operator who opened it; empty: it opened by itself.
    """

    number: int
    choices: tuple[str, ...]
    closes_s: float
    votes: Mapping[str, int] = field(default_factory=dict)
    cue_id: str = ""
    by: str = ""

    @property
    def counts(self) -> tuple[int, ...]:
        """Votes for each choice."""
        said = list(self.votes.values())
        return tuple(said.count(place) for place in range(len(self.choices)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a poll.

    Attributes:
        winner: a style; empty: nobody voted.
        tied: whether the seed had to choose among those with the most votes.
    """

    number: int
    choices: tuple[str, ...]
    counts: tuple[int, ...]
    winner: str = ""
    tied: bool = False
    cue_id: str = ""


@dataclass(frozen=True, slots=True)
class Polling:
    """All that polls decide from.

    Attributes:
        seed: of the offers and of ties.
        held: polls so far.
        since: drawn pieces that began since the latest.
        poll: that is open.
        outcome: that is shown, until `until_s`.
        asked: cues that a poll was held for.
    """

    seed: int = 0
    held: int = 0
    since: int = 0
    poll: Poll | None = None
    outcome: Outcome | None = None
    until_s: float = 0.0
    asked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Asking:
    """A cue that wants its style to be voted on."""

    cue_id: str
    styles: tuple[str, ...]
    seconds: float


# --- what happens ---


@dataclass(frozen=True, slots=True)
class Began:
    """A piece that was drawn began."""


@dataclass(frozen=True, slots=True)
class Voted:
    """People voted: who, and for which place."""

    votes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Opened:
    """An operator asks; without styles, for some of those that are drawn."""

    styles: tuple[str, ...] = ()
    seconds: float | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Closed:
    """An operator ends the poll before its time."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The poll is about nothing any more; nobody wins."""


@dataclass(frozen=True, slots=True)
class Looked:
    """Time has passed.

    Attributes:
        plan: when to ask; None: never by itself.
        styles: that are drawn, with their weights.
        free: whether a piece that is drawn can take up a result now.
        position_s: of the piece on air; None: there is none.
        left_s: of it.
        needs_s: that composing a piece takes, with some to spare.
        asking: the next cue that wants a poll.
    """

    plan: PollPlan | None = None
    styles: tuple[tuple[str, float], ...] = ()
    free: bool = False
    position_s: float | None = None
    left_s: float = 0.0
    needs_s: float = 0.0
    asking: Asking | None = None


Event = Began | Voted | Opened | Closed | Dropped | Looked


# --- what follows ---


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell everybody that a poll is open."""

    poll: Poll
    seconds: float


@dataclass(frozen=True, slots=True)
class Settle:
    """Take up what came of a poll, and tell it."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Count:
    """The counts are others."""


@dataclass(frozen=True, slots=True)
class Clear:
    """Show nothing any more."""


Action = Announce | Settle | Count | Clear


def offer(styles: Sequence[tuple[str, float]], count: int, seed: int, number: int) -> tuple[str, ...]:
    """Return the styles that a poll offers: drawn by weight, none twice, the same for the same seed.

    Args:
        styles: with weights above 0.
        count: how many, if there are so many.
        seed: of the show.
        number: of the poll.
    """
    rng = random.Random(f"{seed}/poll/{number}")
    # Efraimidis and Spirakis (2006): the greatest of u ** (1 / weight) are a sample by weight.
    drawn = sorted(styles, key=lambda style: rng.random() ** (1.0 / style[1]), reverse=True)
    return tuple(name for name, _ in drawn[:count])


def outcome_of(poll: Poll, seed: int) -> Outcome:
    """Return what a poll comes to."""
    counts = poll.counts
    best = max(counts)
    first = [name for name, count in zip(poll.choices, counts, strict=True) if count == best]
    if not best:
        return Outcome(poll.number, poll.choices, counts, cue_id=poll.cue_id)
    winner = random.Random(f"{seed}/poll/{poll.number}/tie").choice(first)
    return Outcome(poll.number, poll.choices, counts, winner, len(first) > 1, poll.cue_id)


def step(state: Polling, event: Event, now_s: float) -> tuple[Polling, tuple[Action, ...]]:
    """Return what an event leads to.

    Args:
        state: before the event.
        event: what happened.
        now_s: monotonic time of the event.

    Raises:
        ValueError: an operator asks for what cannot be done now; why.
    """
    poll = state.poll
    match event:
        case Began():
            return replace(state, since=state.since + 1), ()
        case Voted(votes):
            return _voted(state, votes, now_s)
        case Opened(styles, seconds, by):
            if poll:
                raise ValueError("a poll is open already - close-poll ends it")
            if len(styles) < 2:
                raise ValueError("a poll takes two styles or more")
            plan = PollPlan()
            return _open(state, styles, plan.seconds if seconds is None else seconds, now_s, by=by)
        case Closed():
            if not poll:
                raise ValueError("no poll is open")
            return _close(state, poll, now_s)
        case Dropped():
            return (replace(state, poll=None, outcome=None), (Clear(),)) if poll or state.outcome else (state, ())
        case Looked():
            return _looked(state, event, now_s)


def _looked(state: Polling, moment: Looked, now_s: float) -> tuple[Polling, tuple[Action, ...]]:
    if state.poll:
        return _close(state, state.poll, now_s) if now_s >= state.poll.closes_s else (state, ())
    if state.outcome:
        return (replace(state, outcome=None), (Clear(),)) if now_s >= state.until_s else (state, ())
    cue = moment.asking
    if cue and cue.cue_id not in state.asked:
        asked = replace(state, asked=state.asked | {cue.cue_id})
        return _open(asked, cue.styles, cue.seconds, now_s, cue_id=cue.cue_id)
    plan = moment.plan
    if not plan or not plan.every or state.since < plan.every or not moment.free:
        return state, ()
    if moment.position_s is None or moment.position_s < OPENS_AFTER_S:
        return state, ()
    choices = offer(moment.styles, plan.choices, state.seed, state.held + 1)
    if len(choices) < 2:
        return state, ()
    return _open(state, choices, _open_for_s(plan, moment), now_s)


def _open_for_s(plan: PollPlan, moment: Looked) -> float:
    """Return how long to ask: shorter where the winner can be next by that."""
    room_s = moment.left_s - moment.needs_s
    return room_s if LEAST_S <= room_s < plan.seconds else plan.seconds


def _open(
    state: Polling, choices: tuple[str, ...], seconds: float, now_s: float, *, cue_id: str = "", by: str = ""
) -> tuple[Polling, tuple[Action, ...]]:
    poll = Poll(state.held + 1, choices, now_s + seconds, cue_id=cue_id, by=by)
    return replace(state, poll=poll, outcome=None, held=poll.number, since=0), (Announce(poll, seconds),)


def _close(state: Polling, poll: Poll, now_s: float) -> tuple[Polling, tuple[Action, ...]]:
    outcome = outcome_of(poll, state.seed)
    return replace(state, poll=None, outcome=outcome, until_s=now_s + SHOWN_S), (Settle(outcome),)


def _voted(state: Polling, votes: Mapping[str, int], now_s: float) -> tuple[Polling, tuple[Action, ...]]:
    poll = state.poll
    if poll is None or now_s >= poll.closes_s:
        return state, ()
    known = dict(poll.votes)
    for person, place in votes.items():
        if 0 <= place < len(poll.choices) and (person in known or len(known) < MOST_VOTERS):
            known[person] = place
    if known == poll.votes:
        return state, ()
    return replace(state, poll=replace(poll, votes=known)), (Count(),)
