"""pyo's server in manual mode, its tables, its faders and its voices."""

from __future__ import annotations

import ctypes

import numpy as np
import pyo64
from numpy.typing import NDArray

from streaming.errors import SynthError
from streaming.patches import PATCHES
from streaming.performing.lanes import Lanes
from streaming.synthesis.layers import ONCE, Held, Place
from streaming.synthesis.voices import Voice
from streaming.synthesis.wavetables import Sound, Table
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

CHANNELS = 2 * len(PATCHES)
# pyo fades its output in after the start; these blocks are thrown away.
_SETTLING_BLOCKS = 16
# Behind what is played once: the silence in which it is stopped, and from which it begins in the middle of a block.
_SILENT = 4 * BLOCK_SAMPLES


class Engine:
    """All of pyo; one in a process.

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
        self._process = server._server.process
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
        self.voices = [Voice(self._silence._base_objs[0]) for _ in range(voices)]

    @classmethod
    def get(cls, voices: int, decks: int) -> Engine:
        """Return the process's engine; pyo knows one server, so it is made once."""
        if cls._only is None:
            cls._only = cls(voices, decks)
        return cls._only

    def hold(self, sound: Sound) -> Place:
        """Give a sound to pyo."""
        edge, extra = (None if t is None else self.hold_table(t, fades=True) for t in (sound.edge, sound.extra))
        return Place(self.hold_table(sound.body), edge, extra)

    def hold_table(self, table: Table, *, fades: bool = False) -> Held:
        """Give a table to pyo.

        Args:
            table: to be played.
            fades: whether what is played once is to fade on a straight line.
        """
        sounding = table.samples.shape[1]
        length = sounding if table.loops else sounding + _SILENT
        held = []
        for row in table.samples:
            data = pyo64.DataTable(size=length)
            samples = np.asarray(data.getBuffer())
            samples[:sounding] = row
            if table.loops:
                # pyo reads one sample behind the last: any arithmetic of its own makes that the first one.
                data.add(0.0)
            elif fades:
                samples[:sounding] *= np.maximum(0.0, 1.0 - np.arange(sounding) / (ONCE * sounding))
            held.append(data)
        left, right = held[0]._base_objs[0], held[-1]._base_objs[0]
        return Held(left, right, length, sounding, table.hz, table.loops, keep=list(held))

    def replace(self, voice: Voice) -> Voice:
        """Return a new voice in the place of a broken one."""
        index = self.voices.index(voice)
        self._broken.append(voice)
        self.voices[index] = Voice(self._silence._base_objs[0])
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
