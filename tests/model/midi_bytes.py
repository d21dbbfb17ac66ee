"""MIDI files built byte by byte, for the tests of `midi` and `smf`."""

from __future__ import annotations

import struct
from pathlib import Path

from model.midi import Imported, read_midi

END = b"\x00\xff\x2f\x00"


def number(value: int) -> bytes:
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


def track(*events: tuple[int, bytes], end: bytes = END, length: int | None = None) -> bytes:
    body = b"".join(number(delta) + message for delta, message in events) + end
    return b"MTrk" + struct.pack(">I", len(body) if length is None else length) + body


def smf(*tracks: bytes, kind: int = 1, division: int = 480) -> bytes:
    return b"MThd" + struct.pack(">IHHH", 6, kind, len(tracks), division) + b"".join(tracks)


def on(pitch: int, velocity: int = 80, channel: int = 0) -> bytes:
    return bytes((0x90 | channel, pitch, velocity))


def off(pitch: int, channel: int = 0) -> bytes:
    return bytes((0x80 | channel, pitch, 0))


def program(number: int, channel: int = 0) -> bytes:
    return bytes((0xC0 | channel, number))


def sustain(value: int, channel: int = 0) -> bytes:
    return bytes((0xB0 | channel, 64, value))


def tempo(microseconds: int) -> bytes:
    return b"\xff\x51\x03" + microseconds.to_bytes(3, "big")


def signature(numerator: int, power: int) -> bytes:
    return bytes((0xFF, 0x58, 4, numerator, power, 24, 8))


def marker(text: bytes) -> bytes:
    return b"\xff\x06" + number(len(text)) + text


# At 120 beats a minute and 480 ticks a beat this lasts half a second.
QUARTER = ((0, on(60)), (480, off(60)))


def read(folder: Path, data: bytes, *, pedal: bool = False) -> Imported:
    """Read bytes as a file `tune.mid`."""
    path = folder / "tune.mid"
    path.write_bytes(data)
    return read_midi(path, pedal=pedal)


def sounding(imported: Imported) -> list[tuple[float, float, int]]:
    return [(round(n.onset_s, 4), round(n.offset_s, 4), n.pitch) for n in imported.piece.notes]
