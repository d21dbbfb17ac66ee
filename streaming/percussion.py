"""The drum kit: every piece of it as a table, modes and shaped noise, computed once at start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.timeline import SAMPLE_RATE
from streaming.wavetables import Table

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DrumSound:
    """One sound of the kit.

    Attributes:
        name: for people.
        keys: General MIDI percussion keys that play it.
        level_db: against the rest of the kit.
        place: where it stands, -1 (left) to 1 (right).
        chokes: a note of the same non-empty group silences it.
    """

    name: str
    keys: tuple[int, ...]
    level_db: float
    place: float = 0.0
    chokes: str = ""


# fmt: off
KIT: tuple[DrumSound, ...] = (
    DrumSound("kick",       (35, 36),                    0.0),
    DrumSound("side stick", (37, 75, 76, 77),          -10.0, 0.15),
    DrumSound("snare",      (38, 40),                   -2.0, 0.05),
    DrumSound("clap",       (39,),                      -6.0, -0.1),
    DrumSound("closed hat", (42, 44),                  -13.0, 0.35, "hat"),
    DrumSound("open hat",   (46,),                     -13.0, 0.35, "hat"),
    DrumSound("low tom",    (41, 43, 64, 66, 79),       -3.0, -0.4),
    DrumSound("mid tom",    (45, 47, 61, 63, 78, 86, 87), -3.0, -0.1),
    DrumSound("high tom",   (48, 50, 60, 62, 65),       -3.5, 0.25),
    DrumSound("crash",      (49, 52, 55, 57),          -12.0, -0.45),
    DrumSound("ride",       (51, 59),                  -14.0, 0.5),
    DrumSound("ride bell",  (53, 56, 67, 68, 80, 81),  -15.0, 0.5),
    DrumSound("tambourine", (54,),                     -13.0, -0.3),
    DrumSound("shaker",     (69, 70, 82, 58, 73, 74),  -14.0, -0.35),
    DrumSound("wood",       (71, 72, 83, 84, 85),      -12.0, 0.2),
)
# fmt: on
# A drum has no pitch that counts; all are played at their own rate.
_KIT_HZ = 440.0
_BY_KEY = {key: sound for sound in KIT for key in sound.keys}


def sound_of(key: int) -> DrumSound:
    """Return the sound a percussion key plays; keys without one of their own play the side stick."""
    return _BY_KEY.get(key, KIT[1])


def _time(duration_s: float) -> Array:
    return np.arange(int(duration_s * SAMPLE_RATE)) / SAMPLE_RATE


def _noise(rng: np.random.Generator, duration_s: float, low_hz: float, high_hz: float, order: int = 2) -> Array:
    """Return stereo noise of unit power between two frequencies, with soft edges."""
    length = int(duration_s * SAMPLE_RATE)
    at_hz = np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), 1.0)
    shape = 1 / np.sqrt((1 + (low_hz / at_hz) ** (2 * order)) * (1 + (at_hz / high_hz) ** (2 * order)))
    # Two thirds of it in common: wide, but with a middle.
    common, *sides = (np.fft.rfft(rng.normal(size=length)) for _ in range(3))
    out = np.stack([np.fft.irfft(shape * (common + 0.6 * side), length) for side in sides])
    return np.asarray(out / np.sqrt(np.mean(np.square(out))))


def _sweep(t: Array, start_hz: float, end_hz: float, fall_s: float) -> Array:
    """Return a sine that falls from one frequency to another."""
    cycles = end_hz * t + (start_hz - end_hz) * fall_s * (1 - np.exp(-t / fall_s))
    return np.sin(2 * np.pi * cycles)


def _metal(rng: np.random.Generator, t: Array, low_hz: float, high_hz: float, modes: int, decay_s: float) -> Array:
    """Return many inharmonic modes of a plate, the high ones dying first."""
    hz = np.exp(rng.uniform(np.log(low_hz), np.log(high_hz), modes))
    fall = (1 + hz / 7000.0) / decay_s
    out = np.zeros((2, len(t)))
    for f, d in zip(hz, fall, strict=True):
        wave = np.exp(-d * t) * np.sin(2 * np.pi * f * t + rng.uniform(0, 6.28)) * (2000.0 / f) ** 0.3
        pan = rng.uniform(0.3, 0.7)
        out += np.stack([wave * np.sqrt(1 - pan), wave * np.sqrt(pan)])
    return np.asarray(out / np.sqrt(modes))


def _drum(t: Array, hz: float, ratios: Sequence[float], decay_s: float, drop: float = 1.25) -> Array:
    """Return a drum head: modes of a membrane whose pitch falls a little as the skin relaxes."""
    out = np.zeros_like(t)
    for i, ratio in enumerate(ratios):
        out += _sweep(t, hz * ratio * drop, hz * ratio, 0.05) * np.exp(-t * (1 + 1.3 * i) / decay_s) / (1 + i)
    return out


def make(sound: DrumSound, *, seed: int) -> Table:
    """Return a sound of the kit in its place, fading to silence.

    Args:
        sound: one of `KIT`.
        seed: of its noise.
    """
    rng = np.random.default_rng([seed, *sound.name.encode()])
    wave = _shape(sound.name, rng)
    rise = int(0.0004 * SAMPLE_RATE)
    wave[:, :rise] *= np.linspace(0, 1, rise)
    tail = wave.shape[1] // 4
    wave[:, -tail:] *= np.linspace(1, 0, tail) ** 2
    wave -= wave.mean(axis=1, keepdims=True) * np.hanning(wave.shape[1]) * 2
    angle = (sound.place + 1) * np.pi / 4
    pan = np.sqrt(2) * np.array([[np.cos(angle)], [np.sin(angle)]])
    return Table(wave / np.abs(wave).max() * pan, _KIT_HZ, loops=False)


def _shape(name: str, rng: np.random.Generator) -> Array:
    if name == "kick":
        t = _time(0.5)
        body = _sweep(t, 150.0, 50.0, 0.028) * np.exp(-t / 0.13)
        click = _noise(rng, 0.5, 500.0, 2600.0) * np.exp(-t / 0.004) * 0.12
        return np.tanh(1.3 * body) + click
    if name == "snare":
        t = _time(0.5)
        head = _drum(t, 186.0, (1.0, 1.59, 2.14), 0.09) * 0.9
        wires = _noise(rng, 0.5, 900.0, 6500.0) * (np.exp(-t / 0.075) + 0.15 * np.exp(-t / 0.2)) * 0.24
        return head + wires
    if name == "side stick":
        t = _time(0.15)
        wood = np.sin(2 * np.pi * 1720 * t) * np.exp(-t / 0.009) + 0.7 * np.sin(2 * np.pi * 830 * t) * np.exp(
            -t / 0.015
        )
        return wood + _noise(rng, 0.15, 800.0, 5000.0) * np.exp(-t / 0.004) * 0.25
    if name == "clap":
        t = _time(0.4)
        hands = np.exp(-t / 0.07) * 0.5
        for start_s in (0.0, 0.011, 0.023):
            hands = hands + (t >= start_s) * np.exp(-np.maximum(t - start_s, 0) / 0.006)
        return _noise(rng, 0.4, 800.0, 2600.0) * hands
    if name in ("closed hat", "open hat"):
        long = name == "open hat"
        t = _time(0.9 if long else 0.16)
        decay_s = 0.28 if long else 0.032
        sizzle = _noise(rng, t[-1] + 1 / SAMPLE_RATE, 5500.0, 11_000.0)[:, : len(t)] * 0.3
        return (_metal(rng, t, 3200.0, 11_500.0, 28, 2.2 * decay_s) + sizzle) * np.exp(-t / decay_s)
    if name.endswith("tom"):
        t = _time(1.0)
        hz = {"low tom": 88.0, "mid tom": 122.0, "high tom": 165.0}[name]
        skin = _noise(rng, 1.0, 300.0, 1800.0) * np.exp(-t / 0.012) * 0.1
        return _drum(t, hz, (1.0, 1.5, 1.98, 2.44), 0.24) + skin
    if name == "crash":
        t = _time(2.6)
        wash = _noise(rng, 2.6, 2500.0, 9000.0) * 0.35
        return (_metal(rng, t, 500.0, 10_500.0, 60, 1.6) + wash) * np.exp(-t / 0.75) * (1 - 0.6 * np.exp(-t / 0.012))
    if name == "ride":
        t = _time(2.0)
        ping = 0.5 * _metal(rng, t, 2600.0, 5600.0, 8, 0.35) * np.exp(-t / 0.18)
        wash = _metal(rng, t, 600.0, 9000.0, 44, 1.5) * np.exp(-t / 0.65) * 0.6
        return ping + wash
    if name == "ride bell":
        t = _time(1.4)
        bell = sum(np.sin(2 * np.pi * f * t) * np.exp(-t / d) * a for f, d, a in ((1240, 0.3, 1), (1985, 0.24, 0.5)))
        return np.asarray(bell + 0.25 * _metal(rng, t, 2500.0, 7000.0, 16, 0.5) * np.exp(-t / 0.3))
    if name == "tambourine":
        t = _time(0.35)
        return (
            _metal(rng, t, 4500.0, 11_000.0, 24, 0.3) * np.exp(-t / 0.07)
            + _noise(rng, 0.35, 5e3, 1e4) * np.exp(-t / 0.03) * 0.3
        )
    if name == "shaker":
        t = _time(0.16)
        return np.asarray(_noise(rng, 0.16, 4000.0, 9000.0) * np.exp(-t / 0.03) * (1 - np.exp(-t / 0.012)))
    t = _time(0.25)
    block = np.sin(2 * np.pi * 780 * t) * np.exp(-t / 0.03) + 0.4 * np.sin(2 * np.pi * 1370 * t) * np.exp(-t / 0.018)
    return np.stack([block, block])
