"""What the rules ask for, carried out: orders to the composer, the library and the player."""

from __future__ import annotations

from collections.abc import Callable

from conductor import cues as c
from conductor import wire
from conductor.show.chronicle import Chronicle
from conductor.show.commission import Commissions
from conductor.show.crew import Crew
from conductor.show.lifetime import Lifetime
from conductor.show.revision import Revisions


class Deeds:
    """Carries out actions of the rules.

    Args:
        crew: plays and draws.
        commissions: pieces on order; revisions: changes of the one on air.
        chronicle: told when the list is over.
        lifetime: of the show; what takes its time runs beside it.
        state: returns the state as the rules left it.
        emit: gives the rules an event.
        fast: the show is over when its list is.
    """

    def __init__(
        self,
        crew: Crew,
        commissions: Commissions,
        revisions: Revisions,
        chronicle: Chronicle,
        lifetime: Lifetime,
        state: Callable[[], c.State],
        emit: Callable[[c.Event], None],
        *,
        fast: bool,
    ) -> None:
        self._crew, self._commissions, self._revisions = crew, commissions, revisions
        self._chronicle, self._lifetime = chronicle, lifetime
        self._state, self._emit, self._fast = state, emit, fast

    def do(self, action: c.Action) -> None:
        """Carry out an action; what comes of it is told to the rules as events."""
        # While the show fades to its end, the end of a piece must not begin the next.
        if self._lifetime.ending.is_set() and isinstance(action, c.Play | c.QueueUp):
            return
        match action:
            case c.StartComposing(cue, order, seed, after, effort):
                self._commissions.order(cue, order, seed, after, effort)
            case c.StartChange():
                self._revisions.order(action)
            case c.StopChange(cue_id, change_id):
                self._revisions.cancel(cue_id, change_id)
            case c.StopComposing(cue_id, order):
                self._commissions.cancel(cue_id, order)
            case c.Borrow(cue, order, reason, pressed):
                state = self._state()
                # Pressed, what is on air would come twice in a row.
                near = (*state.upcoming, *((state.live,) if state.live and pressed else ()))
                coming = [slot.cue.id for slot in near]
                self._lifetime.spawn(self._commissions.borrow(cue, order, reason, coming, pressed=pressed))
            case c.Recall(cue, order, piece):
                self._lifetime.spawn(self._commissions.recall(cue, order, piece))
            case c.Keep(cue_id, number):
                take, candidates = self._commissions.keep(cue_id)
                self._crew.give(number, take)
                self._emit(c.Kept(cue_id, number, take.piece_id, candidates))
            case c.Give(cue_ids):
                for cue_id in cue_ids:
                    slot = self._state().find(cue_id)
                    if slot and slot.number and (dressed := self._commissions.dress(slot.cue)):
                        self._crew.give(slot.number, dressed)
            case c.Play(number, fade_s, from_s):
                self._crew.send("player", wire.Go(number, fade_s, from_s))
            case c.QueueUp(numbers, gap_s, cuts):
                self._crew.send("player", wire.Follow(list(numbers), gap_s, list(cuts)))
            case c.FadeNow(seconds):
                self._crew.send("player", wire.Fade(seconds))
            case c.Forget(number):
                self._crew.forget(number)
            case c.ListOver():
                self._list_over()

    def _list_over(self) -> None:
        if not self._fast:
            self._chronicle.say("the setlist is over; the bed plays on (Ctrl-C ends the show)")
            return
        slots = self._state().slots
        failed = [slot for slot in slots if slot.phase is c.Phase.FAILED]
        if failed:
            self._lifetime.fail(f"{len(failed)} of {len(slots)} cues failed; the first: {failed[0].reason}")
        self._lifetime.ending.set()
