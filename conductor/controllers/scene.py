"""What of a show the lights and faders of a controller go by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Scene:
    """A moment of a show.

    Attributes:
        live: id of the cue on air.
        standby: id of the cue that GO starts.
        playing: whether the player is there; without it GO is refused whatever is ready.
        phases: of all cues by id, in the order of playing.
        numbers: ids of the cues by the numbers that the operator calls them by.
        lit: verbs that are in force: `hold`, `endless`, `lock`, `panic`.
        idle: verbs that would do nothing now, such as `undo`.
        values: what holds now, by verb and argument, such as the energy of what is live.
    """

    live: str | None = None
    standby: str | None = None
    playing: bool = True
    phases: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    lit: frozenset[str] = frozenset()
    idle: frozenset[str] = frozenset()
    values: Mapping[tuple[str, str], float] = field(default_factory=dict)


# What a light may be told to show, and which other of them does where it is told nothing.
STATES: dict[str, str | None] = {
    "off": None,
    "on": "off",
    "planned": "off",
    "composing": "planned",
    "checked": "composing",
    "ready": "on",
    "armed": "ready",
    "standby": "ready",
    "live": "on",
    "aired": "off",
    "failed": "off",
    "skipped": "off",
    "refused": None,
}
_PLAYABLE = ("ready", "armed")
_OF_WHAT_IS_LIVE = ("skip", "fade", "change")


def state_of(verb: str, arguments: Mapping[str, Any], scene: Scene) -> str:
    """Return what a key that gives an order has to show, one of `STATES`.

    Args:
        verb: of the order.
        arguments: of the order; where they name a cue, that cue is shown.
        scene: the moment.
    """
    if verb in scene.lit or (verb == "release" and "hold" in scene.lit):
        return "on"
    cue = arguments.get("cue")
    if verb == "go" and not scene.playing:
        return "off"
    if cue is not None:
        cue_id = scene.numbers.get(str(cue), str(cue))
        phase = scene.phases.get(cue_id, "off")
        playable = phase in _PLAYABLE
        return "standby" if playable and cue_id == scene.standby and verb == "standby" else phase
    if verb == "go":
        return scene.phases.get(scene.standby, "off") if scene.standby else "off"
    if verb in _OF_WHAT_IS_LIVE:
        return "live" if scene.live else "off"
    if verb in ("hold", "release", "endless", "lock", "panic") or verb in scene.idle:
        return "off"
    return "ready"
