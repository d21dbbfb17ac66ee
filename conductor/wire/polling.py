"""From the conductor to the feed: what the audience is asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from conductor.wire.message import Message


@dataclass(frozen=True, slots=True)
class Ballot(Message):
    """Show a poll; without choices, none any more.

    Attributes:
        title: what is asked, or what came of it.
        choices: as people read them.
        counts: votes for each.
        left_s: until its end; 0: it is over.
        winner: the place of the choice that won; None: none did, or it is open.
        hint: how to vote.
    """

    title: str = ""
    choices: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    left_s: float = 0.0
    winner: int | None = None
    hint: str = ""
