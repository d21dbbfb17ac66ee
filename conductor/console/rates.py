"""How often somebody may ask."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

# Buckets that are kept; the one that was not used for longest goes, and would be full by then.
MOST = 2048


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and so many a second after."""

    burst: float
    per_s: float


class Buckets:
    """A bucket of tokens for each who asks.

    Args:
        rate: of each.
        now_s: returns the time, in seconds.
    """

    def __init__(self, rate: Rate, now_s: Callable[[], float]) -> None:
        self._rate, self._now_s = rate, now_s
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, who: str) -> int:
        """Take a token; return 0, or whole seconds after which there is one again."""
        now_s = self._now_s()
        left, at_s = self._left.pop(who, (self._rate.burst, now_s))
        left = min(self._rate.burst, left + (now_s - at_s) * self._rate.per_s)
        spent = left >= 1.0
        self._left[who] = (left - 1.0 if spent else left, now_s)
        while len(self._left) > MOST:
            self._left.popitem(last=False)
        return 0 if spent else max(1, math.ceil((1.0 - left) / self._rate.per_s))


@dataclass(frozen=True, slots=True)
class Limits:
    """How often one client may ask.

    Attributes:
        reading: GETs; acting: verbs; panic: that one verb, which no flood of others may keep from being heard;
            login: passwords.
    """

    reading: Rate = Rate(100, 50)
    acting: Rate = Rate(40, 20)
    panic: Rate = Rate(20, 10)
    login: Rate = Rate(10, 0.2)
