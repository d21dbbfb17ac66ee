"""Listens to the programme at its output, as OBS does, and tells where nothing was heard.

The sound that comes over NUT carries the programme's sample numbers: what never came is known as exactly as what came
silent. Both are counted in the player's blocks of 256 samples.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

# Below this nobody hears anything; a note that fades passes it long after the next has begun.
FLOOR_DB = -75.0
_FLOOR = round(32768 * 10 ** (FLOOR_DB / 20))
_AGAIN_S = 0.05
_PATIENCE_S = 3.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard of a stretch of the programme.

    Attributes:
        blocks: of the stretch.
        gap: the most blocks in a row that were silent or did not come.
        missing: blocks that did not come, or not whole.
        stall_s: the longest time that nothing came.
    """

    blocks: int
    gap: int
    missing: int
    stall_s: float


class Ear:
    """Reads the programme from now on, again and again where the connection breaks, until closed.

    Args:
        port: where the feed serves it.
    """

    def __init__(self, port: int) -> None:
        self._url = f"tcp://127.0.0.1:{port}"
        # (arrival, first sample, loudest side of each sample)
        self._parts: list[tuple[float, int, NDArray[np.int16]]] = []
        self._closed = threading.Event()
        self.connections = 0
        self._thread = threading.Thread(target=self._listen, name="ear", daemon=True)
        self._thread.start()

    @property
    def now(self) -> int:
        """The first sample that has not come yet."""
        if not self._parts:
            return 0
        _, sample, sound = self._parts[-1]
        return sample + len(sound)

    def close(self) -> None:
        """Listen no more."""
        self._closed.set()
        self._thread.join(2 * _PATIENCE_S)

    def forget(self, before: int) -> None:
        """Forget what was heard before a sample of the programme: an hour of it is long."""
        self._parts = [part for part in self._parts if part[1] >= before]

    def peak_db(self, seconds: float = 0.5) -> float:
        """Return the peak of what came last, dBFS; -inf for silence, or where nothing came for so long."""
        since_s = time.monotonic() - seconds
        peaks = [int(sound.max(initial=0)) for at_s, _, sound in self._parts[-200:] if at_s >= since_s]
        return 20.0 * float(np.log10(max(peaks, default=0) / 32768)) if any(peaks) else float("-inf")

    def heard(self, since: int, until: int) -> Heard:
        """Return what was heard from one sample of the programme to another."""
        first, last = -(-since // BLOCK_SAMPLES), until // BLOCK_SAMPLES
        sound = np.full((last - first) * BLOCK_SAMPLES, -1, np.int16)
        base, times = first * BLOCK_SAMPLES, []
        for at_s, sample, part in list(self._parts):
            low, high = max(sample, base), min(sample + len(part), last * BLOCK_SAMPLES)
            if low < high:
                sound[low - base : high - base] = part[low - sample : high - sample]
                times.append(at_s)
        blocks = sound.reshape(-1, BLOCK_SAMPLES)
        missing = (blocks < 0).any(axis=1)
        holes = missing | (blocks.max(axis=1, initial=-1) < _FLOOR)
        stall_s = float(np.diff(times).max(initial=0.0)) if len(times) > 1 else float("inf")
        return Heard(len(blocks), _longest(holes), int(missing.sum()), stall_s)

    def _listen(self) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(av.FFmpegError, OSError):
                self._read()
            self._closed.wait(_AGAIN_S)

    def _read(self) -> None:
        with av.open(self._url, format="nut", timeout=_PATIENCE_S) as container:
            stream = container.streams.audio[0]
            self.connections += 1
            for packet in container.demux(stream):
                if self._closed.is_set():
                    return
                if packet.pts is None or packet.time_base is None:
                    continue
                samples = np.frombuffer(bytes(packet), "<i2").reshape(-1, 2)
                loudest = np.abs(samples.astype(np.int32)).max(axis=1, initial=0).clip(max=32767).astype(np.int16)
                self._parts.append((time.monotonic(), round(packet.pts * packet.time_base * SAMPLE_RATE), loudest))


def _longest(holes: NDArray[np.bool_]) -> int:
    """Return how many holes there are in a row at most."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], holes.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max(initial=0))
