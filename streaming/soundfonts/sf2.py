"""What a SoundFont file says of itself: its presets, read without the library that plays it.

Enough of the format to say, before a show, that a file is no SoundFont or is cut short.

Source: SoundFont Technical Specification 2.04, sections 4 and 7.2; SF3 differs in how samples are packed.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from model.instruments import INSTRUMENTS, Instrument
from streaming.errors import SoundFontError

# The name of the bank that is no file.
SYNTH = "synth"
DRUM_BANK = 128
_PRESET = struct.Struct("<20sHHHIII")
# More presets than 129 banks of 128 hold are not read.
_MOST_PRESETS = 129 * 128
_HINT = "give an .sf2 or .sf3 file"


@dataclass(frozen=True, slots=True)
class Preset:
    """A sound of a SoundFont.

    Attributes:
        bank: 0 to 127; 128 holds the drum kits.
        program: 0 to 127.
        name: as its maker calls it.
    """

    bank: int
    program: int
    name: str


def instruments_of(path: Path) -> dict[str, Preset]:
    """Return what plays each of our instruments in a SoundFont.

    Raises:
        SoundFontError: it cannot be read, or has none of them.
    """
    chosen = choose_presets(presets_of(path))
    if not chosen:
        raise SoundFontError(f"{path}: it has none of our instruments; use one with General MIDI programs")
    return chosen


def presets_of(path: Path) -> tuple[Preset, ...]:
    """Return the presets of a SoundFont, by bank and program.

    Args:
        path: an .sf2 or .sf3 file.

    Raises:
        SoundFontError: it cannot be read, is no SoundFont, is cut short, or has no preset.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return _read(path, file, size)
    except OSError as error:
        raise SoundFontError(f"{path}: {(error.strerror or 'cannot be read').lower()}; {_HINT}") from error


def _read(path: Path, file: BinaryIO, size: int) -> tuple[Preset, ...]:
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise SoundFontError(f"{path}: this is no SoundFont; {_HINT}")
    told = 8 + int.from_bytes(head[4:8], "little")
    if told > size:
        raise SoundFontError(f"{path}: cut short, {size:,} bytes of {told:,}; fetch it again")
    at = 12
    while at + 12 <= told:
        file.seek(at)
        name, length, kind = struct.unpack("<4sI4s", file.read(12))
        if name != b"LIST":
            break
        if kind == b"pdta":
            return _presets(path, file, at + 12, min(told, at + 8 + length))
        at += 8 + length
        if length % 2:
            # A chunk is to begin at an even place, but the makers of .sf3 files leave no gap.
            file.seek(at)
            at += file.read(4) != b"LIST"
    raise SoundFontError(f"{path}: damaged, its list of presets is missing; fetch it again")


def _presets(path: Path, file: BinaryIO, at: int, end: int) -> tuple[Preset, ...]:
    """Return the presets of a list of chunks; the last header only closes the table."""
    while at + 8 <= end:
        file.seek(at)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"phdr":
            if length % _PRESET.size or at + 8 + length > end or length > _MOST_PRESETS * _PRESET.size:
                break
            rows = list(_PRESET.iter_unpack(file.read(length)))
            found = [
                Preset(bank, program, text.split(b"\0")[0].decode("latin-1").strip())
                for text, program, bank, *_ in rows[:-1]
                if bank <= DRUM_BANK and program <= 127
            ]
            if found:
                return tuple(sorted(found, key=lambda preset: (preset.bank, preset.program)))
            raise SoundFontError(f"{path}: there is no preset in it; {_HINT}")
        at += 8 + length + length % 2
    raise SoundFontError(f"{path}: damaged, its list of presets cannot be read; fetch it again")


def choose_presets(presets: Sequence[Preset]) -> dict[str, Preset]:
    """Return the preset that plays each of our instruments; those without one are left out.

    An instrument's own General MIDI program comes first, then those that are read as it; of kits, the first.
    """
    there = {(preset.bank, preset.program): preset for preset in presets}
    chosen: dict[str, Preset] = {}
    for instrument in INSTRUMENTS:
        found = next((there[place] for place in _wanted(instrument) if place in there), None)
        if found is not None:
            chosen[instrument.name] = found
    return chosen


def _wanted(instrument: Instrument) -> list[tuple[int, int]]:
    """Return (bank, program) of what may play an instrument, the best first."""
    if not instrument.sustains:
        return [(DRUM_BANK, program) for program in range(128)]
    return [(0, program) for program in (instrument.program, *sorted(instrument.programs))]
