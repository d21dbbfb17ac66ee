"""How much is said and heard in a time: Twitch's limits when speaking, ours when listening."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from conductor.console.rates import Buckets, Rate

# Twitch: 20 messages in 30 s of who does not moderate; more, and nothing is heard for half an hour.
SPOKEN, SPOKEN_S = 20, 30.0
# The same text within that time is refused by Twitch.
SAME_S = 30.0
# Commands of one person, of all, and of those who moderate: these do not wait behind the others.
PERSON, ALL, MODERATOR = Rate(5, 0.5), Rate(200, 60), Rate(20, 4)
_EVERYBODY = "*"


class Window:
    """At most so many in any stretch of a length.

    Args:
        most: how many.
        span_s: the length, in seconds.
        now_s: returns the time, in seconds.
    """

    def __init__(self, most: int, span_s: float, now_s: Callable[[], float]) -> None:
        self._most, self._span_s, self._now_s = most, span_s, now_s
        self._at: deque[float] = deque(maxlen=most)

    def wait_s(self) -> float:
        """Return the seconds until one more is allowed; 0: now."""
        if len(self._at) < self._most:
            return 0.0
        return max(0.0, self._at[0] + self._span_s - self._now_s())

    def take(self) -> bool:
        """Take a place, where there is one; return whether there was."""
        if self.wait_s():
            return False
        self._at.append(self._now_s())
        return True


class Patience:
    """Who is listened to now.

    Args:
        now_s: returns the time, in seconds.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._person, self._all = Buckets(PERSON, now_s), Buckets(ALL, now_s)
        self._moderators = Buckets(MODERATOR, now_s)
        self.heard = self.passed_over = 0

    def hears(self, person: str, *, moderates: bool) -> bool:
        """Whether a command is listened to; counts it."""
        if moderates:
            hears = not self._moderators.wait_s(person)
        else:
            # Their own measure first: one who floods takes nothing from the others.
            hears = not self._person.wait_s(person) and not self._all.wait_s(_EVERYBODY)
        self.heard += hears
        self.passed_over += not hears
        return hears
