"""The tables the voices read: held tones, struck and plucked strings, short noises, computed once at start.

A sound has two layers. The body is the softest touch; the edge is what the
hardest touch adds, partial for partial in the same phase, so that any mixture
of the two is a tone of some touch between. Held tones are long seamless loops
in which every harmonic is a narrow band of noise rather than a line, which is
what makes a section or a bow sound alive. Struck tones are sums of decaying
partials. All are made of what lies under 18 kHz only, so nothing aliases.

Source: O. P. Nasca, "The PADsynth sound synthesis algorithm" (ZynAddSubFX, 2006);
N. H. Fletcher and T. D. Rossing, "The Physics of Musical Instruments", ch. 2
(stiff and plucked strings) and 12 (piano decay in two stages).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.patches.recipe import Burst, Halo, Peak, StringSound, ToneSound
from streaming.timeline import SAMPLE_RATE

Array = NDArray[np.float64]
TOP_HZ = 18_000.0
# What the voices' interpolation adds beside a tone stays under this, against the tone, in tables of half
# the rate, where it lies above 14 kHz, and of a quarter.
_IMAGES_DB = {2: -62.0, 4: -74.0}
# The level of every tone, as the ear weighs it.
_LEVEL = 0.1
_LONGEST_EDGE_S = 1.3


def pitch_hz(pitch: float) -> float:
    """Return the frequency of a MIDI pitch (A4 = 69 = 440 Hz)."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def loudness_weight(frequency_hz: Array) -> Array:
    """Return how much a frequency counts for the ear, as a gain: roughly the K curve of BS.1770."""
    f2 = np.square(np.maximum(frequency_hz, 1.0))
    low_cut = f2 / (f2 + 60.0**2)
    shelf = (f2 * 10 ** (4.0 / 20.0) + 1700.0**2) / (f2 + 1700.0**2)
    return np.asarray(low_cut * shelf)


def bands(frequency_hz: Array, peaks: Sequence[Peak], pitch: float) -> Array:
    """Return the gain of a body or vowel at some frequencies.

    Args:
        frequency_hz: where.
        peaks: its resonances.
        pitch: MIDI pitch that sounds, for resonances that follow it.
    """
    gain_db = np.zeros_like(frequency_hz)
    for peak in peaks:
        gain_db += peak.gain_db / (1.0 + np.square((frequency_hz - peak.hz.at(pitch)) / (0.5 * peak.width_hz)))
    return np.asarray(10.0 ** (gain_db / 20.0))


@dataclass(frozen=True, slots=True)
class Table:
    """One or two channels of samples and the pitch they sound at unshifted.

    Attributes:
        samples: float [channels, length].
        hz: fundamental when read at 48 kHz; a table of half the rate sounds an octave higher so.
        loops: whether the end runs seamlessly into the start.
    """

    samples: NDArray[np.floating]
    hz: float
    loops: bool


@dataclass(frozen=True, slots=True)
class Sound:
    """What the notes of a few neighbouring pitches are played with.

    Attributes:
        body: the softest touch.
        edge: what the hardest touch adds.
        extra: a noise at the beginning, or strings that sound with it.
    """

    body: Table
    edge: Table | None = None
    extra: Table | None = None


def _sparing(frequency_hz: Array, amplitude: Array, factors: Sequence[int] = (4, 2)) -> int:
    """Return by which factor a table may be coarser than the programme: 1, 2 or 4.

    A cubic curve through samples at rate R leaves of a tone at f an image at R - f,
    weaker by about (f / (R - f))^4; these must be lost beside the tone.
    """
    power = float(np.sum(np.square(amplitude)))
    for factor in factors:
        rate = SAMPLE_RATE / factor
        inside = frequency_hz < 0.42 * rate
        lost = float(np.sum(np.square(amplitude[~inside])))
        images = np.square(amplitude[inside]) * (frequency_hz[inside] / (rate - frequency_hz[inside])) ** 8
        if lost + float(np.sum(images)) < 10 ** (_IMAGES_DB[factor] / 10) * power:
            return factor
    return 1


# --- tones that are held -----------------------------------------------------------


def _harmonics(tone: ToneSound, pitch: float, number: Array, frequency_hz: Array) -> Array:
    """Return the amplitudes of harmonics."""
    slope = tone.slope.at(pitch)
    if tone.ranks:
        series = np.zeros_like(number)
        for foot, gain in tone.ranks:
            k = number / foot
            series += gain * np.where(k % 1 == 0, np.maximum(k, 1.0) ** -slope, 0.0)
    else:
        series = number**-slope
    series = series * np.where(number % 2 == 0, tone.even.at(pitch), 1.0)
    if tone.harmonics_db:
        given = np.asarray(tone.harmonics_db)
        series = series * 10 ** (given[np.minimum(number.astype(int) - 1, len(given) - 1)] / 20)
    falling = 1 + (frequency_hz / tone.cutoff_hz.at(pitch)) ** tone.steepness.at(pitch)
    return np.asarray(series * bands(frequency_hz, tone.body, pitch) / falling)


def _spectrum(tone: ToneSound, pitch: float, hz: float, bins_hz: Array, number: Array, amplitude: Array) -> Array:
    """Return the magnitudes of a loop: a narrow band around each harmonic, and the breath."""
    step_hz = bins_hz[1]
    spectrum = np.zeros_like(bins_hz)
    cents = tone.spread_cents.at(pitch)
    for n, a in zip(number, amplitude, strict=True):
        width_hz = max(step_hz * 0.3, (2 ** (cents / 1200) - 1) * hz * n)
        first = max(1, int((n * hz - 4 * width_hz) / step_hz))
        last = min(len(bins_hz) - 1, int((n * hz + 4 * width_hz) / step_hz) + 2)
        band = np.exp(-0.5 * np.square((bins_hz[first:last] - n * hz) / width_hz))
        spectrum[first:last] += a * band / np.sqrt(np.sum(np.square(band)))
    breath_db = tone.breath_db.at(pitch)
    if breath_db > -119.0:
        # Air: a broad hump over the first few harmonics, not hiss to the top.
        middle_hz = max(tone.breath_hz.at(pitch), 2.0 * hz)
        air = np.exp(-0.5 * np.square(np.log2(np.maximum(bins_hz, 1.0) / middle_hz) / 1.1))
        air *= np.sqrt(np.sum(np.square(spectrum)) / np.sum(np.square(air))) * 10 ** (breath_db / 20)
        spectrum = np.hypot(spectrum, air)
    return spectrum


def held(pitch: float, tone: ToneSound, loud: ToneSound | None, *, middle: float, seed: int) -> Sound:
    """Return seamless loops of a held tone.

    Args:
        pitch: MIDI pitch.
        tone: the softest touch.
        loud: the hardest touch; None when there is but one.
        middle: how much of the edge sounds at a middling touch, whose loudness is set.
        seed: of the wavering.
    """
    hz = pitch_hz(pitch)
    number = np.arange(1, max(2, int(TOP_HZ / hz) + 1), dtype=np.float64)
    soft = _harmonics(tone, pitch, number, number * hz)
    hard = soft if loud is None else _harmonics(loud, pitch, number, number * hz)
    # A harder touch never takes away: it begins where the soft one is, and adds above.
    hard = hard * (soft[0] / hard[0])
    hard = np.maximum(hard, soft)
    coarser = _sparing(number * hz, hard, (2,))
    rate = SAMPLE_RATE / coarser
    kept = number * hz < 0.45 * rate
    number, soft, hard = number[kept], soft[kept], hard[kept]
    size = 2 ** round(np.log2(tone.loop_s.at(pitch) * rate))
    step_hz = rate / size
    # The loop holds whole periods, so that a narrow tone stays in tune to the last cent.
    hz = round(hz / step_hz) * step_hz
    bins_hz = np.arange(size // 2 + 1, dtype=np.float64) * step_hz
    layers = [_spectrum(tone, pitch, hz, bins_hz, number, soft)]
    if loud is not None:
        layers.append(np.maximum(_spectrum(loud, pitch, hz, bins_hz, number, hard) - layers[0], 0.0))
    weighted = _weighted(layers[0] + (middle * layers[1] if loud is not None else 0.0), bins_hz)
    turned = np.exp(1j * np.random.default_rng(seed).uniform(0, 2 * np.pi, len(bins_hz)))
    waves = [np.fft.irfft(layer * turned / weighted) * size * _LEVEL for layer in layers]
    tables = [Table(wave[None], hz * coarser, loops=True) for wave in waves]
    return Sound(tables[0], tables[1] if loud is not None else None)


def _weighted(spectrum: Array, bins_hz: Array) -> float:
    return float(np.sqrt(np.sum(np.square(spectrum * loudness_weight(bins_hz)))))


# --- strings that are struck and plucked -------------------------------------------


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


def _ring(samples: int, rate: float, rates: NDArray[np.complex128], amplitudes: NDArray[np.complex128]) -> Array:
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
        return _ring(samples, rate, self.rates[used], weights)


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
    coarser = _sparing(partials.hz, soft)
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
        finer = _sparing(partials.hz, edge_level, (2,))
        edge_rate = SAMPLE_RATE / finer
        length_s = _lasts(edge_level, partials.fall, samples / rate)
        ears = strings if string.wide >= 2 else strings.narrowed()
        edge_level = np.where(partials.hz < 0.45 * edge_rate, edge_level, 0.0)
        edge = ears.sound(edge_level, int(length_s * edge_rate), edge_rate)
        more = 10 ** (loud.knock_db.at(pitch) / 20) * float(np.abs(body).max()) - soft_knock
        edge += _knock(edge.shape, edge_rate, loud, pitch, noise_seed) * max(more, 0.0)
        _shape(edge, edge_rate)
        whole = _sum(whole, middle * np.repeat(edge, finer, axis=1))
    scale = _LEVEL / _loudness(whole)
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


# --- what sounds beside the tone -----------------------------------------------------


def burst(pitch: float, of: Burst, *, seed: int) -> Table:
    """Return a short noise, mono, that ends with silence."""
    rng = np.random.default_rng(seed)
    higher = 2.0 ** (of.follow * (pitch - 60) / 12)
    low_hz, high_hz = of.low_hz * higher, min(of.high_hz * higher, TOP_HZ)
    length = int((of.attack_s + 6 * of.decay_s) * SAMPLE_RATE)
    t = np.arange(length) / SAMPLE_RATE
    at_hz = np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), 1.0)
    band = 1 / np.sqrt((1 + (low_hz / at_hz) ** 4) * (1 + (at_hz / high_hz) ** 6))
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=length)) * band, length)
    noise /= np.abs(noise).max()
    if of.thump_hz:
        noise = 0.4 * noise + np.sin(2 * np.pi * of.thump_hz * t)
    wave = noise * np.minimum(t / of.attack_s, 1.0) * np.exp(-np.maximum(t - of.attack_s, 0) / of.decay_s)
    tail = length // 4
    wave[-tail:] *= np.cos(0.5 * np.pi * np.arange(tail) / tail) ** 2
    wave *= _LEVEL * 10 ** (of.level_db / 20) / np.abs(wave).max()
    return Table((wave - wave.mean() * np.hanning(length) * 2)[None], pitch_hz(pitch), loops=False)


def halo(pitch: float, of: Halo, *, seed: int) -> Table:
    """Return what free strings add to a note: its partials on other strings, a little beside it, slow and long."""
    rng = np.random.default_rng(seed)
    hz = pitch_hz(pitch)
    number = np.arange(1, 13, dtype=np.float64)
    number = number[number * hz < 1800.0] if hz < 1500.0 else number[:2]
    # Each partial wakes three strings, none of them quite in tune with it; below the note, its fifth and octave.
    at_hz = np.concatenate([number * hz * 2 ** (rng.normal(0, 2.5, len(number)) / 1200) for _ in range(3)])
    amplitude = np.tile(number**-0.7, 3)
    fall = 6.91 / of.decay_s.at(pitch) * (1 + np.square(at_hz / 1500.0)) ** 0.5
    coarser = _sparing(at_hz, amplitude * 10 ** (of.level_db / 40))
    rate = SAMPLE_RATE / coarser
    samples = int(min(2.4, 0.5 * of.decay_s.at(pitch)) * rate)
    weights = amplitude * np.exp(1j * rng.uniform(0, 2 * np.pi, (1, len(at_hz))))
    wave = _ring(samples, rate, -fall + 2j * np.pi * at_hz, weights)
    _shape(wave, rate)
    t = np.arange(samples) / rate
    wave *= 1 - np.exp(-t / of.rise_s)
    head = wave[:, : int(rate)]
    wave *= _LEVEL * 10 ** (of.level_db / 20) / max(float(np.sqrt(np.mean(np.square(head)))), 1e-9)
    return Table(wave, hz * coarser, loops=False)
