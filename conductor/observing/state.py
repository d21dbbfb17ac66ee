"""How a show is, as plain values: what `conductor status` and the health of the console tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conductor.cues import Slot
from conductor.observing.processes import CONDUCTOR

if TYPE_CHECKING:
    from conductor import wire
    from conductor.observing.pulse import Verdict
    from conductor.show.show import Show


def health(show: Show, *, ready: bool = False) -> dict[str, Any]:
    """Return whether the programme is heard.

    Args:
        show: that is looked at.
        ready: whether all that keeps it going is asked for, too.
    """
    verdict = show.observed.judge()
    reasons = [*verdict.reasons, *(_unready(show) if ready else ())]
    return {
        "ok": not reasons,
        "audible": verdict.audible,
        "healing": verdict.healing,
        "bridged": verdict.bridged,
        "reasons": reasons,
        "silent_s": round(verdict.silent_s, 1),
        "sample": show.crew.heard.sample,
    }


def _unready(show: Show) -> list[str]:
    """Return what would be missed before long though it is heard now."""
    reasons = [f"{name}: not there" for name, worker in show.crew.workers.items() if not worker.up]
    state = show.state
    live_or_next = state.live or any(slot.number for slot in state.upcoming)
    if not live_or_next and not state.over:
        reasons.append("no piece is ready: only the bed can be heard")
    return reasons


def status(show: Show) -> dict[str, Any]:
    """Return what is on, what keeps it going, and where it goes."""
    state, heard, observed = show.state, show.crew.heard, show.observed
    levels, feed, obs = heard.levels, heard.feed, show.on_air.obs
    found = {each.name: each for each in observed.processes.look(show.crew.workers)}
    workers = {}
    for name, process in found.items():
        worker = show.crew.workers.get(name)
        workers[name] = {
            "up": worker.up if worker else name == CONDUCTOR,
            "pid": process.pid,
            "restarts": worker.restarts if worker else 0,
            "memory_mb": round(process.memory_bytes / 1e6, 1),
            "cpu_s": round(process.cpu_s, 1),
            "up_s": round(process.up_s, 1),
        }
    return {
        "title": show.setlist.title,
        **health(show),
        "alarms": list(show.vigil.alarms.values()),
        "up_s": round(observed.uptime_s, 1),
        "inaudible_s": round(observed.silent_total_s, 1),
        "bridged_s": round(observed.bridged_total_s, 1),
        "live": _cue(state.live),
        "position_s": round(levels.position_s, 1) if levels and levels.number else 0.0,
        "next": _cue(state.standby),
        "ahead_s": round(observed.ahead_s, 1),
        "switches": [name for name in ("held", "locked", "panicked", "over") if getattr(state, name)],
        "momentary_lufs": round(levels.momentary_lufs, 1) if levels else None,
        "integrated_lufs": round(observed.integrated_lufs, 1),
        "workers": workers,
        "outputs": {
            "viewers": feed.viewers if feed else 0,
            "recording": feed.recording if feed else "",
            "destinations": [_destination(show, each) for each in feed.destinations] if feed else [],
            "obs": None if obs is None else {"connected": obs.available, "streaming": obs.streaming,
                                             "text": obs.alert or ("" if obs.available else obs.reason)},
        },
    }  # fmt: skip


def line(show: Show, verdict: Verdict) -> str:
    """Return how the show is in one line, for systemd."""
    live = show.state.live
    on_air = f"on air: {live.cue.name}" if live else "on air: the bed"
    ahead = f"{show.observed.ahead_s / 60:.0f} min ahead"
    return f"{on_air}, {ahead}" if verdict.audible else f"NOT HEARD: {'; '.join(verdict.reasons)}"


def _cue(slot: Slot | None) -> dict[str, Any] | None:
    if slot is None:
        return None
    return {
        "id": slot.cue.id,
        "number": slot.cue.number,
        "name": slot.cue.name,
        "phase": str(slot.phase),
        "fraction": round(slot.fraction, 2),
        "duration_s": round(slot.duration_s or slot.cue.duration_s, 1),
    }


def _destination(show: Show, to: wire.DestinationStatus) -> dict[str, Any]:
    return {
        "name": to.name,
        "place": to.place,
        "state": to.state,
        "for_s": to.for_s,
        "kbit_s": round(show.observed.bitrates.of(to.name) / 1000),
        "dropped": to.dropped,
        "reconnects": to.reconnects,
        "last_error": to.last_error,
    }
