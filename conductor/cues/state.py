"""The states of a show: cues on their way to the air.

    planned -> composing -> checked -> ready -> armed -> live -> aired
                   |                     |        |
                   +-> failed            +--------+-> skipped

Values only; `conductor.cues.rules` holds the rules that lead from one to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from conductor.cues.wish import Wish
from conductor.errors import ConductorError
from conductor.setlist import Cue, Endless, Setlist


class RefusalError(ConductorError):
    """An operator's wish that cannot be met now; the text says why."""


class Phase(StrEnum):
    """Where a cue is on its way."""

    PLANNED = "planned"
    COMPOSING = "composing"
    CHECKED = "checked"
    READY = "ready"
    ARMED = "armed"
    LIVE = "live"
    AIRED = "aired"
    FAILED = "failed"
    SKIPPED = "skipped"


OVER = frozenset({Phase.AIRED, Phase.FAILED, Phase.SKIPPED})
PLAYABLE = frozenset({Phase.READY, Phase.ARMED})


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
class Slot:
    """A cue and where it is.

    Attributes:
        cue: as planned.
        phase: where it is.
        number: the player's number of its piece; 0 while there is none.
        attempt: 0, then 1, 2 for each new seed after a failure.
        borrowing: whether a piece of the library is to stand in.
        fraction: how far composing is, 0 to 1.
        moved_s: monotonic time of the last sign of life while composing.
        duration_s: of the composed piece.
        fading: whether the operator asked it to end early.
        reason: why it failed, was cut or stands in.
        joins: where its piece takes the place of the one before.
        changing, wish, revision: the change under way, all that was wished, and how often it was changed.
    """

    cue: Cue
    phase: Phase = Phase.PLANNED
    number: int = 0
    attempt: int = 0
    borrowing: bool = False
    fraction: float = 0.0
    moved_s: float = 0.0
    duration_s: float = 0.0
    fading: bool = False
    reason: str = ""
    joins: Join | None = None
    changing: Changing | None = None
    wish: Wish = ()
    revision: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """Everything the conductor decides from.

    Attributes:
        slots: past, present and coming cues, in the order of playing.
        endless, endless_seed, drawn: what is drawn when the list is over, and how many were.
        ahead: pieces composed before their moment.
        unattended: nobody says GO and nothing is drawn (`--fast`).
        held: nothing starts by itself until a release.
        queue, gap_s, cuts: what the player was told to follow with; None: it must be told anew.
        fired, fired_s: number of the piece a start was sent for, until it begins, and when.
        idle_s: monotonic time since when nothing is live; None while something is.
        rest_s: monotonic time before which no composing starts (after a failure).
        next_number: the next unused player's number.
        composer, player: whether they are there.
        next_change, lead_s: the next unused number of a change, and how far ahead of the playhead it begins.
        over: whether the end was told.
    """

    slots: tuple[Slot, ...]
    endless: Endless | None = None
    endless_seed: int = 0
    drawn: int = 0
    ahead: int = 2
    unattended: bool = False
    held: bool = False
    queue: tuple[int, ...] | None = None
    gap_s: float = 1.0
    cuts: tuple[float | None, ...] = ()
    fired: int = 0
    fired_s: float = -1e9
    idle_s: float | None = 0.0
    rest_s: float = 0.0
    next_number: int = 1
    composer: bool = False
    player: bool = False
    next_change: int = 1
    lead_s: float = 2.0
    over: bool = False

    @property
    def live(self) -> Slot | None:
        """The slot on air."""
        return next((s for s in self.slots if s.phase is Phase.LIVE), None)

    @property
    def upcoming(self) -> tuple[Slot, ...]:
        """What is still to come, next first."""
        return tuple(s for s in self.slots if s.phase not in OVER and s.phase is not Phase.LIVE)

    @property
    def standby(self) -> Slot | None:
        """What GO would start."""
        return next((s for s in self.upcoming if s.number != self.fired or not self.fired), None)

    def find(self, cue_id: str) -> Slot | None:
        """Return the slot of a cue."""
        return next((s for s in self.slots if s.cue.id == cue_id), None)

    def numbered(self, number: int) -> Slot | None:
        """Return the slot whose piece has a player's number."""
        return next((s for s in self.slots if number and s.number == number), None)

    def put(self, slot: Slot) -> State:
        """Return the state with a slot in place of the one of the same cue."""
        return replace(self, slots=tuple(slot if s.cue.id == slot.cue.id else s for s in self.slots))


def begin(setlist: Setlist, *, seed: int = 0, unattended: bool = False) -> State:
    """Return the state before anything happened.

    Args:
        setlist: the checked setlist.
        seed: for the endless part where the setlist gives none.
        unattended: cues with `hold` start by themselves; nothing is drawn.
    """
    own = setlist.endless.seed if setlist.endless else None
    return State(
        slots=tuple(Slot(cue) for cue in setlist.cues),
        endless=None if unattended else setlist.endless,
        endless_seed=seed if own is None else own,
        ahead=setlist.ahead,
        unattended=unattended,
    )
