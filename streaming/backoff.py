"""When to try again: soon at first, then ever more seldom, never all at the same moment."""

from __future__ import annotations

from random import Random

FIRST_S, LONGEST_S = 0.5, 30.0
# Somebody has to correct the key first.
REFUSED_S = 60.0


class Backoff:
    """Waiting times that double, with jitter.

    Args:
        rng: of the jitter.
        first_s, longest_s: of the waiting times, before jitter, in seconds.
        refused_s: after a refusal.
    """

    def __init__(
        self, rng: Random, *, first_s: float = FIRST_S, longest_s: float = LONGEST_S, refused_s: float = REFUSED_S
    ) -> None:
        self._rng = rng
        self._first_s, self._longest_s, self._refused_s = first_s, longest_s, refused_s
        self._tries = 0

    def reset(self) -> None:
        """Begin anew: all was well for a while."""
        self._tries = 0

    def after_loss(self) -> float:
        """Return the seconds to wait after a loss: half of the time to all of it."""
        whole_s = min(self._longest_s, self._first_s * 2.0 ** min(self._tries, 32))
        self._tries += 1
        return whole_s * self._rng.uniform(0.5, 1.0)

    def after_refusal(self) -> float:
        """Return the seconds to wait after a refusal."""
        self._tries += 1
        return self._refused_s * self._rng.uniform(0.75, 1.25)
