"""The rules of what an operator says."""

from __future__ import annotations

from itertools import zip_longest

from conductor.cues.actions import FadeNow, Forget, QueueUp, StopComposing
from conductor.cues.changing import change, said
from conductor.cues.draft import Draft
from conductor.cues.following import GAP_S, fire
from conductor.cues.playing import SKIP_FADE_S
from conductor.cues.state import OVER, PLAYABLE, Phase, RefusalError, Slot, State
from conductor.cues.verbs import Change, FadeOut, Go, Hold, Release, Skip, Standby, Verb

# A second press of GO within this time is a slip of the finger.
GO_LOCKOUT_S = 0.5


def obey(draft: Draft, event: Verb) -> None:
    """Do what an operator says.

    Raises:
        RefusalError: it cannot be done now; why.
    """
    state = draft.state
    match event:
        case Go(cue_id):
            _go(draft, _coming(state, cue_id) if cue_id else state.standby)
        case Hold():
            if state.held:
                raise RefusalError("already on hold")
            draft.change(held=True)
        case Release():
            if not state.held:
                raise RefusalError("not on hold")
            draft.change(held=False)
        case Change():
            change(draft, event)
        case Skip(cue_id):
            _skip(draft, cue_id)
        case FadeOut(seconds):
            if not 0.0 < seconds <= 60.0:
                raise RefusalError("a fade takes up to 60 seconds")
            draft.change(held=True, queue=(), cuts=())
            draft.do(QueueUp((), GAP_S))
            if state.live or state.fired:
                draft.do(FadeNow(seconds))
            if state.live:
                draft.move(state.live, fading=True, reason="faded by the operator")
        case Standby(cue_id):
            slot = _coming(state, cue_id)
            rest = [s for s in state.upcoming if s.cue.id != cue_id]
            past = [s for s in state.slots if s.phase in OVER or s.phase is Phase.LIVE]
            draft.change(slots=(*past, slot, *rest))


def _coming(state: State, cue_id: str) -> Slot:
    slot = state.find(cue_id)
    if not slot:
        raise RefusalError(f'there is no cue "{cue_id}"')
    if slot.phase in OVER or slot.phase is Phase.LIVE:
        raise RefusalError(f"{slot.cue.name} is {slot.phase}")
    if state.fired and slot.number == state.fired:
        raise RefusalError(f"{slot.cue.name} is starting")
    return slot


def _go(draft: Draft, slot: Slot | None) -> None:
    state = draft.state
    if draft.now_s - state.fired_s < GO_LOCKOUT_S or state.fired:
        raise RefusalError("GO was just given")
    if slot is None:
        raise RefusalError("nothing is to come")
    if not state.player:
        raise RefusalError("the player is not there yet")
    if slot.phase is Phase.COMPOSING:
        raise RefusalError(f"{slot.cue.name} is still being composed ({slot.fraction:.0%})")
    if slot.phase not in PLAYABLE:
        raise RefusalError(f"{slot.cue.name} is not ready yet ({slot.phase})")
    fire(draft, slot)


def _skip(draft: Draft, cue_id: str | None) -> None:
    live = draft.state.live
    if live and cue_id in (None, live.cue.id):
        if live.fading:
            raise RefusalError(f"{live.cue.name} is already fading")
        draft.move(live, fading=True, reason="skipped by the operator")
        draft.do(FadeNow(SKIP_FADE_S))
        return
    slot = _coming(draft.state, cue_id) if cue_id else draft.state.standby
    if not slot:
        raise RefusalError("nothing to skip")
    if slot.phase is Phase.COMPOSING and not slot.borrowing:
        draft.do(StopComposing(slot.cue.id, slot.attempt))
    draft.move(slot, phase=Phase.SKIPPED, reason="skipped by the operator")
    if slot.number:
        # The player takes what it forgets out of its queue.
        if draft.state.queue is not None:
            left = [pair for pair in zip_longest(draft.state.queue, draft.state.cuts) if pair[0] != slot.number]
            draft.change(queue=tuple(number for number, _ in left), cuts=said(cut for _, cut in left))
        draft.do(Forget(slot.number))
