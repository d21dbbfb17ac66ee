"""Noise told from fingers: a controller that turns its keys faster than anybody can is not obeyed."""

from __future__ import annotations

from collections import deque

# So many turns of keys within so many seconds are no fingers: ten of them going down and up again are 20.
_BURSTS = ((12, 0.02), (40, 0.25))
CALM_S = 1.0


class Flood:
    """Watches how often the keys of a controller turn.

    Attributes:
        muted: whether its keys are not obeyed now.
    """

    def __init__(self) -> None:
        self.muted = False
        self._turned_s: deque[float] = deque(maxlen=max(many for many, _ in _BURSTS) + 1)

    def hear(self, turns: int, now_s: float) -> bool:
        """Take note of how often keys turned just now; return whether this ended or began the muting.

        Args:
            turns: of all keys together.
            now_s: monotonic seconds.
        """
        was = self.muted
        if was and self._turned_s and now_s - self._turned_s[-1] >= CALM_S:
            self.muted = False
            self._turned_s.clear()
        self._turned_s.extend([now_s] * min(turns, self._turned_s.maxlen or 0))
        for many, within_s in _BURSTS:
            if len(self._turned_s) > many and now_s - self._turned_s[-many - 1] <= within_s:
                self.muted = True
        return self.muted != was
