"""Struck and plucked strings as tables: sums of decaying partials, computed once at start.

Source: N. H. Fletcher and T. D. Rossing, "The Physics of Musical Instruments", ch. 2
(stiff and plucked strings) and 12 (piano decay in two stages).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.patches.recipe import StringSound
from streaming.synthesis.wavetables import LEVEL, TOP_HZ, Sound, Table, bands, loudness_weight, pitch_hz, sparing
from streaming.timeline import SAMPLE_RATE

Array = NDArray[np.float64]
_LONGEST_EDGE_S = 1.3


@dataclass(frozen=True, slots=True)
class _Partials:
    """Partials of one string: frequencies in Hz, amplitudes, falls in nepers a second."""

    hz: Array
    number: Array
    amplitude: Array
    fall: Array


def _partials(pitch: float, string: StringSound) -> _Partials:
    hz = pitch_hz(pitch)
    n = np.arange(1, 81, dtype=np.float64)
    stiff = string.inharmonicity.at(pitch)
    at_hz = hz * n * np.sqrt((1 + stiff * n * n) / (1 + stiff))
    n, at_hz = n[at_hz < TOP_HZ], at_hz[at_hz < TOP_HZ]
    amplitude = n ** -string.slope.at(pitch) * np.exp(-at_hz / string.softness_hz.at(pitch))
    # A point close to a node weakens a partial; no real hammer silences it.
    amplitude = amplitude * (0.15 + 0.85 * np.abs(np.sin(np.pi * n * string.point.at(pitch))))
    amplitude = amplitude * bands(at_hz, string.body, pitch)
    amplitude[at_hz < 45.0] *= 0.5
    fall = 6.91 / string.decay_s.at(pitch) * (1 + np.square(at_hz / string.damping_hz.at(pitch))) ** 0.5
    return _Partials(at_hz, n, amplitude, np.asarray(fall))


def ringing(samples: int, rate: float, rates: NDArray[np.complex128], amplitudes: NDArray[np.complex128]) -> Array:
    """Return the sum of decaying partials, real, one channel per row of amplitudes.

    The exponential of a sum is a product: far steps times near steps is one
    matrix product instead of a sine per partial and sample.
    """
    near, far = 512, -(-samples // 512)
    fine = np.exp(rates[:, None] * np.arange(near) / rate)
    coarse = np.exp(rates[None] * (np.arange(far) * near)[:, None] / rate)
    channels = []
    for row in amplitudes:
        weighted = coarse * row
        channels.append((weighted.real @ fine.real - weighted.imag @ fine.imag).reshape(-1)[:samples])
    return np.stack(channels)


@dataclass(frozen=True, slots=True)
class _Strings:
    """The two strings of one note, heard by one or two ears: what every layer of it has in common."""

    rates: NDArray[np.complex128]
    weights: NDArray[np.complex128]

    @classmethod
    def of(cls, partials: _Partials, string: StringSound, pitch: float, rng: np.random.Generator) -> _Strings:
        count = len(partials.hz)
        phase = np.exp(1j * rng.uniform(0, 2 * np.pi, count))
        prompt, detune = string.prompt.at(pitch), string.detune_cents.at(pitch)
        rates, left, right = [], [], []
        for side, (cents, speed, share) in enumerate(((-0.5 * detune, 3.2, prompt), (0.5 * detune, 1.0, 1 - prompt))):
            rates.append(-partials.fall * speed + 2j * np.pi * partials.hz * 2 ** (cents / 1200))
            # Each partial reaches the two ears a little differently: width without a phase hole.
            balance = 0.5 + 0.16 * rng.uniform(-1, 1, count) + (0.05 if side else -0.05)
            left.append(share * phase * np.sqrt(1 - balance))
            right.append(share * phase * np.sqrt(balance))
        ears = np.stack([np.concatenate(left), np.concatenate(right)])
        both = cls(np.concatenate(rates), ears)
        return both if string.wide >= 1 else both.narrowed()

    def narrowed(self) -> _Strings:
        """Return the same, with one channel for both ears."""
        return _Strings(self.rates, self.weights.mean(axis=0, keepdims=True))

    def sound(self, amplitude: Array, samples: int, rate: float) -> Array:
        used = np.tile(amplitude > 1e-7 * amplitude.max(initial=1e-12), 2)
        weights = self.weights[:, used] * np.tile(amplitude, 2)[used]
        return ringing(samples, rate, self.rates[used], weights)


def struck(pitch: float, string: StringSound, loud: StringSound | None, *, middle: float, seed: int) -> Sound:
    """Return a struck or plucked tone that decays to silence.

    Args:
        pitch: MIDI pitch.
        string: the softest touch.
        loud: the hardest touch; None when there is but one.
        middle: how much of the edge sounds at a middling touch, whose loudness is set.
        seed: of phases and noise.
    """
    rng = np.random.default_rng(seed)
    partials = _partials(pitch, string)
    strings = _Strings.of(partials, string, pitch, rng)
    soft = partials.amplitude
    hard = soft
    if loud is not None:
        hard = _partials(pitch, loud).amplitude
        hard = hard * float(np.max(soft[:3] / hard[:3]))
    # The body may be coarse when what is bright of it can go to the edge, which is always fine.
    coarser = sparing(partials.hz, soft)
    rate = SAMPLE_RATE / coarser
    low = partials.hz < 0.42 * rate
    body_level, edge_level = np.where(low, soft, 0.0), np.maximum(hard - np.where(low, soft, 0.0), 0.0)
    samples = int(string.length_s.at(pitch) * rate)
    body = strings.sound(body_level, samples, rate)
    noise_seed = int(rng.integers(2**31))
    soft_knock = 10 ** (string.knock_db.at(pitch) / 20) * float(np.abs(body).max())
    body += _knock(body.shape, rate, string, pitch, noise_seed) * soft_knock
    _shape(body, rate)
    whole = np.repeat(body, coarser, axis=1)[:, : int(0.4 * SAMPLE_RATE)]
    edge, finer = None, 1
    if loud is not None:
        finer = sparing(partials.hz, edge_level, (2,))
        edge_rate = SAMPLE_RATE / finer
        length_s = _lasts(edge_level, partials.fall, samples / rate)
        ears = strings if string.wide >= 2 else strings.narrowed()
        edge_level = np.where(partials.hz < 0.45 * edge_rate, edge_level, 0.0)
        edge = ears.sound(edge_level, int(length_s * edge_rate), edge_rate)
        more = 10 ** (loud.knock_db.at(pitch) / 20) * float(np.abs(body).max()) - soft_knock
        edge += _knock(edge.shape, edge_rate, loud, pitch, noise_seed) * max(more, 0.0)
        _shape(edge, edge_rate)
        whole = _sum(whole, middle * np.repeat(edge, finer, axis=1))
    scale = LEVEL / _loudness(whole)
    hz = pitch_hz(pitch)
    return Sound(
        Table(body * scale, hz * coarser, loops=False),
        None if edge is None else Table(edge * scale, hz * finer, loops=False),
    )


def _sum(body: Array, edge: Array) -> Array:
    """Return both layers together, as long as the body."""
    length = min(body.shape[1], edge.shape[1])
    whole = body.copy()
    whole[:, :length] += edge[:, :length]
    return whole


def _lasts(amplitude: Array, fall: Array, most_s: float) -> float:
    """Return the seconds until an edge has fallen by 40 dB, no more than it may last."""
    most_s = min(most_s, _LONGEST_EDGE_S)
    t = np.linspace(0.1, most_s, 60)
    power = np.square(amplitude) @ np.exp(-2 * fall[:, None] * t)
    over = t[power < 1e-4 * max(float(np.sum(np.square(amplitude))), 1e-20)]
    return float(over[0]) if len(over) else most_s


def _shape(wave: Array, rate: float) -> None:
    """Let a struck tone begin and end with silence: a hammer stays a moment on the string."""
    rise = min(int(0.0015 * rate), wave.shape[1])
    wave[:, :rise] *= np.sin(0.5 * np.pi * np.arange(rise) / rise) ** 2
    tail = int(0.25 * wave.shape[1])
    wave[:, -tail:] *= np.cos(0.5 * np.pi * np.arange(tail) / tail) ** 2


def _knock(shape: tuple[int, ...], rate: float, string: StringSound, pitch: float, seed: int) -> Array:
    """Return the short wooden noise of hammer, finger or nail, its peak about 1."""
    rng = np.random.default_rng(seed)
    length = int(0.2 * SAMPLE_RATE)
    spectrum = np.fft.rfft(rng.normal(size=(2, length)))[: shape[0]]
    at_hz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    top_hz = 500.0 + 1.5 * pitch_hz(pitch)
    noise = np.fft.irfft(spectrum * (at_hz > 60) / (1 + (at_hz / top_hz) ** 4), length)
    noise *= np.exp(-np.arange(length) / (string.knock_s.at(pitch) * SAMPLE_RATE))
    noise = noise[:, :: round(SAMPLE_RATE / rate)][:, : shape[1]]
    out = np.zeros(shape)
    out[:, : noise.shape[1]] = noise / np.abs(noise).max() * 4
    return out


def _loudness(wave: Array) -> float:
    """Return the ear-weighted level of the first 400 ms of a struck tone."""
    power = np.square(np.abs(np.fft.rfft(wave))) / wave.shape[1] ** 2 * 2
    weight = loudness_weight(np.asarray(np.fft.rfftfreq(wave.shape[1], 1 / SAMPLE_RATE), np.float64))
    return float(np.sqrt(np.sum(power * np.square(weight)) / len(wave)))
