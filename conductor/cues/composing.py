"""The rules of composing: retries, the library where nothing comes of it, no standstill."""

from __future__ import annotations

from conductor.cues.actions import Borrow, Keep, StopComposing
from conductor.cues.draft import Draft
from conductor.cues.events import Composing, Missed, Progressed, Took
from conductor.cues.state import Phase, Slot
from conductor.setlist.values import MAX_SEED

RETRIES = 2
# No sign of life from composing for so long: cancel it and try again.
STALL_S = 180.0
# Rest after a cue that could not be had at all, so that a broken composer is not hammered.
REST_S = 10.0
MIN_PIECE_S = 1.0


def attempt_seed(seed: int, attempt: int) -> int:
    """Return the seed of an attempt: the cue's own, then others derived from it."""
    return (seed + attempt * 1_000_003) % (MAX_SEED + 1)


def heard(draft: Draft, event: Composing) -> None:
    """Take in what the composer, or the library, says of a cue."""
    slot = draft.state.find(event.cue_id)
    # An answer to what is no longer asked is old news.
    if not slot or slot.phase is not Phase.COMPOSING or slot.attempt != event.attempt:
        return
    match event:
        case Progressed(fraction=fraction):
            draft.move(slot, fraction=max(slot.fraction, min(1.0, fraction)), moved_s=draft.now_s)
        case Took(notes=notes, duration_s=duration_s, reason=reason, joins=joins):
            if notes < 1 or not MIN_PIECE_S <= duration_s < float("inf"):
                miss(draft, slot, "the piece came back empty", retryable=True)
                return
            number = draft.state.next_number
            slot = draft.move(slot, phase=Phase.CHECKED, number=number, fraction=1.0, joins=joins)
            draft.move(slot, duration_s=duration_s, reason=reason)
            draft.change(next_number=number + 1)
            draft.do(Keep(slot.cue.id, number))
        case Missed(reason=reason, retryable=retryable):
            miss(draft, slot, reason, retryable=retryable)


def miss(draft: Draft, slot: Slot, reason: str, *, retryable: bool) -> None:
    """Try another seed, then the library, then give the cue up with its reason."""
    if slot.borrowing:
        draft.move(slot, phase=Phase.FAILED, reason=reason)
        draft.change(rest_s=draft.now_s + REST_S)
    elif retryable and slot.attempt < RETRIES:
        draft.move(slot, phase=Phase.PLANNED, attempt=slot.attempt + 1, fraction=0.0, reason=reason)
        draft.change(rest_s=draft.now_s + 2.0**slot.attempt)
    else:
        slot = draft.move(slot, attempt=slot.attempt + 1, borrowing=True, reason=reason, moved_s=draft.now_s)
        draft.do(Borrow(slot.cue, slot.attempt, reason))


def watch(draft: Draft) -> None:
    """Give up what shows no sign of life."""
    for slot in draft.state.slots:
        if slot.phase is Phase.COMPOSING and draft.now_s - slot.moved_s > STALL_S:
            if not slot.borrowing:
                draft.do(StopComposing(slot.cue.id, slot.attempt))
            miss(draft, slot, f"no progress in {STALL_S:.0f} s", retryable=True)


def composer(draft: Draft, up: bool) -> None:
    """Note that the composer came or went; either way it knows of no request."""
    draft.change(composer=up)
    for slot in draft.state.slots:
        if slot.phase is Phase.COMPOSING and not slot.borrowing:
            miss(draft, slot, "the composer was restarted", retryable=True)
