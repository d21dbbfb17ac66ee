"""The rules of a setlist that was changed while the show runs: what is to come follows, what is live stays."""

from __future__ import annotations

from conductor.cues.altering import become
from conductor.cues.draft import Draft
from conductor.cues.slot import Phase, Slot
from conductor.cues.state import RefusalError
from conductor.cues.undoing import remember
from conductor.setlist.diff import Diff
from conductor.setlist.editing import with_fields


def reload(draft: Draft, diff: Diff) -> None:
    """Take up what is different in the setlist; edits of the operators stay where it says nothing else.

    Raises:
        RefusalError: nothing is different, or a new cue has the id of one that an operator put in.
    """
    state = draft.state
    if diff.empty:
        raise RefusalError("the setlist says nothing else")
    clash = next((cue for cue in diff.added if (s := state.find(cue.id)) and s.inserted), None)
    if clash:
        raise RefusalError(f'the id "{clash.id}" is taken by a cue that was put in; name the new one otherwise')
    drawing = (state.endless, state.ahead) if diff.drawn_anew or diff.ahead != diff.was_ahead else None
    remember(draft, "reload", "reload", coming=True, drawing=drawing)
    if drawing:
        draft.change(endless=None if state.unattended else diff.endless, ahead=diff.ahead)
    removed = {cue.id for cue in diff.removed}
    for slot in state.open:
        if slot.cue.id in removed:
            draft.withdraw(slot)
    changed = {c.cue.id: c for c in diff.changed}
    for slot in state.open:
        if (c := changed.get(slot.cue.id)) and slot.cue.id not in removed:
            become(draft, slot, with_fields(slot.cue, c.fields))
    order = [s for s in draft.state.open if s.cue.id not in removed]
    # What has been stays so; an added cue of the same id would be it once more.
    placed = {cue.id: Slot(cue) for cue in diff.added if state.find(cue.id) is None}
    for cue_id in diff.moved:
        found = next((s for s in order if s.cue.id == cue_id), None)
        if found:
            placed[cue_id] = found
            order.remove(found)
    failed = [s for s in state.slots if s.phase is Phase.FAILED and s.cue.id in changed]
    placed |= {s.cue.id: Slot(changed[s.cue.id].cue, revision=s.revision + 1) for s in failed}
    for cue_id in diff.order:
        if cue_id in placed:
            order.insert(_after(order, diff.order[: diff.order.index(cue_id)]), placed[cue_id])
    draft.arrange(order)


def _after(order: list[Slot], earlier: tuple[str, ...]) -> int:
    """Return the place behind the nearest of the cues before one in the setlist; 0 where all have been."""
    ids = [s.cue.id for s in order]
    return next((ids.index(cue_id) + 1 for cue_id in reversed(earlier) if cue_id in ids), 0)
