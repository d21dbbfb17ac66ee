"""A layer of a voice: one table for two ears, with what lets it come and go.

While its level moves it hears to an envelope; when that has arrived, it is a number. What is
played once rests as soon as its table is over.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pyo64

from streaming.synthesis.envelopes import NEVER, Envelope
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

# A layer that is played once has faded after this part of its table, and its release takes at most that part.
ONCE, ONCE_LET_GO = 0.93, 0.05


@dataclass(slots=True)
class Held:
    """A table in pyo's hands.

    Attributes:
        left, right: pyo tables, one object when the table is mono.
        length: samples, with the silence behind what is played once.
        sounding: samples without it.
        hz: fundamental at its own rate.
        loops: whether it can be held for ever.
    """

    left: Any
    right: Any
    length: int
    sounding: int
    hz: float
    loops: bool
    keep: list[object] = field(default_factory=list, repr=False)

    def turns(self, hz: float) -> float:
        """Return how many times a second it is read to sound at a pitch."""
        return hz / self.hz * SAMPLE_RATE / self.length

    def duration_s(self, hz: float) -> float:
        """Return how long it takes to read once what sounds of it."""
        return self.sounding / (hz / self.hz * SAMPLE_RATE)


@dataclass(slots=True)
class Place:
    """A sound in pyo's hands; its layers as in `Sound`."""

    body: Held
    edge: Held | None = None
    extra: Held | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """How the level of a layer goes while its key is held.

    Attributes:
        gain: where it rises to.
        rise_s: in this time; 0 where the table does so by itself.
        fall_s: after that, to `sustain`.
        sustain: part of the gain that is held, as a straight line would have it.
        curve: shape of both.
    """

    gain: float
    rise_s: float
    fall_s: float = 0.0
    sustain: float = 1.0
    curve: float = 1.0


class Layer:
    """Oscillators for one or two ears.

    Attributes:
        on: whether it sounds.
        wakes: sample at which `tend` has to be called.
    """

    def __init__(self, silence: Any, ears: int) -> None:
        self.envelope = Envelope()
        self.oscillators: list[Any] = [pyo64.Osc_base(silence, freq=1.0, interp=4) for _ in range(ears)]
        self._playing: list[Any] = []
        # pyo's oscillators do not hold their tables: one may only go when they have been given another.
        self._tables: list[Held | None] = [None] * ears
        self._carried: list[Any] = [None] * ears
        self._held: Held | None = None
        self._turns, self._ratio = 0.0, 1.0
        self._course = Course(0.0, 0.0)
        self._moving, self._falling, self._level = False, False, 0.0
        # When its level has arrived; when its table comes round again.
        self._due, self._over = float(NEVER), float(NEVER)
        self.on = False
        self.wakes = NEVER
        for oscillator in self.oscillators:
            oscillator.stop()

    def start(
        self,
        held: Held,
        hz: float,
        course: Course,
        *,
        at: int,
        now: int,
        phases: tuple[float, float] = (0.0, 0.0),
        ears: int = 2,
        shaken: Any = None,
    ) -> None:
        """Begin to sound.

        Args:
            held: the table.
            hz: pitch.
            course: of its level.
            at: sample at which it begins, in the block to come.
            now: first sample of that block.
            phases: where in the tables of left and right it begins, 0 to 1.
            ears: how many oscillators play: 1 where both ears hear the same.
            shaken: stream of the turns a second, in the place of those of the pitch.
        """
        self._held, self._course = held, course
        turns = self._turns = held.turns(hz)
        self._ratio = 1.0
        gain: object = course.gain
        self._moving = course.rise_s > 0.0
        self._falling = False
        if self._moving:
            self.envelope.rise(at, now, course.rise_s * SAMPLE_RATE, course.curve, course.gain)
            gain, self._due = self.envelope.stream, self.envelope.ends
        self._level = course.gain
        # So far back that it is at its beginning when the note is; what is played once is silent before.
        back = (at - now + 1) * turns / SAMPLE_RATE
        self._playing = self.oscillators[:ears]
        for ear, oscillator in enumerate(self._playing):
            table, phase = (held.right, phases[1]) if ear else (held.left, phases[0])
            oscillator.setTable(table)
            self._tables[ear] = held
            oscillator.setFreq(turns if shaken is None else shaken)
            oscillator.setPhase((phase - back) % 1.0)
            oscillator.reset()
            oscillator.setMul(gain)
            oscillator.play(0, 0)
        self._over = NEVER if held.loops else at + held.length * held.hz / hz
        self.on = True
        self._set_wakes()

    @property
    def loops(self) -> bool:
        """Whether its table can be held for ever."""
        return self._held is not None and self._held.loops

    def carry(self, below: Layer | None) -> None:
        """Let another layer be heard through this one, or none."""
        for ear, oscillator in enumerate(self.oscillators):
            other = None if below is None else below.oscillators[min(ear, len(below._playing) - 1)]
            if other is not self._carried[ear]:
                oscillator.setAdd(0.0 if other is None else other)
                self._carried[ear] = other

    def bend(self, ratio: float, now: int, *, shaken: bool) -> None:
        """Play at another frequency from a block on.

        Args:
            ratio: to the one it began with.
            now: first sample of the block.
            shaken: whether it hears to a stream of its own for that.
        """
        if not self.on:
            return
        if not shaken:
            for oscillator in self._playing:
                oscillator.setFreq(self._turns * ratio)
        if self._over < NEVER:
            self._over = now + (self._over - now) * self._ratio / ratio
        self._ratio = ratio
        self._set_wakes()

    def fade(self, at: int, now: int, samples: float) -> None:
        """Fade and rest; what is played once does so before its table comes round again.

        Args:
            at: sample at which it begins to, in the block to come.
            now: first sample of that block.
            samples: how long it takes at most.
        """
        held = self._held
        if not self.on or held is None:
            return
        self.settle(now)
        longest = ONCE_LET_GO * SAMPLE_RATE / self._turns * held.sounding / held.length
        self.envelope.fall(at, now, min(samples, longest), 1.0, self._level)
        for oscillator in self._playing:
            oscillator.setMul(self.envelope.stream)
        self._moving, self._falling, self._due = True, True, self.envelope.ends
        self._course = Course(self._level, 0.0, sustain=0.0)
        self._set_wakes()

    def settle(self, now: int) -> None:
        """Stay at the level that it has at the beginning of a block."""
        if not self._moving:
            return
        self._level = self._course.gain * self.envelope.level(now)
        for oscillator in self._playing:
            oscillator.setMul(self._level)
        self.envelope.stop()
        self._moving = False
        self._set_wakes()

    def tend(self, now: int) -> None:
        """Do what is due at the beginning of a block."""
        if now + BLOCK_SAMPLES > self._over:
            self.rest()
        elif self._moving and now >= self._due:
            sustain = self._course.sustain
            if self._falling and sustain <= 0.0:
                self.rest()
            elif self._falling or sustain >= 1.0:
                self.settle(now)
            else:
                self._fall(now)

    def _fall(self, now: int) -> None:
        """Go on from the top towards what is held, to arrive at the edge of a block."""
        course = self._course
        samples = max(1, round(course.fall_s * SAMPLE_RATE / BLOCK_SAMPLES)) * BLOCK_SAMPLES
        self.envelope.fall(now, now, samples / (1.0 - course.sustain), course.curve, course.gain)
        self._falling, self._due = True, float(now + samples)
        self._set_wakes()

    def _set_wakes(self) -> None:
        due = self._due if self._moving else NEVER
        self.wakes = math.ceil(min(due, self._over - BLOCK_SAMPLES + 1)) if self.on else NEVER

    def rest(self) -> None:
        """Be silent."""
        for oscillator in self._playing:
            oscillator.stop()
        if self._moving:
            self.envelope.stop()
        self._moving, self.on, self.wakes = False, False, NEVER

    def hush(self) -> None:
        """Give silence to what listens, and go on."""
        if self._moving:
            self.envelope.stop()
            self._moving = False
        for oscillator in self._playing:
            oscillator.setMul(0.0)
        self.wakes = NEVER

    def forget(self, silence: Any) -> None:
        """Read another table, since the last one is about to go."""
        for ear, oscillator in enumerate(self.oscillators):
            oscillator.setTable(silence)
            self._tables[ear] = None
        self._held = None
