"""The rules of playing: what the player began and ended."""

from __future__ import annotations

from conductor.cues.actions import FadeNow, Forget, Reload
from conductor.cues.changing import said
from conductor.cues.draft import Draft
from conductor.cues.state import OVER, Phase, Slot

SKIP_FADE_S = 1.5
# A start that was sent and did not happen is sent again after this time.
REFIRE_S = 5.0


def player(draft: Draft, *, up: bool, playing: int) -> None:
    """Note that the player came or went, and what it plays."""
    draft.change(player=up, queue=None, fired=0)
    live = draft.state.live
    if live and (not playing or live.number != playing):
        air(draft, live, "cut short: the player was restarted")
    if up:
        loaded = tuple(s.cue.id for s in draft.state.upcoming if s.number)
        draft.do(Reload(loaded))
        draft.change(idle_s=None if draft.state.live else draft.now_s)


def air(draft: Draft, slot: Slot, reason: str = "") -> Slot:
    """Note that a piece has been."""
    aired = draft.move(slot, phase=Phase.AIRED, reason=reason or slot.reason)
    if draft.state.live is None:
        draft.change(idle_s=draft.now_s)
    return aired


def finished(draft: Draft, number: int) -> None:
    """Note that a piece has ended."""
    slot = draft.state.numbered(number)
    if slot and slot.phase is Phase.LIVE:
        slot = air(draft, slot)
    # A piece that another started over is aired before it has died away: only now may it go.
    if slot and slot.phase in OVER:
        draft.do(Forget(number))


def began(draft: Draft, number: int) -> None:
    """Note that a piece has begun."""
    slot = draft.state.numbered(number)
    if not slot or slot.phase in (Phase.LIVE, Phase.AIRED, Phase.FAILED):
        return
    skipped = slot.phase is Phase.SKIPPED
    live = draft.state.live
    if live:
        air(draft, live)
    draft.move(slot, phase=Phase.LIVE, fading=skipped)
    # Skipped while the player was already starting it: it ends as it begins.
    if skipped:
        draft.do(FadeNow(SKIP_FADE_S))
    queue = draft.state.queue
    cuts = draft.state.cuts
    if queue and number in queue:
        place = queue.index(number) + 1
        queue, cuts = queue[place:], said(cuts[place:])
    draft.change(idle_s=None, queue=queue, cuts=cuts, fired=0 if draft.state.fired == number else draft.state.fired)
    order(draft)


def order(draft: Draft) -> None:
    """Keep what is over or live before what is to come."""
    slots = draft.state.slots
    past = [s for s in slots if s.phase in OVER or s.phase is Phase.LIVE]
    draft.change(slots=(*past, *draft.state.upcoming))


def watch(draft: Draft) -> None:
    """Give up waiting for a start that was sent and did not happen."""
    if draft.state.fired and draft.now_s - draft.state.fired_s > REFIRE_S:
        draft.change(fired=0)
