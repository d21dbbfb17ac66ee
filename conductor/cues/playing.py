"""The rules of playing: what the player began and ended."""

from __future__ import annotations

from conductor.cues.actions import FadeNow, Forget, Give, Play
from conductor.cues.changing import said
from conductor.cues.draft import Draft
from conductor.cues.events import PlayerUp
from conductor.cues.slot import OVER, PLAYABLE, Phase, Slot

GO_FADE_S = 0.8
SKIP_FADE_S = 1.5
# A start that was sent and did not happen is sent again after this time.
REFIRE_S = 5.0
# A piece that did not begin so often is not tried again.
MISFIRES = 2


def player(draft: Draft, came: PlayerUp | None) -> None:
    """Note that the player came, and what it plays; or went (None)."""
    up, playing = came is not None, came.playing if came else 0
    resume_s = draft.state.resume_s if came and came.new else None
    starting = draft.state.numbered(draft.state.fired)
    draft.change(player=up, queue=None, fired=0, returning=0)
    if starting and not up:
        # It may have been too much for the player, and would be again.
        _misfired(draft, starting)
    live = draft.state.live
    if came:
        draft.change(resume_s=None)
    if live and (not playing or live.number != playing) and resume_s is None:
        air(draft, live, "cut short: the player was restarted")
    elif live and came and playing:
        draft.change(began_s=draft.now_s - came.position_s)
    if not up:
        # What has been is not worth loading again.
        over = {s.cue.id for s in draft.state.slots if s.phase in OVER}
        for slot in draft.state.slots:
            if slot.cue.id in over and slot.number:
                draft.move(slot, number=0)
        draft.change(kept=0)
        return
    if resume_s is not None and (live := draft.state.live):
        come_again(draft, draft.move(live, from_s=resume_s))
    draft.do(Give(tuple(s.cue.id for s in draft.state.upcoming if s.number)))
    draft.change(idle_s=None if draft.state.live else draft.now_s)
    if resume_s is not None and live and not draft.state.held:
        # It was on air already: no GO is asked for again.
        fire(draft, draft.state.upcoming[0])


def air(draft: Draft, slot: Slot, reason: str = "") -> Slot:
    """Note that a piece has been."""
    aired = draft.move(slot, phase=Phase.AIRED, reason=reason or slot.reason)
    if draft.state.live is None:
        draft.change(idle_s=draft.now_s)
    return aired


def finished(draft: Draft, number: int) -> None:
    """Note that a piece has ended; the player keeps the latest one, should its GO be undone."""
    slot = draft.state.numbered(number)
    if slot and slot.phase is Phase.LIVE:
        if number == draft.state.returning:
            come_again(draft, slot)
            draft.change(idle_s=draft.now_s)
            return
        slot = air(draft, slot)
    if not slot or slot.phase not in OVER:
        return
    earlier = draft.state.numbered(draft.state.kept)
    if earlier and earlier.number != number:
        draft.do(Forget(earlier.number))
        draft.move(earlier, number=0)
    draft.change(kept=number)


def come_again(draft: Draft, slot: Slot) -> None:
    """Let what was live be next again: its GO was undone."""
    rest = draft.state.open
    again = draft.move(slot, phase=Phase.READY, fading=False, reason="")
    draft.change(returning=0)
    draft.arrange((again, *rest))


def began(draft: Draft, number: int) -> None:
    """Note that a piece has begun."""
    slot = draft.state.numbered(number)
    if not slot or slot.phase in (Phase.LIVE, Phase.AIRED, Phase.FAILED):
        return
    # Skipped, or faded, while the player was already starting it: it ends as it begins.
    ends = slot.phase is Phase.SKIPPED or slot.fading
    live, from_s = draft.state.live, slot.from_s
    slot = draft.move(slot, phase=Phase.LIVE, fading=ends, from_s=0.0)
    if live and live.number == draft.state.returning:
        come_again(draft, live)
    elif live:
        air(draft, live)
    if ends:
        draft.do(FadeNow(SKIP_FADE_S))
    queue, cuts = draft.state.queue, draft.state.cuts
    if queue and number in queue:
        place = queue.index(number) + 1
        queue, cuts = queue[place:], said(cuts[place:])
    fired = 0 if draft.state.fired == number else draft.state.fired
    panicked = draft.state.panicked and ends
    draft.change(idle_s=None, began_s=draft.now_s - from_s, queue=queue, cuts=cuts, fired=fired, panicked=panicked)
    # What is over or live stays before what is to come.
    draft.change(slots=(*draft.state.past, *draft.state.upcoming))


def fire(draft: Draft, slot: Slot) -> None:
    """Start a piece now."""
    draft.do(Play(slot.number, GO_FADE_S, slot.from_s))
    # The player takes it out of its queue; what is left of that is told anew when it has begun.
    draft.change(fired=slot.number, fired_s=draft.now_s, queue=None)


def watch_playing(draft: Draft) -> None:
    """Give up waiting for a start that was sent and did not happen."""
    if draft.state.fired and draft.now_s - draft.state.fired_s > REFIRE_S:
        slot = draft.state.numbered(draft.state.fired)
        if slot and slot.fading:
            slot = draft.move(slot, fading=False)
        draft.change(fired=0, returning=0)
        if slot:
            _misfired(draft, slot)


def _misfired(draft: Draft, slot: Slot) -> None:
    """Note that a piece was to begin and did not; what fails again is left for the next."""
    slot = draft.move(slot, misfires=slot.misfires + 1)
    if slot.misfires >= MISFIRES and slot.phase in PLAYABLE:
        draft.withdraw(slot)
        draft.move(slot, phase=Phase.FAILED, number=0, reason=f"it did not begin, {slot.misfires} times")
