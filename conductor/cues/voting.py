"""The rules of what the audience chose: composed beside what is ready, and next as soon as it is there.

Nothing that is ready waits for it, and nothing is thrown away: what loses a vote is heard later.
"""

from __future__ import annotations

from dataclasses import replace

from conductor.cues.draft import Draft
from conductor.cues.drawing import draw_one
from conductor.cues.events import Voted
from conductor.cues.slot import PLAYABLE, Phase, Slot


def voted(draft: Draft, event: Voted) -> None:
    """Draw a piece of the style that won, or let a cue that asked be of it."""
    state = draft.state
    if event.cue_id:
        _restyle(draft, state.find(event.cue_id), event.style)
        return
    if not state.endless or not state.endless_on:
        return
    draw_one(draft, prefer=event.style, voted=True)


def _restyle(draft: Draft, slot: Slot | None, style: str) -> None:
    """Let a cue that is not composed yet be of another style, or (empty) of its own; what is composed stays."""
    if slot is None:
        return
    slot = draft.move(slot, asking=False)
    if style and slot in draft.state.open and slot.phase is Phase.PLANNED and slot.piece is None:
        draft.move(slot, cue=replace(slot.cue, style=style))


def promote(draft: Draft) -> None:
    """Let what was voted for be next of all that is drawn, once its music is there."""
    coming = draft.state.open
    slot = next((s for s in coming if s.voted and s.phase in PLAYABLE), None)
    if slot is None:
        return
    # Once: who moves it away again may.
    slot = draft.move(slot, voted=False)
    rest = [s for s in draft.state.open if s.cue.id != slot.cue.id]
    place = next((n for n, s in enumerate(rest) if s.drawn), len(rest))
    draft.arrange((*rest[:place], slot, *rest[place:]))
