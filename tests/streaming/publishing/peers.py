"""What the tests with real peers share: publishers with a programme on air, and the news of them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from streaming.publishing.destination import Destination
from streaming.publishing.publisher import News, Status
from streaming.publishing.publishers import Publishers
from tests.streaming.publishing.onair import PROGRAMME, OnAir


@dataclass
class Show:
    """A programme on air.

    Attributes:
        publishers: of it.
        air: what makes it.
        news: what was told, with the monotonic time, the newest last.
    """

    publishers: Publishers
    air: OnAir
    news: list[tuple[float, News]] = field(default_factory=list)

    def status(self, name: str) -> Status:
        return next(status for status in self.publishers.statuses if status.name == name)

    async def until(self, condition: Callable[[], bool], what: str, seconds: float = 30.0) -> float:
        """Wait until a condition holds; return how long it took, in seconds."""
        start_s = time.monotonic()
        while not condition():
            assert time.monotonic() - start_s < seconds, f"no {what} within {seconds} s: {self.publishers.statuses}"
            await asyncio.sleep(0.02)
        return time.monotonic() - start_s

    async def live(self, name: str, seconds: float = 30.0) -> float:
        """Wait until a destination is on air."""
        return await self.until(lambda: self.status(name).state == "live", f"{name} on air", seconds)

    def told(self, name: str) -> list[bool]:
        """Return what was told of a destination: whether it was there."""
        return [news.there for _, news in self.news if news.name == name]


@contextlib.asynccontextmanager
async def on_air(*destinations: Destination, first: int = 0) -> AsyncIterator[Show]:
    """Publish the measuring programme to destinations.

    Args:
        destinations: where to.
        first: number of the programme's first picture.
    """
    air = OnAir(first=first)
    news: list[tuple[float, News]] = []
    publishers = Publishers(
        PROGRAMME, want_keyframe=air.want_keyframe, on_news=lambda one: news.append((time.monotonic(), one))
    )
    show = Show(publishers, air, news)
    air.start(publishers)
    try:
        publishers.set(destinations)
        yield show
    finally:
        await publishers.close()
        air.close()
