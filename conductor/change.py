"""What a change of the piece on air is, and a piece that takes another's place: values, events and actions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conductor.setlist import Cue
from model.composing.prompt import Prompt
from model.errors import PromptError

# What an operator may ask to be different: fields of a prompt.
WISHES = ("style", "instruments", "density", "energy", "key", "tempo_bpm", "duration_s")


# Their names and values, as in a prompt.
Wish = tuple[tuple[str, Any], ...]


def wish_of(body: Mapping[str, Any]) -> Wish:
    """Return what plain values say is to be different.

    Raises:
        ValueError: it says nothing, or something that cannot be composed; one line.
    """
    unknown = [name for name in body if name not in WISHES]
    if unknown:
        raise ValueError(f"{unknown[0]!r} cannot be changed; what can: {', '.join(WISHES)}")
    said = {name: value for name, value in body.items() if value not in (None, "", [])}
    if not said:
        raise ValueError(f"nothing is to be different; say one of {', '.join(WISHES)}")
    try:
        prompt = Prompt.of(said)
    except PromptError as error:
        raise ValueError(str(error)) from None
    return tuple((name, getattr(prompt, name)) for name in WISHES if name in said)


@dataclass(frozen=True, slots=True)
class Changing:
    """A change of a live piece that is under way.

    Attributes:
        id: unique in the show.
        bar, at_s: the bar, and the second, from which on the piece is composed anew.
        asked_s: monotonic time of the request.
        moved_s: monotonic time of the latest section.
        until_s: up to where the player has new notes; 0: none yet.
    """

    id: int
    bar: int
    at_s: float
    asked_s: float
    moved_s: float
    until_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Join:
    """Where a piece takes the place of the one it goes on from.

    Attributes:
        cue_id: the cue whose piece is cut.
        at_s: second of that piece.
        revision: of that piece; changed since then, it leads elsewhere.
    """

    cue_id: str
    at_s: float
    revision: int = 0


# --- what happens ------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class Revised:
    """The player has a section of a changed piece; `final`: the last."""

    cue_id: str
    change_id: int
    until_s: float
    duration_s: float
    final: bool


@dataclass(frozen=True, slots=True)
class Unchanged:
    """No more comes of a change; what the player has plays on."""

    cue_id: str
    change_id: int
    reason: str


# --- what is to be done ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartChange:
    """Ask the composer for another rest of a live piece."""

    cue: Cue
    number: int
    changing: Changing
    wish: Wish
    seed: int


@dataclass(frozen=True, slots=True)
class StopChange:
    """Take a change back; what the player has of it stays."""

    cue_id: str
    change_id: int
