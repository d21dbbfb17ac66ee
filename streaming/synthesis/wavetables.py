"""The tables the voices read: what all have in common, held tones and short noises; computed once at start.

A sound has two layers. The body is the softest touch; the edge is what the
hardest touch adds, partial for partial in the same phase, so that any mixture
of the two is a tone of some touch between. Held tones are long seamless loops
in which every harmonic is a narrow band of noise rather than a line, which is
what makes a section or a bow sound alive. All are made of what lies under
18 kHz only, so nothing aliases.

Source: O. P. Nasca, "The PADsynth sound synthesis algorithm" (ZynAddSubFX, 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.patches.recipe import Burst, Halo, Peak, ToneSound, level
from streaming.timeline import SAMPLE_RATE

Array = NDArray[np.float64]
TOP_HZ = 18_000.0
# What the voices' interpolation adds beside a tone stays under this, against the tone, in tables of half
# the rate, where it lies above 14 kHz, and of a quarter.
_IMAGES_DB = {2: -62.0, 4: -74.0}
# The level of every tone, as the ear weighs it.
LEVEL = 0.1
# What strings that are not struck give back: what is low of a tone, each partial from several strings.
_FREE_STRINGS = ToneSound(
    slope=level(0.8), cutoff_hz=level(900.0), steepness=level(3.0), spread_cents=level(3.0), loop_s=level(1.4)
)


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


def sparing(frequency_hz: Array, amplitude: Array, factors: Sequence[int] = (4, 2)) -> int:
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


def held(
    pitch: float,
    tone: ToneSound,
    loud: ToneSound | None,
    *,
    middle: float,
    seed: int,
    phases: Array | None = None,
) -> Sound:
    """Return seamless loops of a held tone.

    Args:
        pitch: MIDI pitch.
        tone: the softest touch.
        loud: the hardest touch; None when there is but one.
        middle: how much of the edge sounds at a middling touch, whose loudness is set.
        seed: of the wavering.
        phases: of the middles of the first harmonics in radians; None for any.
    """
    hz = pitch_hz(pitch)
    number = np.arange(1, max(2, int(TOP_HZ / hz) + 1), dtype=np.float64)
    soft = _harmonics(tone, pitch, number, number * hz)
    hard = soft if loud is None else _harmonics(loud, pitch, number, number * hz)
    # A harder touch never takes away: it begins where the soft one is, and adds above.
    hard = hard * (soft[0] / hard[0])
    hard = np.maximum(hard, soft)
    coarser = sparing(number * hz, hard)
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
    if phases is not None:
        known = number[: len(phases)]
        turned[np.round(known * hz / step_hz).astype(int)] = np.exp(1j * phases[: len(known)])
    waves = [np.fft.irfft(layer * turned / weighted) * size * LEVEL for layer in layers]
    tables = [Table(wave[None], hz * coarser, loops=True) for wave in waves]
    return Sound(tables[0], tables[1] if loud is not None else None)


def _weighted(spectrum: Array, bins_hz: Array) -> float:
    return float(np.sqrt(np.sum(np.square(spectrum * loudness_weight(bins_hz)))))


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
    wave *= LEVEL * 10 ** (of.level_db / 20) / np.abs(wave).max()
    return Table((wave - wave.mean() * np.hanning(length) * 2)[None], pitch_hz(pitch), loops=False)


def halo(pitch: float, of: Halo, *, seed: int) -> Table:
    """Return a loop of what free strings add to a note: its own partials, heard from other strings.

    Args:
        pitch: MIDI pitch.
        of: how much.
        seed: of the note's own tone.
    """
    # The phases of the note are the first that its seed gave; what is driven at its own frequency follows
    # a quarter of a period later, so that it never takes from the note.
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, 20) - 0.5 * np.pi
    sound = held(pitch, _FREE_STRINGS, None, middle=0.0, seed=seed, phases=phases)
    return Table(sound.body.samples * 10 ** (of.level_db / 20), sound.body.hz, loops=True)
