"""What the player wrote, kept whole: the truth that a recording is compared with, sample by sample."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streaming.ring import Ring
from streaming.timeline import SAMPLE_RATE

Sound = NDArray[np.float32]
# Often enough that nothing is run over in a ring of 8 s.
_EVERY_S = 0.5
# What is compared at once, and how far apart: what is shorter than a step may be missed by one, not by the next.
WINDOW_SAMPLES = 12_000
STEP_SAMPLES = 6_000
# Below this the sound of a window is not that of the tape, above it nothing else is: AAC leaves 0.95 and more.
_ALIKE = 0.7
_SILENT_DB = -60.0


class Tape:
    """Copies the ring of a show from now on, until closed.

    Args:
        path: of the ring.
    """

    def __init__(self, path: Path) -> None:
        self._ring = Ring.open(path)
        self._end = max(0, self._ring.write_index - self._ring.capacity // 2)
        self.first = self._end
        self._parts: list[Sound] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._copy, name="tape")
        self._thread.start()

    def close(self) -> None:
        """Stop copying."""
        self._closed.set()
        self._thread.join()
        self._ring.close()

    def sound(self) -> Sound:
        """Return the left-hand side of all that was copied, float32 [samples]; `first` is the index of its first."""
        return np.concatenate(self._parts)

    def _copy(self) -> None:
        while not self._closed.wait(_EVERY_S):
            written = self._ring.write_index
            if written > self._end:
                part = self._ring.read(self._end, written - self._end)[:, 0]
                self._parts.append(np.ascontiguousarray(part))
                self._end = written


@dataclass(frozen=True, slots=True)
class Place:
    """Where a window of a recording is on the tape.

    Attributes:
        at: first sample of the window in the recording.
        lag: what to add for the index in the programme; None: that sound is not on the tape there.
        level_db: of the window, RMS.
    """

    at: int
    lag: int | None
    level_db: float


def places(recorded: Sound, tape: Sound, first: int, around: int, reach: int = SAMPLE_RATE) -> list[Place]:
    """Find every window of a recording on the tape.

    Args:
        recorded: float32 [samples], one side.
        tape: float32 [samples], the same side.
        first: index in the programme of the tape's first sample.
        around: lag that is expected: index in the programme less sample of the recording.
        reach: how far from there to look, in samples.

    Returns:
        a place for each window, in order.
    """
    found = []
    for at in range(0, len(recorded) - WINDOW_SAMPLES, STEP_SAMPLES):
        window = recorded[at : at + WINDOW_SAMPLES]
        level_db = 20.0 * float(np.log10(np.sqrt(np.mean(np.square(window))) + 1e-9))
        lag = None
        if level_db > _SILENT_DB:
            begin = at + around - first - reach
            low, high = max(0, begin), min(len(tape), begin + 2 * reach + WINDOW_SAMPLES)
            if high - low >= WINDOW_SAMPLES:
                offset = _find(window, tape[low:high])
                lag = None if offset is None else offset + low + first - at
        found.append(Place(at, lag, level_db))
    return found


def _find(window: Sound, among: Sound) -> int | None:
    """Return where a window is in a longer sound, by normalised cross-correlation; None: nowhere."""
    size = 1 << (len(among) + len(window) - 1).bit_length()
    product = np.fft.rfft(among, size) * np.conj(np.fft.rfft(window, size))
    raw = np.fft.irfft(product, size)[: len(among) - len(window) + 1]
    power = np.concatenate(([0.0], np.cumsum(np.square(among, dtype=np.float64))))
    under = np.sqrt(np.maximum(power[len(window) :] - power[: -len(window)], 1e-9))
    alike = raw / (under * np.sqrt(np.sum(np.square(window, dtype=np.float64))))
    best = int(np.argmax(alike))
    return best if alike[best] > _ALIKE else None
