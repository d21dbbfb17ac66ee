"""The rules of changes while a piece plays, and of pieces that take another's place; see `conductor.cues.rules`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from conductor.cues.actions import Forget, StartChange, StopChange
from conductor.cues.draft import Draft
from conductor.cues.events import Revised, Unchanged
from conductor.cues.slot import PLAYABLE, Changing, Phase, Slot
from conductor.cues.state import RefusalError, State
from conductor.cues.verbs import Change
from conductor.setlist.values import MAX_SEED

# With less to come, a change is not worth hearing.
LEAST_LEFT_S = 15.0
# What is composed anew is at least so long.
_LEAST_NEW_S = 6.0
# How far ahead of the playhead a change begins: learned from how long its first notes took.
LEAD_S = (0.8, 15.0)
_SAFETY, _SAFETY_S = 1.2, 0.3
_FORGETS = 0.75
# A lead of so many bars is tried as one.
_MAY_DO = 1.5
# No section in so long: the composer is given up, and what the player has plays on.
STALL_S = 60.0
# A piece that was to take the place of a changed one is composed anew when there is so much time.
_RECOMPOSE_S = 30.0


def change(draft: Draft, event: Change) -> None:
    """Begin a change of the piece on air, from a bar line that the composer can be ahead of.

    Raises:
        RefusalError: nothing can be changed now; why.
    """
    state, live = draft.state, draft.state.live
    if live is None:
        raise RefusalError("nothing is on air that could be changed")
    name = live.cue.name
    if live.fading:
        raise RefusalError(f"{name} is fading already")
    if not state.player or not state.composer:
        who = "player" if not state.player else "composer"
        raise RefusalError(f"the {who} is not there - try again in a moment")
    left_s = live.duration_s - event.position_s
    if left_s < LEAST_LEFT_S:
        raise RefusalError(
            f"{name} is nearly over ({max(0.0, left_s):.0f} s are left; a change takes {LEAST_LEFT_S:.0f})"
        )
    if not event.wish:
        raise RefusalError("nothing is to be different")
    last_s = max(live.duration_s, dict(event.wish).get("duration_s", 0.0)) - _LEAST_NEW_S
    lead_s = _lead_s(state.lead_s, event.bars)
    ahead = [line for line in event.bars if event.position_s + lead_s <= line[1] <= last_s]
    if not ahead:
        raise RefusalError(f"{name} has no bar line left that the composer can be ahead of")
    bar, at_s = ahead[0]
    if live.changing:
        draft.do(StopChange(live.cue.id, live.changing.id))
    changing = Changing(state.next_change, bar, round(at_s, 2), draft.now_s, draft.now_s)
    wish = tuple({**dict(live.wish), **dict(event.wish)}.items())
    draft.move(live, changing=changing, wish=wish)
    draft.change(next_change=changing.id + 1)
    seed = (live.cue.seed + changing.id * 7919) % (MAX_SEED + 1)
    draft.do(StartChange(live.cue, live.number, changing, wish, seed))


def _lead_s(learned_s: float, bars: Sequence[tuple[int, float]]) -> float:
    """Return how far ahead of the playhead to begin: a bar where that may do, so that two bars are enough.

    What comes too late for its bar line takes the next one, which costs no more than a longer lead.
    """
    bar_s = min((later[1] - line[1] for line, later in pairwise(bars)), default=learned_s)
    return bar_s if bar_s < learned_s <= _MAY_DO * bar_s else learned_s


def changed(draft: Draft, event: Revised | Unchanged) -> None:
    """Note that the player has a section, or that none comes any more."""
    slot = draft.state.find(event.cue_id)
    changing = slot.changing if slot else None
    if not slot or not changing or changing.id != event.change_id:
        return
    if isinstance(event, Unchanged):
        draft.move(slot, changing=None)
        return
    if not changing.until_s:
        answer_s = draft.now_s - changing.asked_s
        lead_s = max(_SAFETY * answer_s + _SAFETY_S, _FORGETS * draft.state.lead_s)
        draft.change(lead_s=min(LEAD_S[1], max(LEAD_S[0], lead_s)))
    under_way = None if event.final else replace(changing, until_s=event.until_s, moved_s=draft.now_s)
    draft.move(slot, changing=under_way, duration_s=event.duration_s, revision=slot.revision + 1)
    if event.final:
        _join_anew(draft, event.duration_s - changing.at_s)


def _join_anew(draft: Draft, left_s: float) -> None:
    """Compose what was to go on from a changed piece again, if there is time; else it just follows."""
    slot = next(iter(draft.state.upcoming), None)
    if slot and slot.joins and slot.phase in PLAYABLE and slot.number != draft.state.fired and left_s > _RECOMPOSE_S:
        draft.do(Forget(slot.number))
        draft.change(queue=None)
        anew = {"number": 0, "fraction": 0.0, "joins": None, "piece": None, "takes": ()}
        draft.move(slot, phase=Phase.PLANNED, revision=slot.revision + 1, **anew)


def tend(draft: Draft) -> None:
    """Take back changes of what is not on air any more, or that the composer owes for too long."""
    for slot in draft.state.slots:
        changing = slot.changing
        if not changing:
            continue
        silent = draft.now_s - changing.moved_s > STALL_S
        if slot.phase is not Phase.LIVE or slot.fading or not draft.state.composer or silent:
            draft.move(slot, changing=None)
            draft.do(StopChange(slot.cue.id, changing.id))


def before(state: State, slot: Slot) -> Slot | None:
    """Return the slot a cue's piece goes on from; None where it stands alone."""
    cue = slot.cue
    if cue.follow.kind != "morph" or cue.opening or cue.opening_tokens:
        return None
    order = [s for s in state.slots if s.phase is Phase.LIVE or s in state.upcoming]
    place = order.index(slot)
    earlier = order[place - 1] if place else None
    there = (
        earlier
        and (earlier.phase in (Phase.CHECKED, *PLAYABLE, Phase.LIVE))
        and not earlier.fading
        and not earlier.changing
    )
    return earlier if there else None


def cut_s(slot: Slot, earlier: Slot | None) -> float | None:
    """Return the second at which a piece takes the place of the one before; None: it follows its end."""
    joins = slot.joins
    if not joins or not earlier or earlier.changing or earlier.fading:
        return None
    return joins.at_s if (earlier.cue.id, earlier.revision) == (joins.cue_id, joins.revision) else None


def said(cuts: Iterable[float | None]) -> tuple[float | None, ...]:
    """Return the cuts of a queue; none at all where no piece takes another's place."""
    all_of_them = tuple(cuts)
    return all_of_them if any(cut is not None for cut in all_of_them) else ()
