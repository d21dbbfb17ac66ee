"""Keys and pedals: which of their messages is a press."""

from __future__ import annotations

from enum import Enum

DEBOUNCE_S = 0.05
# A key whose end was lost on its way is taken for up again when it was not heard of for so long.
STUCK_S = 5.0
_LONG_AGO = float("-inf")


class Edge(Enum):
    """What a message did to a key."""

    NONE = "none"
    PRESS = "press"
    BOUNCE = "bounce"
    UP = "up"


class Pad:
    """A key that counts once each time it goes down.

    The first contact counts at once, without waiting. What follows before the key was
    quiet for a moment is its contacts bouncing.

    Args:
        on: the value from which on it is down, 1 to 127.
        off: the value below which it is up again, up to `on`; what lies between changes nothing.
        debounce_s: how long it has to be quiet before it counts again.
        latching: each turn of it counts, down or up: a pedal that stays where it is put.
        returns: whether it tells when it is let go; a program that is called does not.
    """

    def __init__(
        self,
        on: int = 1,
        off: int = 1,
        *,
        debounce_s: float = DEBOUNCE_S,
        latching: bool = False,
        returns: bool = True,
    ) -> None:
        self._on, self._off, self._debounce_s = on, off, debounce_s
        self._latching, self._returns = latching, returns
        self.down = False
        self._turned_s = self._heard_s = _LONG_AGO

    def hear(self, value: int, now_s: float) -> Edge:
        """Return what a value makes of the key.

        Args:
            value: 0 to 127.
            now_s: monotonic seconds.
        """
        stuck = self.down and now_s - self._heard_s >= STUCK_S
        self._heard_s = now_s
        if self._off <= value < self._on:
            return Edge.NONE
        down = value >= self._on
        if down == self.down and self._returns and not (down and stuck and not self._latching):
            return Edge.NONE
        calm = now_s - self._turned_s >= self._debounce_s
        self._turned_s = now_s
        self.down = down and self._returns
        if not (down or self._latching):
            return Edge.UP
        return Edge.PRESS if calm else Edge.BOUNCE

    def let_go(self) -> None:
        """Take it for up: it was unplugged, and its end will not come."""
        self.down = False

    def held(self, now_s: float) -> bool:
        """Return whether a finger is on it."""
        return self.down and not self._latching and now_s - self._heard_s < STUCK_S
