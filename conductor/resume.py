"""A show that broke off is taken up where it was: by the next conductor, with the workers that play on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from conductor.cues import OVER, PLAYABLE, Phase, Slot, State
from conductor.library import Library
from conductor.setlist import Cue
from conductor.shares import share_rows
from conductor.take import Take, read_take
from model.composing.blend import caption_of
from model.errors import ModelError

LOG = logging.getLogger("conductor.resume")

KEY = "show"


def save(state: State, takes: Mapping[str, Take]) -> dict[str, Any]:
    """Return what the next conductor must know, as plain values."""
    return {
        "slots": [
            {
                "id": slot.cue.id,
                "phase": str(slot.phase),
                "number": slot.number,
                "duration_s": slot.duration_s,
                "piece": takes[slot.cue.id].piece_id if slot.cue.id in takes else None,
                # A drawn cue is in no setlist.
                "drawn": slot.cue.as_dict() if slot.cue.drawn else None,
            }
            for slot in state.slots
        ],
        "next_number": state.next_number,
        "drawn": state.drawn,
        "endless_seed": state.endless_seed,
        "held": state.held,
    }


def restore(fresh: State, saved: Mapping[str, Any], library: Library) -> tuple[State, dict[str, Take]]:
    """Return the state a show goes on from, and the takes it has.

    What was over stays over; what was live is live until the player says otherwise;
    pieces that were ready are read again; the rest is composed anew.

    Args:
        fresh: the state of the setlist as it is now.
        saved: what `save` returned.
        library: of the show.
    """
    takes: dict[str, Take] = {}
    slots: list[Slot] = []
    rest = {slot.cue.id: slot for slot in fresh.slots}
    for old in saved["slots"]:
        slot = rest.pop(old["id"], None)
        if slot is None and old["drawn"] and fresh.endless:
            slot = Slot(Cue.of(old["drawn"]))
        # Taken out of the setlist meanwhile.
        if slot is None:
            continue
        phase = Phase(old["phase"])
        if phase in OVER:
            slot = replace(slot, phase=phase)
        elif phase is Phase.LIVE or phase in PLAYABLE:
            take = _read(library, old["piece"], slot.cue)
            if take:
                takes[slot.cue.id] = take
            if take or phase is Phase.LIVE:
                kept = Phase.LIVE if phase is Phase.LIVE else Phase.READY
                slot = replace(slot, phase=kept, number=old["number"], fraction=1.0, duration_s=old["duration_s"])
        slots.append(slot)
    state = replace(
        fresh,
        slots=(*slots, *rest.values()),
        next_number=saved["next_number"],
        drawn=saved["drawn"],
        endless_seed=saved["endless_seed"],
        held=saved["held"],
    )
    return state, takes


def _read(library: Library, piece_id: int | None, cue: Cue) -> Take | None:
    piece = library.piece(piece_id) if piece_id is not None else None
    if piece is None:
        return None
    try:
        take = read_take(piece.midi, title=cue.name, caption=caption_of(cue.style), piece_id=piece.id)
    except ModelError as error:
        LOG.warning("%s", error)
        return None
    return replace(take.played_for(cue), style=piece.style, provenance=piece.provenance, styles=share_rows(cue.style))
