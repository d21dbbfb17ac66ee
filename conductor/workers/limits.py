"""What is asked of a worker: how soon it answers, and how much memory it may hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

# A SoundFont is held once by FluidSynth, and once more while it is read.
_HELD = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What is asked of a worker.

    Attributes:
        answer_s: within which it answers a ping; None: it is never asked.
        memory_mb: resident memory above which it is replaced: at a calm moment, at once where `at_once`.
        at_once: whether nobody hears it go.
        still_s: how long what it does for the audience may stand still, once it has begun; None: as long as it likes.
    """

    answer_s: float | None
    memory_mb: float = float("inf")
    at_once: bool = False
    still_s: float | None = None

    @property
    def most_mb(self) -> float:
        """Resident memory above which no calm moment is waited for."""
        return 1.5 * self.memory_mb


# A player that stands still is bridged by the feed within a fifth of a second: it is better replaced than waited for.
# Python in the composer may be kept waiting for long by a busy machine; nobody hears that.
_USUAL = {
    "player": Limits(4.0, 1500.0),
    # While it sends nothing nobody hears anything, and a new one sends within about a second.
    "feed": Limits(4.0, 2000.0, still_s=2.0),
    "composer": Limits(30.0, 3000.0, at_once=True),
    "midi_out": Limits(6.0, 500.0, at_once=True),
}
UNLIMITED = Limits(None)


def limits_of(name: str, *, fast: bool = False, banks: Sequence[str] = ()) -> Limits:
    """Return what is asked of a worker.

    Args:
        name: of the worker.
        fast: whether everything goes as fast as it can: who waits for another one then is not to be hurried.
        banks: paths of the SoundFonts that the player holds.
    """
    if fast:
        return UNLIMITED
    limits = _USUAL.get(name, UNLIMITED)
    if name != "player":
        return limits
    sizes = (path.stat().st_size for bank in banks if (path := Path(bank)).exists())
    return replace(limits, memory_mb=limits.memory_mb + _HELD * sum(sizes) / 1e6)
