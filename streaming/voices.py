"""The voices: pyo objects made once at start, that can play any table.

A voice is a gate table, an envelope, two oscillators (left, right) and their
low-passes. A voice that rests costs nothing. Nothing is made or deleted on air.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streaming.errors import SynthError
from streaming.patches import PATCHES, Patch
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE
from streaming.wavetables import Table

# Before pyo is imported: no window toolkit.
os.environ.setdefault("PYO_GUI_WX", "0")
# The 64-bit build; its 32-bit sister makes NaN now and then.
import pyo64

CHANNELS = 2 * len(PATCHES)
# pyo fades its output in after the start; these blocks are thrown away.
_SETTLING_BLOCKS = 16


@dataclass(slots=True)
class Place:
    """A table in pyo's hands.

    Attributes:
        left, right: pyo tables, one object when the tone is mono.
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


class Voice:
    """One voice; see the module.

    Attributes:
        gate: float64 [256], what the envelope sees in the block to come.
    """

    def __init__(self, deck: object, silence: object) -> None:
        table = pyo64.DataTable(size=BLOCK_SAMPLES)
        self.gate: NDArray[np.float64] = np.asarray(table.getBuffer())
        self._keep = table
        # The bare objects: without pyo's input faders, and 5 us to start instead of 100.
        self._scan = pyo64.TableScan_base(table._base_objs[0])
        self._envelope = pyo64.MidiAdsr_base(self._scan, attack=0.01, decay=0.1, sustain=1.0, release=0.1)
        self._bloom = pyo64.MidiAdsr_base(self._scan, attack=0.5, decay=0.1, sustain=1.0, release=0.5)
        self._vibrato = pyo64.Sine_base(freq=5.0, mul=self._bloom)
        self._oscillators = [
            pyo64.OscTrig_base(silence, self._scan, freq=1.0, phase=0.0, interp=4, mul=self._envelope) for _ in "LR"
        ]
        self._tones = [pyo64.Tone_base(o, freq=8000.0, mul=deck) for o in self._oscillators]
        self._plain = [self._scan, self._envelope, *self._oscillators, *self._tones]
        self._shaken = [self._scan, self._envelope, self._bloom, self._vibrato, *self._oscillators, *self._tones]
        self._playing: list[object] = self._shaken
        self.stop()

    def start(
        self,
        place: Place,
        patch: Patch,
        *,
        channel: int,
        deck: object,
        hz: float,
        gain: float,
        attack_s: float,
        cutoff_hz: float,
        phases: tuple[float, float],
    ) -> None:
        """Make the voice ready for a note; its gate says where in the block it begins.

        Its release is set when it has begun.

        Args:
            place: the table.
            patch: envelope and vibrato.
            channel: first of the two output channels.
            deck: pyo stream of the fader it hears to.
            hz: pitch.
            gain: amplitude.
            attack_s: rise.
            cutoff_hz: of the low-pass.
            phases: where in the table left and right begin, 0 to 1.
        """
        envelope = self._envelope
        envelope.setAttack(attack_s)
        envelope.setDecay(patch.decay_s)
        envelope.setSustain(patch.sustain)
        # The release of the last note must be long over: a longer one would resume it.
        envelope.setRelease(0.001)
        envelope.setExp(patch.curve)
        envelope.setMul(gain)
        # Times a second the table is read.
        turns = hz / place.hz * SAMPLE_RATE / place.length
        frequency: object = turns
        self._playing = self._plain
        if patch.vibrato_cents:
            self._bloom.setAttack(patch.vibrato_s)
            self._bloom.setRelease(0.001)
            self._bloom.setMul(turns * (2 ** (patch.vibrato_cents / 1200) - 1))
            # No two players shake at the same speed.
            self._vibrato.setFreq(patch.vibrato_hz * (0.94 + 0.12 * phases[0]))
            self._vibrato.setAdd(turns)
            self._vibrato.reset()
            frequency = self._vibrato
            self._playing = self._shaken
        for oscillator, table, phase in zip(self._oscillators, (place.left, place.right), phases, strict=True):
            oscillator.setTable(table)
            oscillator.setFreq(frequency)
            oscillator.setPhase(phase)
        for obj in self._playing:
            obj.play(0, 0)  # type: ignore[attr-defined]
        for side, tone in enumerate(self._tones):
            tone.setFreq(cutoff_hz)
            tone.setMul(deck)
            tone.out(channel + side, 0, 0)

    def set_release(self, release_s: float) -> None:
        """Set the time of the release to come."""
        self._envelope.setRelease(release_s)

    def flush(self) -> None:
        """Run on silence with the low-passes wide open."""
        self.gate[:] = 0.0
        self._envelope.setRelease(0.001)
        self._bloom.setRelease(0.001)
        self._playing = self._shaken
        for obj in self._playing:
            obj.play(0, 0)  # type: ignore[attr-defined]
        for tone in self._tones:
            tone.setFreq(20_000.0)

    def forget(self, silence: object) -> None:
        """Read another table, since the last one is about to go."""
        for oscillator in self._oscillators:
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
        banks: the instruments' tables, by seed.
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
        self.banks: dict[int, dict[str, list[Place]]] = {}
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

    def hold(self, table: Table) -> Place:
        """Give a table to pyo."""
        length = table.samples.shape[1]
        held = []
        for row in table.samples:
            data = pyo64.DataTable(size=length)
            np.asarray(data.getBuffer())[:] = row
            held.append(data)
        left, right = held[0]._base_objs[0], held[-1]._base_objs[0]
        return Place(left, right, length, table.hz, table.loops, keep=list(held))

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
