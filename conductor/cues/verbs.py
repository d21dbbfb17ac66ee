"""What an operator says."""

from __future__ import annotations

from dataclasses import dataclass

from conductor.cues.wish import Wish


@dataclass(frozen=True, slots=True)
class Go:
    """The operator: start the standby cue, or a named one, now."""

    cue_id: str | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """The operator: let nothing start by itself."""


@dataclass(frozen=True, slots=True)
class Release:
    """The operator: go on by itself again."""


@dataclass(frozen=True, slots=True)
class Skip:
    """The operator: end what is live early, or leave a coming cue out."""

    cue_id: str | None = None


@dataclass(frozen=True, slots=True)
class FadeOut:
    """The operator: fade to the bed and hold."""

    seconds: float = 4.0


@dataclass(frozen=True, slots=True)
class Standby:
    """The operator: this cue is to be next."""

    cue_id: str


@dataclass(frozen=True, slots=True)
class Change:
    """The operator: compose the rest of what is live anew.

    Attributes:
        wish: what is to be different (see `wish_of`).
        position_s: where the piece is.
        bars: numbers and seconds of the bar lines to come.
    """

    wish: Wish = ()
    position_s: float = 0.0
    bars: tuple[tuple[int, float], ...] = ()


Verb = Go | Hold | Release | Skip | FadeOut | Standby | Change
