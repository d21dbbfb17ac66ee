"""H.264 as the encoder makes it (with start codes), made ready for FLV: units, headers, filling.

Source: ITU-T H.264 Annex B and 7.4.1; ISO/IEC 14496-15 5.3.3 (the decoder's configuration).
"""

from __future__ import annotations

import re
import struct

SPS, PPS, AUD, FILLER = 7, 8, 9, 12
_START = re.compile(rb"\x00\x00\x01")


def units(data: bytes) -> list[bytes]:
    """Return the NAL units of a packet with start codes, without these."""
    starts = [found.end() for found in _START.finditer(data)]
    ends = [*(start - 3 for start in starts[1:]), len(data)] if starts else []
    # A start code may have a zero more, and so may the end of a unit.
    return [unit for start, end in zip(starts, ends, strict=True) if (unit := data[start:end].rstrip(b"\x00"))]


def kind(unit: bytes) -> int:
    """Return the type of a NAL unit."""
    return unit[0] & 0x1F


def with_lengths(picture: list[bytes]) -> bytes:
    """Return units each after its length, without what the decoder's configuration holds already."""
    kept = [unit for unit in picture if kind(unit) not in (SPS, PPS, AUD)]
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in kept)


def configuration(picture: list[bytes]) -> bytes:
    """Return the decoder's configuration (`avcC`) from the headers before a keyframe.

    Raises:
        ValueError: there are none.
    """
    sps = [unit for unit in picture if kind(unit) == SPS]
    pps = [unit for unit in picture if kind(unit) == PPS]
    if not sps or not pps or len(sps[0]) < 4:
        raise ValueError("a keyframe came without its headers")
    body = bytes([1, *sps[0][1:4], 0xFF, 0xE0 | 1]) + struct.pack(">H", len(sps[0])) + sps[0]
    return body + bytes([1]) + struct.pack(">H", len(pps[0])) + pps[0]


class Filling:
    """Keeps the rate of the pictures constant, by filler that every decoder leaves out.

    The encoder keeps below a leaky bucket that is emptied at the bit rate; what an ingest that is told of a constant
    rate expects beyond that is filled here, so that neither recordings nor viewers carry it.

    Args:
        bitrate: bits a second.
        fps: pictures a second.
        bucket_s: what the bucket holds, in seconds at the bit rate.
    """

    def __init__(self, bitrate: int, fps: int, *, bucket_s: float = 1.0) -> None:
        self._each = bitrate / 8.0 / fps
        self._holds = bitrate / 8.0 * bucket_s
        # Bytes that are due and were not sent; full from the start, so that the rate is.
        self._due = self._holds
        self._last: int | None = None

    def after(self, size: int, index: int) -> bytes:
        """Return the filler unit that goes after a picture, with its length before it; mostly nothing.

        Args:
            size: of the picture, in bytes.
            index: of the picture; pictures that were left out are not made up for.
        """
        steps = 1 if self._last is None or index - self._last > 8 else index - self._last
        self._last = index
        self._due += steps * self._each - size
        excess = int(self._due - self._holds)
        # Length, type and end take six bytes.
        if excess < 16:
            return b""
        self._due -= excess
        body = bytes([FILLER]) + b"\xff" * (excess - 6) + b"\x80"
        return struct.pack(">I", len(body)) + body
