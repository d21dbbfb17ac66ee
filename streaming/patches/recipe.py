"""What a patch says: how an instrument is made, and how it is played.

Every field is a key of a patch file; its range and its meaning stand beside it,
for the reader of files as for the reader of this one. Where a value is a
`Curve`, a file may give one number for all pitches or a few of them by pitch.
"""

# The functions that give defaults here make fields.
# ruff: noqa: RUF009

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field, fields
from typing import Any

# The touch whose loudness is the same for all instruments.
MIDDLE_VELOCITY = 80


@dataclass(frozen=True, slots=True)
class Curve:
    """A value that follows the keyboard.

    Attributes:
        points: (MIDI pitch, value), the lowest first; straight lines between them, of the
            logarithm where all are positive; level outside.
    """

    points: tuple[tuple[float, float], ...]

    def at(self, pitch: float) -> float:
        """Return the value at a MIDI pitch."""
        place = bisect_right(self.points, pitch, key=lambda p: p[0])
        if place == 0 or place == len(self.points):
            return self.points[min(place, len(self.points) - 1)][1]
        (low, first), (high, last) = self.points[place - 1 : place + 1]
        part = (pitch - low) / (high - low)
        if first > 0 and last > 0:
            return first * math.pow(last / first, part)
        return first + (last - first) * part


def level(value: float) -> Curve:
    """Return the curve that is the same for every pitch."""
    return Curve(((60.0, value),))


def _knob(default: Any, low: float, high: float, says: str) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "says": says})


def _curve(default: float, low: float, high: float, says: str) -> Any:
    return field(default=level(default), metadata={"low": low, "high": high, "says": says})


@dataclass(frozen=True, slots=True)
class Peak:
    """A resonance of a body or vowel."""

    hz: Curve
    width_hz: float
    gain_db: float


def _peaks(says: str) -> Any:
    return field(default=(), metadata={"low": -30.0, "high": 20_000.0, "says": says})


# fmt: off
@dataclass(frozen=True, slots=True)
class StringSound:
    """A string that is struck or plucked."""

    inharmonicity: Curve = _curve(4e-5, 0.0, 0.05, "stiffness B: partial n sounds at n * hz * sqrt(1 + B n^2)")
    decay_s: Curve = _curve(5.0, 0.1, 60.0, "time in which the fundamental falls by 60 dB")
    damping_hz: Curve = _curve(1500.0, 50.0, 20_000.0, "partials of this frequency die 1.4 times as fast")
    point: Curve = _curve(0.12, 0.02, 0.5, "where it is struck, as a part of its length")
    softness_hz: Curve = _curve(1600.0, 50.0, 20_000.0, "partials far above this are hardly excited")
    slope: Curve = _curve(0.8, 0.0, 3.0, "amplitudes fall with the number of the partial to this power")
    body: tuple[Peak, ...] = _peaks("resonances, each [Hz, width in Hz, dB]")
    detune_cents: Curve = _curve(0.5, 0.0, 10.0, "how far two strings of one note are apart")
    prompt: Curve = _curve(0.6, 0.0, 1.0, "part of the energy that is gone early (decay in two stages)")
    knock_db: Curve = _curve(-36.0, -90.0, 0.0, "noise of hammer, finger or nail, against the tone")
    knock_s: Curve = _curve(0.014, 0.001, 0.2, "time in which that noise falls by 9 dB")
    length_s: Curve = _curve(4.0, 0.3, 9.0, "longest sound; it fades before")
    wide: float = _knob(1.0, 0.0, 2.0, "2: the ears differ; 1: but for the edge; 0: they do not (half the memory)")


@dataclass(frozen=True, slots=True)
class ToneSound:
    """A tone that is held: bowed, blown, sung, an organ, a synthesizer."""

    slope: Curve = _curve(1.0, 0.0, 4.0, "amplitudes fall with the number of the harmonic to this power")
    even: Curve = _curve(1.0, 0.0, 2.0, "amplitude of even harmonics against odd ones (a closed tube: little)")
    harmonics_db: tuple[float, ...] = field(default=(), metadata={
        "low": -90.0, "high": 20.0, "says": "corrections of the first harmonics; the last one holds for all above"})
    ranks: tuple[tuple[float, float], ...] = field(default=(), metadata={
        "low": 0.0, "high": 16.0, "says": "pipes of an organ, each [harmonic it sounds at, amplitude]"})
    cutoff_hz: Curve = _curve(4000.0, 50.0, 20_000.0, "above this the harmonics fall away")
    steepness: Curve = _curve(3.0, 0.5, 12.0, "how fast they do: 1 is 6 dB an octave")
    body: tuple[Peak, ...] = _peaks("resonances or formants, each [Hz, width in Hz, dB]")
    spread_cents: Curve = _curve(4.0, 0.3, 60.0, "how far a harmonic wavers: a soloist 2-6, a section 10-40")
    breath_db: Curve = _curve(-120.0, -120.0, 0.0, "noise between the harmonics, against the tone")
    breath_hz: Curve = _curve(1200.0, 100.0, 12_000.0, "middle of that noise")
    loop_s: Curve = _curve(1.3, 0.2, 3.0, "how long until it repeats, about")


@dataclass(frozen=True, slots=True)
class Burst:
    """A short noise: bow on the string, tongue, breath, a damper that falls."""

    level_db: float = _knob(-20.0, -80.0, 12.0, "peak, against the level of a tone")
    low_hz: float = _knob(300.0, 20.0, 16_000.0, "lower edge, for C4")
    high_hz: float = _knob(3000.0, 40.0, 18_000.0, "upper edge, for C4")
    attack_s: float = _knob(0.004, 0.0005, 0.5, "rise")
    decay_s: float = _knob(0.05, 0.002, 1.0, "time in which it falls by 9 dB")
    follow: float = _knob(0.5, 0.0, 1.0, "how far its edges follow the keyboard")
    thump_hz: float = _knob(0.0, 0.0, 400.0, "a low knock within it, at this frequency; 0 for none")


@dataclass(frozen=True, slots=True)
class Halo:
    """Undamped strings that sound with a note: what a pedal opens."""

    level_db: float = _knob(-26.0, -80.0, 0.0, "of the resonance, with all strings free")
    decay_s: Curve = _curve(4.0, 0.3, 20.0, "time in which it dies away")
    rise_s: float = _knob(0.12, 0.005, 2.0, "how slowly it begins")


@dataclass(frozen=True, slots=True)
class Played:
    """How the voices play the sound."""

    level_db: float = _knob(-8.0, -60.0, 12.0, "balance against the other instruments")
    touch: float = _knob(14.0, 0.0, 40.0, "dB between velocity 127 and 32")
    attack_s: float = _knob(0.001, 0.0001, 2.0, "rise")
    release_s: Curve = _curve(0.2, 0.005, 8.0, "fall after the key is let go")
    decay_s: float = _knob(0.05, 0.001, 10.0, "fall after the rise, to `sustain`")
    sustain: float = _knob(1.0, 0.0, 1.0, "part of the level that is held")
    curve: float = _knob(1.0, 0.2, 6.0, "shape of the falls: 1 is straight, more is steeper at first")
    edge: float = _knob(1.0, 0.0, 3.0, "how much of what `loud` adds sounds at velocity 127")
    edge_bend: float = _knob(1.5, 0.3, 4.0, "how late it comes with velocity: 1 is straight")
    edge_attack_s: float = _knob(0.0, 0.0, 2.0, "its rise; 0 takes attack_s")
    edge_decay_s: float = _knob(0.3, 0.01, 10.0, "its fall after the rise (held tones)")
    edge_sustain: float = _knob(1.0, 0.0, 1.0, "part of it that is held (held tones)")
    dark_hz: float = _knob(1500.0, 50.0, 20_000.0, "low-pass at velocity 1, for C4")
    bright_hz: float = _knob(12_000.0, 100.0, 20_000.0, "low-pass at velocity 127, for C4")
    follow: float = _knob(0.6, 0.0, 1.0, "how far the low-pass follows the keyboard")
    vibrato_cents: float = _knob(0.0, 0.0, 100.0, "depth")
    vibrato_hz: float = _knob(5.2, 0.1, 12.0, "speed")
    vibrato_s: float = _knob(0.7, 0.01, 10.0, "time in which it blooms")
    ears_apart: bool = _knob(False, 0, 1, "whether the ears hear the loop half a turn apart (a section)")

    def edge_at(self, velocity: int) -> float:
        """Return how much of a sound's edge a velocity (1 to 127) brings."""
        return self.edge * math.pow((max(velocity, 1) - 1) / 126, self.edge_bend)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where it stands."""

    place: float = _knob(0.0, -1.0, 1.0, "-1 left, 1 right")
    width: float = _knob(0.5, 0.0, 1.0, "0 a point, 1 as wide as its sound is made")
    room_db: float = _knob(-10.0, -60.0, 6.0, "what goes to the room, against what is heard directly")


@dataclass(frozen=True, slots=True)
class DrumPart:
    """A part of a drum's sound: tones of a head or body, a noise, or the many modes of a metal plate."""

    hz: tuple[float, ...] = field(default=(), metadata={
        "low": 20.0, "high": 16_000.0, "says": "tones; the later ones are softer and shorter"})
    noise_hz: tuple[float, ...] = field(default=(), metadata={
        "low": 20.0, "high": 18_000.0, "says": "noise between [low, high]"})
    metal_hz: tuple[float, ...] = field(default=(), metadata={
        "low": 20.0, "high": 18_000.0, "says": "modes of a plate between [low, high]"})
    modes: float = _knob(32.0, 1.0, 120.0, "number of these modes")
    level_db: float = _knob(0.0, -80.0, 12.0, "at the softest stroke")
    loud_db: float = _knob(0.0, 0.0, 40.0, "more of it at the hardest stroke")
    attack_s: float = _knob(0.0, 0.0, 1.0, "rise")
    decay_s: float = _knob(0.1, 0.001, 6.0, "time in which it falls by 9 dB")
    drop: float = _knob(1.0, 0.2, 6.0, "a tone begins so many times higher")
    drop_s: float = _knob(0.05, 0.002, 1.0, "and falls in this time")
    thin: float = _knob(1.0, 0.0, 3.0, "how much softer each further tone is")
    strokes_s: tuple[float, ...] = field(default=(0.0,), metadata={
        "low": 0.0, "high": 2.0, "says": "when it is struck: several times for claps, rolls, a scraper"})


@dataclass(frozen=True, slots=True)
class DrumSound:
    """One sound of the kit."""

    name: str
    keys: tuple[int, ...] = field(default=(), metadata={
        "low": 0.0, "high": 127.0, "says": "General MIDI percussion keys that play it"})
    level_db: float = _knob(-6.0, -60.0, 12.0, "against the rest of the kit")
    place: float = _knob(0.0, -1.0, 1.0, "-1 left, 1 right")
    chokes: str = field(default="", metadata={"says": "a note of the same group silences it"})
    length_s: float = _knob(0.5, 0.03, 4.0, "all of it; it fades before")
    parts: tuple[DrumPart, ...] = field(default=(), metadata={"says": "what it is made of"})
# fmt: on


@dataclass(frozen=True, slots=True)
class Patch:
    """An instrument as the voices play it; the tables of fields above say what their keys mean.

    Attributes:
        key: name of its file: the instrument, or instrument-variant.
        name: an instrument of `model.instruments`.
        title: for people.
        zone: semitones that share a table.
        string, tone, kit: how it is made; exactly one of them is there.
        loud: as `string` or `tone`, at the hardest touch; None when touch does not change it.
        onset: noise at the beginning of a held tone.
        halo: strings that sound with it.
        let_go: noise when the key is let go.
        played: how the voices play it.
        stage: where it stands.
    """

    key: str
    name: str
    title: str
    played: Played
    stage: Stage
    zone: int = 5
    string: StringSound | None = None
    tone: ToneSound | None = None
    kit: tuple[DrumSound, ...] = ()
    loud: StringSound | ToneSound | None = None
    onset: Burst | None = None
    halo: Halo | None = None
    let_go: Burst | None = None

    @property
    def variant(self) -> str:
        """What distinguishes it from the other patches of its instrument, "" for a plain one."""
        return self.key.removeprefix(self.name).lstrip("-")

    @property
    def decays(self) -> bool:
        """Whether a held note fades by itself: struck and plucked strings, drums."""
        return self.tone is None

    @property
    def level_db(self) -> float:
        """Balance against the others."""
        return self.played.level_db

    @property
    def touch(self) -> float:
        """How strongly velocity makes louder: dB from velocity 127 to 32."""
        return self.played.touch

    @property
    def release_s(self) -> float:
        """The fall after the key is let go, of C4."""
        return self.played.release_s.at(60)

    @property
    def place(self) -> float:
        """Where it stands, -1 (left) to 1 (right)."""
        return self.stage.place

    @property
    def width(self) -> float:
        """How wide it sounds, 0 to 1."""
        return self.stage.width

    @property
    def room_db(self) -> float:
        """What goes to the room, against what is heard directly."""
        return self.stage.room_db


def knobs(kind: type) -> dict[str, dict[str, Any]]:
    """Return the keys of a part of a patch with their ranges and meanings."""
    return {f.name: dict(f.metadata) for f in fields(kind) if f.metadata}
