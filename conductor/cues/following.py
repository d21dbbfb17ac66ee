"""What the facts call for: the rules that run after every event."""

from __future__ import annotations

from conductor.cues.actions import ListOver, QueueUp
from conductor.cues.changing import cut_s, said, tend
from conductor.cues.composing import compose, recall
from conductor.cues.draft import Draft
from conductor.cues.drawing import draw_ahead
from conductor.cues.ladder import by_itself, stand_in
from conductor.cues.playing import fire
from conductor.cues.slot import OVER, PLAYABLE, Phase, Slot
from conductor.cues.undoing import forget
from conductor.radio.drawing import GAP_S

# How much later than its gap a queued piece may begin before it is started by hand.
GRACE_S = 2.0
# Past cues kept in the state; the as-run log keeps them all.
PAST_KEPT = 40


def settle(draft: Draft) -> None:
    """Ask for whatever the facts call for."""
    tend(draft)
    _draw(draft)
    recall(draft)
    compose(draft)
    stand_in(draft)
    _arm(draft)
    _start(draft)
    _queue(draft)
    state = draft.state
    if state.over and state.upcoming:
        draft.change(over=False)
    elif not state.over and not state.upcoming and not state.live and not state.fired:
        draft.change(over=True)
        draft.do(ListOver())


def _draw(draft: Draft) -> None:
    draw_ahead(draft)
    past = [s for s in draft.state.slots if s.phase in OVER]
    if len(past) > PAST_KEPT:
        old = {s.cue.id for s in past[:-PAST_KEPT]}
        draft.change(slots=tuple(s for s in draft.state.slots if s.cue.id not in old))
        forget(draft, old)


def _arm(draft: Draft) -> None:
    standby = draft.state.standby
    for slot in draft.state.upcoming:
        if slot.phase is Phase.ARMED and slot != standby and slot.number != draft.state.fired:
            draft.move(slot, phase=Phase.READY)
    if standby and standby.phase is Phase.READY:
        draft.move(standby, phase=Phase.ARMED)


def _gap_s(slot: Slot) -> float:
    return -slot.cue.follow.hang_s if slot.cue.follow.kind == "hang" else GAP_S


def _start(draft: Draft) -> None:
    """Start the standby cue when nothing is live, it may, and the player will not by itself."""
    state, standby = draft.state, draft.state.standby
    if state.held or not state.player or state.fired or state.live or state.idle_s is None:
        return
    if not standby or standby.phase is not Phase.ARMED or not by_itself(state, standby):
        return
    if standby.number in (state.queue or ()) and draft.now_s - state.idle_s < max(0.0, state.gap_s) + GRACE_S:
        return
    fire(draft, standby)


def _queue(draft: Draft) -> None:
    """Tell the player what follows: all that is ready, may start by itself and has the same gap."""
    state = draft.state
    # While a start is on its way the player is left alone: a new queue would take the start back.
    if not state.player or state.fired:
        return
    numbers: list[int] = []
    cuts: list[float | None] = []
    gap_s = GAP_S
    earlier = state.live
    for slot in () if state.held or state.returning else state.upcoming:
        if slot.phase not in PLAYABLE or not by_itself(state, slot):
            break
        if numbers and _gap_s(slot) != gap_s:
            break
        gap_s = _gap_s(slot)
        numbers.append(slot.number)
        cuts.append(cut_s(slot, earlier))
        earlier = slot
    told = (tuple(numbers), said(cuts))
    if state.queue is None or told != (state.queue, state.cuts) or (numbers and gap_s != state.gap_s):
        draft.change(queue=told[0], gap_s=gap_s, cuts=told[1])
        draft.do(QueueUp(told[0], gap_s, told[1]))
