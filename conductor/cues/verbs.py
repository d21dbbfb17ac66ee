"""What an operator says.

`position_s` is where the piece on air is when it is said; the show adds it.
"""

from __future__ import annotations

from dataclasses import dataclass

from conductor.cues.wish import Wish
from conductor.setlist import Cue
from conductor.setlist.diff import Diff
from conductor.setlist.editing import Fields


@dataclass(frozen=True, slots=True)
class Go:
    """Start the standby cue, or a named one, now."""

    cue_id: str | None = None
    position_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Hold:
    """Let nothing start by itself."""


@dataclass(frozen=True, slots=True)
class Release:
    """Go on by itself again."""


@dataclass(frozen=True, slots=True)
class Skip:
    """End what is live early, or leave a coming cue out."""

    cue_id: str | None = None


@dataclass(frozen=True, slots=True)
class FadeOut:
    """Fade to the bed and hold."""

    seconds: float = 4.0


@dataclass(frozen=True, slots=True)
class Panic:
    """Fade to the bed and hold, quickly; said again, cut to it."""


@dataclass(frozen=True, slots=True)
class Change:
    """Compose the rest of what is live anew.

    Attributes:
        wish: what is to be different (see `wish_of`).
        bars: numbers and seconds of the bar lines to come.
    """

    wish: Wish = ()
    position_s: float = 0.0
    bars: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Lock:
    """Let the list be edited no more, or again."""

    on: bool = True


# --- edits of what is to come --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standby:
    """This cue is to be next."""

    cue_id: str


@dataclass(frozen=True, slots=True)
class Back:
    """What was on air last is to be next, with its own music."""


@dataclass(frozen=True, slots=True)
class Again:
    """A copy of a cue, with changes, is to be composed and be next."""

    cue_id: str
    fields: Fields = ()


@dataclass(frozen=True, slots=True)
class Regenerate:
    """A coming cue is to be composed anew, with another seed."""

    cue_id: str


@dataclass(frozen=True, slots=True)
class Insert:
    """A new cue; without an id or a number it gets one.

    Attributes:
        at: its place among what is to come, 1: next; None: after the last that nobody drew.
    """

    cue: Cue
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A coming cue is to have another place, 1: next."""

    cue_id: str
    to: int


@dataclass(frozen=True, slots=True)
class Edit:
    """A coming cue is to be otherwise."""

    cue_id: str
    fields: Fields


@dataclass(frozen=True, slots=True)
class Choose:
    """Another of the candidates of a ready cue is to be played, 1: the first."""

    cue_id: str
    candidate: int


@dataclass(frozen=True, slots=True)
class SwitchEndless:
    """Draw when the list is over, or not."""

    on: bool = True


@dataclass(frozen=True, slots=True)
class Reload:
    """The setlist has changed so."""

    diff: Diff


@dataclass(frozen=True, slots=True)
class Undo:
    """Take the latest edit, hold or GO back."""

    position_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Redo:
    """Do what was undone again."""

    position_s: float = 0.0


Editing = Standby | Back | Again | Regenerate | Insert | Move | Edit | Choose | SwitchEndless | Reload
Verb = Go | Hold | Release | Skip | FadeOut | Panic | Change | Lock | Editing | Undo | Redo
