"""Time, given from outside: the show reads this and never the system's clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the show reads the time."""

    def monotonic_s(self) -> float:
        """Return seconds that only grow; for durations."""

    def wall(self) -> datetime:
        """Return the time of day in UTC; for the as-run log alone."""


class SystemClock:
    """The machine's clocks."""

    def monotonic_s(self) -> float:
        """Return the system's monotonic seconds."""
        return time.monotonic()

    def wall(self) -> datetime:
        """Return the system's time of day in UTC."""
        return datetime.now(UTC)


def minutes(seconds: float) -> str:
    """Return a length as a person reads it: `3:05`, `1:02:00`."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    head = f"{hours}:{rest // 60:02d}" if hours else f"{rest // 60}"
    return f"{head}:{rest % 60:02d}"
