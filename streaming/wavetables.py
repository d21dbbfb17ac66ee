"""The tables the voices read: held tones, struck and plucked strings, computed once at start.

Held tones are long seamless loops in which every harmonic is a narrow band of
noise rather than a line, which is what makes a section or a bow sound alive.
Struck tones are sums of decaying partials. Both are made of what lies under
20 kHz only, so nothing aliases.

Source: O. P. Nasca, "The PADsynth sound synthesis algorithm" (ZynAddSubFX, 2006);
N. H. Fletcher and T. D. Rossing, "The Physics of Musical Instruments", ch. 2
(stiff and plucked strings) and 12 (piano decay in two stages).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.timeline import SAMPLE_RATE

Array = NDArray[np.float64]
TOP_HZ = 18_000.0


def pitch_hz(pitch: float) -> float:
    """Return the frequency of a MIDI pitch (A4 = 69 = 440 Hz)."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def loudness_weight(frequency_hz: Array) -> Array:
    """Return how much a frequency counts for the ear, as a gain: roughly the K curve of BS.1770."""
    f2 = np.square(np.maximum(frequency_hz, 1.0))
    low_cut = f2 / (f2 + 60.0**2)
    shelf = (f2 * 10 ** (4.0 / 20.0) + 1700.0**2) / (f2 + 1700.0**2)
    return np.asarray(low_cut * shelf)


def bands(frequency_hz: Array, peaks: Sequence[tuple[float, float, float]]) -> Array:
    """Return the gain of a body or vowel at some frequencies.

    Args:
        frequency_hz: where.
        peaks: (centre in Hz, width in Hz, gain in dB) of its resonances.
    """
    gain_db = np.zeros_like(frequency_hz)
    for centre_hz, width_hz, peak_db in peaks:
        gain_db += peak_db / (1.0 + np.square((frequency_hz - centre_hz) / (0.5 * width_hz)))
    return np.asarray(10.0 ** (gain_db / 20.0))


@dataclass(frozen=True, slots=True)
class Table:
    """One or two channels of samples and the pitch they sound at unshifted.

    Attributes:
        samples: float64 [channels, length], peak below about 1.
        hz: fundamental when read at its own rate.
        loops: whether the end runs seamlessly into the start.
    """

    samples: Array
    hz: float
    loops: bool

    @property
    def duration_s(self) -> float:
        """Length in seconds at its own rate."""
        return int(self.samples.shape[1]) / SAMPLE_RATE


def held(
    hz: float,
    amplitude: Callable[[Array, Array], Array],
    *,
    spread_cents: float,
    breath_db: float = -120.0,
    log2_size: int = 16,
    seed: int,
) -> Table:
    """Return a seamless loop of a held tone.

    Args:
        hz: the pitch.
        amplitude: gives the amplitudes of the harmonics from their numbers and frequencies in Hz.
        spread_cents: how far a harmonic wavers (a soloist 2-6, a section 15-40).
        breath_db: level of the noise between the harmonics against the tone.
        log2_size: length; 2^16 samples are 1.4 s.
        seed: of the wavering.
    """
    size = 2**log2_size
    step_hz = SAMPLE_RATE / size
    # The loop holds whole periods, so that a narrow tone stays in tune to the last cent.
    hz = round(hz / step_hz) * step_hz
    number = np.arange(1, max(2, int(TOP_HZ / hz) + 1), dtype=np.float64)
    level = amplitude(number, number * hz)
    rng = np.random.default_rng(seed)
    spectrum = np.zeros(size // 2 + 1)
    bins = np.arange(size // 2 + 1, dtype=np.float64) * step_hz
    for n, a in zip(number, level, strict=True):
        width_hz = max(step_hz * 0.3, (2 ** (spread_cents / 1200) - 1) * hz * n)
        first = max(1, int((n * hz - 4 * width_hz) / step_hz))
        last = min(size // 2, int((n * hz + 4 * width_hz) / step_hz) + 2)
        band = np.exp(-0.5 * np.square((bins[first:last] - n * hz) / width_hz))
        spectrum[first:last] += a * band / np.sqrt(np.sum(np.square(band)))
    if breath_db > -120.0:
        # Air: a broad hump over the first few harmonics, not hiss to the top.
        air = np.exp(-0.5 * np.square(np.log2(np.maximum(bins, 1.0) / max(900.0, 2.0 * hz)) / 1.1))
        air *= np.sqrt(np.sum(np.square(spectrum)) / np.sum(np.square(air))) * 10 ** (breath_db / 20)
        spectrum = np.hypot(spectrum, air)
    weighted = np.sqrt(np.sum(np.square(spectrum * loudness_weight(bins))))
    phases = rng.uniform(0, 2 * np.pi, len(spectrum))
    wave = np.fft.irfft(spectrum / weighted * np.exp(1j * phases)) * size
    # It begins where the wave is nearest to zero: pyo reads a zero behind the last sample.
    wave = np.roll(wave, -int(np.argmin(np.abs(wave))))
    return Table(wave[None] * 0.1, hz, loops=True)


@dataclass(frozen=True, slots=True)
class String:
    """A struck or plucked string.

    Attributes:
        inharmonicity: stiffness B; partial n sounds at n * hz * sqrt(1 + B n^2).
        decay_s: time for the fundamental to fall by 60 dB.
        damping_hz: partials at this frequency die twice as fast as the fundamental.
        point: where it is excited, as a part of its length.
        softness_hz: partials far above this are hardly excited.
        slope: amplitudes fall with the number of the partial to this power.
        body: resonances as in `bands`.
        detune_cents: how far two strings of one note are apart.
        prompt: part of the energy that is gone early (double decay), 0 to 1.
        knock_db: level of the thump or pluck noise.
    """

    inharmonicity: float
    decay_s: float
    damping_hz: float
    point: float
    softness_hz: float
    slope: float
    body: tuple[tuple[float, float, float], ...] = ()
    detune_cents: float = 0.5
    prompt: float = 0.6
    knock_db: float = -34.0


def _ring(duration_s: float, rates: NDArray[np.complex128], amplitudes: Array) -> Array:
    """Return the sum of decaying partials, real, one channel per row of amplitudes.

    The exponential of a sum is a product: far steps times near steps is one
    matrix product instead of a sine per partial and sample.
    """
    near, far = 512, int(np.ceil(duration_s * SAMPLE_RATE / 512))
    fine = np.exp(rates[:, None] * np.arange(near) / SAMPLE_RATE)
    coarse = np.exp(rates[None] * (np.arange(far) * near)[:, None] / SAMPLE_RATE)
    channels = []
    for row in amplitudes:
        weighted = coarse * row
        channels.append((weighted.real @ fine.real - weighted.imag @ fine.imag).reshape(-1))
    return np.stack(channels)


def struck(hz: float, string: String, *, seed: int, length_s: float | None = None) -> Table:
    """Return a struck or plucked tone that decays to silence, in stereo.

    Args:
        hz: the pitch.
        string: what is struck.
        seed: of phases and noise.
        length_s: cut (with a fade) after this; default by the decay.
    """
    rng = np.random.default_rng(seed)
    n = np.arange(1, 81, dtype=np.float64)
    partial_hz = hz * n * np.sqrt((1 + string.inharmonicity * n * n) / (1 + string.inharmonicity))
    n, partial_hz = n[partial_hz < TOP_HZ], partial_hz[partial_hz < TOP_HZ]
    level = n**-string.slope * np.exp(-partial_hz / string.softness_hz)
    # A point close to a node weakens a partial; no real hammer silences it.
    level = level * (0.15 + 0.85 * np.abs(np.sin(np.pi * n * string.point)))
    level = level * bands(partial_hz, string.body)
    level[partial_hz < 45.0] *= 0.5
    fall = 6.91 / string.decay_s * (1 + np.square(partial_hz / string.damping_hz)) ** 0.5
    phase = rng.uniform(0, 2 * np.pi, len(n))
    rates: list[NDArray[np.complex128]] = []
    left: list[Array] = []
    right: list[Array] = []
    for side, (detune, speed, share) in enumerate(
        (
            (-0.5 * string.detune_cents, 3.2, string.prompt),
            (0.5 * string.detune_cents, 1.0, 1 - string.prompt),
        )
    ):
        rates.append(-fall * speed + 2j * np.pi * partial_hz * 2 ** (detune / 1200))
        # Each partial reaches the two ears a little differently: width without a phase hole.
        balance = 0.5 + 0.16 * rng.uniform(-1, 1, len(n)) + (0.05 if side else -0.05)
        turned = share * level * np.exp(1j * phase)
        left.append(turned * np.sqrt(1 - balance))
        right.append(turned * np.sqrt(balance))
    duration_s = length_s or min(10.0, 1.15 * string.decay_s)
    wave = _ring(duration_s, np.concatenate(rates), np.stack([np.concatenate(left), np.concatenate(right)]))
    wave += _knock(wave, 10 ** (string.knock_db / 20), hz, rng)
    # A hammer stays a moment on the string: no click, the first sample is silent.
    rise = min(int(0.0015 * SAMPLE_RATE), wave.shape[1])
    wave[:, :rise] *= np.sin(0.5 * np.pi * np.arange(rise) / rise) ** 2
    tail = int(0.25 * wave.shape[1])
    wave[:, -tail:] *= np.cos(0.5 * np.pi * np.arange(tail) / tail) ** 2
    return Table(wave * (0.1 / _loudness(wave)), hz, loops=False)


def _knock(wave: Array, gain: float, hz: float, rng: np.random.Generator) -> Array:
    """Return the short wooden noise of hammer, finger or nail, as loud as said against the tone."""
    length = int(0.08 * SAMPLE_RATE)
    spectrum = np.fft.rfft(rng.normal(size=(2, length)))
    at_hz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    top_hz = 500.0 + 1.5 * hz
    noise = np.fft.irfft(spectrum * (at_hz > 60) / (1 + (at_hz / top_hz) ** 4), length)
    noise *= np.exp(-np.arange(length) / (0.014 * SAMPLE_RATE))
    out = np.zeros_like(wave)
    out[:, :length] = noise[:, : wave.shape[1]] * (gain * np.abs(wave).max() / np.abs(noise).max() * 4)
    return out


def _loudness(wave: Array) -> float:
    """Return the ear-weighted level of the first 400 ms of a struck tone."""
    head = wave[:, : int(0.4 * SAMPLE_RATE)]
    power = np.square(np.abs(np.fft.rfft(head))) / head.shape[1] ** 2 * 2
    weight = loudness_weight(np.asarray(np.fft.rfftfreq(head.shape[1], 1 / SAMPLE_RATE), np.float64))
    return float(np.sqrt(np.sum(power * np.square(weight)) / len(wave)))
