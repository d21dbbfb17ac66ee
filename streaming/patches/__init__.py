"""How each of the thirteen instruments sounds: one readable table.

Levels are set so that a typical phrase of each instrument alone measures about
the same (see `tests/bench/bench_render.py --levels`); places follow an
orchestra seen from the hall, the rhythm section in the middle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.instruments import BY_NAME
from streaming.wavetables import String, Table, bands, held, pitch_hz, struck

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Patch:
    """An instrument as the voices play it.

    Attributes:
        name: an instrument of `model.instruments`.
        build: makes the table of a pitch in Hz with a seed; None for drums, which are a kit.
        zone: semitones that share a table.
        level_db: balance against the others.
        place: -1 (left) to 1 (right).
        width: 0 (a point) to 1 (as wide as its tables are).
        room_db: what goes to the room, against what is heard directly.
        attack_s, release_s: rise at the start, fall after the key is let go.
        decay_s, sustain: fall after the rise to this part of the level.
        curve: shape of the falls; 1 is straight, more is steeper at first.
        touch: how strongly velocity makes louder (dB from velocity 127 to 32).
        dark_hz, bright_hz: the tone's low-pass at velocity 1 and 127, for C4;
            it follows the keyboard by `follow` (0 not, 1 in full).
        vibrato_cents, vibrato_hz, vibrato_s: depth, speed, and time to bloom.
        choir_phases: whether the ears hear the loop half a turn apart (a section).
    """

    name: str
    build: Callable[[float, int], Table] | None
    zone: int
    level_db: float
    place: float
    width: float
    room_db: float
    attack_s: float
    release_s: float
    decay_s: float = 0.05
    sustain: float = 1.0
    curve: float = 1.0
    touch: float = 14.0
    dark_hz: float = 800.0
    bright_hz: float = 9000.0
    follow: float = 0.6
    vibrato_cents: float = 0.0
    vibrato_hz: float = 5.2
    vibrato_s: float = 0.7
    choir_phases: bool = False

    @property
    def decays(self) -> bool:
        """Whether a held note fades by itself: struck and plucked strings, drums."""
        return self.name in ("piano", "guitar", "harp", "bass", "drums")

    @property
    def zones(self) -> range:
        """The middle pitches of its tables, over the instrument's range."""
        instrument = BY_NAME[self.name]
        return range(instrument.low + self.zone // 2, instrument.high + self.zone, self.zone)


# --- strings that are struck and plucked -----------------------------------------


def _piano(hz: float, seed: int) -> Table:
    octave = np.log2(hz / 261.6)
    string = String(
        inharmonicity=3.2e-4 * 2 ** (1.1 * octave) if octave > 0 else 3.2e-4 * 2 ** (-0.1 * octave),
        decay_s=float(np.clip(9.0 * 2 ** (-0.62 * octave), 0.9, 16.0)),
        damping_hz=1500.0 * 2 ** (0.25 * octave),
        point=0.121,
        softness_hz=float(np.clip(1650.0 * 2 ** (0.42 * octave), 900.0, 5200.0)),
        slope=0.62,
        body=((110.0, 120.0, 3.0), (420.0, 500.0, 1.5), (1900.0, 1200.0, -2.0)),
        detune_cents=0.9,
        prompt=0.66,
        knock_db=-38.0,
    )
    return struck(hz, string, seed=seed, length_s=float(np.clip(5.5 * 2 ** (-0.4 * octave), 1.2, 9.0)))


def _guitar(hz: float, seed: int) -> Table:
    octave = np.log2(hz / 196.0)
    string = String(
        inharmonicity=4e-5,
        decay_s=float(np.clip(4.2 * 2 ** (-0.7 * octave), 0.9, 7.0)),
        damping_hz=1100.0,
        point=0.21,
        softness_hz=2300.0,
        slope=0.95,
        body=((102.0, 40.0, 4.0), (204.0, 60.0, 4.5), (400.0, 160.0, 2.0)),
        detune_cents=0.6,
        prompt=0.55,
        knock_db=-36.0,
    )
    return struck(hz, string, seed=seed, length_s=float(np.clip(3.6 * 2 ** (-0.5 * octave), 1.0, 5.0)))


def _harp(hz: float, seed: int) -> Table:
    octave = np.log2(hz / 261.6)
    string = String(
        inharmonicity=2e-5,
        decay_s=float(np.clip(5.0 * 2 ** (-0.6 * octave), 0.8, 9.0)),
        damping_hz=900.0 * 2 ** (0.4 * octave),
        point=0.43,
        softness_hz=2600.0,
        slope=1.35,
        body=((180.0, 150.0, 2.5), (520.0, 400.0, 1.5)),
        detune_cents=0.7,
        prompt=0.5,
        knock_db=-42.0,
    )
    return struck(hz, string, seed=seed, length_s=float(np.clip(4.2 * 2 ** (-0.5 * octave), 1.0, 6.0)))


def _bass(hz: float, seed: int) -> Table:
    octave = np.log2(hz / 65.4)
    string = String(
        inharmonicity=8e-5,
        decay_s=float(np.clip(6.0 * 2 ** (-0.5 * octave), 2.0, 8.0)),
        damping_hz=500.0,
        point=0.24,
        softness_hz=950.0,
        slope=0.85,
        body=((95.0, 80.0, 3.0), (210.0, 160.0, 3.0)),
        detune_cents=0.5,
        prompt=0.45,
        knock_db=-36.0,
    )
    return struck(hz, string, seed=seed, length_s=4.5)


# --- bows, winds, voices: held loops ---------------------------------------------


def _violin(hz: float, seed: int) -> Table:
    def amplitude(n: Array, f: Array) -> Array:
        body = bands(f, ((280, 90, 4), (470, 140, 4), (1100, 500, -3), (2600, 1700, 3.5)))
        return n**-1.15 * body / (1 + (f / 5200.0) ** 3)

    return held(hz, amplitude, spread_cents=10, breath_db=-42, log2_size=17, seed=seed)


def _cello(hz: float, seed: int) -> Table:
    def amplitude(n: Array, f: Array) -> Array:
        body = bands(f, ((105, 50, 3), (190, 80, 4), (430, 220, 3), (900, 400, -2), (1700, 900, 2.5)))
        return n**-1.2 * body / (1 + (f / 3400.0) ** 3)

    return held(hz, amplitude, spread_cents=7, breath_db=-42, log2_size=17, seed=seed)


def _flute(hz: float, seed: int) -> Table:
    # Low notes have a strong octave; high ones are almost pure.
    rich = float(np.clip(1.2 - 0.5 * np.log2(hz / 262.0), 0.25, 1.2))

    def amplitude(n: Array, f: Array) -> Array:
        series = np.where(n == 1, 1.0, np.where(n == 2, 0.42 * rich, 0.5 * rich * 0.42**n * 2.4))
        return series / (1 + (f / 4500.0) ** 4)

    return held(hz, amplitude, spread_cents=5, breath_db=-33, log2_size=16, seed=seed)


def _clarinet(hz: float, seed: int) -> Table:
    # The closed tube: odd harmonics, until the register changes and the even ones join.
    even = float(np.clip(0.08 + 0.22 * np.log2(hz / 260.0), 0.06, 0.5))

    def amplitude(n: Array, f: Array) -> Array:
        return np.where(n % 2 == 1, 1.0, even) * n**-0.95 * bands(f, ((1500, 900, 2),)) / (1 + (f / 2600.0) ** 3)

    return held(hz, amplitude, spread_cents=2.5, breath_db=-38, log2_size=16, seed=seed)


def _trumpet(hz: float, seed: int) -> Table:
    def amplitude(n: Array, f: Array) -> Array:
        return n**-0.55 * bands(f, ((1250, 1100, 6), (2400, 900, 1.5))) / (1 + (f / 2300.0) ** 3)

    return held(hz, amplitude, spread_cents=3.5, breath_db=-46, log2_size=16, seed=seed)


def _organ(hz: float, seed: int) -> Table:
    # Ranks of pipes: 8' with 4', a soft 2 2/3' and 2'; each pipe has its own few harmonics.
    ranks = {1: 1.0, 2: 0.62, 3: 0.16, 4: 0.34, 6: 0.06, 8: 0.12}

    def amplitude(n: Array, f: Array) -> Array:
        total = np.zeros_like(n)
        for foot, level in ranks.items():
            k = n / foot
            pipe = np.where(k % 1 == 0, np.maximum(k, 1.0) ** -2.1, 0.0)
            total += level * pipe
        return total / (1 + (f / 4200.0) ** 3)

    return held(hz, amplitude, spread_cents=2.2, breath_db=-40, log2_size=17, seed=seed)


def _choir(hz: float, seed: int) -> Table:
    # "Ah", darker for the low voices; high voices tune the first formant up with the pitch.
    first = max(640.0, 1.05 * hz)
    vowel = ((first, 170, 11), (1120, 220, 8), (2650, 500, 7), (3300, 600, 3))

    def amplitude(n: Array, f: Array) -> Array:
        return n**-1.25 * bands(f, vowel) / (1 + (f / 4200.0) ** 4)

    return held(hz, amplitude, spread_cents=19, breath_db=-40, log2_size=17, seed=seed)


def _synth(hz: float, seed: int) -> Table:
    def amplitude(n: Array, f: Array) -> Array:
        return n**-1.1 / (1 + (f / 2200.0) ** 2.5)

    return held(hz, amplitude, spread_cents=17, log2_size=17, seed=seed)


# fmt: off
PATCHES: tuple[Patch, ...] = (
    Patch("piano", _piano, 4, -6.1, 0.0, 1.0, -13.0, 0.0005, 0.22,
          curve=2.0, touch=20.0, dark_hz=680.0, bright_hz=11_000.0),
    Patch("violin", _violin, 4, -8.5, -0.35, 0.8, -9.0, 0.07, 0.28,
          curve=1.6, touch=13.0, dark_hz=1400.0, vibrato_cents=9.0, vibrato_hz=5.4, vibrato_s=0.9, choir_phases=True),
    Patch("cello", _cello, 4, -6.8, 0.35, 0.6, -9.5, 0.08, 0.3,
          curve=1.6, touch=13.0, dark_hz=900.0, bright_hz=7000.0,
          vibrato_cents=8.0, vibrato_hz=4.9, vibrato_s=0.9, choir_phases=True),
    Patch("bass", _bass, 4, -5.7, 0.0, 0.3, -22.0, 0.001, 0.12,
          curve=1.6, touch=13.0, dark_hz=350.0, bright_hz=4000.0),
    Patch("guitar", _guitar, 4, -6, 0.22, 0.8, -14.0, 0.0005, 0.16, curve=1.8, touch=16.0, dark_hz=900.0),
    Patch("flute", _flute, 4, -11, -0.15, 0.2, -9.0, 0.055, 0.14,
          curve=1.5, touch=12.0, dark_hz=1200.0, vibrato_cents=7.0, vibrato_hz=5.0, vibrato_s=0.8),
    Patch("clarinet", _clarinet, 4, -9.6, 0.12, 0.2, -10.0, 0.04, 0.12, curve=1.5, touch=13.0, dark_hz=900.0),
    Patch("trumpet", _trumpet, 4, -8.2, 0.25, 0.2, -9.0, 0.035, 0.13,
          decay_s=0.25, sustain=0.8, curve=1.5, touch=15.0, dark_hz=700.0, bright_hz=7000.0,
          vibrato_cents=4.0, vibrato_hz=5.2, vibrato_s=1.1),
    Patch("harp", _harp, 4, -9, -0.25, 0.9, -10.0, 0.0005, 0.7, curve=2.0, touch=16.0, dark_hz=1000.0),
    Patch("organ", _organ, 4, -13, 0.0, 0.7, -9.0, 0.03, 0.18, touch=5.0, dark_hz=4000.0, choir_phases=True),
    Patch("choir", _choir, 4, -12.2, 0.0, 1.0, -7.0, 0.16, 0.45,
          curve=1.5, touch=12.0, dark_hz=1000.0, vibrato_cents=6.0, vibrato_hz=4.7, vibrato_s=1.2, choir_phases=True),
    Patch("synth", _synth, 4, -5.5, 0.1, 0.9, -12.0, 0.02, 0.3,
          decay_s=0.6, sustain=0.7, curve=1.8, touch=12.0, dark_hz=900.0, bright_hz=8000.0, choir_phases=True),
    Patch("drums", None, 1, -7, 0.0, 0.9, -16.0, 0.0002, 0.03,
          touch=18.0, dark_hz=3500.0, bright_hz=16_000.0, follow=0.0),
)
# fmt: on
BY_INSTRUMENT: dict[str, Patch] = {patch.name: patch for patch in PATCHES}


def zone_of(patch: Patch, pitch: int) -> int:
    """Return the index of the table that plays a pitch, the nearest one outside the range."""
    low = BY_NAME[patch.name].low
    return min(max((pitch - low) // patch.zone, 0), len(patch.zones) - 1)


def tables_of(patch: Patch, *, seed: int) -> list[Table]:
    """Return the tables of a patch, one a zone, the lowest first."""
    build = patch.build
    return [] if build is None else [build(pitch_hz(pitch), seed * 1000 + pitch) for pitch in patch.zones]
