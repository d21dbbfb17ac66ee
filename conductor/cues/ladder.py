"""The rules of what plays when what was to play does not: another piece that is ready, before the bed.

armed piece -> another that is ready -> one that was aired (`composing`) -> the bed (the player) -> music in the
feed's memory, where no player is heard.
"""

from __future__ import annotations

from conductor.cues.actions import Borrow, FadeNow, StopComposing
from conductor.cues.draft import Draft
from conductor.cues.playing import SKIP_FADE_S, fire
from conductor.cues.slot import PLAYABLE, Phase, Slot
from conductor.cues.state import State

# Nothing is live for so long, and what is next is not ready: what is ready comes first.
PATIENCE_S = 6.0
# So far composed, a piece is waited for, however long the bed has played.
NEARLY = 0.8


def by_itself(state: State, slot: Slot) -> bool:
    """Return whether a cue starts without a GO."""
    return state.unattended or slot.cue.follow.kind != "hold"


def unheard(draft: Draft, number: int) -> None:
    """Leave a piece that plays and is not heard: for the next that is ready and may start by itself, else the bed."""
    live = draft.state.live
    if live is None or live.number != number or live.fading or draft.state.fired:
        return
    draft.move(live, fading=True, reason="nothing was heard of it")
    ready = _first_ready(draft.state)
    if ready is None or draft.state.held:
        draft.do(FadeNow(SKIP_FADE_S))
        return
    _bring_forward(draft, ready)
    fire(draft, ready)


def stand_in(draft: Draft) -> None:
    """Let what is ready play before what is late."""
    state, standby = draft.state, draft.state.standby
    if state.unattended or state.held or not state.player or state.fired or state.live or state.idle_s is None:
        return
    if standby is None or standby.phase in PLAYABLE or draft.now_s - state.idle_s < PATIENCE_S:
        return
    ready = _first_ready(state)
    if ready is not None:
        _bring_forward(draft, draft.move(ready, reason=f"before {standby.cue.name}, which is not ready"))


def starved(draft: Draft) -> None:
    """Let a piece of the library play for the next one, for which the bed has played too long."""
    state, standby = draft.state, draft.state.standby
    if state.live or state.fired or state.held or state.unattended or standby is None or not by_itself(state, standby):
        return
    composing = standby.phase is Phase.COMPOSING
    if standby.borrowing or not (composing or standby.phase is Phase.PLANNED) or standby.fraction >= NEARLY:
        return
    if composing:
        draft.do(StopComposing(standby.cue.id, standby.order))
    order, reason = draft.order(), "nothing was ready"
    draft.move(standby, phase=Phase.COMPOSING, order=order, borrowing=True, reason=reason, moved_s=draft.now_s)
    draft.do(Borrow(standby.cue, order, reason))


def _first_ready(state: State) -> Slot | None:
    """Return the first that is ready; what comes after one that waits for a GO waits, too."""
    for slot in state.open:
        if not by_itself(state, slot):
            return None
        if slot.phase in PLAYABLE:
            return slot
    return None


def _bring_forward(draft: Draft, slot: Slot) -> None:
    draft.arrange((slot, *(other for other in draft.state.open if other.cue.id != slot.cue.id)))
