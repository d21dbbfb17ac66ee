"""The rules of editing what is to come."""

from __future__ import annotations

import random
import re
from dataclasses import replace

from conductor.cues.altering import become, compose_anew
from conductor.cues.draft import Draft
from conductor.cues.reloading import reload
from conductor.cues.slot import OVER, PLAYABLE, Phase, Slot
from conductor.cues.state import RefusalError, State
from conductor.cues.undoing import remember
from conductor.cues.verbs import (
    Again,
    Back,
    Choose,
    Edit,
    Editing,
    Insert,
    Move,
    Regenerate,
    Reload,
    Standby,
    SwitchEndless,
)
from conductor.setlist import Cue
from conductor.setlist.editing import with_fields
from conductor.setlist.values import AUTO, MAX_SEED

# More than a show can be followed with; somebody leans on a key.
MOST_COMING = 500


def edit(draft: Draft, event: Editing) -> None:
    """Change what is to come as an operator says.

    Raises:
        RefusalError: it cannot be changed so; why.
    """
    state = draft.state
    match event:
        case Standby(cue_id):
            slot = coming(state, cue_id)
            if slot == state.standby:
                raise RefusalError(f"{slot.cue.name} is next already")
            remember(draft, "standby", f"standby {slot.cue.name}", coming=True)
            draft.arrange((slot, *(s for s in state.open if s != slot)))
        case Move(cue_id, to):
            _move(draft, coming(state, cue_id), to)
        case Back():
            _back(draft)
        case Again(cue_id, fields):
            _again(draft, _known(state, cue_id), with_fields(_known(state, cue_id).cue, fields), "seed" in dict(fields))
        case Insert(cue, at):
            _insert(draft, cue, at)
        case Regenerate(cue_id):
            slot = coming(state, cue_id)
            remember(draft, "regenerate", f"regenerate {slot.cue.name}", coming=True)
            compose_anew(draft, slot, replace(slot.cue, seed=_another_seed(f"{slot.cue.seed}")))
        case Edit(cue_id, fields):
            slot = coming(state, cue_id)
            remember(draft, "edit", f"edit {slot.cue.name}", coming=True)
            if not become(draft, slot, with_fields(slot.cue, fields)):
                raise RefusalError(f"{slot.cue.name} is so already")
        case Choose(cue_id, candidate):
            _choose(draft, coming(state, cue_id), candidate)
        case SwitchEndless(on):
            if not state.endless:
                raise RefusalError("the setlist has no endless part")
            if state.endless_on == on:
                raise RefusalError(f"endless is {'on' if on else 'off'} already")
            remember(draft, "endless", f"endless {'on' if on else 'off'}", endless_on=state.endless_on)
            draft.change(endless_on=on)
        case Reload(diff):
            reload(draft, diff)


def _known(state: State, cue_id: str) -> Slot:
    slot = state.find(cue_id)
    if not slot:
        raise RefusalError(f'there is no cue "{cue_id}"')
    return slot


def coming(state: State, cue_id: str) -> Slot:
    """Return the slot of a cue that is still to come.

    Raises:
        RefusalError: it is not; why.
    """
    slot = _known(state, cue_id)
    if slot.phase is Phase.LIVE:
        raise RefusalError(f"{slot.cue.name} is on air - what plays is altered with change")
    if slot.phase in OVER:
        raise RefusalError(f"{slot.cue.name} is {slot.phase} - again brings a copy")
    if slot not in state.open:
        raise RefusalError(f"{slot.cue.name} is starting")
    return slot


def _move(draft: Draft, slot: Slot, to: int) -> None:
    rest = [s for s in draft.state.open if s != slot]
    if not 1 <= to <= len(rest) + 1:
        raise RefusalError(f"there is no place {to}; 1 is next, {len(rest) + 1} the last")
    moved = (*rest[: to - 1], slot, *rest[to - 1 :])
    if moved == draft.state.open:
        raise RefusalError(f"{slot.cue.name} is there already")
    remember(draft, "move", f"move {slot.cue.name}", coming=True)
    draft.arrange(moved)


def _back(draft: Draft) -> None:
    state = draft.state
    aired = next((s for s in reversed(state.slots) if s.phase is Phase.AIRED), None)
    if aired is None:
        raise RefusalError("nothing has been on air yet")
    if aired.piece is None:
        raise RefusalError(f"the music of {aired.cue.name} was not kept - again composes another")
    standby = state.standby
    if standby and standby.piece == aired.piece:
        raise RefusalError(f"{aired.cue.name} is next already")
    cue = _copy(state, aired)
    # Its music is there and goes on from nothing.
    cue = replace(cue, follow=AUTO) if cue.follow.kind == "morph" else cue
    _put_in(draft, Slot(cue, piece=aired.piece, takes=aired.takes, copy_of=_origin(aired)), 1, "back")


def _again(draft: Draft, slot: Slot, changed: Cue, seeded: bool) -> None:
    cue = _copy(draft.state, slot)
    cue = replace(changed, id=cue.id, number=cue.number, drawn=False)
    if not seeded:
        cue = replace(cue, seed=_another_seed(f"{cue.seed}/{cue.id}"))
    _put_in(draft, Slot(cue, copy_of=_origin(slot)), 1, "again")


def _insert(draft: Draft, cue: Cue, at: int | None) -> None:
    state = draft.state
    if cue.id and state.find(cue.id):
        raise RefusalError(f'there is a cue "{cue.id}" already')
    own = [s for s in state.open if not s.drawn]
    place = len(own) + 1 if at is None else at
    if not 1 <= place <= len(state.open) + 1:
        raise RefusalError(f"there is no place {place}; 1 is next, {len(state.open) + 1} the last")
    before = (*state.past, *state.open[: place - 1])
    cue_id = cue.id or free_id(state, re.sub(r"[^\w]+", "-", cue.name.lower()).strip("-") or "cue")
    cue = replace(cue, id=cue_id, number=cue.number or _free_number(state, before[-1].cue.number if before else "0"))
    _put_in(draft, Slot(cue), place, "insert")


def _put_in(draft: Draft, slot: Slot, place: int, verb: str) -> None:
    rest = draft.state.open
    if len(rest) >= MOST_COMING:
        raise RefusalError(f"{MOST_COMING} cues are to come already")
    remember(draft, verb, f"{verb} {slot.cue.name}", coming=True)
    draft.arrange((*rest[: place - 1], replace(slot, inserted=True), *rest[place - 1 :]))


def _choose(draft: Draft, slot: Slot, candidate: int) -> None:
    if slot.phase not in PLAYABLE:
        raise RefusalError(f"{slot.cue.name} has no candidates yet ({slot.phase})")
    if not 1 <= candidate <= len(slot.takes):
        there = f"it has {len(slot.takes)}" if slot.takes else "none were kept"
        raise RefusalError(f"{slot.cue.name} has no candidate {candidate}; {there}")
    chosen = slot.takes[candidate - 1]
    if chosen.refused:
        raise RefusalError(f"candidate {candidate} must not be played: {chosen.refused}")
    if chosen.piece == slot.piece:
        raise RefusalError(f"candidate {candidate} is chosen already")
    remember(draft, "take", f"take {candidate} of {slot.cue.name}", coming=True)
    compose_anew(draft, slot, slot.cue)
    draft.move(draft.state.find(slot.cue.id) or slot, piece=chosen.piece, takes=slot.takes)


def _copy(state: State, slot: Slot) -> Cue:
    origin = _origin(slot)
    return replace(slot.cue, id=free_id(state, origin), number=_free_number(state, slot.cue.number), drawn=False)


def _origin(slot: Slot) -> str:
    return slot.copy_of or slot.cue.id


def free_id(state: State, wanted: str) -> str:
    """Return an id that no cue has: the one wanted, or with a number."""
    taken = {s.cue.id for s in state.slots}
    # Of what was undone, too: it may come back.
    taken |= {c.cue.id for plan in (*state.undo, *state.redo) for c in plan.coming or ()}
    number, cue_id = 1, wanted
    while cue_id in taken:
        number += 1
        cue_id = f"{wanted}-{number}"
    return cue_id


def _free_number(state: State, after: str) -> str:
    """Return a number for an operator: `3b`, `3c` after `3`."""
    taken = {s.cue.number for s in state.slots}
    stem = re.sub(r"(?<=\d)[a-z]$", "", after)
    letters = (f"{stem}{letter}" for letter in "bcdefghijklmnopqrstuvwxyz")
    return next((number for number in letters if number not in taken), f"{stem}+")


def _another_seed(of: str) -> int:
    """Return a seed that follows from a text: a pure function draws no lots."""
    return random.Random(of).randint(0, MAX_SEED)
