"""The drum kit: every sound of it as tables of tones, shaped noise and plates, computed once at start."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.patches import KIT
from streaming.patches.recipe import DrumPart, DrumSound
from streaming.synthesis.strings import ringing
from streaming.synthesis.wavetables import Sound, Table
from streaming.timeline import SAMPLE_RATE

Array = NDArray[np.float64]

# A drum has no pitch that counts; all are played at their own rate.
_KIT_HZ = 440.0
# What is softer than this against its peak (1) need not be kept.
_HEARD_DB = -52.0
_LONGEST_EDGE_S = 1.2
# No stick makes a step in the air.
_SOFTEST_S = 0.0002
_BY_KEY = {key: sound for sound in KIT for key in sound.keys}


def sound_of(key: int) -> DrumSound:
    """Return the sound a percussion key plays; keys without one of their own play the nearest key's."""
    found = _BY_KEY.get(key)
    return found if found is not None else _BY_KEY[min(_BY_KEY, key=lambda k: (abs(k - key), k))]


def make(sound: DrumSound, *, middle: float, seed: int) -> Sound:
    """Return a sound of the kit in its place, fading to silence.

    Args:
        sound: of a kit.
        middle: how much of the edge sounds at a middling stroke.
        seed: of its noise.
    """
    rng = np.random.default_rng([seed, *sound.name.encode()])
    t = np.arange(int(sound.length_s * SAMPLE_RATE)) / SAMPLE_RATE
    body, edge = np.zeros((2, len(t))), np.zeros((2, len(t)))
    for part in sound.parts:
        wave = _struck(part, t, rng)
        gain = 10 ** (part.level_db / 20)
        body += gain * wave
        edge += gain * (10 ** (part.loud_db / 20) - 1) * wave
    peak = float(np.abs(body + middle * edge).max())
    angle = (sound.place + 1) * np.pi / 4
    pan = np.sqrt(2) * np.array([[np.cos(angle)], [np.sin(angle)]])
    edge = edge[:, : int(_LONGEST_EDGE_S * SAMPLE_RATE)]
    made = [Table(_finished(wave / peak) * pan, _KIT_HZ, loops=False) for wave in (body, edge)]
    return Sound(made[0], made[1] if np.abs(edge).max() > 1e-4 else None)


def _finished(wave: Array) -> Array:
    """Return a wave without offset that begins and ends with silence."""
    loud = np.flatnonzero(np.abs(wave).max(axis=0) > 10 ** (_HEARD_DB / 20))
    # At least a blink of it, in whole blocks.
    wave = wave[:, : max(2048, int(loud[-1]) + 1 if len(loud) else 0)].copy()
    rise, tail = int(0.0004 * SAMPLE_RATE), wave.shape[1] // 4
    wave[:, :rise] *= np.linspace(0, 1, rise)
    wave[:, -tail:] *= np.linspace(1, 0, tail) ** 2
    window = np.hanning(wave.shape[1])
    return np.asarray(wave - wave.mean(axis=1, keepdims=True) * window * 2)


def _struck(part: DrumPart, t: Array, rng: np.random.Generator) -> Array:
    """Return one part, at all its strokes, about 1 at its peak or in its power."""
    once = _once(part, t, rng)
    if part.strokes_s == (0.0,):
        return once
    out = np.zeros_like(once)
    for start_s in part.strokes_s:
        start = min(int(start_s * SAMPLE_RATE), len(t) - 1)
        out[:, start:] += once[:, : len(t) - start]
    return out


def _once(part: DrumPart, t: Array, rng: np.random.Generator) -> Array:
    rise = 1 - np.exp(-t / max(part.attack_s, _SOFTEST_S))
    if part.hz:
        out = np.zeros_like(t)
        for i, hz in enumerate(part.hz):
            cycles = hz * (t + (part.drop - 1) * part.drop_s * (1 - np.exp(-t / part.drop_s)))
            falling = np.exp(-t * (1 + 0.6 * part.thin * i) / part.decay_s)
            out += np.sin(2 * np.pi * cycles) * falling / (1 + i) ** part.thin
        return np.asarray(np.stack([out, out]) * rise)
    if part.noise_hz:
        low_hz, high_hz = part.noise_hz
        return np.asarray(_noise(rng, len(t), low_hz, high_hz) * (np.exp(-t / part.decay_s) * rise) * 0.35)
    low_hz, high_hz = part.metal_hz
    return np.asarray(_metal(rng, t, low_hz, high_hz, int(part.modes), part.decay_s) * rise)


def _noise(rng: np.random.Generator, length: int, low_hz: float, high_hz: float) -> Array:
    """Return stereo noise of unit power between two frequencies, with soft edges."""
    at_hz = np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), 1.0)
    shape = 1 / np.sqrt((1 + (low_hz / at_hz) ** 4) * (1 + (at_hz / high_hz) ** 4))
    # Two thirds of it in common: wide, but with a middle.
    common, *sides = (np.fft.rfft(rng.normal(size=length)) for _ in range(3))
    out = np.stack([np.fft.irfft(shape * (common + 0.6 * side), length) for side in sides])
    return np.asarray(out / np.sqrt(np.mean(np.square(out))))


def _metal(rng: np.random.Generator, t: Array, low_hz: float, high_hz: float, modes: int, decay_s: float) -> Array:
    """Return many inharmonic modes of a plate, the high ones dying first."""
    hz = np.exp(rng.uniform(np.log(low_hz), np.log(high_hz), modes))
    # Of each mode where it begins and where it lies.
    phase, pan = rng.uniform((0.0, 0.3), (6.28, 0.7), (modes, 2)).T
    # The real part of this is a sine.
    begun = -1j * np.exp(1j * phase) * (2000.0 / hz) ** 0.3
    rates = -(1 + hz / 7000.0) / decay_s + 2j * np.pi * hz
    out = ringing(len(t), SAMPLE_RATE, rates, begun * np.sqrt([1 - pan, pan]))
    return np.asarray(out / np.sqrt(modes))
