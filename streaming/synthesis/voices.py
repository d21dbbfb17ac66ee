"""The voices: pyo objects made once at start, that can play any table.

A voice is a gate table and, for the left and the right ear, oscillators on the
layers of a sound (body, edge, extra), each layer with an envelope of its own,
and a low-pass. A layer or voice that rests costs nothing. Nothing is made or
deleted on air.
"""

from __future__ import annotations

import ctypes
import math
import os
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streaming.errors import SynthError
from streaming.patches import PATCHES
from streaming.patches.recipe import Played
from streaming.performing.lanes import Lanes
from streaming.synthesis.wavetables import Sound, Table
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

# Before pyo is imported: no window toolkit.
os.environ.setdefault("PYO_GUI_WX", "0")
# The 64-bit build; its 32-bit sister makes NaN now and then.
import pyo64

CHANNELS = 2 * len(PATCHES)
# pyo fades its output in after the start; these blocks are thrown away.
_SETTLING_BLOCKS = 16
_CUT_S = 0.001
# A layer that is played once has faded after this part of its table, and its release takes at most that part:
# together less than the whole, which would begin again.
_ONCE, _ONCE_LET_GO = 0.93, 0.05
# The shape in which free strings die away.
_DYING = 3.0


@dataclass(slots=True)
class Held:
    """A table in pyo's hands.

    Attributes:
        left, right: pyo tables, one object when the table is mono.
        length: samples.
        hz: fundamental at its own rate.
        loops: whether it can be held for ever.
    """

    left: object
    right: object
    length: int
    hz: float
    loops: bool
    keep: list[object] = field(default_factory=list, repr=False)

    def turns(self, hz: float) -> float:
        """Return how many times a second it is read to sound at a pitch."""
        return hz / self.hz * SAMPLE_RATE / self.length

    def duration_s(self, hz: float) -> float:
        """Return how long it takes to read it once."""
        return 1 / self.turns(hz)


@dataclass(slots=True)
class Place:
    """A sound in pyo's hands; its layers as in `Sound`."""

    body: Held
    edge: Held | None = None
    extra: Held | None = None


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


class _Layer:
    """One table for two ears, with an envelope of its own."""

    def __init__(self, scan: object, silence: object, below: _Layer | None) -> None:
        self.envelope = pyo64.MidiAdsr_base(scan, attack=0.01, decay=0.1, sustain=1.0, release=0.1)
        self.oscillators = [
            pyo64.OscTrig_base(silence, scan, freq=1.0, phase=0.0, interp=4, mul=self.envelope) for _ in "LR"
        ]
        self.objects: list[object] = [self.envelope, *self.oscillators]
        # A layer is heard through the one above it: no mixer is needed.
        self._below = below
        self._joined = False
        self._held: Held | None = None

    def join(self, below: bool) -> None:
        """Carry the layer below, or do not."""
        if below != self._joined and self._below is not None:
            for oscillator, other in zip(self.oscillators, self._below.oscillators, strict=True):
                oscillator.setAdd(other if below else 0.0)
            self._joined = below

    def set(self, held: Held, frequency: object, phases: tuple[float, float]) -> None:
        for oscillator, table, phase in zip(self.oscillators, (held.left, held.right), phases, strict=True):
            oscillator.setTable(table)
            oscillator.setFreq(frequency)
            oscillator.setPhase(phase)
        # pyo's oscillators do not hold their tables: one may only go when they have been given another.
        self._held = held

    def shape(self, gain: float, attack_s: float, decay_s: float, sustain: float, curve: float) -> None:
        envelope = self.envelope
        envelope.setAttack(attack_s)
        envelope.setDecay(decay_s)
        envelope.setSustain(sustain)
        # The release of the last note must be long over: a longer one would resume it.
        envelope.setRelease(_CUT_S)
        envelope.setExp(curve)
        envelope.setMul(gain)


class Voice:
    """One voice; see the module.

    Attributes:
        gate: float64 [256], what the envelopes see in the block to come.
    """

    def __init__(self, deck: object, silence: object) -> None:
        table = pyo64.DataTable(size=BLOCK_SAMPLES)
        self.gate: NDArray[np.float64] = np.asarray(table.getBuffer())
        self._keep = table
        # The bare objects: without pyo's input faders, and 5 us to start instead of 100.
        # pyo makes each block in the order in which they are made here.
        self._scan = pyo64.TableScan_base(table._base_objs[0])
        self._bloom = pyo64.MidiAdsr_base(self._scan, attack=0.5, decay=0.1, sustain=1.0, release=0.5)
        self._vibrato = pyo64.Sine_base(freq=5.0, mul=self._bloom)
        self._extra = _Layer(self._scan, silence, None)
        self._edge = _Layer(self._scan, silence, self._extra)
        self._body = _Layer(self._scan, silence, self._edge)
        self._layers = (self._extra, self._edge, self._body)
        self._tones = [pyo64.Tone_base(o, freq=8000.0, mul=deck) for o in self._body.oscillators]
        self._all: list[object] = [self._scan, self._bloom, self._vibrato]
        self._all += [obj for layer in self._layers for obj in layer.objects] + self._tones
        # Longest release of each layer.
        self._longest = [math.inf, math.inf, math.inf]
        self._sets: dict[tuple[bool, bool, bool], list[object]] = {}
        self._playing: list[object] = self._all
        # What a bend moves, and from where: the vibrato, or the layers that hang on the pitch.
        self._turns, self._shaken, self._bent = 0.0, False, [self._body]
        self.stop()

    def start(self, place: Place, played: Played, touch: Touch, *, channel: int, faders: tuple[object, object]) -> None:
        """Make the voice ready for a note; its gate says where in the block it begins.

        Its release is set when it has begun.

        Args:
            place: the sound.
            played: envelopes and vibrato.
            touch: of this note.
            channel: first of the two output channels.
            faders: pyo streams of the gains of left and right.
        """
        self._longest[:] = math.inf, math.inf, math.inf
        with_edge = place.edge is not None and touch.edge > 0
        with_extra = place.extra is not None and touch.extra > 0
        turns = place.body.turns(touch.hz)
        frequency: object = turns
        if played.vibrato_cents:
            self._bloom.setAttack(played.vibrato_s)
            self._bloom.setRelease(_CUT_S)
            self._bloom.setMul(turns * (2 ** (played.vibrato_cents / 1200) - 1))
            # No two players shake at the same speed.
            self._vibrato.setFreq(played.vibrato_hz * (0.94 + 0.12 * touch.phases[0]))
            self._vibrato.setAdd(turns)
            self._vibrato.reset()
            frequency = self._vibrato
        self._body.set(place.body, frequency, touch.phases)
        self._turns, self._shaken, self._bent = turns, bool(played.vibrato_cents), [self._body]
        self._body.shape(touch.gain, touch.attack_s, played.decay_s, played.sustain, played.curve)
        # The layers hang on each other in this order, so that an edge is there also when silent.
        self._body.join(with_edge or with_extra)
        self._edge.join(with_extra)
        if place.edge is not None and with_edge:
            edge = place.edge
            if edge.loops:
                self._edge.set(edge, frequency, touch.phases)
                self._bent.append(self._edge)
                shape = (played.edge_decay_s, played.edge_sustain)
            else:
                # Over before its table comes round again.
                self._edge.set(edge, edge.turns(touch.hz), (0.0, 0.0))
                shape = (_ONCE * edge.duration_s(touch.hz), 0.0)
                self._longest[1] = _ONCE_LET_GO * edge.duration_s(touch.hz)
            self._edge.shape(touch.edge, touch.edge_attack_s, *shape, played.curve if edge.loops else 1.0)
        elif with_extra:
            self._edge.shape(0.0, 0.01, 0.01, 0.0, 1.0)
        if place.extra is not None and with_extra:
            extra = place.extra
            if extra.loops:
                self._extra.set(extra, extra.turns(touch.hz), (0.0, 0.0))
                self._extra.shape(touch.extra, touch.extra_attack_s, touch.extra_decay_s, 0.0, _DYING)
            else:
                self._extra.set(extra, extra.turns(touch.hz), (0.0, 0.0))
                self._extra.shape(touch.extra, _CUT_S, _ONCE * extra.duration_s(touch.hz), 0.0, 1.0)
                self._longest[0] = _ONCE_LET_GO * extra.duration_s(touch.hz)
        self._playing = self._set(bool(played.vibrato_cents), with_edge or with_extra, with_extra)
        for obj in self._playing:
            obj.play(0, 0)  # type: ignore[attr-defined]
        for side, tone in enumerate(self._tones):
            tone.setFreq(touch.cutoff_hz)
            tone.setMul(faders[side])
            tone.out(channel + side, 0, 0)

    def bend(self, ratio: float) -> None:
        """Play at another frequency from the block to come.

        Args:
            ratio: to the one it began with.
        """
        turns = self._turns * ratio
        if self._shaken:
            self._vibrato.setAdd(turns)
            return
        for layer in self._bent:
            for oscillator in layer.oscillators:
                oscillator.setFreq(turns)

    def _set(self, vibrato: bool, edge: bool, extra: bool) -> list[object]:
        """Return the objects that play, made out once."""
        key = (vibrato, edge, extra)
        found = self._sets.get(key)
        if found is None:
            found = [self._scan, *([self._bloom, self._vibrato] if vibrato else [])]
            for layer, used in zip(self._layers, (extra, edge, True), strict=True):
                found += layer.objects if used else []
            found += self._tones
            self._sets[key] = found
        return found

    def set_release(self, release_s: float) -> None:
        """Set the time of the release to come; what is played once only must be over before its table is."""
        for layer, longest_s in zip(self._layers, self._longest, strict=True):
            layer.envelope.setRelease(min(release_s, longest_s))

    def flush(self) -> None:
        """Run on silence with the low-passes wide open."""
        self.gate[:] = 0.0
        self.set_release(_CUT_S)
        self._bloom.setRelease(_CUT_S)
        self._playing = self._all
        for obj in self._playing:
            obj.play(0, 0)  # type: ignore[attr-defined]
        self.drain()

    def drain(self) -> None:
        """Open the low-passes, which forget in a block of silence what they played."""
        for tone in self._tones:
            tone.setFreq(20_000.0)

    def forget(self, silence: object) -> None:
        """Read another table, since the last one is about to go."""
        for layer in self._layers:
            for oscillator in layer.oscillators:
                oscillator.setTable(silence)

    def stop(self) -> None:
        """Rest."""
        for obj in self._playing:
            obj.stop()  # type: ignore[attr-defined]
        self.gate[:] = 0.0


class Engine:
    """pyo's server in manual mode, its faders and its voices; one in a process.

    Attributes:
        voices: all voices.
        stems: float32 [256, 26], the channels of the block made last.
        faders: float64 [256] gains of each deck for the block to come.
        lanes: for the parts of files.
        banks: the instruments' sounds and what they do when let go, by what they were made from.
    """

    _only: Engine | None = None

    def __init__(self, voices: int, decks: int) -> None:
        server = pyo64.Server(sr=SAMPLE_RATE, nchnls=CHANNELS, buffersize=BLOCK_SAMPLES, duplex=0, audio="manual")
        server.setVerbosity(1)
        server.boot()
        if not server.getIsBooted():
            raise SynthError("pyo's server did not boot")
        server.start()
        self._server = server
        self._process = server.process
        size = BLOCK_SAMPLES * CHANNELS
        memory = (ctypes.c_float * size).from_address(int(server.getOutputAddr(), 16))
        self.stems: NDArray[np.float32] = np.ctypeslib.as_array(memory).reshape(BLOCK_SAMPLES, CHANNELS)
        for _ in range(_SETTLING_BLOCKS):
            self._process()
        self._tables = [pyo64.DataTable(size=BLOCK_SAMPLES) for _ in range(decks)]
        self.faders: list[NDArray[np.float64]] = [np.asarray(t.getBuffer()) for t in self._tables]
        self.decks: list[object] = []
        for table, fader in zip(self._tables, self.faders, strict=True):
            fader[:] = 1.0
            scan = pyo64.TableScan_base(table._base_objs[0])
            scan.play(0, 0)
            self.decks.append(scan)
        # Before the voices: what they hear to is made first.
        self.lanes = Lanes()
        self.banks: dict[object, dict[str, tuple[list[Place], Place | None]]] = {}
        # Taken out of use, but never deleted: pyo might still look at them.
        self._broken: list[Voice] = []
        self._silence = pyo64.DataTable(size=BLOCK_SAMPLES)
        self.voices = [Voice(self.decks[0], self._silence._base_objs[0]) for _ in range(voices)]

    @classmethod
    def get(cls, voices: int, decks: int) -> Engine:
        """Return the process's engine; pyo knows one server, so it is made once."""
        if cls._only is None:
            cls._only = cls(voices, decks)
        return cls._only

    def hold(self, sound: Sound) -> Place:
        """Give a sound to pyo."""
        edge, extra = (None if table is None else self.hold_table(table) for table in (sound.edge, sound.extra))
        return Place(self.hold_table(sound.body), edge, extra)

    def hold_table(self, table: Table) -> Held:
        """Give a table to pyo."""
        length = table.samples.shape[1]
        held = []
        for row in table.samples:
            data = pyo64.DataTable(size=length)
            np.asarray(data.getBuffer())[:] = row
            if table.loops:
                # pyo reads one sample behind the last: any arithmetic of its own makes that the first one.
                data.add(0.0)
            held.append(data)
        left, right = held[0]._base_objs[0], held[-1]._base_objs[0]
        return Held(left, right, length, table.hz, table.loops, keep=list(held))

    def replace(self, voice: Voice) -> Voice:
        """Return a new voice in the place of a broken one."""
        index = self.voices.index(voice)
        self._broken.append(voice)
        self.voices[index] = Voice(self.decks[0], self._silence._base_objs[0])
        return self.voices[index]

    def forget_banks(self) -> None:
        """Let the tables go; first from the voices, for pyo's oscillators do not hold what they read."""
        for voice in [*self.voices, *self._broken]:
            voice.stop()
            voice.forget(self._silence._base_objs[0])
        self.banks.clear()

    def settle(self) -> None:
        """Empty the memory of the low-passes, so that what comes does not hang on what was."""
        for voice in self.voices:
            voice.flush()
        for _ in range(_SETTLING_BLOCKS):
            self._process()
        for voice in self.voices:
            voice.stop()

    def process(self) -> None:
        """Make the next block into `stems`."""
        self._process()
