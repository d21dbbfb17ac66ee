"""Values that may change over a piece: density and energy. Torch-free."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.errors import PromptError

# Notes a second of all instruments together, and mean velocity.
DENSITY = {"low": 2.5, "mid": 5.0, "high": 10.0}
ENERGY = {"low": 48.0, "mid": 72.0, "high": 100.0}
DENSITY_RANGE = (0.5, 30.0)
ENERGY_RANGE = (1.0, 127.0)

_TIME = re.compile(r"(?:(\d+)h)?(?:(\d+(?:\.\d+)?)m(?:in)?)?(?:(\d+(?:\.\d+)?)s?)?")


@dataclass(frozen=True, slots=True)
class Course:
    """A value over time.

    Attributes:
        points: time in seconds and the value then, by time; between them it goes evenly, outside it stays.
    """

    points: tuple[tuple[float, float], ...]

    def at(self, seconds: float) -> float:
        """Return the value at a time."""
        times, values = zip(*self.points, strict=True)
        return float(np.interp(seconds, times, values))

    @property
    def plain(self) -> Any:
        """As it is written in a setlist."""
        return self.points[0][1] if len(self.points) == 1 else {f"{at:g}s": value for at, value in self.points}


def seconds_of(value: Any) -> float:
    """Return seconds from a number, `90s`, `2m` or `1m30s`.

    Raises:
        PromptError: it says no time.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value)
    text = str(value).strip().lower().replace(" ", "")
    found = _TIME.fullmatch(text)
    if not text or not found:
        raise PromptError(f"{value!r} is no time; write 90s, 2m or 1m30s")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def density_of(value: Any) -> Course | None:
    """Return the density that plain values say: `low`, `mid`, `high`, notes a second, or these by time.

    By time in one line of text: `0s:low,60s:high`.

    Raises:
        PromptError: it says none.
    """
    return _course(value, "density", DENSITY, DENSITY_RANGE)


def energy_of(value: Any) -> Course | None:
    """Return the energy that plain values say: `low`, `mid`, `high`, a MIDI velocity, or these by time.

    By time in one line of text: `0s:low,60s:high`.

    Raises:
        PromptError: it says none.
    """
    return _course(value, "energy", ENERGY, ENERGY_RANGE)


def _course(value: Any, name: str, words: Mapping[str, float], bounds: tuple[float, float]) -> Course | None:
    if value is None or isinstance(value, Course):
        return value
    if isinstance(value, str) and ":" in value:
        value = {at: one.strip() for at, _, one in (part.partition(":") for part in value.split(","))}
    if not isinstance(value, Mapping):
        return Course(((0.0, _value(value, name, words, bounds)),))
    if not value:
        raise PromptError(f"{name} has no points; write such as {{0s: low, 60s: high}}")
    points = sorted((seconds_of(at), _value(one, name, words, bounds)) for at, one in value.items())
    return Course(tuple(points))


def _value(value: Any, name: str, words: Mapping[str, float], bounds: tuple[float, float]) -> float:
    if isinstance(value, str) and value in words:
        return words[value]
    try:
        number = float(value) if not isinstance(value, bool) else None
    except (TypeError, ValueError):
        number = None
    low, high = bounds
    if number is None or not low <= number <= high:
        raise PromptError(f"{name} {value!r}: write {', '.join(words)} or a number from {low:g} to {high:g}")
    return number
