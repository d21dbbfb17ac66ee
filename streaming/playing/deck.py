"""What the playout keeps of its pieces: loaded ones, those on a fader, those queued, and the news of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.controls import Controls
from model.notes import Note
from streaming.mixing.room import DEFAULT_ROOM
from streaming.mixing.steering import Steering
from streaming.performing.expression import Performance
from streaming.performing.turning import Turning
from streaming.soundfonts.sf2 import SYNTH
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, Timeline


@dataclass(slots=True)
class Loaded:
    """A piece in memory.

    Attributes:
        notes: as they are played; `performance`: what they were made of.
        own_gain_db: asked for; `gain_db`: with what brings the piece to the programme's loudness.
        levels: as of `Deck`.
        room: in which it is played.
        course: float64 [moments], how loud it is expected to be.
        bank: path of the SoundFont that plays it, or `synth`.
        controls: of the parts of its notes.
        style, variants: decide which patches play it.
    """

    notes: tuple[Note, ...]
    duration_s: float
    own_gain_db: float
    gain_db: float
    levels: list[tuple[int, float]] = field(default_factory=list)
    room: str = DEFAULT_ROOM
    course: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    bank: str = SYNTH
    controls: tuple[Controls, ...] = ()
    performance: Performance = field(default_factory=lambda: Performance((), ()))
    style: str = ""
    variants: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Deck:
    """A piece on its fader.

    Attributes:
        start: sample of the synth's clock at which the piece begins.
        end: sample at which it has ended (for the bed: begins again).
        gain, towards, slope: the fader, where it goes, and how far in a block.
        levels: (sample of the piece, gain_db) from where on notes are played at another level.
        controls: of the parts of its notes.
        turning: what is turned while it plays; None: nothing.
        steering: what moves `trim_db`, the gain that brings the whole to its loudness; None for the bed.
    """

    number: int
    timeline: Timeline
    start: int
    end: int
    gain_db: float
    gain: float = 1.0
    towards: float = 1.0
    slope: float = 0.0
    ended: bool = False
    levels: list[tuple[int, float]] = field(default_factory=list)
    controls: tuple[Controls, ...] = ()
    turning: Turning | None = None
    steering: Steering | None = None
    trim_db: float = 0.0

    @property
    def notes(self) -> tuple[Note, ...]:
        """All notes of the piece."""
        return tuple(event.note for event in self.timeline.events)

    def gain_at(self, sample: int) -> float:
        """Return the gain, in dB, of a note that begins at a sample of the piece."""
        return next((gain_db for since, gain_db in reversed(self.levels) if sample >= since), self.gain_db)

    def move(self, towards: float, seconds: float) -> None:
        """Let the fader go to a gain in this time."""
        self.towards = towards
        self.slope = BLOCK_SAMPLES / max(seconds * SAMPLE_RATE, BLOCK_SAMPLES)

    def turn(self, controls: Sequence[Controls], index: int) -> None:
        """Turn what the parts of the piece turn, the deck being the one of this index."""
        self.controls = tuple(controls)
        self.turning = Turning(controls, index) if controls else None


@dataclass(slots=True)
class Queue:
    """What is to follow.

    Attributes:
        numbers: of pieces, in the order of playing.
        gap_s: pause after the end of a piece.
        cuts: second of the piece before it at which a piece takes its place.
    """

    numbers: list[int] = field(default_factory=list)
    gap_s: float = 1.0
    cuts: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Begun:
    """A piece begins at this sample of the programme."""

    number: int
    sample: int


@dataclass(frozen=True, slots=True)
class Over:
    """A piece has ended, or has faded, at this sample of the programme."""

    number: int
    sample: int


@dataclass(frozen=True, slots=True)
class Changed:
    """The notes of a piece are others from `from_s` on, which is this sample of the programme.

    `late`: the time asked for was past. The sample is -1 while the piece does not play.
    """

    number: int
    from_s: float
    sample: int
    late: bool


@dataclass(frozen=True, slots=True)
class Silent:
    """Notes should sound and nothing has been heard for some time."""

    number: int


@dataclass(frozen=True, slots=True)
class Troubled:
    """Something about the sound a person should read; the music goes on."""

    text: str


News = Begun | Over | Changed | Silent | Troubled
