"""Time that passes as fast as there is nothing to do: an asyncio loop for days within minutes."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

# Sunday night, when nobody is there.
BEGAN = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)


class _Selector(selectors.DefaultSelector):
    """Looks for what is there, and lets the time pass in place of waiting."""

    passed_s = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now."""
        found = super().select(0)
        if not found:
            if timeout is None:
                raise RuntimeError("nothing will ever happen any more")
            self.passed_s += max(0.0, timeout)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with a clock of its own; what is meant for other threads is done at once."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return the seconds that have passed."""
        return self._virtual.passed_s

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]  # noqa: ARG002
        """Do the work now: it takes no time."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class VirtualClock:
    """The clocks of a simulated machine.

    Attributes:
        wrong_s: by how much its time of day is wrong.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._began_s = loop.time()
        self.wrong_s = 0.0

    def monotonic_s(self) -> float:
        """Return seconds that only grow."""
        return self._loop.time()

    def wall(self) -> datetime:
        """Return the time of day."""
        return BEGAN + timedelta(seconds=self._loop.time() - self._began_s + self.wrong_s)


@contextlib.contextmanager
def virtual_time() -> Iterator[VirtualLoop]:
    """Have a loop whose time is everybody's."""
    loop = VirtualLoop()
    try:
        with mock.patch.object(time, "monotonic", loop.time):
            yield loop
    finally:
        loop.close()
