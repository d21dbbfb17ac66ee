"""The states of a show: cues on their way to the air, what happens, what is to be done.

    planned -> composing -> checked -> ready -> armed -> live -> aired
                   |                     |        |
                   +-> failed            +--------+-> skipped

Values only; `conductor.rules` holds the rules that lead from one to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from conductor.action import Action as Action
from conductor.action import Borrow as Borrow
from conductor.action import FadeNow as FadeNow
from conductor.action import Forget as Forget
from conductor.action import Keep as Keep
from conductor.action import ListOver as ListOver
from conductor.action import Play as Play
from conductor.action import QueueUp as QueueUp
from conductor.action import Reload as Reload
from conductor.action import StartComposing as StartComposing
from conductor.action import StopComposing as StopComposing
from conductor.change import Change as Change
from conductor.change import Changing as Changing
from conductor.change import Join as Join
from conductor.change import Revised as Revised
from conductor.change import StartChange as StartChange
from conductor.change import StopChange as StopChange
from conductor.change import Unchanged as Unchanged
from conductor.change import Wish as Wish
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


# --- what happens ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class ComposerUp:
    """The composer is there and knows of no request."""


@dataclass(frozen=True, slots=True)
class ComposerLost:
    """The composer is gone, and with it what it was composing."""


@dataclass(frozen=True, slots=True)
class PlayerUp:
    """The player is there.

    Attributes:
        playing: the piece it plays, where it outlived an earlier conductor; else 0.
    """

    playing: int = 0


@dataclass(frozen=True, slots=True)
class PlayerLost:
    """The player is gone."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """Composing goes on; `fraction` is 0 to 1."""

    cue_id: str
    attempt: int
    fraction: float


@dataclass(frozen=True, slots=True)
class Took:
    """A piece for a cue is there (composed, or found in the library); `joins`: it goes on from another."""

    cue_id: str
    attempt: int
    duration_s: float
    notes: int
    reason: str = ""
    joins: Join | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """No piece came of it; another seed may help where `retryable`."""

    cue_id: str
    attempt: int
    reason: str
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class Kept:
    """The piece is stored, and the player and the feed have it."""

    cue_id: str


@dataclass(frozen=True, slots=True)
class Began:
    """The player started a piece (number 0: the bed)."""

    number: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The player ended a piece."""

    number: int


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


Verb = Go | Hold | Release | Skip | FadeOut | Standby | Change
Composing = Progressed | Took | Missed
Worker = ComposerUp | ComposerLost | PlayerUp | PlayerLost
Event = Tick | Worker | Composing | Kept | Began | Finished | Revised | Unchanged | Verb


@dataclass(slots=True)
class Draft:
    """A state in the making, and the actions so far; the rules write here."""

    state: State
    now_s: float
    actions: list[Action] = field(default_factory=list)

    def change(self, **values: object) -> None:
        """Set fields of the state."""
        self.state = replace(self.state, **values)  # type: ignore[arg-type]

    def move(self, slot: Slot, **values: object) -> Slot:
        """Set fields of a slot and return it."""
        moved = replace(slot, **values)  # type: ignore[arg-type]
        self.state = self.state.put(moved)
        return moved

    def do(self, action: Action) -> None:
        """Ask for an action."""
        self.actions.append(action)
