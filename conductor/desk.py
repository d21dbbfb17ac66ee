"""Where a worker speaks with its conductor: with one at a time, and what nobody heard is told to the next."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable

from conductor import wire
from conductor.errors import WireError

log = logging.getLogger(__name__)

# What there was nobody to hear; the oldest is forgotten.
_KEPT = 256


class Desk:
    """The desk of one worker.

    Args:
        worker: its name.
        obey: called with every message.
        greet: called when a conductor has come and been greeted.
    """

    def __init__(
        self, worker: str, obey: Callable[[wire.Message], None], greet: Callable[[], None] = lambda: None
    ) -> None:
        self._worker, self._obey, self._greet = worker, obey, greet
        self._link: wire.Link | None = None
        self._waiting: deque[wire.Message] = deque(maxlen=_KEPT)

    @property
    def attended(self) -> bool:
        """Whether a conductor is there."""
        return self._link is not None and not self._link.closed

    async def serve(self, link: wire.Link) -> None:
        """Answer one conductor until it goes; a newer one takes its place."""
        self._link = link
        link.send(wire.Hello(self._worker, os.getpid()))
        while self._waiting:
            link.send(self._waiting.popleft())
        self._greet()
        try:
            async for message in link.messages():
                self._obey(message)
        except WireError as error:
            log.warning("%s", error)
            self.fault(str(error))
        finally:
            if self._link is link:
                self._link = None

    def tell(self, message: wire.Message) -> None:
        """Tell the conductor, or the next one."""
        if self._link is None or self._link.closed:
            self._waiting.append(message)
        else:
            self._link.send(message)

    def show(self, message: wire.Message) -> None:
        """Tell the conductor what is true only now; nobody needs it later."""
        if self._link is not None:
            self._link.send(message)

    def fault(self, reason: str, *, retryable: bool = False) -> None:
        """Tell of something that a person should read."""
        self.tell(wire.Fault(self._worker, reason, retryable))

    async def close(self) -> None:
        """Send what is still to be sent and hang up."""
        if self._link is not None:
            await self._link.close()
