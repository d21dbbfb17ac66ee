"""Connections between the conductor and its workers: Unix sockets that carry messages."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from conductor.errors import WireError
from conductor.wire.message import Message, Ping, Pong, decode, encode

# A four-minute piece of 10,000 notes is about 500 kB of JSON.
MAX_LINE_BYTES = 16 * 1024 * 1024


@dataclass(slots=True)
class Link:
    """One end of a connection; pings are answered by whoever reads its messages.

    Attributes:
        trouble: returns why the process is not at work though it answers; empty: it is.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    closed: bool = field(default=False, init=False)
    trouble: Callable[[], str] = field(default=lambda: "", init=False)

    def send(self, message: Message) -> None:
        """Queue a message; a link that is gone swallows it (see `closed`)."""
        if self.closed or self.writer.is_closing():
            self.closed = True
            return
        self.writer.write(encode(message))

    async def messages(self) -> AsyncIterator[Message]:
        """Yield messages until the other end goes away."""
        try:
            while line := await self.reader.readline():
                message = decode(line)
                if isinstance(message, Ping):
                    self.send(Pong(message.number, self.trouble()))
                else:
                    yield message
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.closed = True

    async def close(self) -> None:
        """Flush and close."""
        self.closed = True
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def connect(path: Path) -> Link:
    """Connect to a worker's socket.

    Raises:
        WireError: nobody listens there.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=MAX_LINE_BYTES)
    except OSError as error:
        raise WireError(f"no worker listens at {path}: {error.strerror}") from error
    return Link(reader, writer)


async def serve(path: Path, handler: Callable[[Link], Awaitable[None]]) -> asyncio.Server:
    """Listen on a socket (an old one in its place is removed)."""
    path.unlink(missing_ok=True)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(reader, writer)
        try:
            await handler(link)
        finally:
            await link.close()

    return await asyncio.start_unix_server(accept, path=str(path), limit=MAX_LINE_BYTES)
