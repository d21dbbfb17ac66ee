"""The rules of keeping up: when each piece is due, how much is done for it, and what is given up because it is late.

As much as is there in time (`conductor.pace`); else a piece of the library; and where that has none, the least, late.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from conductor.cues.actions import Borrow, StopComposing
from conductor.cues.draft import Draft
from conductor.cues.ladder import by_itself
from conductor.cues.slot import PLAYABLE, Phase, Slot
from conductor.cues.state import State
from conductor.pace.choosing import SPARE_S, Choice, Wanted, choose
from conductor.pace.effort import Effort, efforts
from conductor.pace.learning import Sample
from conductor.radio.drawing import gap_of
from model.composing.blend import main_style

# From this part on, or after so long, what was done says how long the rest will take.
TELLING, TELLING_S = 0.1, 8.0
# What is late by this factor is given up at once; else when so little time is left.
HOPELESS = 1.5
LAST_S = 12.0
# The bed may play so long for the sake of a piece that is composed.
BED_S = 10.0
# What fades is off so soon.
FADING_S = 2.0


@dataclass(frozen=True, slots=True)
class Due:
    """A piece that is to come, and in how many seconds it should begin; infinite: whenever it is ready."""

    slot: Slot
    left_s: float


def due(state: State, now_s: float) -> list[Due]:
    """Return when what is to come should begin, the nearest first.

    Before anything was on air, nothing is late: the bed plays until the first piece is there; nor while the next
    waits for somebody to say GO.

    Args:
        state: of the show.
        now_s: monotonic time.
    """
    at_s = _free_s(state, now_s)
    found: list[Due] = []
    for slot in state.upcoming:
        at_s = at_s + gap_of(slot.cue.follow) if found or state.live else at_s
        found.append(Due(slot, at_s))
        at_s += (slot.duration_s - slot.from_s) if slot.phase in PLAYABLE else slot.cue.duration_s
    return found


def _free_s(state: State, now_s: float) -> float:
    """Return in how many seconds nothing is on air any more of what is on air now."""
    live = state.live
    if state.unattended:
        return math.inf
    if live is None:
        if state.fired:
            return 0.0
        first = next(iter(state.upcoming), None)
        # Nobody knows when somebody says GO.
        waits = state.held or first is None or not by_itself(state, first)
        begun = any(slot.phase is Phase.AIRED for slot in state.slots)
        return BED_S if begun and not waits else math.inf
    played_s = live.duration_s / 2 if state.began_s is None else now_s - state.began_s
    left_s = max(0.0, live.duration_s - played_s)
    return min(left_s, FADING_S) if live.fading else left_s


def choice(draft: Draft, slot: Slot) -> Choice:
    """Return what is done for a piece that is to be composed now."""
    dues = due(draft.state, draft.now_s)
    near = [each for each in dues[: draft.state.ahead] if each.slot.phase is Phase.PLANNED and each.slot.piece is None]
    own = next(each for each in dues if each.slot.cue.id == slot.cue.id)
    rest = [each for each in near if each.left_s > own.left_s]
    chosen = choose(draft.state.pace, [_wanted(each) for each in (own, *rest)])
    if chosen.effort is None and not _may_borrow(draft.state, slot):
        least = efforts(slot.cue.candidates)[-1]
        return Choice(least, f"{least.text}, and late: {chosen.reason}")
    return chosen


def _wanted(each: Due) -> Wanted:
    cue = each.slot.cue
    return Wanted(main_style(cue.style) or "", cue.duration_s, cue.candidates, each.left_s)


def _may_borrow(state: State, slot: Slot) -> bool:
    """Return whether a piece of the library may take the place of what is late; not of what waits for a GO."""
    return not state.bare and not state.unattended and by_itself(state, slot)


def borrow(draft: Draft, slot: Slot, reason: str) -> None:
    """Let a piece of the library stand in for want of time."""
    order = draft.order()
    draft.move(
        slot, phase=Phase.COMPOSING, order=order, borrowing=True, pressed=True, effort=None, reason=reason,
        moved_s=draft.now_s,
    )  # fmt: skip
    draft.do(Borrow(slot.cue, order, reason, pressed=True))


def do_without(draft: Draft) -> None:
    """Let a piece of the library play for the next one where nobody is there to compose it in time."""
    first = next(iter(due(draft.state, draft.now_s)), None)
    if first and first.left_s < LAST_S and first.slot.phase is Phase.PLANNED and _may_borrow(draft.state, first.slot):
        borrow(draft, first.slot, "the composer is not there")


def learn(draft: Draft, slot: Slot, seconds: float) -> None:
    """Learn from how long a piece took, or would have taken."""
    if slot.effort is not None and 0.0 < seconds < math.inf:
        cue = slot.cue
        sample = Sample(main_style(cue.style) or "", cue.duration_s, slot.effort, round(seconds, 2))
        draft.change(pace=draft.state.pace.learn(sample))


def watch_pace(draft: Draft) -> None:
    """Give up what will not be there in time, for less that will, or for a piece of the library."""
    for each in due(draft.state, draft.now_s):
        slot = each.slot
        if slot.phase is not Phase.COMPOSING or slot.borrowing or slot.effort is None:
            continue
        took_s = draft.now_s - slot.asked_s
        left_s, rest_s = each.left_s - SPARE_S, _rest_s(draft.state, slot, took_s)
        if rest_s <= left_s or took_s <= 0.0:
            return
        _hurry(draft, each, left_s, took_s, rest_s)
        return


def _rest_s(state: State, slot: Slot, took_s: float) -> float:
    """Return how long it will still take."""
    if slot.fraction >= TELLING or (slot.fraction > 0.0 and took_s >= TELLING_S):
        return took_s * (1.0 - slot.fraction) / slot.fraction
    expected = None
    if slot.effort is not None:
        expected = state.pace.expected(main_style(slot.cue.style) or "", slot.cue.duration_s, slot.effort)
    # Nobody knows better than: as long again.
    return max(took_s, expected.p99_s - took_s) if expected else took_s


def _hurry(draft: Draft, late: Due, left_s: float, took_s: float, rest_s: float) -> None:
    slot = late.slot
    effort: Effort | None = slot.effort
    assert effort is not None
    state = draft.state
    # As slow as it is now, so will be what is done in its place.
    sample = Sample(main_style(slot.cue.style) or "", slot.cue.duration_s, effort, took_s + rest_s)
    instead = choose(state.pace.learn(sample), [_wanted(late)])
    less = instead.effort is not None and instead.effort.cost < effort.cost
    hopeless = rest_s > HOPELESS * max(left_s, 0.0) or left_s < LAST_S
    if not less and not (hopeless and _may_borrow(state, slot)):
        return
    draft.do(StopComposing(slot.cue.id, slot.order))
    learn(draft, slot, took_s + rest_s)
    if less:
        # Composed anew at once, with as little as there is time for.
        draft.move(slot, phase=Phase.PLANNED, fraction=0.0, effort=None, reason=instead.reason)
    else:
        borrow(draft, draft.move(slot, fraction=0.0), f"too late: {instead.reason}")
