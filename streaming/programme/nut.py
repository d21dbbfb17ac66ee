"""The programme as NUT over TCP: raw pictures and raw sound, what OBS reads with the least delay.

Every reader has its own muxer, queue and thread, so that one that stalls costs the others nothing.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import threading
from collections import deque
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from streaming.errors import FeedError
from streaming.programme.program import ProgramFrame
from streaming.timeline import SAMPLE_RATE

logger = logging.getLogger(__name__)

# Half a second of pictures at 30 fps; older ones are dropped first.
VIDEO_QUEUE = 15
STALL_S = 2.0
# Sound is never dropped: a reader that is this far behind has stalled.
AUDIO_QUEUE_SAMPLES = int(2 * STALL_S * SAMPLE_RATE)
# Larger than a 1280x720 picture, so that a packet is one write.
IO_BUFFER_BYTES = 1 << 21
# Nobody seeks in a connection, and an index of every picture for the end of it would grow for ever.
_NO_INDEX = {"write_index": "0"}
_SAMPLES = Fraction(1, SAMPLE_RATE)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A picture or a stretch of sound that waits for a reader."""

    video: bool
    sample: int
    samples: int
    data: bytes


class _Pipe:
    """What PyAV writes to: a socket that must take everything within `STALL_S`."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.failed: OSError | None = None

    def write(self, data: bytes) -> int:
        # An exception that crosses libav comes out changed; it is kept here.
        if self.failed is None:
            try:
                self._connection.sendall(data)
            except OSError as error:
                self.failed = error
        return len(data)


class _Reader:
    """One connection: a bounded queue and the thread that empties it."""

    def __init__(self, server: NutServer, connection: socket.socket, peer: str) -> None:
        self._server = server
        self._connection = connection
        self._peer = peer
        self._queue: deque[_Piece] = deque()
        self._ready = threading.Condition()
        self._closed = False
        self.dropped = 0
        self.thread = threading.Thread(target=self._run, name=f"nut {peer}", daemon=True)

    def push(self, pieces: tuple[_Piece, ...]) -> None:
        """Queue pieces; the oldest pictures make room, too much sound ends the connection."""
        with self._ready:
            self._queue.extend(pieces)
            pictures = [piece for piece in self._queue if piece.video]
            if len(pictures) > VIDEO_QUEUE:
                self._queue.remove(pictures[0])
                self.dropped += 1
            if sum(piece.samples for piece in self._queue if not piece.video) > AUDIO_QUEUE_SAMPLES:
                self._closed = True
            self._ready.notify()

    def close(self) -> None:
        """End the connection; the thread ends by itself."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        # Wakes a thread that is blocked in a send.
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        pipe = _Pipe(self._connection)
        try:
            self._serve(pipe)
        except av.FFmpegError as error:
            logger.warning("the NUT reader %s cannot be served: %s", self._peer, error)
        finally:
            self._server.forget(self)
            with contextlib.suppress(OSError):
                self._connection.close()
        if isinstance(pipe.failed, TimeoutError):
            logger.warning("the NUT reader %s stalled for %.0f s and was disconnected", self._peer, STALL_S)
        else:
            logger.info("the NUT reader %s is gone", self._peer)

    def _serve(self, pipe: _Pipe) -> None:
        server = self._server
        with av.open(pipe, "w", format="nut", buffer_size=IO_BUFFER_BYTES, options=_NO_INDEX) as container:
            video = container.add_stream("rawvideo", rate=server.fps)
            video.width, video.height, video.pix_fmt = server.width, server.height, "yuv420p"
            # BT.709 in limited range, as the pictures are drawn; said, so that nobody guesses.
            video.codec_context.color_range = 1
            video.codec_context.colorspace = 1
            audio = container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="stereo")
            container.start_encoding()
            while pipe.failed is None and (piece := self._next()) is not None:
                packet = av.Packet(piece.data)
                packet.stream = video if piece.video else audio
                packet.time_base = _SAMPLES
                packet.pts = packet.dts = piece.sample
                packet.duration = piece.samples
                packet.is_keyframe = True
                container.mux_one(packet)
            pipe.failed = pipe.failed or ConnectionAbortedError()

    def _next(self) -> _Piece | None:
        with self._ready:
            while not self._queue and not self._closed:
                self._ready.wait()
            return None if self._closed else self._queue.popleft()


class NutServer:
    """Listens on a TCP port of this machine and gives every reader the programme.

    Args:
        port: 0 for any free one.
        width, height: of the pictures, in pixels.
        fps: pictures per second.

    Raises:
        FeedError: the port cannot be listened on.
    """

    def __init__(self, port: int, width: int, height: int, fps: int) -> None:
        self.width, self.height, self.fps = width, height, fps
        self._readers: tuple[_Reader, ...] = ()
        self._lock = threading.Lock()
        if not 0 <= port <= 65535:
            raise FeedError(f"cannot listen for OBS on port {port}: choose one from 1024 to 65535")
        try:
            self._listener = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                reason = "it is in use; end the program that listens there or choose another port"
            else:
                reason = f"{error.strerror}; choose another port"
            raise FeedError(f"cannot listen for OBS on port {port}: {reason}") from error
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="nut listener", daemon=True).start()

    @property
    def readers(self) -> int:
        """How many readers are connected."""
        return len(self._readers)

    @property
    def wanted(self) -> bool:
        """Whether anybody reads, so that a picture must be drawn."""
        return bool(self._readers)

    def frame(self, frame: ProgramFrame) -> None:
        """Queue one picture and its sound for every reader; never blocks."""
        readers = self._readers
        if not readers:
            return
        samples = len(frame.audio)
        sound = np.rint(np.clip(frame.audio, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
        pieces = [_Piece(False, frame.sample, samples, sound)]
        if frame.picture is not None:
            # The picture may be drawn over before a slow reader has it.
            pieces.insert(0, _Piece(True, frame.sample, samples, frame.picture.tobytes()))
        for reader in readers:
            reader.push(tuple(pieces))

    def forget(self, reader: _Reader) -> None:
        """Take a reader out of the list."""
        with self._lock:
            self._readers = tuple(other for other in self._readers if other is not reader)

    def close(self) -> None:
        """Stop listening and disconnect everybody."""
        # Closing alone does not wake a thread that is in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        readers = self._readers
        for reader in readers:
            reader.close()
        for reader in readers:
            reader.thread.join(STALL_S + 1.0)

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self._listener.accept()
            except OSError:
                return
            connection.settimeout(STALL_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = _Reader(self, connection, f"{address[0]}:{address[1]}")
            with self._lock:
                self._readers = (*self._readers, reader)
            reader.thread.start()
            logger.info("a NUT reader connected from %s:%d", *address)
