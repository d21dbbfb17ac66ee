"""What brings the instruments of a SoundFont to the levels of the synth's, measured when it is loaded."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.instruments import INSTRUMENTS
from model.notes import Note
from streaming.loudness import K_WEIGHTING, to_lufs
from streaming.synth import Strike
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, Timeline, to_samples, whole_blocks

Array = NDArray[np.float64]

# What the phrases below measure of the synth's instruments, as they come out of their stems: the powers of both
# sides together. `tests/streaming/test_soundfont.py` holds the two orchestras against each other.
TYPICAL_LUFS = {
    "piano": -24.5, "violin": -23.4, "cello": -20.7, "bass": -22.8, "guitar": -23.8, "flute": -26.6,
    "clarinet": -24.3, "trumpet": -25.7, "harp": -26.8, "organ": -27.8, "choir": -28.0, "synth": -22.5,
    "drums": -18.6,
}  # fmt: skip
_RANGE_DB = 24.0
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


class Stems(Protocol):
    """What plays notes into stems: any orchestra."""

    @property
    def sample(self) -> int:
        """Samples made."""

    def process(self, strikes: list[Strike]) -> NDArray[np.float32]:
        """Make the next block, float32 [256, 2 x instruments]."""

    def plays(self, instrument: str, pitch: int) -> bool:
        """Whether it has a sound for a note."""


def phrases() -> list[Note]:
    """Return a few seconds of everyday music of every instrument, all at once."""
    notes: list[Note] = []
    for instrument in INSTRUMENTS:
        tune = [(_TONIC[instrument.name] + step,) for step in _MELODY] if instrument.sustains else _BEAT
        for index, keys in enumerate(tune):
            length_s = _LAST_S if index == len(tune) - 1 else 0.95 * _STEP_S
            notes += [Note(index * _STEP_S, key, instrument.name, length_s, _VELOCITY) for key in keys]
    return sorted(notes)


def measured(orchestra: Stems) -> dict[str, float]:
    """Return the loudness of each instrument's phrase in LUFS.

    Args:
        orchestra: at rest; it plays some four seconds.
    """
    notes = [n for n in phrases() if orchestra.plays(n.instrument, n.pitch)]
    line, start, made = Timeline(notes), orchestra.sample, []
    for _ in range(whole_blocks(line.end_sample + to_samples(0.5))):
        now = orchestra.sample - start
        events = line.take(now + BLOCK_SAMPLES)
        strikes = [Strike(e.sample - now, e.end_sample - e.sample, e.note, colour=e.sample) for e in events]
        made.append(orchestra.process(strikes).copy())
    weighted = _weighted(np.concatenate(made).astype(np.float64))
    names = {note.instrument for note in notes}
    return {
        instrument.name: loudness(weighted[:, 2 * index : 2 * index + 2])
        for index, instrument in enumerate(INSTRUMENTS)
        if instrument.name in names
    }


def calibrated(orchestra: Stems) -> dict[str, float]:
    """Return what is to be added to each instrument's level, in dB."""
    found = dict.fromkeys((instrument.name for instrument in INSTRUMENTS), 0.0)
    for name, lufs in measured(orchestra).items():
        found[name] = min(_RANGE_DB, max(-_RANGE_DB, TYPICAL_LUFS[name] - lufs))
    return found


def loudness(weighted: Array) -> float:
    """Return the loudness of K-weighted sound, float64 [samples, 2], what is 10 LU below the rest left out."""
    window = SAMPLE_RATE // 10
    power = np.square(weighted[: len(weighted) // window * window]).reshape(-1, window * 2).sum(axis=1) / window
    loud = power[power > 0.1 * power.mean()] if len(power) else power
    return to_lufs(float(loud.mean())) if len(loud) else to_lufs(0.0)


def _weighted(sound: Array) -> Array:
    """Return sound after the K weighting, filtered in one go."""
    size = 1 << math.ceil(math.log2(len(sound) + SAMPLE_RATE // 4))
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(size))
    response = np.ones_like(z)
    for b, a in K_WEIGHTING:
        response *= np.polyval(b[::-1], z) / np.polyval(a[::-1], z)
    return np.stack([np.fft.irfft(np.fft.rfft(column, size) * response, size)[: len(sound)] for column in sound.T], 1)
