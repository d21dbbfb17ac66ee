"""The audience as the conductor knows it: asked for at the console, served by the feed."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections.abc import Callable

from conductor import wire
from conductor.errors import WireError
from conductor.workers import Worker
from streaming.programme.ice import Watching

LOG = logging.getLogger("conductor.show.audience")

ANSWER_WAIT_S = 10.0

# From the id of a request to the message.
Ask = Callable[[str], wire.Message]


class Audience:
    """Carries what viewers ask for to the feed, and its answers back.

    Args:
        feed: the worker that serves them.
        watching: how many may watch, and how they are reached.
    """

    def __init__(self, feed: Worker, watching: Watching) -> None:
        self.origins = watching.origins
        self.ways, missing = watching.ways()
        for line in missing:
            LOG.warning("%s", line)
        self._feed = feed
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[wire.Answer]] = {}

    def feed_up(self) -> None:
        """Tell a feed that has just come who may watch."""
        self._feed.send(wire.Admit(self.ways.viewers, list(self.ways.stun), list(self.ways.turn)))

    async def ask(self, ask: Ask) -> wire.Answer:
        """Send a message to the feed and return its answer.

        Raises:
            WireError: the feed is away or silent.
        """
        if not self._feed.up:
            raise WireError("the feed is being restarted - try again in a moment")
        request_id = f"{os.getpid()}-{next(self._ids)}"
        future: asyncio.Future[wire.Answer] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = future
        self._feed.send(ask(request_id))
        try:
            return await asyncio.wait_for(future, ANSWER_WAIT_S)
        except TimeoutError:
            raise WireError("the feed did not answer the viewer") from None
        finally:
            del self._waiting[request_id]

    def hear(self, answer: wire.Answer) -> None:
        """Take in an answer of the feed."""
        future = self._waiting.get(answer.request_id)
        if future and not future.done():
            future.set_result(answer)

    def feed_down(self) -> None:
        """Let nobody wait for a feed that is gone."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(WireError("the feed went away"))
