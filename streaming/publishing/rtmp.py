"""An RTMP or RTMPS ingest: connect, ask to publish, send; and know whether it still reads.

Written here and not left to a library's muxer, which tells neither why an ingest refuses nor, until the kernel's
buffers are full, that it has stopped reading, and which does not look at an ingest's certificate.

Source: Adobe, Real-Time Messaging Protocol 1.0.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import socket
import ssl
import struct
import termios
from typing import NoReturn
from urllib.parse import urlsplit

from streaming.errors import ClosedError, PublishError, RefusedError
from streaming.publishing import amf, chunks
from streaming.publishing.chunks import ChunkReader, Message, cut
from streaming.publishing.destination import PORTS

ANSWER_S = 5.0
# Unsent bytes in the kernel; beyond it, what is late waits where the oldest can be dropped.
UNSENT_BYTES = 128 * 1024
# How often an ingest is asked to tell what it has read, in seconds at the bit rate.
ACKNOWLEDGED_EVERY_S = 0.4
_HANDSHAKE_BYTES = 1536
_CONTROL, _COMMANDS, _MEDIA = 2, 3, 4
_PING, _PONG = 6, 7


class RtmpSession:
    """One connection to an ingest.

    Args:
        url: `rtmp://host[:port]/app`, or `rtmps`; the stream's name after the application where there is no key.
        key: the stream's name, mostly secret.
        bitrate: of all that is sent, in bits a second.
        ca_file: certificates to trust besides the system's.
    """

    def __init__(self, url: str, key: str, *, bitrate: int, ca_file: str = "") -> None:
        parts = urlsplit(url)
        self._tls = parts.scheme == "rtmps"
        self._host, self._port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        path, query = parts.path.strip("/"), f"?{parts.query}" if parts.query else ""
        application, name = (path + query, key) if key else (path.rpartition("/")[0], path.rpartition("/")[2] + query)
        self._application, self._name = application, name
        host = f"[{self._host}]" if ":" in self._host else self._host
        self._tc_url = f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}/{application}"
        self._ca_file = ca_file
        self._window = max(4096, int(bitrate / 8 * ACKNOWLEDGED_EVERY_S))
        self._stream_id = 0
        self._acknowledged: int | None = None
        self._told_received = 0
        self.sent = 0

    async def open(self) -> None:
        """Connect and get leave to publish.

        Raises:
            RefusedError: the ingest said no.
            PublishError: it is not there, or is none.
        """
        try:
            # Each step has its own time, so that it is known where it stuck.
            self._reader, self._writer = await asyncio.wait_for(self._connect(), ANSWER_S)
        except ssl.SSLCertVerificationError as error:
            raise PublishError(f"its certificate is not trusted ({error.verify_message})") from None
        except ssl.SSLError as error:
            raise PublishError(f"it does not speak TLS ({error.reason or 'handshake failed'})") from None
        except socket.gaierror:
            raise PublishError(f"no such host: {self._host}") from None
        except TimeoutError:
            raise PublishError(f"no answer within {ANSWER_S:.0f} s") from None
        except OSError as error:
            raise PublishError(_reason(error)) from None
        try:
            await asyncio.wait_for(self._shake_hands(), ANSWER_S)
            self._chunks = ChunkReader(self._reader)
            await asyncio.wait_for(self._ask(), 2 * ANSWER_S)
        except TimeoutError:
            raise PublishError(f"it was reached, but does not answer within {ANSWER_S:.0f} s") from None
        except asyncio.IncompleteReadError:
            raise ClosedError("it ended the connection when asked to publish") from None
        except (OSError, ValueError) as error:
            raise PublishError(_reason(error) if isinstance(error, OSError) else str(error)) from None

    @property
    def delivered(self) -> int:
        """Bytes that the ingest has read, as far as is known.

        It acknowledges what it reads; where it does not, what its machine has taken counts.
        """
        waiting = self._writer.transport.get_write_buffer_size()
        with contextlib.suppress(OSError, ValueError):
            waiting += struct.unpack("i", fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
        taken = max(0, self.sent - waiting)
        if self._acknowledged is None or taken - self._acknowledged < 2 * self._window:
            return taken
        return self._acknowledged

    def send(self, kind: int, body: bytes, time_ms: int) -> None:
        """Send a media message."""
        self._write(Message(kind, body, self._stream_id, time_ms), _MEDIA)

    async def drain(self) -> None:
        """Wait until there is room for more."""
        await self._writer.drain()

    async def listen(self) -> NoReturn:
        """Answer the server until it ends the connection.

        Raises:
            RefusedError: it does not want the stream any more.
            ClosedError: it ended the connection.
        """
        try:
            while True:
                self._command(await self._chunks.message())
        except (asyncio.IncompleteReadError, ConnectionError):
            raise ClosedError("it ended the connection") from None
        except (OSError, ValueError) as error:
            raise PublishError(_reason(error) if isinstance(error, OSError) else str(error)) from None

    async def close(self) -> None:
        """Say goodbye, if it still listens."""
        if self._stream_id:
            self._say("FCUnpublish", 6.0, None, self._name)
            self._say("deleteStream", 7.0, None, float(self._stream_id))
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(self._writer.drain(), 1.0)
        self._writer.close()

    # --- connecting ---

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = ssl.create_default_context() if self._tls else None
        if context is not None and self._ca_file:
            context.load_verify_locations(self._ca_file)
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=context)
        self._socket: socket.socket = writer.get_extra_info("socket")
        # On one machine a connection to a port where nobody listens may meet itself.
        if self._socket.getsockname() == self._socket.getpeername():
            writer.close()
            raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody listens")
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        return reader, writer

    async def _shake_hands(self) -> None:
        self._writer.write(b"\x03" + bytes(8) + os.urandom(_HANDSHAKE_BYTES - 8))
        self.sent += 1 + 2 * _HANDSHAKE_BYTES
        version = await self._reader.readexactly(1)
        if version != b"\x03":
            raise ValueError("what listens there speaks no RTMP")
        theirs = await self._reader.readexactly(_HANDSHAKE_BYTES)
        self._writer.write(theirs)
        await self._reader.readexactly(_HANDSHAKE_BYTES)

    async def _ask(self) -> None:
        self._write(Message(chunks.SET_CHUNK_SIZE, struct.pack(">I", chunks.OUR_SIZE)), _CONTROL)
        self._write(Message(chunks.WINDOW_SIZE, struct.pack(">I", self._window)), _CONTROL)
        wish: dict[str, amf.Value] = {
            "app": self._application,
            "type": "nonprivate",
            "flashVer": "FMLE/3.0 (compatible; conductor)",
            "swfUrl": self._tc_url,
            "tcUrl": self._tc_url,
        }
        self._say("connect", 1.0, wish)
        await self._result(1.0, "the connection")
        self._say("releaseStream", 2.0, None, self._name)
        self._say("FCPublish", 3.0, None, self._name)
        self._say("createStream", 4.0, None)
        answer = await self._result(4.0, "a stream")
        if len(answer) < 4 or not isinstance(answer[3], float):
            raise ValueError("the server gives no stream")
        self._stream_id = int(answer[3])
        self._write(
            Message(chunks.COMMAND, amf.encode("publish", 5.0, None, self._name, "live"), self._stream_id), _MEDIA
        )
        while True:
            values = self._command(await self._chunks.message())
            if values[:1] == ["onStatus"] and _code(values) == "NetStream.Publish.Start":
                return

    async def _result(self, transaction: float, what: str) -> list[amf.Value]:
        while True:
            values = self._command(await self._chunks.message())
            if values[:2] == ["_result", transaction]:
                return values
            if values[:2] == ["_error", transaction]:
                raise _refusal(values, f"it refuses {what}")

    # --- both ways ---

    def _command(self, message: Message) -> list[amf.Value]:
        """Carry out what concerns the connection; return the values of a command, else nothing."""
        body = message.body
        match message.kind:
            case chunks.ACKNOWLEDGEMENT if len(body) >= 4:
                self._acknowledge(struct.unpack(">I", body[:4])[0])
            case chunks.USER_CONTROL if len(body) >= 6 and body[:2] == struct.pack(">H", _PING):
                self._write(Message(chunks.USER_CONTROL, struct.pack(">H", _PONG) + body[2:6]), _CONTROL)
            case chunks.COMMAND:
                values = amf.decode(body)
                if values[:1] == ["onStatus"] and _level(values) == "error":
                    raise _refusal(values, "it does not take the stream")
                return values
        # An acknowledgement a megabyte, as it likes to have.
        if self._chunks.received - self._told_received > 1 << 20:
            self._told_received = self._chunks.received
            self._write(Message(chunks.ACKNOWLEDGEMENT, struct.pack(">I", self._told_received & 0xFFFFFFFF)), _CONTROL)
        return []

    def _acknowledge(self, count: int) -> None:
        """Take in how many bytes the ingest says it has read, modulo 2**32."""
        last = self._acknowledged or 0
        now = last + ((count - last) & 0xFFFFFFFF)
        # What cannot be: some count otherwise, and are not to be believed.
        if now <= self.sent and now - last < 1 << 31:
            self._acknowledged = now

    def _say(self, *values: amf.Value) -> None:
        self._write(Message(chunks.COMMAND, amf.encode(*values)), _COMMANDS)

    def _write(self, message: Message, channel: int) -> None:
        data = cut(message, channel=channel, size=chunks.OUR_SIZE)
        self._writer.write(data)
        self.sent += len(data)


def _refusal(values: list[amf.Value], otherwise: str) -> PublishError:
    """Return what a server's error means, in its own words."""
    info = values[3] if len(values) > 3 and isinstance(values[3], dict) else {}
    code, text = str(info.get("code") or ""), str(info.get("description") or "")[:200]
    words = " ".join(filter(None, (code, text))) or otherwise
    # Our own publication of before may not have been noticed to have ended.
    if "already" in text.lower() or "busy" in text.lower():
        return PublishError(f"it says: {words}")
    return RefusedError(f"it says: {words}")


def _code(values: list[amf.Value]) -> str:
    info = values[3] if len(values) > 3 else None
    return str(info.get("code")) if isinstance(info, dict) else ""


def _level(values: list[amf.Value]) -> str:
    info = values[3] if len(values) > 3 else None
    return str(info.get("level")) if isinstance(info, dict) else ""


def _reason(error: OSError) -> str:
    number = error.errno
    return os.strerror(number).lower() if number and number > 0 else "the connection broke"
