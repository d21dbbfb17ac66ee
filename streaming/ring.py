"""The shared ring of audio: one writer (the player), one reader (the feed), no locks.

A memory-mapped file: a header page, then float32 stereo frames at sample index
modulo capacity. Every number in the header is an aligned 64-bit word with a
single writer, stored after the data it speaks of, so a reader in another
process never sees an index before its samples (x86-64 and, in practice,
AArch64 through the interpreter's own barriers).

Source: Lamport, "Proving the correctness of multiprocess programs" (1977), for
the queue of one writer and one reader.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from streaming.errors import RingError
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

MAGIC = 0x474E4952_44_4E4F43  # "CONDRING"
VERSION = 1
HEADER_BYTES = 4096
MARKS_KEPT = 16
# Twice the room, so that a reader has time to copy before its oldest mark is replaced.
_MARK_SLOTS = 2 * MARKS_KEPT
# Words of the header.
_MAGIC, _VERSION, _RATE, _CAPACITY, _WRITE, _READ, _MARK_COUNT, _AIR = range(8)
_MARKS = 64
_FRAME_BYTES = 2 * 4


class Ring:
    """A ring of float32 stereo samples at 48 kHz in a file that two processes share.

    Sample indices count from the start of the programme and never go back.
    """

    def __init__(self, path: Path, memory: mmap.mmap) -> None:
        self.path = path
        self._memory = memory
        self._words = np.frombuffer(memory, np.int64, HEADER_BYTES // 8)
        self._frames = np.frombuffer(memory, np.float32, offset=HEADER_BYTES).reshape(-1, 2)

    # --- making and opening ------------------------------------------------------

    @classmethod
    def create(cls, path: Path, seconds: float = 8.0) -> Ring:
        """Make a ring that starts at sample 0 and open it.

        Args:
            path: the file; must not exist.
            seconds: how much audio it holds at least.

        Raises:
            RingError: the file exists, or cannot be made.
        """
        blocks = max(4, -(-round(seconds * SAMPLE_RATE) // BLOCK_SAMPLES))
        # One block more than promised: the one that is being overwritten.
        capacity = (blocks + 1) * BLOCK_SAMPLES
        header = np.zeros(HEADER_BYTES // 8, np.int64)
        header[[_MAGIC, _VERSION, _RATE, _CAPACITY]] = MAGIC, VERSION, SAMPLE_RATE, capacity
        try:
            handle, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(header.tobytes())
                    # Real pages, not a hole: a full disk is told here and not as SIGBUS on air.
                    os.posix_fallocate(file.fileno(), 0, HEADER_BYTES + capacity * _FRAME_BYTES)
                # A link, not a rename: of two processes that come at once, one wins and one is told.
                os.link(name, path)
            finally:
                os.unlink(name)
        except FileExistsError as error:
            raise RingError(f"{path}: there is a ring already") from error
        except OSError as error:
            raise RingError(f"{path}: cannot make the ring: {error.strerror}") from error
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Ring:
        """Open a ring that is there.

        Raises:
            RingError: there is none, or it is not a ring of this version and rate.
        """
        try:
            with path.open("r+b") as file:
                memory = mmap.mmap(file.fileno(), 0)
        except (OSError, ValueError) as error:
            raise RingError(f"{path}: cannot open the ring: {error}") from error
        head = np.frombuffer(memory, np.int64, 4) if len(memory) >= HEADER_BYTES else np.zeros(4, np.int64)
        magic, version, rate, capacity = (int(word) for word in head)
        size = len(memory)
        del head
        if magic != MAGIC or version != VERSION:
            memory.close()
            raise RingError(f"{path}: not a ring of version {VERSION}; remove the file")
        if rate != SAMPLE_RATE or size != HEADER_BYTES + capacity * _FRAME_BYTES:
            memory.close()
            raise RingError(f"{path}: a damaged ring; remove the file")
        return cls(path, memory)

    @classmethod
    def join(cls, path: Path, seconds: float = 8.0) -> Ring:
        """Open the ring that is there, or make it: for whoever comes first.

        Raises:
            RingError: it can be neither opened nor made.
        """
        if not path.exists():
            try:
                return cls.create(path, seconds)
            except RingError:
                if not path.exists():
                    raise
        return cls.open(path)

    def close(self) -> None:
        """Unmap the file; the ring lives on for others."""
        if not self._memory.closed:
            self._words = np.zeros(HEADER_BYTES // 8, np.int64)
            self._frames = np.zeros((0, 2), np.float32)
            self._memory.close()

    def __enter__(self) -> Ring:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # --- indices -----------------------------------------------------------------

    @property
    def capacity(self) -> int:
        """Samples that can be read back, counted from `write_index`."""
        return int(self._words[_CAPACITY]) - BLOCK_SAMPLES

    @property
    def write_index(self) -> int:
        """Samples written since the start of the programme."""
        return int(self._words[_WRITE])

    @property
    def read_index(self) -> int:
        """Samples the reader has done with; only the reader sets it."""
        return int(self._words[_READ])

    @read_index.setter
    def read_index(self, sample: int) -> None:
        self._words[_READ] = sample

    @property
    def air_ns(self) -> int:
        """When sample 0 was on air, or would have been, by the monotonic clock; 0: nothing has been yet.

        Sample `n` is on air `n / 48000` seconds later. Only the reader sets it, with everything it sends.
        """
        return int(self._words[_AIR])

    @air_ns.setter
    def air_ns(self, at_ns: int) -> None:
        self._words[_AIR] = at_ns

    @property
    def room(self) -> int:
        """Samples that can be written before one is lost that the reader has not done with."""
        return max(0, self.read_index + self.capacity - self.write_index)

    # --- audio -------------------------------------------------------------------

    def write(self, block: NDArray[np.float32]) -> None:
        """Append samples at `write_index`; the oldest make room.

        Args:
            block: float32 [frames, 2], mostly one block of 256.
        """
        capacity = len(self._frames)
        for first in range(0, len(block), BLOCK_SAMPLES):
            part = block[first : first + BLOCK_SAMPLES]
            index = int(self._words[_WRITE])
            at = index % capacity
            head = min(len(part), capacity - at)
            self._frames[at : at + head] = part[:head]
            self._frames[: len(part) - head] = part[head:]
            self._words[_WRITE] = index + len(part)

    def skip_to(self, sample: int) -> None:
        """Move `write_index` on over silence, for a writer that comes back late."""
        gap = sample - self.write_index
        if gap > len(self._frames):
            self._frames[:] = 0.0
            self._words[_WRITE] = sample
        elif gap > 0:
            self.write(np.zeros((gap, 2), np.float32))

    def read(self, start_sample: int, frames: int) -> NDArray[np.float32]:
        """Return a copy of samples; silence where nothing is (yet, or any more).

        Args:
            start_sample: index in the programme.
            frames: how many.

        Returns:
            float32 [frames, 2].
        """
        capacity = len(self._frames)
        out = np.zeros((frames, 2), np.float32)
        written = self.write_index
        first = max(start_sample, written - self.capacity, 0)
        last = min(start_sample + frames, written)
        if first >= last:
            return out
        at, count = first % capacity, last - first
        head = min(count, capacity - at)
        offset = first - start_sample
        out[offset : offset + head] = self._frames[at : at + head]
        out[offset + head : offset + count] = self._frames[: count - head]
        # What the writer has run over while we copied is of two laps at once: silence it.
        torn = min(self.write_index - self.capacity, last) - start_sample
        if torn > 0:
            out[:torn] = 0.0
        return out

    # --- marks -------------------------------------------------------------------

    def mark(self, number: int, sample: int) -> None:
        """Note that the piece `number` sounds from `sample` on (0: the bed)."""
        count = int(self._words[_MARK_COUNT])
        slot = _MARKS + 2 * (count % _MARK_SLOTS)
        self._words[slot], self._words[slot + 1] = number, sample
        self._words[_MARK_COUNT] = count + 1

    def marks(self) -> list[tuple[int, int]]:
        """Return the last 16 marks as (number, sample), oldest first."""
        while True:
            count = int(self._words[_MARK_COUNT])
            words = self._words[_MARKS : _MARKS + 2 * _MARK_SLOTS].copy()
            if int(self._words[_MARK_COUNT]) - count <= MARKS_KEPT:
                break
        slots = [2 * (i % _MARK_SLOTS) for i in range(max(0, count - MARKS_KEPT), count)]
        return [(int(words[s]), int(words[s + 1])) for s in slots]
