"""Encoded packets on their way from the programme to the process that publishes them.

A parcel is a header of 20 bytes (stream, flags, pts, length) and the packet's bytes. What waits is bounded: when too
much does, the oldest goes, up to a picture that needs no other.
"""

from __future__ import annotations

import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Stream = Literal["video", "aac", "opus"]

SAMPLE_RATE = 48_000
MAX_PACKET_BYTES = 16 * 1024 * 1024
# As much as between two keyframes; a live audience gains nothing from more.
QUEUE_S = 2.0
_HEADER = struct.Struct(">BBxxqQ")
HEADER_BYTES = _HEADER.size
_CODES: dict[Stream, int] = {"video": 0, "aac": 1, "opus": 2}
_STREAMS: dict[int, Stream] = {code: stream for stream, code in _CODES.items()}


@dataclass(frozen=True, slots=True)
class Parcel:
    """One encoded packet.

    Attributes:
        stream: what it is of.
        pts: in pictures (video) or samples (sound) of the programme.
        keyframe: whether decoding can begin here.
        data: of the codec; H.264 with start codes.
    """

    stream: Stream
    pts: int
    keyframe: bool
    data: bytes

    def pack(self) -> bytes:
        """Return it as bytes."""
        return _HEADER.pack(_CODES[self.stream], self.keyframe, self.pts, len(self.data)) + self.data

    def time(self, fps: int) -> Fraction:
        """Return its time in seconds of the programme."""
        return Fraction(self.pts, fps if self.stream == "video" else SAMPLE_RATE)


def unpack_header(header: bytes) -> tuple[Stream, bool, int, int]:
    """Return stream, keyframe, pts and length in bytes of the parcel that begins so.

    Raises:
        ValueError: it is no header.
    """
    code, keyframe, pts, length = _HEADER.unpack(header)
    if code not in _STREAMS or length > MAX_PACKET_BYTES:
        raise ValueError("no parcel begins here")
    return _STREAMS[code], bool(keyframe), pts, length


class ParcelQueue:
    """Parcels that wait for one publisher; filled in one thread, emptied in another.

    It begins with a keyframe and, when it was too full, goes on with one: pictures and sound before that are dropped
    together.

    Args:
        fps: pictures a second.
        want_keyframe: called when there is none to go on with; must not block.
        limit_s: how much may wait, in seconds of the programme.
    """

    def __init__(self, fps: int, want_keyframe: Callable[[], None], *, limit_s: float = QUEUE_S) -> None:
        self._fps = fps
        self._want_keyframe = want_keyframe
        self._limit_s = limit_s
        self._parcels: deque[Parcel] = deque()
        self._lock = threading.Lock()
        self._open = False
        self._skipping = True
        # Before its first keyframe nothing is missed.
        self._begun = False
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._parcels)

    @property
    def open(self) -> bool:
        """Whether parcels are taken."""
        return self._open

    def begin(self) -> None:
        """Take parcels from the next keyframe on."""
        with self._lock:
            self._parcels.clear()
            self._open = self._skipping = True
            self._begun = False
        self._want_keyframe()

    def end(self) -> None:
        """Forget what waits, and take nothing more."""
        with self._lock:
            self._parcels.clear()
            self._open = False

    def put(self, parcel: Parcel) -> bool:
        """Queue a parcel; never blocks. Return whether something waits."""
        starved = False
        with self._lock:
            if not self._open:
                return False
            if self._skipping:
                if not parcel.keyframe or parcel.stream != "video":
                    self.dropped += self._begun
                    return False
                self._skipping, self._begun = False, True
            self._parcels.append(parcel)
            if parcel.time(self._fps) - self._parcels[0].time(self._fps) > self._limit_s:
                starved = self._drop()
            waits = bool(self._parcels)
        if starved:
            self._want_keyframe()
        return waits

    def take(self) -> Parcel | None:
        """Return the oldest parcel, or None."""
        with self._lock:
            return self._parcels.popleft() if self._parcels else None

    def _drop(self) -> bool:
        """Drop the oldest up to the next keyframe; return whether there is none."""
        while self._parcels:
            self._parcels.popleft()
            self.dropped += 1
            if self._parcels and self._parcels[0].keyframe and self._parcels[0].stream == "video":
                return False
        self._skipping = True
        return True


class Origin:
    """Times from the first keyframe on, for a receiver that expects a stream to begin at 0.

    Args:
        fps: pictures a second.
    """

    def __init__(self, fps: int) -> None:
        self._fps = fps
        self._base: Fraction | None = None

    def seconds(self, parcel: Parcel) -> Fraction | None:
        """Return a parcel's time in seconds since the beginning; None: it lies before that."""
        time = parcel.time(self._fps)
        if self._base is None:
            if parcel.stream != "video" or not parcel.keyframe:
                return None
            self._base = time
        return time - self._base if time >= self._base else None
