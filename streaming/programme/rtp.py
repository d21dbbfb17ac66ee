"""From the encoder's packets to RTP payloads: cut up once, whoever looks on, and timed by the sample clock.

Source: RFC 6184 (H.264: single units, STAP-A, FU-A), RFC 7587 (Opus), RFC 3550 section 6.4.1 (the clock of a report).
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from av.packet import Packet

from streaming.timeline import SAMPLE_RATE

Kind = Literal["audio", "video"]

CLOCK_RATE: dict[Kind, int] = {"audio": 48_000, "video": 90_000}
# With the headers of RTP, SRTP, TURN and IP still below what every path lets through in one piece.
PAYLOAD_MAX = 1200
_STAP_A, _FU_A = 24, 28
# Delimiters and filler (for ingests that want a constant rate) tell a viewer nothing.
_DELIMITER, _FILLER = 9, 12
_TYPE, _IMPORTANCE = 0x1F, 0x60
_FIRST, _LAST = 0x80, 0x40
_NTP_EPOCH_S = 2_208_988_800
# So far from the wall, the clock is set anew: the programme stood still, or hurried.
_ASTRAY_S = 0.5


@dataclass(frozen=True, slots=True)
class Burst:
    """One picture, or one piece of sound, as RTP payloads; the last of them carries the marker.

    Attributes:
        kind: of what.
        payloads: in the order in which they are sent.
        sample: index in the programme of what it begins with.
        timestamp: the same in the units of RTP, not yet wrapped.
        keyframe: whether a viewer can begin with it.
    """

    kind: Kind
    payloads: tuple[bytes, ...]
    sample: int
    timestamp: int
    keyframe: bool


def burst_of(kind: Kind, packet: Packet[Any]) -> Burst:
    """Return the payloads of a packet.

    Args:
        kind: "video" for H.264 with start codes, "audio" for Opus.
        packet: with pts and time base on the programme's clock.
    """
    assert packet.pts is not None
    assert packet.time_base is not None
    at_s = packet.pts * packet.time_base
    data = bytes(packet)
    return Burst(
        kind,
        tuple(h264_payloads(data)) if kind == "video" else (data,),
        int(at_s * SAMPLE_RATE),
        int(at_s * CLOCK_RATE[kind]),
        kind == "audio" or packet.is_keyframe,
    )


def h264_payloads(data: bytes) -> Iterator[bytes]:
    """Yield the RTP payloads of one picture.

    Args:
        data: its units, each after a start code.
    """
    small: list[bytes] = []
    size = 1
    for unit in _units(data):
        if len(unit) + 2 + size > PAYLOAD_MAX and small:
            yield _together(small)
            small, size = [], 1
        if len(unit) > PAYLOAD_MAX:
            yield from _fragments(unit)
        else:
            small.append(unit)
            size += 2 + len(unit)
    if small:
        yield _together(small)


def _units(data: bytes) -> Iterator[bytes]:
    begin = data.find(b"\0\0\1")
    while begin >= 0:
        end = data.find(b"\0\0\1", begin + 3)
        # A unit never ends with a zero: those before a start code belong to it.
        unit = data[begin + 3 : end if end >= 0 else len(data)].rstrip(b"\0")
        if unit and unit[0] & _TYPE not in (_DELIMITER, _FILLER):
            yield unit
        begin = end


def _together(units: list[bytes]) -> bytes:
    if len(units) == 1:
        return units[0]
    importance = max(unit[0] & _IMPORTANCE for unit in units)
    return bytes([importance | _STAP_A]) + b"".join(struct.pack("!H", len(unit)) + unit for unit in units)


def _fragments(unit: bytes) -> Iterator[bytes]:
    """Cut a unit into pieces of about one size, so that none is much shorter than the others."""
    room = PAYLOAD_MAX - 2
    body = len(unit) - 1
    count = -(-body // room)
    at = 1
    for index in range(count):
        size = body // count + (index < body % count)
        flags = _FIRST * (index == 0) | _LAST * (index == count - 1)
        yield bytes([unit[0] & ~_TYPE & 0xFF | _FU_A, flags | unit[0] & _TYPE]) + unit[at : at + size]
        at += size


class SampleClock:
    """When the samples of the programme are, in the time that the reports of all streams share.

    A viewer lays sound and picture together by the reports on each; both are read from this one clock, so that
    between them there is nothing but the rounding of a timestamp.
    """

    def __init__(self) -> None:
        self._zero_s: float | None = None

    def heed(self, sample: int, now_s: float | None = None) -> None:
        """Learn that a sample has just come.

        Args:
            sample: its index.
            now_s: seconds since 1970; None: now.
        """
        zero_s = (time.time() if now_s is None else now_s) - sample / SAMPLE_RATE
        if self._zero_s is None or abs(zero_s - self._zero_s) > _ASTRAY_S:
            self._zero_s = zero_s

    def ntp(self, sample: int) -> int:
        """Return the time of a sample as 64 bits: seconds since 1900, and their fraction."""
        assert self._zero_s is not None
        return int((self._zero_s + _NTP_EPOCH_S + sample / SAMPLE_RATE) * (1 << 32))
