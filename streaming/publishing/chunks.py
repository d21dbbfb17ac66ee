"""RTMP's chunk stream: messages cut into chunks, and put together again.

Source: Adobe, Real-Time Messaging Protocol 1.0, section 5.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, replace

SET_CHUNK_SIZE, ACKNOWLEDGEMENT, USER_CONTROL, WINDOW_SIZE = 1, 3, 4, 5
COMMAND = 20
DEFAULT_SIZE = 128
OUR_SIZE = 4096
_EXTENDED = 0xFFFFFF
_MAX_MESSAGE = 1 << 20
_MAX_STREAMS = 64


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chunk stream.

    Attributes:
        kind: such as `COMMAND`.
        body: what it says.
        stream_id: 0 for the connection itself.
        time_ms: modulo 2**32.
    """

    kind: int
    body: bytes
    stream_id: int = 0
    time_ms: int = 0


def cut(message: Message, *, channel: int, size: int = OUR_SIZE) -> bytes:
    """Return a message as chunks.

    Args:
        message: to be sent.
        channel: chunk stream, 2 to 63.
        size: of a chunk's data, as agreed on, in bytes.
    """
    time_ms = message.time_ms & 0xFFFFFFFF
    # From 4 h 40 min on the time needs a field of its own, which every chunk repeats.
    late = struct.pack(">I", time_ms) if time_ms >= _EXTENDED else b""
    head = bytes([channel]) + min(time_ms, _EXTENDED).to_bytes(3, "big") + len(message.body).to_bytes(3, "big")
    head += bytes([message.kind]) + struct.pack("<I", message.stream_id) + late
    body = message.body
    parts = [head, body[:size]]
    for at in range(size, len(body), size):
        parts += [bytes([0xC0 | channel]), late, body[at : at + size]]
    return b"".join(parts)


@dataclass(slots=True)
class _Channel:
    """What the chunks of one chunk stream leave out since an earlier one said it."""

    message: Message
    length: int
    extended: bool
    got: bytearray


class ChunkReader:
    """Puts a server's messages together.

    Args:
        reader: of the connection, behind the handshake.
    """

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._size = DEFAULT_SIZE
        self._channels: dict[int, _Channel] = {}
        self.received = 0

    async def message(self) -> Message:
        """Return the next message.

        Raises:
            IncompleteReadError: the connection ended.
            ValueError: what came is no chunk stream.
        """
        while True:
            whole = await self._chunk()
            if whole is None:
                continue
            if whole.kind == SET_CHUNK_SIZE and len(whole.body) == 4:
                self._size = max(1, struct.unpack(">I", whole.body)[0] & 0x7FFFFFFF)
            return whole

    async def _chunk(self) -> Message | None:
        first = (await self._read(1))[0]
        shape, channel_id = first >> 6, first & 0x3F
        if channel_id < 2:
            more = await self._read(channel_id + 1)
            channel_id = 64 + more[0] + (256 * more[1] if channel_id else 0)
        channel = self._channels.get(channel_id)
        if channel is None:
            if shape != 0 or len(self._channels) >= _MAX_STREAMS:
                raise ValueError("the server sends what is no RTMP")
            channel = self._channels[channel_id] = _Channel(Message(0, b""), 0, False, bytearray())
        await self._header(channel, shape)
        want = min(self._size, channel.length - len(channel.got))
        channel.got += await self._read(want)
        if len(channel.got) < channel.length:
            return None
        whole = replace(channel.message, body=bytes(channel.got))
        channel.got.clear()
        return whole

    async def _header(self, channel: _Channel, shape: int) -> None:
        if shape == 3:
            if channel.extended:
                await self._read(4)
            return
        head = await self._read((11, 7, 3)[shape])
        time_ms = int.from_bytes(head[:3], "big")
        channel.extended = time_ms == _EXTENDED
        kind, stream_id = channel.message.kind, channel.message.stream_id
        if shape < 2:
            channel.length, kind = int.from_bytes(head[3:6], "big"), head[6]
        if shape == 0:
            stream_id = struct.unpack("<I", head[7:11])[0]
        if channel.extended:
            time_ms = struct.unpack(">I", await self._read(4))[0]
        if channel.length > _MAX_MESSAGE:
            raise ValueError("the server sends what is no RTMP")
        # A server's times are of no use here; deltas are not added up.
        channel.message = Message(kind, b"", stream_id, time_ms)
        channel.got.clear()

    async def _read(self, size: int) -> bytes:
        data = await self._reader.readexactly(size) if size else b""
        self.received += size
        return data
