"""How long a show lasts: its end, the hurry to it, why it failed, and what runs beside it until then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

LOG = logging.getLogger("conductor.show")


class Lifetime:
    """From a show's beginning to its end.

    Attributes:
        ending: set once the show is to end; hurry: set when it is to end at once.
        failure: why it did not go well; empty: it did.
    """

    def __init__(self) -> None:
        self.ending = asyncio.Event()
        self.hurry = asyncio.Event()
        self.failure = ""
        self._tasks: set[asyncio.Task[None]] = set()

    def end(self) -> None:
        """Ask for the end: with a fade at first, at once when asked again."""
        if self.ending.is_set():
            self.hurry.set()
        self.ending.set()

    def fail(self, reason: str) -> None:
        """End for a reason; the first one counts."""
        self.failure = self.failure or reason
        self.ending.set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the show; its fault is written down."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            LOG.error("a task of the show failed", exc_info=error)

    async def soon(self, work: Coroutine[Any, Any, bool]) -> bool:
        """Wait for work, or until somebody is in a hurry; return what it returned."""
        task = asyncio.create_task(work)
        hurry = asyncio.create_task(self.hurry.wait())
        await asyncio.wait({task, hurry}, return_when=asyncio.FIRST_COMPLETED)
        result = task.done() and task.result()
        for each in (task, hurry):
            each.cancel()
        await asyncio.gather(task, hurry, return_exceptions=True)
        return result

    async def all_of(self, works: set[asyncio.Task[Any]]) -> None:
        """Wait for tasks, or as long as the show is not to end; a fault of one is raised.

        Args:
            works: that are cancelled where the end comes first.
        """
        ending = asyncio.create_task(self.ending.wait())
        try:
            pending = works
            while pending and not ending.done():
                done, pending = await asyncio.wait({*pending, ending}, return_when=asyncio.FIRST_COMPLETED)
                pending -= {ending}
                for task in done:
                    task.result()
        finally:
            for task in (*works, ending):
                task.cancel()
            await asyncio.gather(*works, ending, return_exceptions=True)

    async def dismiss(self) -> None:
        """End all that runs beside the show."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
