"""A coming cue becomes another one."""

from __future__ import annotations

from conductor.cues.actions import Give
from conductor.cues.draft import Draft
from conductor.cues.slot import Slot
from conductor.setlist import Cue
from conductor.setlist.editing import SHOWN, differing, touches_music


def become(draft: Draft, slot: Slot, cue: Cue) -> bool:
    """Let a coming cue be another; what does not touch its music keeps it. Return whether anything is different."""
    names = differing(slot.cue, cue)
    # What stood alone was not composed to go on from another piece.
    morphs = cue.follow.kind == "morph" != slot.cue.follow.kind
    if touches_music(names) or morphs:
        compose_anew(draft, slot, cue)
    elif names:
        draft.move(slot, cue=cue, joins=slot.joins if cue.follow.kind == "morph" else None)
        if slot.number and SHOWN & set(names):
            draft.do(Give((cue.id,)))
    return bool(names)


def compose_anew(draft: Draft, slot: Slot, cue: Cue) -> None:
    """Let a coming cue's music go: another is composed."""
    draft.withdraw(slot)
    fresh = Slot(cue, revision=slot.revision + 1, copy_of=slot.copy_of, inserted=slot.inserted, drawn=slot.drawn)
    draft.state = draft.state.put(fresh)
