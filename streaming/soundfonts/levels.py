"""What brings the instruments of a SoundFont to the levels of the synth's.

    python -m streaming.soundfonts.levels FILE.sf2

measures a SoundFont for the cache: some seconds of work that a player leaves to another process.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.instruments import INSTRUMENTS, Instrument
from model.notes import Note
from streaming.mixing.levels import Levels, integrated_lufs
from streaming.mixing.room import DRY

log = logging.getLogger(__name__)

_RANGE_DB = 24.0
_MEASURE_S = 300.0
_NICE = 10
_VELOCITY = 80
_STEP_S, _LAST_S = 0.4, 1.5
# Where each instrument mostly plays.
_TONIC = {
    "piano": 60, "violin": 67, "cello": 48, "bass": 36, "guitar": 52, "flute": 72, "clarinet": 62,
    "trumpet": 65, "harp": 60, "organ": 60, "choir": 60, "synth": 60,
}  # fmt: skip
_MELODY = (0, 4, 7, 9, 5, 2, -5, 0)
# Bass drum, snare and hats: an eighth each.
_BEAT = ((36, 42), (42,), (38, 42), (42,), (36, 42), (36, 42), (38, 42), (46,))


def phrase(instrument: Instrument) -> list[Note]:
    """Return a few seconds of an instrument's everyday music."""
    tune = [(_TONIC[instrument.name] + step,) for step in _MELODY] if instrument.sustains else _BEAT
    notes = []
    for index, keys in enumerate(tune):
        length_s = _LAST_S if index == len(tune) - 1 else 0.95 * _STEP_S
        notes += [Note(index * _STEP_S, key, instrument.name, length_s, _VELOCITY) for key in keys]
    return notes


def matched(own: Levels, like: Levels, there: Iterable[str]) -> tuple[dict[str, float], Levels]:
    """Return what is to be added to each instrument's level, in dB, and what its notes measure then.

    Args:
        own: what the notes of an orchestra measure as they are.
        like: what those of the one measure that it is to be as loud as; it stands in where one is missing.
        there: instruments that the orchestra has.
    """
    levels_db: dict[str, float] = {}
    found = replace(own, **{slot: getattr(own, slot).copy() for slot in Levels.__slots__})
    names = set(there)
    for index, instrument in enumerate(INSTRUMENTS):
        if instrument.name not in names:
            for slot in Levels.__slots__:
                rows_of(getattr(found, slot))[index] = rows_of(getattr(like, slot))[index]
            continue
        notes = phrase(instrument)
        wanted, given = (integrated_lufs(levels.course(notes, DRY)) for levels in (like, own))
        gain_db = min(_RANGE_DB, max(-_RANGE_DB, wanted - given))
        found.power[index] *= 10 ** (gain_db / 10)
        levels_db[instrument.name] = gain_db
    return levels_db, found


def rows_of(figures: NDArray[Any]) -> NDArray[Any]:
    """Return figures of `Levels` with the instruments first, as a view."""
    return np.moveaxis(figures, figures.shape.index(len(INSTRUMENTS)), 0)


def name_of(path: Path) -> str:
    """Return a name for what a file sounds like: another one when it changes."""
    state = path.stat()
    return f"{path.resolve()} {state.st_size} {state.st_mtime_ns}"


def measure_apart(path: Path) -> None:
    """Measure a SoundFont in a process of its own, which leaves what it finds in the cache."""
    command = [sys.executable, "-m", "streaming.soundfonts.levels", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_MEASURE_S)
    except subprocess.TimeoutExpired:
        log.warning("%s: measuring it takes too long here; it is done while it is loaded", path)
        return
    if done.returncode:
        # Whatever it is, loading it will say.
        log.info("%s: not measured: %s", path, done.stderr.strip().splitlines()[-1:])


def main(arguments: list[str]) -> int:
    """Measure the SoundFont at a path."""
    from streaming.errors import SynthError
    from streaming.mixing.calibration import levels_of
    from streaming.soundfonts.soundfont import SampledOrchestra

    os.nice(_NICE)
    path = Path(arguments[0])
    try:
        levels_of(SampledOrchestra(path), name_of(path))
    except SynthError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
