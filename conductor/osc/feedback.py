"""What a show controller is told of a show."""

from __future__ import annotations

from typing import Any

from conductor.osc.spelling import ROOT

# Address, without its root, and values.
Told = dict[str, tuple[Any, ...]]


def told(state: dict[str, Any], meters: dict[str, Any]) -> Told:
    """Return messages that tell how a show is.

    Args:
        state: as consoles get it.
        meters: as consoles get them.
    """
    by_id = {cue["id"]: cue for cue in state["cues"]}
    live, standby = by_id.get(state["live"] or ""), by_id.get(state["standby"] or "")
    left_s = max(0.0, live["duration_s"] - meters["position_s"]) if live else 0.0
    lufs = meters["momentary_lufs"]
    return {
        f"/{ROOT}/is/live": (live["id"], live["name"]) if live else ("", ""),
        f"/{ROOT}/is/standby": (standby["id"], standby["name"], standby["phase"]) if standby else ("", "", ""),
        f"/{ROOT}/is/held": (int(state["held"]),),
        f"/{ROOT}/is/locked": (int(state["locked"]),),
        f"/{ROOT}/is/panicked": (int(state["panicked"]),),
        f"/{ROOT}/is/endless": (int(bool(state["endless"])),),
        f"/{ROOT}/is/revision": (state["revision"],),
        f"/{ROOT}/is/left": (round(left_s, 1),),
        f"/{ROOT}/is/lufs": (float(lufs) if lufs is not None else -120.0,),
    }
