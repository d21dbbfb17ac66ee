"""What the audience is told of what comes next."""

from __future__ import annotations

from conductor import wire
from conductor.cues import Phase, State


def next_of(state: State, title: str) -> wire.Next:
    """Return what comes next, and when if it is known.

    Args:
        state: of the show.
        title: of the show, for the farewell when nothing comes any more.
    """
    standby, live = state.standby, state.live
    # The feed may be behind: what is told holds while this piece is drawn.
    number = live.number if live else 0
    if standby is None:
        begun = any(slot.phase in (Phase.AIRED, Phase.LIVE) for slot in state.slots)
        return wire.Next("", farewell=title if begun and state.endless is None else "", number=number)
    if standby.cue.follow.kind == "hold" and not state.unattended:
        return wire.Next(f"{standby.cue.name} (on cue)", number=number)
    # As the player was told it: whatever else is planned, that is what will happen.
    queued = bool(state.queue) and state.queue is not None and state.queue[0] == standby.number
    if standby.number:
        gap_s: float | None = None
        if queued and live:
            cut_s = state.cuts[0] if state.cuts else None
            gap_s = state.gap_s if cut_s is None else round(cut_s - live.duration_s, 2)
        return wire.Next(standby.cue.name, gap_s, number=number)
    # In steps of a twentieth: the audience needs no more, and nobody else is told the more often.
    return wire.Next(standby.cue.name, ready=int(standby.fraction * 20) / 20, number=number)
