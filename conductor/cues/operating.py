"""The rules of what an operator says about what sounds; what is to come is edited in `editing`."""

from __future__ import annotations

from conductor.cues.actions import FadeNow, QueueUp
from conductor.cues.changing import change
from conductor.cues.draft import Draft
from conductor.cues.editing import coming, edit
from conductor.cues.playing import SKIP_FADE_S, fire
from conductor.cues.slot import PLAYABLE, Phase, Slot
from conductor.cues.state import RefusalError, Started
from conductor.cues.undoing import redo, remember, undo
from conductor.cues.verbs import (
    Change,
    Editing,
    FadeOut,
    Go,
    Hold,
    Lock,
    Panic,
    Redo,
    Release,
    Skip,
    Undo,
    Verb,
)
from conductor.radio.drawing import GAP_S

# A second press of GO within this time is a slip of the finger.
GO_LOCKOUT_S = 0.5
PANIC_FADE_S, CUT_S = 1.5, 0.03
LONGEST_FADE_S = 60.0


def obey(draft: Draft, event: Verb) -> None:
    """Do what an operator says.

    Raises:
        RefusalError: it cannot be done now; why.
    """
    state = draft.state
    if state.locked and isinstance(event, Editing):
        raise RefusalError("the list is locked - say lock off to edit it")
    match event:
        case Go(cue_id, position_s):
            _go(draft, coming(state, cue_id) if cue_id else state.standby, position_s)
        case Hold() | Release():
            wanted = isinstance(event, Hold)
            if state.held == wanted:
                raise RefusalError("already on hold" if wanted else "not on hold")
            remember(draft, "hold" if wanted else "release", "hold" if wanted else "release", held=state.held)
            draft.change(held=wanted, panicked=state.panicked and wanted)
        case Skip(cue_id):
            _skip(draft, cue_id)
        case FadeOut(seconds):
            if not 0.0 < seconds <= LONGEST_FADE_S:
                raise RefusalError(f"a fade takes up to {LONGEST_FADE_S:.0f} seconds")
            _to_the_bed(draft, seconds, "faded by the operator")
        case Panic():
            _to_the_bed(draft, CUT_S if state.panicked else PANIC_FADE_S, "panic")
            draft.change(panicked=True)
        case Change():
            change(draft, event)
        case Lock(on):
            if state.locked == on:
                raise RefusalError("the list is locked already" if on else "the list is not locked")
            draft.change(locked=on)
        case Undo(position_s):
            undo(draft, position_s)
        case Redo(position_s):
            redo(draft, position_s)
        case _:
            edit(draft, event)


def _go(draft: Draft, slot: Slot | None, position_s: float) -> None:
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
    # What has been faded would go on with a silence.
    cut = state.live if state.live and not state.live.fading else None
    started = Started(slot.cue.id, cut.cue.id if cut else "", position_s if cut else 0.0)
    remember(draft, "go", f"GO {slot.cue.name}", started=started, held=state.held)
    draft.change(panicked=False)
    fire(draft, slot)


def _to_the_bed(draft: Draft, seconds: float, reason: str) -> None:
    state = draft.state
    draft.change(held=True, queue=(), cuts=())
    draft.do(QueueUp((), GAP_S))
    if state.live or state.fired:
        draft.do(FadeNow(seconds))
    if state.live:
        draft.move(state.live, fading=True, reason=reason)
    starting = state.numbered(state.fired)
    if starting:
        # It may begin all the same; then it ends at once.
        draft.move(starting, fading=True)


def _skip(draft: Draft, cue_id: str | None) -> None:
    live = draft.state.live
    if live and cue_id in (None, live.cue.id):
        if live.fading:
            raise RefusalError(f"{live.cue.name} is already fading")
        draft.move(live, fading=True, reason="skipped by the operator")
        draft.do(FadeNow(SKIP_FADE_S))
        return
    slot = coming(draft.state, cue_id) if cue_id else draft.state.standby
    if not slot:
        raise RefusalError("nothing to skip")
    remember(draft, "skip", f"skip {slot.cue.name}", coming=True)
    draft.withdraw(slot)
    draft.move(slot, phase=Phase.SKIPPED, reason="skipped by the operator")
