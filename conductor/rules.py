"""The rules of the show: a pure function (state, event) -> (state, actions).

An event first changes the facts; then `_settle` asks for whatever the new facts
call for. So the same rules hold after every event, in any order, and a repeated
or late event asks for nothing twice.
"""

from __future__ import annotations

import random
from itertools import zip_longest

from conductor import changing
from conductor import cue as c
from conductor.cue import OVER, PLAYABLE, Action, Draft, Event, Phase, RefusalError, Slot, State
from conductor.setlist import Cue, Endless
from conductor.setlist.values import MAX_SEED

RETRIES = 2
# No sign of life from composing for so long: cancel it and try again.
STALL_S = 180.0
GAP_S = 1.0
GO_FADE_S = 0.8
SKIP_FADE_S = 1.5
# A second press of GO within this time is a slip of the finger.
GO_LOCKOUT_S = 0.5
# How much later than its gap a queued piece may begin before it is started by hand.
GRACE_S = 2.0
# A start that was sent and did not happen is sent again after this time.
REFIRE_S = 5.0
# Rest after a cue that could not be had at all, so that a broken composer is not hammered.
REST_S = 10.0
# Past cues kept in the state; the as-run log keeps them all.
PAST_KEPT = 40
MIN_PIECE_S = 1.0


def step(state: State, event: Event, now_s: float) -> tuple[State, tuple[Action, ...]]:
    """Return what an event leads to.

    Args:
        state: before the event.
        event: what happened.
        now_s: monotonic time of the event.

    Raises:
        RefusalError: the event is an operator's wish that cannot be met now.
    """
    draft = Draft(state, now_s)
    match event:
        case c.Tick():
            _watch(draft)
        case c.ComposerUp() | c.ComposerLost():
            _composer(draft, isinstance(event, c.ComposerUp))
        case c.PlayerUp() | c.PlayerLost():
            _player(draft, up=isinstance(event, c.PlayerUp), playing=getattr(event, "playing", 0))
        case c.Progressed() | c.Took() | c.Missed():
            _composing(draft, event)
        case c.Revised() | c.Unchanged():
            changing.changed(draft, event)
        case c.Kept(cue_id):
            slot = state.find(cue_id)
            if slot and slot.phase is Phase.CHECKED:
                draft.move(slot, phase=Phase.READY)
        case c.Began(number):
            _began(draft, number)
        case c.Finished(number):
            _finished(draft, number)
        case _:
            _verb(draft, event)
    _settle(draft)
    return draft.state, tuple(draft.actions)


# --- composing ---------------------------------------------------------------------


def attempt_seed(seed: int, attempt: int) -> int:
    """Return the seed of an attempt: the cue's own, then others derived from it."""
    return (seed + attempt * 1_000_003) % (MAX_SEED + 1)


def _composing(draft: Draft, event: c.Composing) -> None:
    slot = draft.state.find(event.cue_id)
    # An answer to what is no longer asked is old news.
    if not slot or slot.phase is not Phase.COMPOSING or slot.attempt != event.attempt:
        return
    match event:
        case c.Progressed(fraction=fraction):
            draft.move(slot, fraction=max(slot.fraction, min(1.0, fraction)), moved_s=draft.now_s)
        case c.Took(notes=notes, duration_s=duration_s, reason=reason, joins=joins):
            if notes < 1 or not MIN_PIECE_S <= duration_s < float("inf"):
                _miss(draft, slot, "the piece came back empty", retryable=True)
                return
            number = draft.state.next_number
            slot = draft.move(slot, phase=Phase.CHECKED, number=number, fraction=1.0, joins=joins)
            draft.move(slot, duration_s=duration_s, reason=reason)
            draft.change(next_number=number + 1)
            draft.do(c.Keep(slot.cue.id, number))
        case c.Missed(reason=reason, retryable=retryable):
            _miss(draft, slot, reason, retryable=retryable)


def _miss(draft: Draft, slot: Slot, reason: str, *, retryable: bool) -> None:
    """Try another seed, then the library, then give the cue up with its reason."""
    if slot.borrowing:
        draft.move(slot, phase=Phase.FAILED, reason=reason)
        draft.change(rest_s=draft.now_s + REST_S)
    elif retryable and slot.attempt < RETRIES:
        draft.move(slot, phase=Phase.PLANNED, attempt=slot.attempt + 1, fraction=0.0, reason=reason)
        draft.change(rest_s=draft.now_s + 2.0**slot.attempt)
    else:
        slot = draft.move(slot, attempt=slot.attempt + 1, borrowing=True, reason=reason, moved_s=draft.now_s)
        draft.do(c.Borrow(slot.cue, slot.attempt, reason))


def _watch(draft: Draft) -> None:
    for slot in draft.state.slots:
        if slot.phase is Phase.COMPOSING and draft.now_s - slot.moved_s > STALL_S:
            if not slot.borrowing:
                draft.do(c.StopComposing(slot.cue.id, slot.attempt))
            _miss(draft, slot, f"no progress in {STALL_S:.0f} s", retryable=True)
    if draft.state.fired and draft.now_s - draft.state.fired_s > REFIRE_S:
        draft.change(fired=0)


def _composer(draft: Draft, up: bool) -> None:
    draft.change(composer=up)
    for slot in draft.state.slots:
        if slot.phase is Phase.COMPOSING and not slot.borrowing:
            _miss(draft, slot, "the composer was restarted", retryable=True)


# --- playing -----------------------------------------------------------------------


def _player(draft: Draft, *, up: bool, playing: int) -> None:
    draft.change(player=up, queue=None, fired=0)
    live = draft.state.live
    if live and (not playing or live.number != playing):
        _air(draft, live, "cut short: the player was restarted")
    if up:
        loaded = tuple(s.cue.id for s in draft.state.upcoming if s.number)
        draft.do(c.Reload(loaded))
        draft.change(idle_s=None if draft.state.live else draft.now_s)


def _air(draft: Draft, slot: Slot, reason: str = "") -> Slot:
    aired = draft.move(slot, phase=Phase.AIRED, reason=reason or slot.reason)
    if draft.state.live is None:
        draft.change(idle_s=draft.now_s)
    return aired


def _finished(draft: Draft, number: int) -> None:
    slot = draft.state.numbered(number)
    if slot and slot.phase is Phase.LIVE:
        slot = _air(draft, slot)
    # A piece that another started over is aired before it has died away: only now may it go.
    if slot and slot.phase in OVER:
        draft.do(c.Forget(number))


def _began(draft: Draft, number: int) -> None:
    slot = draft.state.numbered(number)
    if not slot or slot.phase in (Phase.LIVE, Phase.AIRED, Phase.FAILED):
        return
    skipped = slot.phase is Phase.SKIPPED
    live = draft.state.live
    if live:
        _air(draft, live)
    draft.move(slot, phase=Phase.LIVE, fading=skipped)
    # Skipped while the player was already starting it: it ends as it begins.
    if skipped:
        draft.do(c.FadeNow(SKIP_FADE_S))
    queue = draft.state.queue
    cuts = draft.state.cuts
    if queue and number in queue:
        place = queue.index(number) + 1
        queue, cuts = queue[place:], changing.said(cuts[place:])
    draft.change(idle_s=None, queue=queue, cuts=cuts, fired=0 if draft.state.fired == number else draft.state.fired)
    _order(draft)


def _order(draft: Draft) -> None:
    """Keep what is over or live before what is to come."""
    slots = draft.state.slots
    past = [s for s in slots if s.phase in OVER or s.phase is Phase.LIVE]
    draft.change(slots=(*past, *draft.state.upcoming))


# --- the operator ------------------------------------------------------------------


def _verb(draft: Draft, event: c.Verb) -> None:
    state = draft.state
    match event:
        case c.Go(cue_id):
            _go(draft, _coming(state, cue_id) if cue_id else state.standby)
        case c.Hold():
            if state.held:
                raise RefusalError("already on hold")
            draft.change(held=True)
        case c.Release():
            if not state.held:
                raise RefusalError("not on hold")
            draft.change(held=False)
        case c.Change():
            changing.change(draft, event)
        case c.Skip(cue_id):
            _skip(draft, cue_id)
        case c.FadeOut(seconds):
            if not 0.0 < seconds <= 60.0:
                raise RefusalError("a fade takes up to 60 seconds")
            draft.change(held=True, queue=(), cuts=())
            draft.do(c.QueueUp((), GAP_S))
            if state.live or state.fired:
                draft.do(c.FadeNow(seconds))
            if state.live:
                draft.move(state.live, fading=True, reason="faded by the operator")
        case c.Standby(cue_id):
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
    _fire(draft, slot)


def _fire(draft: Draft, slot: Slot) -> None:
    draft.do(c.Play(slot.number, GO_FADE_S))
    # The player takes it out of its queue; what is left of that is told anew when it has begun.
    draft.change(fired=slot.number, fired_s=draft.now_s, queue=None)


def _skip(draft: Draft, cue_id: str | None) -> None:
    live = draft.state.live
    if live and cue_id in (None, live.cue.id):
        if live.fading:
            raise RefusalError(f"{live.cue.name} is already fading")
        draft.move(live, fading=True, reason="skipped by the operator")
        draft.do(c.FadeNow(SKIP_FADE_S))
        return
    slot = _coming(draft.state, cue_id) if cue_id else draft.state.standby
    if not slot:
        raise RefusalError("nothing to skip")
    if slot.phase is Phase.COMPOSING and not slot.borrowing:
        draft.do(c.StopComposing(slot.cue.id, slot.attempt))
    draft.move(slot, phase=Phase.SKIPPED, reason="skipped by the operator")
    if slot.number:
        # The player takes what it forgets out of its queue.
        if draft.state.queue is not None:
            left = [pair for pair in zip_longest(draft.state.queue, draft.state.cuts) if pair[0] != slot.number]
            draft.change(queue=tuple(number for number, _ in left), cuts=changing.said(cut for _, cut in left))
        draft.do(c.Forget(slot.number))


# --- what the facts call for -------------------------------------------------------


def _settle(draft: Draft) -> None:
    changing.tend(draft)
    _draw(draft)
    _compose(draft)
    _arm(draft)
    _start(draft)
    _queue(draft)
    state = draft.state
    if not state.over and not state.upcoming and not state.live and not state.fired:
        draft.change(over=True)
        draft.do(c.ListOver())


def draw(endless: Endless, seed: int, index: int) -> Cue:
    """Return the cue that is drawn at a place (1 and up); the same for the same seed."""
    # A text seeds it, so that neighbouring seeds and places have nothing in common.
    rng = random.Random(f"{seed}/{index}")
    names = [name for name, _ in endless.styles]
    style = rng.choices(names, [weight for _, weight in endless.styles])[0]
    return Cue(
        id=f"endless-{index}",
        number=f"E{index}",
        name=f"{style.title()} No. {index}",
        style=style,
        instruments=endless.instruments,
        seed=rng.randint(0, MAX_SEED),
        duration_s=endless.duration_s,
        candidates=endless.candidates,
        controls=endless.controls,
        bank=endless.bank,
        expression=endless.expression,
        drawn=True,
    )


def _draw(draft: Draft) -> None:
    endless = draft.state.endless
    while endless and len(draft.state.upcoming) < draft.state.ahead:
        index = draft.state.drawn + 1
        slot = Slot(draw(endless, draft.state.endless_seed, index))
        draft.change(slots=(*draft.state.slots, slot), drawn=index)
    past = [s for s in draft.state.slots if s.phase in OVER]
    if len(past) > PAST_KEPT:
        old = {s.cue.id for s in past[:-PAST_KEPT]}
        draft.change(slots=tuple(s for s in draft.state.slots if s.cue.id not in old))


def _compose(draft: Draft) -> None:
    """One piece at a time, the nearest first."""
    state = draft.state
    busy = any(s.phase is Phase.COMPOSING for s in state.slots)
    if busy or not state.composer or draft.now_s < state.rest_s:
        return
    for slot in state.upcoming[: state.ahead]:
        if slot.phase is Phase.PLANNED:
            draft.move(slot, phase=Phase.COMPOSING, fraction=0.0, moved_s=draft.now_s)
            earlier = changing.before(state, slot)
            after = c.Join(earlier.cue.id, 0.0, earlier.revision) if earlier else None
            draft.do(c.StartComposing(slot.cue, slot.attempt, attempt_seed(slot.cue.seed, slot.attempt), after))
            return


def _arm(draft: Draft) -> None:
    standby = draft.state.standby
    for slot in draft.state.upcoming:
        if slot.phase is Phase.ARMED and slot != standby and slot.number != draft.state.fired:
            draft.move(slot, phase=Phase.READY)
    if standby and standby.phase is Phase.READY:
        draft.move(standby, phase=Phase.ARMED)


def _by_itself(state: State, slot: Slot) -> bool:
    return state.unattended or slot.cue.follow.kind != "hold"


def _gap_s(slot: Slot) -> float:
    return -slot.cue.follow.hang_s if slot.cue.follow.kind == "hang" else GAP_S


def _start(draft: Draft) -> None:
    """Start the standby cue when nothing is live, it may, and the player will not by itself."""
    state, standby = draft.state, draft.state.standby
    if state.held or not state.player or state.fired or state.live or state.idle_s is None:
        return
    if not standby or standby.phase is not Phase.ARMED or not _by_itself(state, standby):
        return
    if standby.number in (state.queue or ()) and draft.now_s - state.idle_s < max(0.0, state.gap_s) + GRACE_S:
        return
    _fire(draft, standby)


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
    for slot in () if state.held else state.upcoming:
        if slot.phase not in PLAYABLE or not _by_itself(state, slot):
            break
        if numbers and _gap_s(slot) != gap_s:
            break
        gap_s = _gap_s(slot)
        numbers.append(slot.number)
        cuts.append(changing.cut_s(slot, earlier))
        earlier = slot
    told = (tuple(numbers), changing.said(cuts))
    if state.queue is None or told != (state.queue, state.cuts) or (numbers and gap_s != state.gap_s):
        draft.change(queue=told[0], gap_s=gap_s, cuts=told[1])
        draft.do(c.QueueUp(told[0], gap_s, told[1]))
