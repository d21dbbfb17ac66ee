"""A player without an orchestra, and a feed process to go with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from conductor import wire
from streaming.ring import Ring
from streaming.timeline import SAMPLE_RATE

BLOCK = 256
LEAD_S = 0.25
Audio = npt.NDArray[np.float32]
Sound = Callable[[int, int], Audio]


def beeps(sample: int, samples: int) -> Audio:
    """A left-hand tone of 1 kHz in the first 0.1 s of every second; the right hand is silent."""
    at = np.arange(sample, sample + samples)
    out = np.zeros((samples, 2), np.float32)
    out[:, 0] = 0.5 * np.sin(2 * np.pi * 1000.0 * at / SAMPLE_RATE) * (at % SAMPLE_RATE < SAMPLE_RATE // 10)
    return out


class RingPlayer:
    """Writes a sound into the ring as the player does: `LEAD_S` ahead of time, or as far as there is room."""

    def __init__(self, ring: Ring, sound: Sound = beeps, *, fast_samples: int = 0) -> None:
        self._ring, self._sound = ring, sound
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._fast if fast_samples else self._live, daemon=True)
        self._fast_samples = fast_samples
        self._thread.start()

    def __enter__(self) -> RingPlayer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Die: no more sample is written."""
        self._stop.set()
        self._thread.join()

    def join(self, timeout_s: float) -> None:
        """Wait until a fast player has written everything."""
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), "the ring never had room"

    def _live(self) -> None:
        ring = self._ring
        ring.skip_to(max(ring.write_index, ring.read_index))
        began_s, began = time.monotonic(), ring.write_index
        while not self._stop.wait(0.005):
            ahead = began + int((time.monotonic() - began_s + LEAD_S) * SAMPLE_RATE)
            while ring.write_index + BLOCK <= ahead:
                ring.write(self._sound(ring.write_index, BLOCK))

    def _fast(self) -> None:
        while self._ring.write_index < self._fast_samples and not self._stop.is_set():
            if self._ring.room >= BLOCK:
                self._ring.write(self._sound(self._ring.write_index, BLOCK))
            else:
                time.sleep(0.001)


M = TypeVar("M", bound=wire.Message)


class Conversation:
    """A conductor's end of the feed's socket, which keeps what was said until it is asked for."""

    def __init__(self, link: wire.Link) -> None:
        self.link = link
        self.heard: list[wire.Message] = []
        self._more = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._listen())

    @classmethod
    async def begin(cls, run: Path) -> Conversation:
        """Connect to the feed of a run folder."""
        return cls(await wire.connect(run / "feed.sock"))

    async def end(self) -> None:
        """Hang up."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self.link.close()

    async def next(self, kind: type[M], where: Callable[[M], bool] = lambda _: True, seconds: float = 15.0) -> M:
        """Return (and take) the next message of a kind for which something holds; others of the kind are dropped."""
        async with asyncio.timeout(seconds):
            while True:
                for message in [message for message in self.heard if isinstance(message, kind)]:
                    self.heard.remove(message)
                    if where(message):
                        return message
                self._more.clear()
                await self._more.wait()

    async def _listen(self) -> None:
        async for message in self.link.messages():
            self.heard.append(message)
            self._more.set()


@contextlib.contextmanager
def feed_process(run: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start `python -m conductor.feed` and wait until its socket is there; at the end, end it."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "conductor.feed", "--run", str(run), "--size", "640x360", *arguments]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    lines: list[str] = []
    assert process.stderr is not None
    stderr = process.stderr
    reading = threading.Thread(target=lambda: lines.extend(stderr), daemon=True)
    reading.start()
    try:
        deadline = time.monotonic() + 30
        while not (run / "feed.sock").exists():
            assert process.poll() is None, "".join(lines)
            assert time.monotonic() < deadline, "the feed did not come up"
            time.sleep(0.02)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(15)
        reading.join(5)
        stderr.close()
        print("".join(lines))
