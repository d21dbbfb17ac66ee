"""How long composing takes, kept from one run to the next; and what is told of it."""

from __future__ import annotations

import logging
import math
from typing import Any

from conductor.cues import Phase, State
from conductor.cues.pacing import due
from conductor.errors import LibraryError
from conductor.library import Library
from conductor.pace.effort import Effort
from conductor.pace.learning import REMEMBERED, Pace, Sample
from model.composing.blend import main_style

LOG = logging.getLogger("conductor.show.pace")

KEY = "pace"
_MISSING = (Phase.PLANNED, Phase.COMPOSING, Phase.RECALLING)


def known_pace(library: Library) -> Pace:
    """Return what earlier runs learned; where they kept none, what the pieces of the library tell."""
    try:
        kept = library.recall(KEY)
        return Pace.of(kept) if isinstance(kept, list) else Pace().learn(*_history(library))
    except LibraryError as error:
        LOG.warning("how long composing takes is not known: %s", error)
        return Pace()


def keep_pace(library: Library, pace: Pace) -> None:
    """Keep what was learned for the next run."""
    try:
        library.remember(KEY, pace.plain)
    except LibraryError as error:
        LOG.error("%s", error)


def _history(library: Library) -> list[Sample]:
    """Return what the pieces of a library tell of how long they took, the latest last."""
    samples = []
    for seconds, provenance in library.composing_times(REMEMBERED):
        prompt = provenance.get("prompt") or {}
        try:
            samples.append(
                Sample.of(
                    [
                        main_style(prompt["style"]) if isinstance(prompt["style"], str) else "",
                        prompt["duration_s"],
                        prompt["candidates"],
                        prompt.get("context") or 0,
                        seconds,
                    ]
                )
            )
        except (ValueError, KeyError, TypeError):
            continue
    return samples


def told_pace(state: State) -> dict[str, Any] | None:
    """Return what is known of the next piece to be composed, for consoles; None: all that is to come is ready.

    Args:
        state: of the show.
    """
    slot = next((slot for slot in state.upcoming if slot.phase in _MISSING), None)
    if slot is None:
        return None
    effort = slot.effort or Effort(slot.cue.candidates)
    expected = state.pace.expected(main_style(slot.cue.style) or "", slot.cue.duration_s, effort)
    return {
        "id": slot.cue.id,
        "needs_s": expected and round(expected.p50_s, 1),
        "needs_at_most_s": expected and round(expected.p99_s, 1),
        "candidates": effort.candidates,
        "short": bool(effort.context),
    }


def left_s(state: State, now_s: float) -> float | None:
    """Return seconds until the next piece that is not ready should begin; None: whenever it is, or all are ready."""
    missing = next((each for each in due(state, now_s) if each.slot.phase in _MISSING), None)
    return None if missing is None or math.isinf(missing.left_s) else round(missing.left_s, 1)
