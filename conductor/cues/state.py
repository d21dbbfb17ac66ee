"""The state of a show: everything that its rules decide from.

Values only; `conductor.cues.rules` holds the rules that lead from one to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from conductor.cues.slot import OVER, Candidate, Join, Phase, Slot
from conductor.errors import ConductorError
from conductor.pace.learning import Pace
from conductor.setlist import Cue, Endless, Setlist


class RefusalError(ConductorError):
    """An operator's wish that cannot be met now; the text says why."""


@dataclass(frozen=True, slots=True)
class Coming:
    """What a plan knows of a cue that is to come; the fields are those of a slot."""

    cue: Cue
    piece: int | None = None
    takes: tuple[Candidate, ...] = ()
    joins: Join | None = None
    revision: int = 0
    copy_of: str = ""
    inserted: bool = False
    drawn: int = 0


@dataclass(frozen=True, slots=True)
class Started:
    """A GO that can be undone.

    Attributes:
        cue_id: what it started.
        before: the cue that was cut; empty: there was none.
        from_s: second at which its piece was cut.
    """

    cue_id: str
    before: str = ""
    from_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What was planned before an operator said something; None where that did not touch it.

    Attributes:
        verb: what was said.
        told: what it did, for people.
        coming: cues to come, next first; drawn: how many had been drawn then.
        held, endless_on: as of `State`.
        drawing: the endless part, and how many pieces are composed ahead.
        started: what a GO started.
    """

    verb: str
    told: str
    coming: tuple[Coming, ...] | None = None
    drawn: int = 0
    held: bool | None = None
    endless_on: bool | None = None
    drawing: tuple[Endless | None, int] | None = None
    started: Started | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Everything the conductor decides from.

    Attributes:
        slots: past, present and coming cues, in the order of playing.
        endless, endless_seed, drawn: what is drawn when the list is over, and how many were.
        drawn_until_s: when what was drawn last is planned to end, in seconds since 1970; None: nothing was drawn.
        clock_s: what the time of day, in seconds since 1970, is ahead of monotonic time.
        endless_on: whether it is drawn at all.
        ahead: pieces composed before their moment.
        unattended: nobody says GO and nothing is drawn (`--fast`).
        held: nothing starts by itself until a release.
        locked: the list must not be edited.
        panicked: the operator faded to the bed in need.
        queue, gap_s, cuts: what the player was told to follow with; None: it must be told anew.
        fired, fired_s: number of the piece a start was sent for, until it begins, and when.
        returning: number of the live piece that is to come again once it is off: its GO was undone.
        kept: number of the latest piece that has been; the player has it still.
        idle_s: monotonic time since when nothing is live; None while something is.
        began_s: monotonic time at which what is live began; None: nobody was there.
        rest_s: monotonic time before which no composing starts (after a failure).
        next_number, next_order, next_change: the next unused number of a piece in the player, of a
            request, of a change.
        composer, player: whether they are there.
        lead_s: how far ahead of the playhead a change begins.
        pace: how long composing takes, as it went so far.
        bare: whether the library had nothing to stand in when it was asked last.
        resume_s: second at which the live piece goes on if its player is new; None: it does not.
        over: whether the end was told.
        undo, redo: plans to go back to, and forth; the latest last.
    """

    slots: tuple[Slot, ...]
    endless: Endless | None = None
    endless_seed: int = 0
    drawn: int = 0
    drawn_until_s: float | None = None
    clock_s: float = 0.0
    endless_on: bool = True
    ahead: int = 2
    unattended: bool = False
    held: bool = False
    locked: bool = False
    panicked: bool = False
    queue: tuple[int, ...] | None = None
    gap_s: float = 1.0
    cuts: tuple[float | None, ...] = ()
    fired: int = 0
    fired_s: float = -1e9
    returning: int = 0
    kept: int = 0
    idle_s: float | None = 0.0
    began_s: float | None = None
    rest_s: float = 0.0
    next_number: int = 1
    next_order: int = 1
    next_change: int = 1
    composer: bool = False
    player: bool = False
    lead_s: float = 2.0
    pace: Pace = field(default=Pace())
    bare: bool = False
    resume_s: float | None = None
    over: bool = False
    undo: tuple[Plan, ...] = ()
    redo: tuple[Plan, ...] = ()

    @property
    def live(self) -> Slot | None:
        """The slot on air."""
        return next((s for s in self.slots if s.phase is Phase.LIVE), None)

    @property
    def past(self) -> tuple[Slot, ...]:
        """What is over, and what is on air."""
        return tuple(s for s in self.slots if s.phase in OVER or s.phase is Phase.LIVE)

    @property
    def upcoming(self) -> tuple[Slot, ...]:
        """What is still to come, next first."""
        return tuple(s for s in self.slots if s.phase not in OVER and s.phase is not Phase.LIVE)

    @property
    def open(self) -> tuple[Slot, ...]:
        """What is to come and not on its way to the air: what an operator may still move."""
        return tuple(s for s in self.upcoming if not self.fired or s.number != self.fired)

    @property
    def standby(self) -> Slot | None:
        """What GO would start."""
        return next(iter(self.open), None)

    def find(self, cue_id: str) -> Slot | None:
        """Return the slot of a cue."""
        return next((s for s in self.slots if s.cue.id == cue_id), None)

    def numbered(self, number: int) -> Slot | None:
        """Return the slot whose piece has a player's number."""
        return next((s for s in self.slots if number and s.number == number), None)

    def put(self, slot: Slot) -> State:
        """Return the state with a slot in place of the one of the same cue."""
        return replace(self, slots=tuple(slot if s.cue.id == slot.cue.id else s for s in self.slots))


def outline(state: State) -> tuple[object, ...]:
    """Return what operators decide by: two states with the same are the same to them."""
    slots = tuple(
        (s.cue, s.phase, s.piece, s.takes, s.fading, s.reason, s.changing and s.changing.id) for s in state.slots
    )
    switches = (state.held, state.locked, state.panicked, state.endless_on, state.endless, state.ahead, state.over)
    return (slots, switches, state.fired, state.undo, state.redo)


def begin(setlist: Setlist, *, seed: int = 0, unattended: bool = False, clock_s: float = 0.0) -> State:
    """Return the state before anything happened.

    Args:
        setlist: the checked setlist.
        seed: for the endless part where the setlist gives none.
        unattended: cues with `hold` start by themselves; nothing is drawn.
        clock_s: as of `State`.
    """
    own = setlist.endless.seed if setlist.endless else None
    # As fast as it goes, nobody votes.
    asking = set() if unattended else {poll.cue_id for poll in setlist.polls}
    return State(
        slots=tuple(Slot(cue, asking=cue.id in asking) for cue in setlist.cues),
        endless=None if unattended else setlist.endless,
        endless_seed=seed if own is None else own,
        ahead=setlist.ahead,
        unattended=unattended,
        clock_s=clock_s,
    )
