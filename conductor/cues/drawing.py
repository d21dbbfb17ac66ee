"""The rules of what is drawn when nobody planned: as many as are to be ahead, each for its moment."""

from __future__ import annotations

from conductor.cues.draft import Draft
from conductor.cues.slot import Phase, Slot
from conductor.cues.state import State
from conductor.radio.drawing import draw, follow_of, gap_of, kept_to

# A clock that is put by less is followed later: what is drawn does not hang on seconds.
_PUT_S = 5.0
# What nobody hears is no reason for or against what follows.
_UNHEARD = frozenset({Phase.SKIPPED, Phase.FAILED})


def tell_time(draft: Draft, wall_s: float) -> None:
    """Note the time of day, in seconds since 1970."""
    clock_s = wall_s - draft.now_s
    if abs(clock_s - draft.state.clock_s) > _PUT_S:
        draft.change(clock_s=clock_s)


def draw_ahead(draft: Draft) -> None:
    """Draw as many as are to be ahead."""
    while draft.state.endless and draft.state.endless_on and len(draft.state.upcoming) < draft.state.ahead:
        draw_one(draft)


def draw_one(draft: Draft, prefer: str | None = None, *, voted: bool = False) -> None:
    """Draw the next piece, at the end of what is to come.

    Args:
        draft: of a state with an endless part.
        prefer: a style in place of the one drawn.
        voted: whether the audience chose it.
    """
    state = draft.state
    if state.endless is None:
        return
    index = state.drawn + 1
    before = [s.cue for s in (*state.past, *state.upcoming) if s.phase not in _UNHEARD]
    ends_s = kept_to(state.drawn_until_s, _ends_s(state, draft.now_s))
    moment_s = ends_s + (gap_of(follow_of(state.endless, state.endless_seed, index)) if before else 0.0)
    cue = draw(state.endless, state.endless_seed, index, before, moment_s, prefer)
    draft.change(drawn=index, drawn_until_s=moment_s + cue.duration_s)
    # Somebody may have called a cue of his own so.
    if state.find(cue.id) is None:
        draft.change(slots=(*state.slots, Slot(cue, drawn=index, voted=voted)))


def _ends_s(state: State, now_s: float) -> float:
    """Return when what is to come will be over, in seconds since 1970."""
    left_s = 0.0
    if live := state.live:
        played_s = live.duration_s / 2 if state.began_s is None else now_s - state.began_s
        left_s = max(0.0, live.duration_s - played_s)
    coming_s = sum((slot.duration_s or slot.cue.duration_s) + gap_of(slot.cue.follow) for slot in state.upcoming)
    return now_s + state.clock_s + left_s + coming_s
