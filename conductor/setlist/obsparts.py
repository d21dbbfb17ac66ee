"""The parts of a setlist about OBS, and what is made of them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, PlainValidator

from conductor.setlist.part import Part
from streaming.obs.wanted import ROLL_AFTER_S, ObsPlan

SHORTEST_ROLL_S, LONGEST_ROLL_S = 600.0, 7 * 86400.0
_TIME = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?:in)?)?")
_DECIBELS = re.compile(r"([+-]?\d+(?:\.\d+)?) ?(?:dB)?")
_MILLISECONDS = re.compile(r"(-?\d+)(?: ?ms)?")


def _roll(value: Any) -> float | None:
    text = str(value).strip().lower().replace(" ", "")
    if text == "never":
        return None
    found = _TIME.fullmatch(text)
    if not text or not found:
        raise ValueError(f"should be an age such as 47h or 23h30m, or never, not {value!r}")
    seconds = int(found[1] or 0) * 3600.0 + int(found[2] or 0) * 60.0
    if not SHORTEST_ROLL_S <= seconds <= LONGEST_ROLL_S:
        raise ValueError(f"a broadcast is rolled at an age of 10m to 168h, not {value!r}")
    return seconds


def _volume(value: Any) -> float:
    found = _DECIBELS.fullmatch(str(value).strip())
    if not found or not -100 <= float(found[1]) <= 26:
        raise ValueError(f"should be decibels from -100dB to 26dB, such as -3dB, not {value!r}")
    return float(found[1])


def _offset(value: Any) -> int:
    found = _MILLISECONDS.fullmatch(str(value).strip())
    if not found or not -950 <= int(found[1]) <= 20000:
        raise ValueError(f"should be milliseconds from -950ms to 20000ms, such as 20ms, not {value!r}")
    return int(found[1])


class CueObsPart(Part):
    """`obs` of a cue."""

    scene: Annotated[str, Field(min_length=1)]


class ObsPart(Part):
    """`obs` of the show."""

    scene: Annotated[str, Field(min_length=1)] | None = None
    roll: Annotated[float | None, PlainValidator(_roll)] = ROLL_AFTER_S
    volume: Annotated[float, PlainValidator(_volume)] | None = None
    offset: Annotated[int, PlainValidator(_offset)] | None = None
    record: bool = False


def obs_of(part: ObsPart) -> ObsPlan:
    """Return what the part says."""
    return ObsPlan(part.scene, part.roll, part.volume, part.offset, part.record)
