"""How fast each destination takes the programme, from how much it has taken so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

WINDOW_S = 10.0
# A shorter stretch tells of single packets.
_LEAST_S = 0.5


class Bitrates:
    """Keeps how many bytes each destination had taken, over the last seconds."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[tuple[float, int]]] = {}

    def take(self, sent_bytes: Mapping[str, int], now_s: float) -> None:
        """Take in what was sent so far.

        Args:
            sent_bytes: by destination, since it began.
            now_s: monotonic time.
        """
        self._seen = {name: self._seen.get(name, deque()) for name in sent_bytes}
        for name, sent in sent_bytes.items():
            seen = self._seen[name]
            # Fewer than before: a feed that began anew.
            if seen and sent < seen[-1][1]:
                seen.clear()
            seen.append((now_s, sent))
            while seen[-1][0] - seen[0][0] > WINDOW_S:
                seen.popleft()

    def of(self, name: str) -> float:
        """Return bits a second over the last seconds; 0 where nothing is known."""
        seen = self._seen.get(name)
        if not seen or seen[-1][0] - seen[0][0] < _LEAST_S:
            return 0.0
        (began_s, first), (ended_s, last) = seen[0], seen[-1]
        return 8.0 * (last - first) / (ended_s - began_s)
