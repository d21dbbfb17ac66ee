"""A player that plays the time signal: a beep at each whole second, a quiet tone between."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streaming.ring import Ring
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

BEEP_HZ = 1000.0
BEEP_S = 0.06
# What the player keeps between itself and the feed.
AHEAD_S = 0.25


def second() -> NDArray[np.float32]:
    """Return one second of the signal, float32 [48000, 2]; it joins itself without a click."""
    at_s = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    level = np.where(at_s < BEEP_S, 0.5, 0.005)
    tone = (level * np.sin(2 * np.pi * BEEP_HZ * at_s)).astype(np.float32)
    return np.repeat(tone[:, None], 2, axis=1)


class Beeper:
    """Writes the signal into a show's ring in real time until closed."""

    def __init__(self, ring: Path) -> None:
        self._ring = Ring.join(ring)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._play, name="beeper")
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()
        self._ring.close()

    def _play(self) -> None:
        signal = second()
        blocks = np.concatenate([signal] * BLOCK_SAMPLES).reshape(-1, BLOCK_SAMPLES, 2)
        start_s = time.monotonic()
        while not self._closed.is_set():
            due = int((time.monotonic() - start_s + AHEAD_S) * SAMPLE_RATE)
            while self._ring.write_index < due:
                self._ring.write(blocks[self._ring.write_index // BLOCK_SAMPLES % len(blocks)])
            self._closed.wait(0.01)
