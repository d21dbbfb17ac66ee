"""How much music is ready to be heard: what may go wrong with composing for so long and nobody notices."""

from __future__ import annotations

from conductor.cues import PLAYABLE, Phase, State


def ahead_s(state: State, position_s: float = 0.0) -> float:
    """Return seconds of music that are ready without a gap, what is on air and what follows it.

    Args:
        state: of the show.
        position_s: seconds since the piece on air began.
    """
    live = state.live
    total_s = max(0.0, live.duration_s - position_s) if live else 0.0
    for slot in state.upcoming:
        if slot.phase not in PLAYABLE:
            break
        total_s += max(0.0, slot.duration_s - slot.from_s)
    return total_s


def phases(state: State) -> dict[str, int]:
    """Return how many cues are in each phase."""
    counts = {str(phase): 0 for phase in Phase}
    for slot in state.slots:
        counts[str(slot.phase)] += 1
    return counts
