"""The show as the console and its clients see it: plain values, ready for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from conductor.cues import Slot
from conductor.show.pace import left_s, told_pace
from conductor.show.show import Show
from model.instruments import INSTRUMENTS
from model.language.vocabulary import STYLES
from streaming.obs.wanted import ObsState

AS_RUN_SHOWN = 60


def snapshot(show: Show) -> dict[str, Any]:
    """Return everything a console shows, but for the meters."""
    state = show.state
    live, standby = state.live, state.standby
    return {
        "title": show.setlist.title,
        "revision": show.revision,
        "setlist": {"news": list(show.pending.lines), "trouble": show.pending.trouble},
        "held": state.held,
        "locked": state.locked,
        "panicked": state.panicked,
        "endless": state.endless_on if state.endless else None,
        "undo": state.undo[-1].told if state.undo else "",
        "redo": state.redo[-1].told if state.redo else "",
        "over": state.over,
        "chat": show.polls.heard,
        "poll": show.polls.plain,
        "live": live.cue.id if live else None,
        "standby": standby.cue.id if standby else None,
        "starting": bool(state.fired),
        "cues": [_cue(show, slot) for slot in state.slots],
        "workers": {name: {"up": worker.up, "restarts": worker.restarts} for name, worker in show.crew.workers.items()},
        "alarms": dict(show.vigil.alarms),
        "recording": str(show.options.record) if show.options.record else "",
        "pace": told_pace(state),
        "loudness": dict(zip(("lufs", "dbtp"), show.setlist.loudness, strict=True)),
        "vocabulary": {"styles": list(STYLES), "instruments": [instrument.name for instrument in INSTRUMENTS]},
        "as_run": [asdict(line) for line in show.library.as_run(AS_RUN_SHOWN)],
    }


def _cue(show: Show, slot: Slot) -> dict[str, Any]:
    cue = slot.cue
    take = show.commissions.takes.get(cue.id)
    by_itself = cue.follow.kind != "hold" or show.state.unattended
    return {
        "id": cue.id,
        "number": cue.number,
        "name": cue.name,
        "style": str(cue.style or ""),
        "instruments": list(cue.instruments),
        "phase": str(slot.phase),
        "fraction": round(slot.fraction, 3),
        "attempt": slot.attempt,
        "duration_s": round(slot.duration_s or cue.duration_s, 1),
        "starts": cue.follow.kind if by_itself else "hold",
        "hang_s": cue.follow.hang_s,
        "morph_s": cue.follow.morph_s,
        "fading": slot.fading,
        "changing": _changing(slot),
        "composing_s": round(take.composing_s, 1) if take else None,
        "reason": slot.reason,
        "notes": cue.notes,
        "piece": slot.piece or (take.piece_id if take else None),
        "takes": [{"piece": t.piece, "score": round(t.score, 3), "refused": t.refused} for t in slot.takes],
    }


def _obs(obs: ObsState | None) -> dict[str, Any] | None:
    """Return what is told of OBS; None where nobody drives it."""
    if obs is None:
        return None
    told = asdict(obs)
    # Twenty times a minute, and of no use to an operator.
    for name in ("level_db", "total_frames"):
        del told[name]
    return told


def _changing(slot: Slot) -> dict[str, Any] | None:
    """Return what is told of a change under way."""
    changing = slot.changing
    if changing is None:
        return None
    text = f"{'changed' if changing.until_s else 'changing'} from bar {changing.bar}"
    return {"bar": changing.bar, "at_s": changing.at_s, "until_s": round(changing.until_s, 2), "text": text}


def meters(show: Show) -> dict[str, Any]:
    """Return what changes many times a second: levels, position, the feed's counts."""
    levels, feed = show.crew.heard.levels, show.crew.heard.feed
    return {
        "sample": show.crew.heard.sample,
        "position_s": round(levels.position_s, 1) if levels and levels.number else 0.0,
        "bed": bool(levels and not levels.number),
        "ahead_s": round(show.observed.ahead_s, 1),
        "left_s": left_s(show.state, show.now_s),
        "momentary_lufs": round(levels.momentary_lufs, 1) if levels else None,
        "integrated_lufs": round(levels.integrated_lufs, 1) if levels else None,
        "peak_dbtp": round(levels.peak_dbtp, 1) if levels else None,
        "voices": levels.voices if levels else 0,
        "viewers": feed.viewers if feed else 0,
        "readers": feed.readers if feed else 0,
        "dropped": feed.dropped if feed else 0,
        "slate": bool(feed and feed.slate),
        "emergency": bool(feed and feed.emergency),
        "recording": feed.recording if feed else "",
        "obs": _obs(show.on_air.obs),
        "destinations": [asdict(destination) for destination in feed.destinations] if feed else [],
    }
