"""MPEG-TS: H.264 and AAC as a stream that can be joined at any keyframe, a packet in, its bytes out at once.

A library's muxer holds packets back to put them in order, so that nobody knows in which bytes a keyframe begins.

Source: ISO/IEC 13818-1, 2.4.3 (packets, PES) and 2.4.4 (tables); ISO/IEC 13818-7, 6.2 (ADTS).
"""

from __future__ import annotations

import struct
from fractions import Fraction

PACKET_BYTES = 188
CLOCK_RATE = 90_000
_PAT_PID, _PMT_PID, _VIDEO_PID, _AUDIO_PID = 0, 0x1000, 0x100, 0x101
_H264, _AAC = 0x1B, 0x0F
_VIDEO_ID, _AUDIO_ID = 0xE0, 0xC0
# Every picture begins with one in a transport stream.
_DELIMITER = b"\x00\x00\x00\x01\x09\xf0"
_START_S = Fraction(1)
# How long before it is shown a picture is in the decoder.
_AHEAD_S = Fraction(1, 2)


class TransportStream:
    """Makes the stream; one for all who read it."""

    def __init__(self) -> None:
        self._counters: dict[int, int] = {}

    def video(self, picture: bytes, at_s: Fraction, *, keyframe: bool) -> bytes:
        """Return a picture as packets, after the tables where it is a keyframe.

        Args:
            picture: H.264 with start codes.
            at_s: when it is shown, in seconds since the beginning.
            keyframe: whether decoding can begin here.
        """
        clock = _ticks(at_s + _START_S - _AHEAD_S)
        # Random access, clock; a reader that has missed something before is not to wait for it.
        field = bytes([0x50 if keyframe else 0x10]) + (clock << 15 | 0x3F << 9).to_bytes(6, "big")
        body = _pes(_VIDEO_ID, _DELIMITER + picture, at_s)
        return (self._tables() if keyframe else b"") + self._packets(_VIDEO_PID, body, field)

    def audio(self, packet: bytes, at_s: Fraction) -> bytes:
        """Return an AAC packet as packets.

        Args:
            packet: AAC-LC, 48 kHz, stereo, without a header.
            at_s: when it is heard, in seconds since the beginning.
        """
        return self._packets(_AUDIO_PID, _pes(_AUDIO_ID, _adts(packet), at_s), b"")

    def _tables(self) -> bytes:
        return self._packets(_PAT_PID, _PAT, b"", table=True) + self._packets(_PMT_PID, _PMT, b"", table=True)

    def _packets(self, pid: int, body: bytes, field: bytes, *, table: bool = False) -> bytes:
        """Return bytes cut into packets.

        Args:
            pid: of the stream.
            body: of the whole unit.
            field: what goes into the adaptation field of the first packet, without its length.
            table: whether it is filled up behind and not in front.
        """
        if table:
            body += b"\xff" * (PACKET_BYTES - 4 - len(body))
        out: list[bytes] = []
        at = 0
        while at < len(body):
            room = PACKET_BYTES - 4 - (len(field) + 1 if field else 0)
            part = body[at : at + room]
            lacking = room - len(part)
            adaptation = bytes([len(field)]) + field if field else b""
            if lacking:
                # A field of one byte is its length alone; a longer one has flags.
                whole = len(adaptation) + lacking
                adaptation = (bytes([whole - 1]) + (field or b"\x00")).ljust(whole, b"\xff")[:whole]
            counter = self._counters.get(pid, 0)
            self._counters[pid] = (counter + 1) & 0x0F
            begin = 0x4000 if at == 0 else 0
            control = (0x30 if adaptation else 0x10) | counter
            out.append(struct.pack(">BHB", 0x47, begin | pid, control) + adaptation + part)
            at += len(part)
            field = b""
        return b"".join(out)


def _ticks(seconds: Fraction) -> int:
    return round(seconds * CLOCK_RATE) & 0x1FFFFFFFF


def _pes(stream_id: int, data: bytes, at_s: Fraction) -> bytes:
    """Return a unit with its header; a picture may be longer than the length can say, which is 0 then."""
    time = _ticks(at_s + _START_S)
    stamp = bytes(
        [
            0x21 | (time >> 29) & 0x0E,
            (time >> 22) & 0xFF,
            0x01 | (time >> 14) & 0xFE,
            (time >> 7) & 0xFF,
            0x01 | (time << 1) & 0xFE,
        ]
    )
    length = len(data) + 8
    return struct.pack(">IHBBB", 0x100 | stream_id, length if length < 1 << 16 else 0, 0x84, 0x80, 5) + stamp + data


def _adts(packet: bytes) -> bytes:
    """Return an AAC packet with the header of a stream: AAC-LC, 48 kHz, stereo."""
    length = len(packet) + 7
    profile, rate, channels = 1, 3, 2
    bits = (0xFFF1 << 40) | (profile << 38) | (rate << 34) | (channels << 30) | (length << 13) | (0x7FF << 2)
    return bits.to_bytes(7, "big") + packet


def _crc(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x04C11DB7 if crc & 0x80000000 else 0)
        crc &= 0xFFFFFFFF
    return crc


def _section(table_id: int, number: int, body: bytes) -> bytes:
    """Return a table of one section, after the pointer to its begin."""
    section = struct.pack(">BHHBBB", table_id, 0xB000 | (len(body) + 9), number, 0xC1, 0, 0) + body
    return b"\x00" + section + struct.pack(">I", _crc(section))


_PAT = _section(0, 1, struct.pack(">HH", 1, 0xE000 | _PMT_PID))
_PMT = _section(
    2,
    1,
    struct.pack(">HH", 0xE000 | _VIDEO_PID, 0xF000)
    + struct.pack(">BHH", _H264, 0xE000 | _VIDEO_PID, 0xF000)
    + struct.pack(">BHH", _AAC, 0xE000 | _AUDIO_PID, 0xF000),
)
