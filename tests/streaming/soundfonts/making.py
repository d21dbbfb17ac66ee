"""Tiny SoundFonts, made by the tests that play them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.instruments import INSTRUMENTS
from streaming.soundfonts.sf2 import DRUM_BANK

RATE = 48_000
# One period of A4 is 109.09 samples: eleven of them are 1200.
TONE_HZ, PERIODS, LOOP = 440.0, 11, 1200
# General MIDI programs of all our instruments, and a kit.
GENERAL = (*((0, i.program) for i in INSTRUMENTS if i.sustains), (DRUM_BANK, 0))
HATS = (42, 44, 46)
_RELEASE, _PAN, _KEYS, _SAMPLE, _LOOPS, _CLASS, _INSTRUMENT = 38, 17, 43, 53, 54, 57, 41
# A quarter of a second of release; the loop; the sample, which comes last.
_HELD = ((_RELEASE, -2400 & 0xFFFF), (_LOOPS, 1), (_SAMPLE, 0))


def write_soundfont(
    path: Path, presets: Sequence[tuple[int, int]] = GENERAL, *, keys: tuple[int, int] = (0, 127), pan: int = 0
) -> Path:
    """Write a SoundFont of which every preset is a tone of 440 Hz at A4; every kit rings, and its hats choke.

    Args:
        path: of the file.
        presets: (bank, program) of each.
        keys: the lowest and highest that sound.
        pan: of the tone, -500 (left) to 500 (right).
    """
    tone = _tone()
    hats = [(hat, 1) for hat in HATS]
    between = [k for k in range(128) if k not in HATS]
    generators = [
        [[(_KEYS, keys[0] | keys[1] << 8), (_PAN, pan & 0xFFFF), *_HELD]],
        [[(_KEYS, key | key << 8), (_CLASS, group), *_HELD] for key, group in [*hats, *((k, 0) for k in between)]],
    ]
    path.write_bytes(_riff(tone, presets, generators))
    return path


def _tone() -> NDArray[np.int16]:
    """Return a loop that is in tune to the last digit, with an overtone."""
    turns = np.arange(2 * LOOP) * PERIODS / LOOP
    wave = np.sin(2 * np.pi * turns) + 0.3 * np.sin(6 * np.pi * turns)
    return np.round(12_000 * wave).astype(np.int16)


def _riff(
    tone: NDArray[np.int16],
    presets: Sequence[tuple[int, int]],
    generators: Sequence[Sequence[Sequence[tuple[int, int]]]],
) -> bytes:
    info = _chunk(b"ifil", struct.pack("<HH", 2, 1)) + _chunk(b"isng", b"EMU8000\0") + _chunk(b"INAM", b"test\0\0")
    samples = _chunk(b"smpl", tone.tobytes() + bytes(2 * 46))
    headers, preset_bags, preset_gens = b"", b"", b""
    for index, (bank, program) in enumerate(presets):
        headers += struct.pack("<20sHHHIII", b"preset", program, bank, index, 0, 0, 0)
        preset_bags += struct.pack("<HH", index, 0)
        preset_gens += struct.pack("<HH", _INSTRUMENT, 1 if bank == DRUM_BANK else 0)
    headers += struct.pack("<20sHHHIII", b"EOP", 0, 0, len(presets), 0, 0, 0)
    preset_bags += struct.pack("<HH", len(presets), 0)
    instruments, bags, gens = b"", b"", b""
    for name, zones in zip((b"tone", b"kit"), generators, strict=True):
        instruments += struct.pack("<20sH", name, len(bags) // 4)
        for zone in zones:
            bags += struct.pack("<HH", len(gens) // 4, 0)
            gens += b"".join(struct.pack("<HH", kind, amount) for kind, amount in zone)
    instruments += struct.pack("<20sH", b"EOI", len(bags) // 4)
    bags += struct.pack("<HH", len(gens) // 4, 0)
    shape = (0, 2 * LOOP, 0, LOOP, RATE, 69, 0, 0, 1)
    shdr = struct.pack("<20sIIIIIBbHH", b"tone", *shape) + struct.pack("<20sIIIIIBbHH", b"EOS", *[0] * 9)
    tables = {
        b"phdr": headers, b"pbag": preset_bags, b"pmod": bytes(10), b"pgen": preset_gens + bytes(4),
        b"inst": instruments, b"ibag": bags, b"imod": bytes(10), b"igen": gens + bytes(4), b"shdr": shdr,
    }  # fmt: skip
    pdta = b"".join(_chunk(name, data) for name, data in tables.items())
    parts = ((b"INFO", info), (b"sdta", samples), (b"pdta", pdta))
    lists = b"".join(_chunk(b"LIST", kind + data) for kind, data in parts)
    return b"RIFF" + struct.pack("<I", 4 + len(lists)) + b"sfbk" + lists


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data
