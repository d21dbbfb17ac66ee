"""The programme as MPEG-TS over TCP, for an OBS on another machine, or a player: we listen, they come and go."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from streaming.errors import PublishError
from streaming.publishing.destination import PORTS
from streaming.publishing.job import Job, Report, Teller
from streaming.publishing.parcels import Origin, Parcel
from streaming.publishing.ts import TransportStream

REPORT_EVERY_S = 0.1
# About two seconds at 4.5 Mb/s; who is further behind goes on with a keyframe.
QUEUE_BYTES = 1 << 20
# So long without reading, and it is gone.
STALL_S = 10.0


class _Reader:
    """One connection, with what waits for it."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._queue: deque[bytes] = deque()
        self._held = 0
        self._ready = asyncio.Event()
        self._begun = False

    def put(self, data: bytes, *, keyframe: bool) -> None:
        """Queue a packet; too much, and it goes on with the next keyframe."""
        if self._held > QUEUE_BYTES:
            self._queue.clear()
            self._held, self._begun = 0, False
        self._begun = self._begun or keyframe
        if self._begun:
            self._queue.append(data)
            self._held += len(data)
            self._ready.set()

    async def serve(self) -> None:
        """Send until the reader is gone or does not read."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._queue:
                data = self._queue.popleft()
                self._held -= len(data)
                self._writer.write(data)
                await asyncio.wait_for(self._writer.drain(), STALL_S)


async def publish(job: Job, parcels: AsyncIterator[Parcel], teller: Teller) -> None:
    """Serve whoever connects, until there are no more parcels.

    Raises:
        PublishError: the port cannot be listened on.
    """
    readers: set[_Reader] = set()
    delivered = 0

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = _Reader(writer)
        readers.add(reader)
        try:
            with contextlib.suppress(OSError, TimeoutError):
                await reader.serve()
        finally:
            readers.discard(reader)
            # At once, or what it did not read would be kept for it.
            writer.transport.abort()

    async def tell() -> None:
        while True:
            teller.tell(Report(ready=bool(readers), delivered=delivered))
            await asyncio.sleep(REPORT_EVERY_S)

    parts = urlsplit(job.url)
    try:
        server = await asyncio.start_server(serve, parts.hostname, parts.port or PORTS["mpegts"])
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno else "no such address on this machine"
        raise PublishError(f"cannot listen there: {why}") from None
    telling = asyncio.create_task(tell())
    try:
        origin, stream = Origin(job.fps), TransportStream()
        async for parcel in parcels:
            at_s = origin.seconds(parcel)
            if at_s is None:
                continue
            picture = parcel.stream == "video"
            if picture:
                data = stream.video(parcel.data, at_s, keyframe=parcel.keyframe)
            else:
                data = stream.audio(parcel.data, at_s)
            for reader in readers:
                reader.put(data, keyframe=picture and parcel.keyframe)
            delivered += len(data) if readers else 0
    finally:
        telling.cancel()
        server.close()
