"""The programme as MPEG-TS over TCP, for an OBS on another machine, or a player: we listen, they come and go."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator
from fractions import Fraction
from typing import Any, cast
from urllib.parse import urlsplit

import av
from av.video.stream import VideoStream

from streaming.errors import PublishError
from streaming.publishing.destination import PORTS
from streaming.publishing.job import Job, Report, Teller
from streaming.publishing.parcels import SAMPLE_RATE, Origin, Parcel

REPORT_EVERY_S = 0.1
# About two seconds at 4.5 Mb/s; who is further behind goes on with a keyframe.
QUEUE_BYTES = 1 << 20
# So long without reading, and it is gone.
STALL_S = 10.0
_CLOCK = Fraction(1, 90_000)


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


class _Muxer:
    """Packets in, MPEG-TS out, with its tables before every keyframe, so that a reader may come at any."""

    def __init__(self, job: Job) -> None:
        self._fresh: list[bytes] = []
        self._container = av.open(
            self, "w", format="mpegts", options={"mpegts_flags": "resend_headers+pat_pmt_at_frames"}
        )
        video = cast(VideoStream, self._container.add_mux_stream("h264", rate=job.fps))
        video.width, video.height = job.width, job.height
        audio = self._container.add_mux_stream("aac", rate=SAMPLE_RATE)
        self._streams: dict[str, Any] = {"video": video, "aac": audio}
        self._container.start_encoding()
        self._fps = job.fps

    def write(self, data: bytes) -> int:
        """Take what the muxer made (it calls this)."""
        self._fresh.append(bytes(data))
        return len(data)

    def mux(self, parcel: Parcel, at_s: Fraction) -> bytes:
        """Return a packet as MPEG-TS."""
        packet: av.Packet[Any] = av.Packet(_adts(parcel.data) if parcel.stream == "aac" else parcel.data)
        packet.stream = self._streams[parcel.stream]
        packet.time_base = _CLOCK
        # A second in, as muxers do, so that the clock of the stream may run ahead of it.
        packet.pts = packet.dts = round((at_s + 1) / _CLOCK)
        packet.is_keyframe = parcel.keyframe
        self._fresh.clear()
        self._container.mux_one(packet)
        return b"".join(self._fresh)


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
        origin, muxer = Origin(job.fps), _Muxer(job)
        async for parcel in parcels:
            at_s = origin.seconds(parcel)
            if at_s is None:
                continue
            data = muxer.mux(parcel, at_s)
            for reader in readers:
                reader.put(data, keyframe=parcel.keyframe and parcel.stream == "video")
            delivered += len(data) if readers else 0
    finally:
        telling.cancel()
        server.close()


def _adts(packet: bytes) -> bytes:
    """Return an AAC packet with the header of a stream: AAC-LC, 48 kHz, stereo (ISO/IEC 13818-7, 6.2)."""
    length = len(packet) + 7
    profile, rate, channels = 1, 3, 2
    bits = (0xFFF1 << 40) | (profile << 38) | (rate << 34) | (channels << 30) | (length << 13) | (0x7FF << 2)
    return struct.pack(">Q", bits)[1:] + packet
