"""The rules of composing: retries, the library where nothing comes of it, no standstill."""

from __future__ import annotations

from conductor.cues.actions import Borrow, Keep, Recall, StartComposing, StopComposing
from conductor.cues.changing import before
from conductor.cues.draft import Draft
from conductor.cues.events import Composing, Kept, Missed, Progressed, Took
from conductor.cues.pacing import borrow, choice, do_without, learn
from conductor.cues.slot import AWAITED, Join, Phase, Slot
from conductor.setlist.values import MAX_SEED

RETRIES = 2
# No sign of life from composing, and from the library, for so long: cancel it and try again.
STALL_S = 180.0
RECALL_STALL_S = 20.0
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
    if not slot or slot.phase not in AWAITED or slot.order != event.order:
        return
    match event:
        case Progressed(fraction=fraction):
            draft.move(slot, fraction=max(slot.fraction, min(1.0, fraction)), moved_s=draft.now_s)
        case Took(notes=notes, duration_s=duration_s, reason=reason, joins=joins, composing_s=composing_s):
            learn(draft, slot, composing_s)
            if notes < 1 or not MIN_PIECE_S <= duration_s < float("inf"):
                miss(draft, slot, "the piece came back empty", retryable=True)
                return
            number = draft.state.next_number
            # What is recalled still goes on from what it went on from.
            joins = slot.joins if slot.phase is Phase.RECALLING else joins
            slot = draft.move(slot, phase=Phase.CHECKED, number=number, fraction=1.0, joins=joins)
            # Why less was done for it than was asked for stays to be read.
            less = slot.effort and (slot.effort.candidates < slot.cue.candidates or slot.effort.context)
            reason = reason or (slot.reason if less else "")
            draft.move(slot, duration_s=duration_s, reason=reason, borrowing=False, pressed=False)
            draft.change(next_number=number + 1)
            draft.do(Keep(slot.cue.id, number))
        case Missed(reason=reason, retryable=retryable):
            miss(draft, slot, reason, retryable=retryable)


def kept(draft: Draft, event: Kept) -> None:
    """Note that a piece is stored and loaded."""
    slot = draft.state.find(event.cue_id)
    if slot and slot.phase is Phase.CHECKED and slot.number == event.number:
        draft.move(slot, phase=Phase.READY, piece=event.piece, takes=event.takes or slot.takes)
        if slot.effort:
            # It can stand in another time.
            draft.change(bare=False)


def miss(draft: Draft, slot: Slot, reason: str, *, retryable: bool) -> None:
    """Compose what the library has lost; try another seed, then any piece of the library, then give up."""
    if slot.phase is Phase.RECALLING:
        draft.move(slot, phase=Phase.PLANNED, piece=None, takes=(), joins=None, reason=reason)
    elif slot.pressed:
        # Nothing is there to stand in: it is composed all the same, and late.
        draft.move(slot, phase=Phase.PLANNED, borrowing=False, pressed=False, fraction=0.0, reason=reason)
        draft.change(bare=True)
    elif slot.borrowing and slot.attempt <= RETRIES:
        # It was to stand in for what took too long, and there is none: that is composed after all.
        draft.move(slot, phase=Phase.PLANNED, borrowing=False, fraction=0.0, reason=reason)
    elif slot.borrowing:
        draft.move(slot, phase=Phase.FAILED, reason=reason)
        draft.change(rest_s=draft.now_s + REST_S)
    elif retryable and slot.attempt < RETRIES:
        draft.move(slot, phase=Phase.PLANNED, attempt=slot.attempt + 1, fraction=0.0, reason=reason)
        draft.change(rest_s=draft.now_s + 2.0**slot.attempt)
    else:
        order = draft.order()
        draft.move(slot, order=order, attempt=slot.attempt + 1, borrowing=True, reason=reason, moved_s=draft.now_s)
        draft.do(Borrow(slot.cue, order, reason))


def watch_composing(draft: Draft) -> None:
    """Give up what shows no sign of life."""
    for slot in draft.state.slots:
        patience_s = RECALL_STALL_S if slot.phase is Phase.RECALLING else STALL_S
        if slot.phase in AWAITED and draft.now_s - slot.moved_s > patience_s:
            if slot.phase is Phase.COMPOSING and not slot.borrowing:
                draft.do(StopComposing(slot.cue.id, slot.order))
            miss(draft, slot, f"no progress in {patience_s:.0f} s", retryable=True)


def composer(draft: Draft, *, up: bool) -> None:
    """Note that the composer came or went; either way it knows of no request."""
    draft.change(composer=up)
    for slot in draft.state.slots:
        if slot.phase is Phase.COMPOSING and not slot.borrowing:
            miss(draft, slot, "the composer was restarted", retryable=True)


def recall(draft: Draft) -> None:
    """Fetch the music of what is near and has some."""
    for slot in draft.state.upcoming[: draft.state.ahead]:
        if slot.phase is Phase.PLANNED and slot.piece is not None:
            order = draft.order()
            draft.move(slot, phase=Phase.RECALLING, order=order, fraction=0.0, moved_s=draft.now_s)
            draft.do(Recall(slot.cue, order, slot.piece))


def compose(draft: Draft) -> None:
    """Ask for one piece at a time, the nearest first."""
    state = draft.state
    if any(s.phase is Phase.COMPOSING for s in state.slots):
        return
    if not state.composer:
        do_without(draft)
        return
    if draft.now_s < state.rest_s:
        return
    near, far = state.upcoming[: state.ahead], state.upcoming[state.ahead :]
    for slot in (*near, *(s for s in far if s.voted)):
        # Who comes next waits for no vote.
        if slot.phase is Phase.PLANNED and not (slot.asking and slot is not near[0]):
            chosen = choice(draft, slot)
            if chosen.effort is None:
                draft.change(pace=state.pace.hope())
                borrow(draft, slot, chosen.reason)
                return
            earlier = before(state, slot)
            after = Join(earlier.cue.id, 0.0, earlier.revision) if earlier else None
            order = draft.order()
            now_s, reason = draft.now_s, chosen.reason or (slot.reason if slot.attempt else "")
            slot = draft.move(slot, phase=Phase.COMPOSING, order=order, fraction=0.0, effort=chosen.effort)
            draft.move(slot, moved_s=now_s, asked_s=now_s, reason=reason)
            seed = attempt_seed(slot.cue.seed, slot.attempt)
            draft.do(StartComposing(slot.cue, order, seed, after, chosen.effort))
            return
