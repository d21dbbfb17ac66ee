"""A cue on its way to the air.

planned -> composing | recalling -> checked -> ready -> armed -> live -> aired
|                               |        |
+-> failed                      +--------+-> skipped
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from conductor.cues.wish import Wish
from conductor.pace.effort import Effort
from conductor.setlist import Cue


class Phase(StrEnum):
    """Where a cue is on its way."""

    PLANNED = "planned"
    COMPOSING = "composing"
    RECALLING = "recalling"
    CHECKED = "checked"
    READY = "ready"
    ARMED = "armed"
    LIVE = "live"
    AIRED = "aired"
    FAILED = "failed"
    SKIPPED = "skipped"


OVER = frozenset({Phase.AIRED, Phase.FAILED, Phase.SKIPPED})
PLAYABLE = frozenset({Phase.READY, Phase.ARMED})
# Somebody owes an answer.
AWAITED = frozenset({Phase.COMPOSING, Phase.RECALLING})


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


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the pieces that were composed for a cue.

    Attributes:
        piece: its id in the library.
        score: how it was judged; higher is better.
        refused: why it must not be played; empty where it may.
    """

    piece: int
    score: float = 0.0
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """A cue and where it is.

    Attributes:
        cue: as planned.
        phase: where it is.
        number: the player's number of its piece; 0 while the player has none.
        order: of the request to composer or library that is, or was, answered.
        attempt: 0, then 1, 2 for each new seed after a failure.
        borrowing: whether a piece of the library is to stand in; pressed: for want of time.
        effort: what is done for its piece, or was; None: nothing yet.
        asked_s: monotonic time at which the composer was asked.
        fraction: how far composing is, 0 to 1.
        moved_s: monotonic time of the last sign of life of who owes an answer.
        duration_s: of the composed piece.
        fading: whether the operator asked it to end early.
        reason: why it failed, was cut or stands in.
        joins: where its piece takes the place of the one before.
        changing, wish: the change under way, and all that was wished.
        revision: how often its music became another.
        piece: its music in the library; None while there is none.
        takes: the pieces that were composed for it, to choose from.
        from_s: second of its piece at which it begins: where GO cut it, when that was undone.
        copy_of: the cue it repeats; empty for none.
        inserted: whether an operator put it in.
        drawn: its place among what the endless part drew; 0: it was not drawn.
        voted: whether the audience chose its style, and it is to be next of what is drawn once it is ready.
        asking: whether its style is voted on before it is composed.
        misfires: how often it was to begin and did not.
    """

    cue: Cue
    phase: Phase = Phase.PLANNED
    number: int = 0
    order: int = 0
    attempt: int = 0
    borrowing: bool = False
    pressed: bool = False
    effort: Effort | None = None
    asked_s: float = 0.0
    fraction: float = 0.0
    moved_s: float = 0.0
    duration_s: float = 0.0
    fading: bool = False
    reason: str = ""
    joins: Join | None = None
    changing: Changing | None = None
    wish: Wish = ()
    revision: int = 0
    piece: int | None = None
    takes: tuple[Candidate, ...] = ()
    from_s: float = 0.0
    copy_of: str = ""
    inserted: bool = False
    drawn: int = 0
    misfires: int = 0
    voted: bool = False
    asking: bool = False
