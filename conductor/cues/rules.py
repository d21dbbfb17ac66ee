"""The rules of the show: a pure function (state, event) -> (state, actions).

An event first changes the facts; then `following.settle` asks for whatever the new facts
call for. So the same rules hold after every event, in any order, and a repeated
or late event asks for nothing twice.
"""

from __future__ import annotations

from conductor.cues.actions import Action
from conductor.cues.changing import changed
from conductor.cues.composing import composer, heard, kept, watch_composing
from conductor.cues.draft import Draft
from conductor.cues.drawing import tell_time
from conductor.cues.events import (
    Began,
    ComposerLost,
    ComposerUp,
    Event,
    Finished,
    Kept,
    Missed,
    PlayerLost,
    PlayerUp,
    Progressed,
    Renewed,
    Revised,
    Starved,
    Tick,
    Took,
    Unchanged,
    Unheard,
    Voted,
)
from conductor.cues.following import settle
from conductor.cues.ladder import starved, unheard
from conductor.cues.operating import obey
from conductor.cues.pacing import watch_pace
from conductor.cues.playing import began, finished, player, watch_playing
from conductor.cues.state import State
from conductor.cues.voting import promote, voted


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
        case Tick(wall_s):
            if wall_s is not None:
                tell_time(draft, wall_s)
            watch_composing(draft)
            watch_pace(draft)
            watch_playing(draft)
        case ComposerUp() | ComposerLost():
            composer(draft, up=isinstance(event, ComposerUp))
        case PlayerUp():
            player(draft, event)
        case PlayerLost():
            player(draft, None)
        case Progressed() | Took() | Missed():
            heard(draft, event)
        case Kept():
            kept(draft, event)
        case Renewed(cue_id, piece):
            slot = state.find(cue_id)
            if slot:
                draft.move(slot, piece=piece)
        case Revised() | Unchanged():
            changed(draft, event)
        case Voted():
            voted(draft, event)
        case Began(number):
            began(draft, number)
        case Finished(number):
            finished(draft, number)
        case Unheard(number):
            unheard(draft, number)
        case Starved():
            starved(draft)
        case _:
            obey(draft, event)
    promote(draft)
    settle(draft)
    return draft.state, tuple(draft.actions)
