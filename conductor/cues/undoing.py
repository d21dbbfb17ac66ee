"""Undo and redo: plans are put back, facts stay facts."""

from __future__ import annotations

from dataclasses import replace

from conductor.cues.actions import FadeNow, Give, QueueUp
from conductor.cues.draft import Draft
from conductor.cues.playing import SKIP_FADE_S, fire
from conductor.cues.slot import OVER, PLAYABLE, Phase, Slot
from conductor.cues.state import Coming, Plan, RefusalError, Started, State
from conductor.setlist import Endless
from conductor.setlist.editing import SHOWN, differing, touches_music

# So many steps back and forth.
UNDOS = 30
# What may be undone while the list is locked: what is no edit of it.
SHOWING = frozenset({"go", "hold", "release"})


def remember(
    draft: Draft,
    verb: str,
    told: str,
    *,
    coming: bool = False,
    held: bool | None = None,
    endless_on: bool | None = None,
    drawing: tuple[Endless | None, int] | None = None,
    started: Started | None = None,
) -> None:
    """Keep what is planned now, before a verb changes it; what was undone before cannot be redone any more.

    Args:
        draft: of the state.
        verb: what is said.
        told: what it does, for people.
        coming: whether it changes what is to come.
        held: whether the show is held, where it changes that.
        endless_on: whether anything is drawn, where it changes that.
        drawing: what is drawn and how far ahead, where it changes that.
        started: what a GO starts.
    """
    plan = Plan(verb, told, None, draft.state.drawn, held, endless_on, drawing, started)
    plan = replace(plan, coming=coming_of(draft.state)) if coming else plan
    draft.change(undo=(*draft.state.undo, plan)[-UNDOS:], redo=())


def coming_of(state: State) -> tuple[Coming, ...]:
    """Return what is to come, as a plan: what is starting too, for it may not, and what a GO undone brings back."""
    starting = tuple(s for s in state.upcoming if s not in state.open)
    returning = tuple(s for s in state.slots if state.returning and s.number == state.returning)
    return tuple(
        Coming(s.cue, s.piece, s.takes, s.joins, s.revision, s.copy_of, s.inserted, s.drawn)
        for s in (*starting, *returning, *state.open)
    )


def undo(draft: Draft, position_s: float) -> None:
    """Go back to the plan before the latest verb that can still be taken back.

    Raises:
        RefusalError: there is none; or not now.
    """
    _travel(draft, position_s, back=True)


def redo(draft: Draft, position_s: float) -> None:
    """Go forth to the plan that was undone.

    Raises:
        RefusalError: there is none; or not now.
    """
    _travel(draft, position_s, back=False)


def _travel(draft: Draft, position_s: float, *, back: bool) -> None:
    state = draft.state
    underway = state.numbered(state.fired) or state.numbered(state.returning)
    if underway:
        raise RefusalError(f"{underway.cue.name} is just {'starting' if state.fired else 'fading'} - in a moment")
    plans = list(state.undo if back else state.redo)
    while plans:
        plan = plans.pop()
        if state.locked and plan.verb not in SHOWING:
            raise RefusalError("the list is locked - say lock off to edit it")
        # What time has made a fact of leaves nothing to take back.
        if _matters(state, plan, back=back):
            break
    else:
        raise RefusalError(f"nothing to {'undo' if back else 'redo'}")
    inverse = _as_now(state, plan, position_s, back=back)
    if back:
        draft.change(undo=tuple(plans), redo=(*state.redo, inverse)[-UNDOS:])
    else:
        draft.change(redo=tuple(plans), undo=(*state.undo, inverse)[-UNDOS:])
    _put_back(draft, plan)
    if plan.started and back:
        _take_back(draft, plan.started)
    elif plan.started and (slot := draft.state.find(plan.started.cue_id)):
        draft.change(panicked=False)
        fire(draft, slot)


def _matters(state: State, plan: Plan, *, back: bool) -> bool:
    """Return whether going to a plan changes anything.

    Raises:
        RefusalError: it would, but cannot be done now.
    """
    if plan.started:
        return _can_return(state, plan.started) if back else _can_start(state, plan.started)
    now = [(c.cue, c.piece) for c in coming_of(state)]
    return (
        (plan.held is not None and plan.held != state.held)
        or (plan.endless_on is not None and plan.endless_on != state.endless_on)
        or (plan.drawing is not None and plan.drawing != (state.endless, state.ahead))
        or (plan.coming is not None and [(c.cue, c.piece) for c in _wanted(state, plan)] != now)
    )


def _can_return(state: State, started: Started) -> bool:
    live, earlier = state.live, state.find(started.before)
    there = not started.before or (earlier and earlier.phase is Phase.AIRED and earlier.number)
    return bool(state.player and live and live.cue.id == started.cue_id and not live.fading and there)


def _can_start(state: State, started: Started) -> bool:
    slot = state.find(started.cue_id)
    if slot is None or slot not in state.open:
        return False
    if not state.player or slot.phase not in PLAYABLE:
        why = "the player is not there yet" if not state.player else f"{slot.cue.name} is not ready yet ({slot.phase})"
        raise RefusalError(why)
    return True


def _as_now(state: State, plan: Plan, position_s: float, *, back: bool) -> Plan:
    """Return what a plan touches, as it is now: the way back from it."""
    started = plan.started
    if started and not back:
        # It is started once more: what it cuts now goes on when that is undone.
        cut = state.live if state.live and not state.live.fading else None
        started = Started(started.cue_id, cut.cue.id if cut else "", position_s if cut else 0.0)
    return replace(
        plan,
        coming=None if plan.coming is None else coming_of(state),
        drawn=state.drawn,
        held=None if plan.held is None else state.held,
        endless_on=None if plan.endless_on is None else state.endless_on,
        drawing=None if plan.drawing is None else (state.endless, state.ahead),
        started=started,
    )


def _wanted(state: State, plan: Plan) -> list[Coming]:
    """Return what is to come by a plan, but for what has been since, and with what was drawn since."""
    wanted = []
    for c in plan.coming or ():
        slot = state.find(c.cue.id)
        has_been = slot and (slot.phase in (Phase.LIVE, Phase.AIRED) or (slot.phase is Phase.FAILED and not c.piece))
        if slot and _same_music(slot, c):
            c = replace(c, piece=slot.piece)
        if not has_been:
            wanted.append(c)
    ids = {c.cue.id for c in wanted}
    return [*wanted, *(c for c in coming_of(state) if c.drawn > plan.drawn and c.cue.id not in ids)]


def _same_music(slot: Slot, coming: Coming) -> bool:
    """Return whether a slot's music, there or being composed, is what a plan wants."""
    return (
        slot.phase not in OVER
        and not touches_music(differing(slot.cue, coming.cue))
        and coming.piece in (None, slot.piece)
    )


def _put_back(draft: Draft, plan: Plan) -> None:
    if plan.held is not None:
        draft.change(held=plan.held, panicked=draft.state.panicked and plan.held)
    if plan.endless_on is not None:
        draft.change(endless_on=plan.endless_on)
    if plan.drawing is not None:
        draft.change(endless=plan.drawing[0], ahead=plan.drawing[1])
    if plan.coming is None:
        return
    state = draft.state
    wanted = _wanted(state, plan)
    ids = {c.cue.id for c in wanted}
    for slot in state.open:
        if slot.cue.id not in ids:
            draft.withdraw(slot)
            # What was skipped once is skipped again, and not gone without a trace.
            if plan.verb == "skip":
                draft.move(slot, phase=Phase.SKIPPED, reason="skipped by the operator")
    draft.arrange([_slot_of(draft, state.find(c.cue.id), c) for c in wanted])


def _slot_of(draft: Draft, slot: Slot | None, coming: Coming) -> Slot:
    if slot and _same_music(slot, coming):
        if slot.number and SHOWN & set(differing(slot.cue, coming.cue)):
            draft.do(Give((slot.cue.id,)))
        return replace(slot, cue=coming.cue)
    if slot and slot.phase not in OVER:
        draft.withdraw(slot)
    revision = (slot.revision if slot else coming.revision) + 1
    own = {f: getattr(coming, f) for f in ("piece", "takes", "joins", "copy_of", "inserted", "drawn")}
    return Slot(coming.cue, revision=revision, **own)


def _take_back(draft: Draft, started: Started) -> None:
    """Let what a GO cut go on, or the bed come; what it started is to come again."""
    live, earlier = draft.state.live, draft.state.find(started.before)
    if live is None:
        return
    draft.change(returning=live.number)
    if earlier is None:
        # It would start again by itself.
        draft.change(held=True, queue=(), cuts=())
        draft.do(QueueUp((), draft.state.gap_s))
        draft.do(FadeNow(SKIP_FADE_S))
        draft.move(live, fading=True)
        return
    rest = draft.state.open
    again = draft.move(earlier, phase=Phase.ARMED, from_s=started.from_s, fading=False, reason="")
    draft.change(kept=0 if draft.state.kept == again.number else draft.state.kept)
    draft.arrange((again, *rest))
    fire(draft, again)


def forget(draft: Draft, ids: set[str]) -> None:
    """Take cues that have been, so long ago that the state does not know them any more, out of all plans."""

    def without(plan: Plan) -> Plan:
        if plan.coming is None:
            return plan
        return replace(plan, coming=tuple(c for c in plan.coming if c.cue.id not in ids))

    draft.change(undo=tuple(map(without, draft.state.undo)), redo=tuple(map(without, draft.state.redo)))
