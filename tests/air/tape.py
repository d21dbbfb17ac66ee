"""What the player wrote, kept whole: the truth that a recording is compared with, sample by sample."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streaming.ring import Ring

Sound = NDArray[np.float32]
# Often enough that nothing is run over in a ring of 8 s.
_EVERY_S = 0.5
# Above this it is the same music: AAC at 128 kb/s leaves 0.97 and more.
_ALIKE = 0.85


class Tape:
    """Copies the ring of a show from now on, until closed.

    Args:
        path: of the ring.
    """

    def __init__(self, path: Path) -> None:
        self._ring = Ring.open(path)
        self._end = self.first = max(0, self._ring.write_index - self._ring.capacity // 2)
        self._parts: list[Sound] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._copy, name="tape")
        self._thread.start()

    def close(self) -> None:
        """Stop copying."""
        self._closed.set()
        self._thread.join()
        self._ring.close()

    @property
    def now(self) -> int:
        """The sample of the programme that is on air."""
        return self._ring.read_index

    def sound(self) -> Sound:
        """Return the left-hand side of all that was copied, float32 [samples]; `first` is the index of its first."""
        return np.concatenate(self._parts)

    def _copy(self) -> None:
        while not self._closed.wait(_EVERY_S):
            written = self._ring.write_index
            if written > self._end:
                self._parts.append(np.ascontiguousarray(self._ring.read(self._end, written - self._end)[:, 0]))
                self._end = written


def find(window: Sound, tape: Sound, near: int, reach: int) -> int | None:
    """Return where a window is on a tape, by normalised cross-correlation; None: not there.

    Args:
        window: float32 [samples].
        tape: float32 [samples].
        near: about where on the tape it should begin.
        reach: how far from there to look, in samples.
    """
    low, high = max(0, near - reach), min(len(tape), near + reach + len(window))
    if high - low < len(window):
        return None
    among = tape[low:high]
    size = 1 << (len(among) + len(window) - 1).bit_length()
    product = np.fft.rfft(among, size) * np.conj(np.fft.rfft(window, size))
    raw = np.fft.irfft(product, size)[: len(among) - len(window) + 1]
    power = np.concatenate(([0.0], np.cumsum(np.square(among, dtype=np.float64))))
    under = np.sqrt(np.maximum(power[len(window) :] - power[: -len(window)], 1e-9))
    alike = raw / (under * np.sqrt(np.sum(np.square(window, dtype=np.float64))) + 1e-9)
    best = int(np.argmax(alike))
    return best + low if alike[best] > _ALIKE else None
