"""How a worker is: whether it answers in time, and how much memory it holds."""

from __future__ import annotations

from conductor.workers.limits import Limits

PING_EVERY_S = 2.0
# Whoever looks is late by so much: it stood still itself, and the answers may be waiting to be read.
OWN_LAG_S = 1.0
TROUBLED_ANSWERS = 2


class Health:
    """Keeps the pings of one link and what came of them.

    Args:
        limits: what is asked of the worker.
        now_s: monotonic time.
    """

    def __init__(self, limits: Limits, now_s: float) -> None:
        self._limits = limits
        self._next_s = now_s
        self._looked_s = now_s
        self._number = 0
        # Monotonic time of the oldest ping that is not answered; None: all are.
        self._asked_s: float | None = None
        self._asked = 0
        # One that was stopped for a while may say so once, before it is at work again.
        self._trouble, self._troubled = "", 0
        self._heavy_mb = 0.0
        # How far it has come, and since when it is there; None: it has not begun.
        self._place: int | None = None
        self._moved_s: float | None = None

    def ask(self, now_s: float, every_s: float = PING_EVERY_S) -> int | None:
        """Return the number of a ping that is to be sent now, if one is."""
        if self._limits.answer_s is None or now_s < self._next_s:
            return None
        self._next_s = now_s + every_s
        self._number += 1
        if self._asked_s is None:
            self._asked_s, self._asked = now_s, self._number
        return self._number

    def answered(self, number: int, trouble: str = "") -> None:
        """Take in an answer.

        Args:
            number: of the ping.
            trouble: what the worker says is wrong with itself; empty: nothing.
        """
        self._trouble, self._troubled = trouble, self._troubled + 1 if trouble else 0
        if number >= self._asked:
            self._asked_s = None

    def reached(self, place: int, now_s: float) -> None:
        """Take in how far it has come with what it does for the audience, such as samples of the programme."""
        if place != self._place:
            # What is found at first may be where one before it stopped.
            self._moved_s = None if self._place is None else now_s
            self._place = place

    def weigh(self, memory_mb: float) -> None:
        """Take in how much memory the worker holds."""
        self._heavy_mb = memory_mb if memory_mb > self._limits.memory_mb else 0.0

    def look(self, now_s: float) -> str:
        """Return why the worker has to be ended now; empty: it has not."""
        lag_s, self._looked_s = now_s - self._looked_s, now_s
        if lag_s > OWN_LAG_S and self._asked_s is not None:
            # This process stood still, not (only) the other one: its answer is waiting to be read.
            self._asked_s = now_s
        if lag_s > OWN_LAG_S and self._moved_s is not None:
            self._moved_s = now_s
        if self._troubled >= TROUBLED_ANSWERS:
            return self._trouble
        patience_s = self._limits.answer_s
        if patience_s is not None and self._asked_s is not None and now_s - self._asked_s > patience_s:
            return f"it did not answer for {patience_s:.0f} s"
        still_s = self._limits.still_s
        if still_s is not None and self._moved_s is not None and now_s - self._moved_s > still_s:
            return f"nothing has come from it for {still_s:.0f} s"
        if self._heavy_mb > self._limits.most_mb or (self._heavy_mb and self._limits.at_once):
            return self.heavy
        return ""

    @property
    def heavy(self) -> str:
        """Why the worker is to be replaced at the next calm moment; empty: it is not."""
        if not self._heavy_mb:
            return ""
        return f"it holds {self._heavy_mb:.0f} MB of memory, more than {self._limits.memory_mb:.0f}"
