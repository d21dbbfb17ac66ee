"""The voices: pyo objects made once at start, that can play any table.

A voice has the layers of a sound (body, edge, extra), a low-pass for each ear and a line on which
it dies away when its key is let go. Where both ears hear the same, one plays for both. What rests,
stands still or is over costs nothing; nothing is made or deleted on air.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyo64

from streaming.patches.recipe import Played
from streaming.synthesis.envelopes import NEVER, Envelope
from streaming.synthesis.layers import Course, Held, Layer, Place
from streaming.timeline import SAMPLE_RATE

# The shape in which free strings die away.
_DYING = 3.0
_OPEN_HZ = 20_000.0


@dataclass(frozen=True, slots=True)
class Touch:
    """How a voice plays one note.

    Attributes:
        hz: pitch.
        gain: amplitude of the body.
        edge: amplitude of the edge, 0 or more.
        extra: amplitude of what sounds beside.
        extra_attack_s, extra_decay_s: how that comes and goes, if it is a loop.
        attack_s: rise.
        edge_attack_s: rise of the edge.
        cutoff_hz: of the low-pass.
        phases: where in the tables left and right begin, 0 to 1.
    """

    hz: float
    gain: float
    edge: float = 0.0
    extra: float = 0.0
    extra_attack_s: float = 0.1
    extra_decay_s: float = 1.0
    attack_s: float = 0.001
    edge_attack_s: float = 0.001
    cutoff_hz: float = 20_000.0
    phases: tuple[float, float] = (0.0, 0.0)


class Voice:
    """One voice; see the module.

    Attributes:
        wakes: sample at which `tend` has to be called.
    """

    def __init__(self, silence: Any) -> None:
        # pyo makes each block in the order in which they are made here.
        self._bloom = Envelope()
        self._vibrato = pyo64.Sine_base(freq=5.0)
        # What sounds beside is the same for both ears.
        self._extra, self._edge, self._body = Layer(silence, 1), Layer(silence, 2), Layer(silence, 2)
        self._layers = (self._extra, self._edge, self._body)
        self._falls = [Envelope(), Envelope()]
        self._tones: list[Any] = [pyo64.Tone_base(o, freq=_OPEN_HZ) for o in self._body.oscillators]
        # The right ear, where it hears what the left one does.
        self._copy = pyo64.Sig_base(self._tones[0])
        self._faders: tuple[Any, Any] = (None, None)
        self._ears, self._curve = 2, 1.0
        self._shaken, self._blooms, self._falling = False, False, False
        self._turns, self._depth = 0.0, 0.0
        self.wakes = NEVER
        for resting in (self._vibrato, *self._tones, self._copy):
            resting.stop()

    def start(
        self,
        place: Place,
        played: Played,
        touch: Touch,
        *,
        at: int,
        now: int,
        channel: int,
        faders: tuple[object, object],
    ) -> None:
        """Begin a note.

        Args:
            place: the sound.
            played: envelopes and vibrato.
            touch: of this note.
            at: sample at which it begins, in the block to come.
            now: first sample of that block.
            channel: first of the two output channels.
            faders: pyo streams of the gains of left and right.
        """
        body, edge, extra = place.body, place.edge if touch.edge > 0 else None, place.extra
        alike = _alike(body, touch.phases)
        edge_ears = 1 if edge is None or _alike(edge, touch.phases) else 2
        self._ears = 1 if alike and edge_ears == 1 and faders[0] is faders[1] else 2
        self._faders, self._curve = faders, played.curve
        shaken = self._shake(body.turns(touch.hz), played, touch, at, now) if played.vibrato_cents else None
        self._shaken = shaken is not None
        course = Course(touch.gain, touch.attack_s, played.decay_s, played.sustain, played.curve)
        self._body.start(body, touch.hz, course, at=at, now=now, phases=touch.phases, ears=self._ears, shaken=shaken)
        if edge is not None and edge.loops:
            course = Course(touch.edge, touch.edge_attack_s, played.edge_decay_s, played.edge_sustain, played.curve)
            self._edge.start(edge, touch.hz, course, at=at, now=now, phases=touch.phases, ears=edge_ears, shaken=shaken)
        elif edge is not None:
            course = Course(touch.edge, touch.edge_attack_s)
            self._edge.start(edge, touch.hz, course, at=at, now=now, ears=edge_ears)
        if extra is not None and touch.extra > 0:
            course = Course(touch.extra, 0.0)
            if extra.loops:
                course = Course(touch.extra, touch.extra_attack_s, touch.extra_decay_s, 0.0, _DYING)
            self._extra.start(extra, touch.hz, course, at=at, now=now, ears=1)
        self._chain()
        tones = self._tones[: self._ears]
        for side, tone in enumerate(tones):
            tone.setFreq(touch.cutoff_hz)
            tone.setMul(faders[side])
            tone.out(channel + side, 0, 0)
        if len(tones) == 1:
            self._copy.out(channel + 1, 0, 0)
        self._falling = False
        self._set_wakes()

    def _shake(self, turns: float, played: Played, touch: Touch, at: int, now: int) -> object:
        """Return the stream of a vibrato that blooms."""
        vibrato = self._vibrato
        depth = turns * (2 ** (played.vibrato_cents / 1200) - 1)
        self._bloom.rise(at, now, played.vibrato_s * SAMPLE_RATE, 1.0, depth)
        self._blooms, self._depth = True, depth
        # No two players shake at the same speed.
        vibrato.setFreq(played.vibrato_hz * (0.94 + 0.12 * touch.phases[0]))
        vibrato.setMul(self._bloom.stream)
        vibrato.setAdd(turns)
        vibrato.reset()
        vibrato.play(0, 0)
        self._turns = turns
        return vibrato

    def _chain(self) -> None:
        """Let what sounds be heard one through the other, so that no mixer is needed."""
        below: Layer | None = None
        for layer in self._layers:
            if layer.on:
                layer.carry(below)
                below = layer

    def bend(self, ratio: float, now: int) -> None:
        """Play at another frequency from the block to come.

        Args:
            ratio: to the one it began with.
            now: first sample of that block.
        """
        if self._shaken:
            self._vibrato.setAdd(self._turns * ratio)
        self._body.bend(ratio, now, shaken=self._shaken)
        self._edge.bend(ratio, now, shaken=self._shaken and self._edge.loops)
        self._set_wakes()

    def let_go(self, at: int, now: int, seconds: float) -> None:
        """Let go of the key.

        Args:
            at: sample at which that is, in the block to come.
            now: first sample of that block.
            seconds: how long it takes to fall silent.
        """
        samples = seconds * SAMPLE_RATE
        for side in range(2 if self._faders[0] is not self._faders[1] else 1):
            self._falls[side].fall(at, now, samples, self._curve, self._faders[side])
        for side, tone in enumerate(self._tones[: self._ears]):
            tone.setMul(self._falls[side if self._faders[0] is not self._faders[1] else 0].stream)
        self._falling = True
        self._body.settle(now)
        for layer in (self._edge, self._extra):
            if layer.loops:
                layer.settle(now)
            else:
                layer.fade(at, now, samples)
        self._set_wakes()

    def hurry(self, now: int, seconds: float) -> None:
        """Fall silent in less time, once let go.

        Args:
            now: first sample of the block to come.
            seconds: that the whole fall takes at most.
        """
        if self._falling:
            for fall in self._falls[: 2 if self._faders[0] is not self._faders[1] else 1]:
                fall.hurry(now, seconds * SAMPLE_RATE)
            self._set_wakes()

    def tend(self, now: int) -> None:
        """Do what is due at the beginning of a block."""
        if self._blooms and now >= self._bloom.ends:
            self._blooms = False
            self._vibrato.setMul(self._depth)
            self._bloom.stop()
        if self._falling and now >= self._falls[0].ends:
            # Before the line comes round again.
            self._falling = False
            for tone in self._tones[: self._ears]:
                tone.setMul(0.0)
            for fall in self._falls:
                fall.stop()
        chained = False
        for layer in self._layers:
            if layer.wakes <= now:
                layer.tend(now)
                chained |= not layer.on
        if chained:
            self._chain()
        self._set_wakes()

    def _set_wakes(self) -> None:
        wakes = min(self._extra.wakes, self._edge.wakes, self._body.wakes)
        if self._blooms:
            wakes = min(wakes, int(self._bloom.ends) + 1)
        if self._falling:
            wakes = min(wakes, int(self._falls[0].ends) + 1)
        self.wakes = wakes

    def drain(self) -> None:
        """Open the low-passes on silence, so that they forget in a block what they played."""
        self._body.carry(None)
        self._body.hush()
        for tone in self._tones:
            tone.setFreq(_OPEN_HZ)

    def flush(self) -> None:
        """Run the low-passes on silence, wide open."""
        self._ears = 2
        for tone in self._tones:
            tone.setFreq(_OPEN_HZ)
            tone.play(0, 0)

    def forget(self, silence: Any) -> None:
        """Read another table, since the last one is about to go."""
        for layer in self._layers:
            layer.forget(silence)

    def stop(self) -> None:
        """Rest."""
        for layer in self._layers:
            if layer.on:
                layer.rest()
        if self._shaken:
            self._vibrato.stop()
        if self._blooms:
            self._bloom.stop()
        if self._falling:
            for fall in self._falls:
                fall.stop()
        for tone in self._tones:
            tone.stop()
        self._copy.stop()
        self._shaken, self._blooms, self._falling = False, False, False
        self.wakes = NEVER


def _alike(held: Held, phases: tuple[float, float]) -> bool:
    """Whether both ears hear the same."""
    return held.left is held.right and phases[0] == phases[1]
