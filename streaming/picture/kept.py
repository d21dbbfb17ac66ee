"""What was drawn once and is kept: so many bytes of it, of which the longest unused makes room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MIB = 1 << 20


class Kept(Generic[K, V]):
    """Things by key, as many as fit; for one thread.

    Args:
        most_bytes: that they take together; one alone may take more.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._found: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: K, make: Callable[[], tuple[V, int]]) -> V:
        """Return what belongs to a key, made now where it is not kept.

        Args:
            key: any.
            make: returns it, and how many bytes it takes.
        """
        found = self._found.get(key)
        if found is not None:
            self._found.move_to_end(key)
            return found[0]
        made, size = make()
        self._found[key] = made, size
        self.bytes += size
        while self.bytes > self._most and len(self._found) > 1:
            _, (_, gone) = self._found.popitem(last=False)
            self.bytes -= gone
        return made
