"""The instruments of the ensemble: one readable table, torch-free.

Each instrument has a playable range, the General MIDI programs it stands for,
and the volume levels of its tokens. Real-world files name 128 programs; every
one of them maps to one of these thirteen, so nothing is ever dropped.

Pitches are MIDI numbers, C4 = 60. Drums use General MIDI percussion keys as
pitches and have no note-off.
"""

from __future__ import annotations

from dataclasses import dataclass

# MuseNet wrote the piano's volumes in steps of 8 and gave the others v80 alone;
# we keep its piano and give the others four levels, 32 apart, v80 among them.
FINE_LEVELS = (*range(8, 128, 8), 127)
COARSE_LEVELS = (16, 48, 80, 112)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument.

    Attributes:
        name: the name in tokens and setlists.
        group: MuseNet's set name, `piano_strings` being piano and strings.
        low: lowest playable MIDI pitch.
        high: highest playable MIDI pitch.
        program: General MIDI program (0-127) it is written as.
        programs: General MIDI programs (0-127) it is read from.
        levels: MIDI velocities its volume tokens stand for, ascending.
        sustains: whether a note lasts until its note-off (false for drums).
    """

    name: str
    group: str
    low: int
    high: int
    program: int
    programs: frozenset[int]
    levels: tuple[int, ...] = COARSE_LEVELS
    sustains: bool = True


def _programs(*spans: tuple[int, int]) -> frozenset[int]:
    return frozenset(p for first, last in spans for p in range(first, last + 1))


# fmt: off
INSTRUMENTS: tuple[Instrument, ...] = (
    Instrument("piano",    "piano",   21, 108,  0, _programs((0, 7)), FINE_LEVELS),
    Instrument("violin",   "strings", 48, 103, 40, _programs((40, 41), (44, 45), (48, 51), (110, 110))),
    Instrument("cello",    "strings", 33,  84, 42, _programs((42, 42))),
    Instrument("bass",     "bass",    23,  67, 32, _programs((32, 39), (43, 43), (47, 47))),
    Instrument("guitar",   "guitar",  36,  88, 24, _programs((24, 31), (104, 107))),
    Instrument("flute",    "winds",   53, 108, 73, _programs((72, 79))),
    Instrument("clarinet", "winds",   34,  94, 71, _programs((64, 71), (109, 109), (111, 111))),
    Instrument("trumpet",  "winds",   29,  94, 56, _programs((55, 63))),
    Instrument("harp",     "harp",    23, 103, 46, _programs((8, 15), (46, 46), (108, 108), (112, 112), (114, 114))),
    Instrument("organ",    "organ",   24,  98, 19, _programs((16, 23))),
    Instrument("choir",    "choir",   36,  86, 52, _programs((52, 54))),
    Instrument("synth",    "synth",   24,  98, 81, _programs((80, 103), (120, 127))),
    Instrument("drums",    "drums",   27,  87,  0, _programs((113, 113), (115, 119)), sustains=False),
)
# fmt: on

BY_NAME: dict[str, Instrument] = {i.name: i for i in INSTRUMENTS}
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(i.group for i in INSTRUMENTS))
# A string ensemble (General MIDI 48-51) below this median pitch is read as cello.
CELLO_BELOW = 55


def of_program(program: int) -> Instrument:
    """Return the instrument that plays a General MIDI program (0-127)."""
    return next(i for i in INSTRUMENTS if program in i.programs)


def members(name: str) -> tuple[str, ...]:
    """Return the instruments a name in a setlist stands for.

    Args:
        name: an instrument (`violin`) or a group (`strings`).

    Raises:
        KeyError: the name is neither.
    """
    if name in BY_NAME:
        return (name,)
    found = tuple(i.name for i in INSTRUMENTS if i.group == name)
    if not found:
        raise KeyError(name)
    return found
