"""What sounds, note by note, for those who play along: one writer (the player), any readers, no locks.

A memory-mapped file beside the ring, made like it: a header page, then records of
32 bytes. The player writes a note when it makes the block in which the note
begins, so whatever decided on it (a change, a cut, a fade) has been decided: who
reads the tape plays what is heard. The records are of samples of the programme.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np

from model.instruments import INSTRUMENTS
from model.notes import Note
from streaming.errors import RingError

MAGIC = 0x45504154_44_4E4F43  # "CONDTAPE"
VERSION = 2
HEADER_BYTES = 4096
RECORDS = 16_384
_RECORD = struct.Struct("<BBBBBxHqqq")
_MAGIC, _VERSION, _COUNT = range(3)
_NAMES = tuple(i.name for i in INSTRUMENTS)
_NUMBERS = {name: number for number, name in enumerate(_NAMES)}


class Kind(IntEnum):
    """What a record tells.

    NOTE: a note begins. END: one that has begun is let go earlier than it said. CLEARED: all notes of a deck
    are let go. BEGUN, OVER: of a piece. RESET: a player begins; of what was before it nothing sounds. TURNED: a
    controller of an instrument.
    """

    NOTE = 1
    END = 2
    CLEARED = 3
    BEGUN = 4
    OVER = 5
    RESET = 6
    TURNED = 7


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that happens.

    Attributes:
        kind: what.
        sample: of the programme, at which (of an END: at which the note began).
        end_sample: where the key of a note is let go.
        number: of a piece.
        deck: of the player, on which a note is played.
        instrument, pitch, velocity: of a note.
        control, value: of what is turned, as of `streaming.midi.standing`.
    """

    kind: Kind
    sample: int
    end_sample: int = 0
    number: int = 0
    deck: int = 0
    instrument: str = _NAMES[0]
    pitch: int = 0
    velocity: int = 0
    control: int = 0
    value: int = 0


class NoteTape:
    """A tape in a file that processes share; it holds the last 16,384 records.

    Attributes:
        base: sample of the programme at which the writer's own count begins.
    """

    def __init__(self, path: Path, memory: mmap.mmap) -> None:
        self.path = path
        self.base = 0
        self._memory = memory
        self._words = np.frombuffer(memory, np.int64, HEADER_BYTES // 8)

    @classmethod
    def join(cls, path: Path) -> NoteTape:
        """Open the tape that is there, or make it: for whoever comes first.

        Raises:
            RingError: it can be neither opened nor made.
        """
        try:
            if not path.exists():
                _make(path)
            with path.open("r+b") as file:
                memory = mmap.mmap(file.fileno(), 0)
        except (OSError, ValueError) as error:
            raise RingError(f"{path}: the tape of notes cannot be opened: {error}") from error
        words = np.frombuffer(memory, np.int64, 2) if len(memory) >= 16 else np.zeros(2, np.int64)
        known = (int(words[_MAGIC]), int(words[_VERSION]), len(memory))
        del words
        if known != (MAGIC, VERSION, HEADER_BYTES + RECORDS * _RECORD.size):
            memory.close()
            raise RingError(f"{path}: not a tape of notes of version {VERSION}; remove the file")
        return cls(path, memory)

    def close(self) -> None:
        """Unmap the file; the tape lives on for others."""
        if not self._memory.closed:
            self._words = np.zeros(HEADER_BYTES // 8, np.int64)
            self._memory.close()

    # --- the writer ----------------------------------------------------------------

    def reset(self, base: int) -> None:
        """Begin as a new player, at a sample of the programme."""
        self.base = base
        self._write(Kind.RESET, base)

    def struck(self, sample: int, length_samples: int, note: Note, deck: int, fader: float = 1.0) -> None:
        """Tell of a note that begins.

        Args:
            sample: in the writer's count.
            length_samples: until its key is let go.
            note: what is played; its times are not looked at.
            deck: whose it is.
            fader: of the deck, 0 to 1; the velocity follows it.
        """
        velocity = max(1, min(127, round(note.velocity * fader)))
        at = self.base + sample
        self._write(
            Kind.NOTE, at, at + length_samples, deck=deck, note=(_NUMBERS[note.instrument], note.pitch, velocity)
        )

    def turned(self, sample: int, instrument: str, control: int, value: int) -> None:
        """Tell that a controller of an instrument is turned.

        Args:
            sample: in the writer's count.
            instrument: whose.
            control: as of `streaming.midi.standing`.
            value: 0 to 65,535.
        """
        # What is turned has no pitch: its controller is there.
        self._write(Kind.TURNED, self.base + sample, note=(_NUMBERS[instrument], control, 0), value=value)

    def shortened(self, deck: int, ends: Mapping[tuple[int, int, str], int], now: int) -> None:
        """Tell of notes of a deck that are let go earlier than they said.

        Args:
            deck: whose.
            ends: (sample of the beginning, pitch, instrument) of a note to the sample of its end.
            now: what has ended before is left out.
        """
        for (sample, pitch, instrument), end in ends.items():
            if end >= now:
                note = (_NUMBERS[instrument], pitch, 0)
                self._write(Kind.END, self.base + sample, self.base + end, deck=deck, note=note)

    def cleared(self, deck: int, sample: int) -> None:
        """Tell that all notes of a deck are let go at a sample."""
        self._write(Kind.CLEARED, self.base + sample, deck=deck)

    def begun(self, number: int, sample: int) -> None:
        """Tell that a piece begins at a sample."""
        self._write(Kind.BEGUN, self.base + sample, number=number)

    def over(self, number: int, sample: int) -> None:
        """Tell that a piece has ended at a sample."""
        self._write(Kind.OVER, self.base + sample, number=number)

    def _write(
        self,
        kind: Kind,
        sample: int,
        end: int = 0,
        *,
        number: int = 0,
        deck: int = 0,
        note: tuple[int, int, int] = (0,) * 3,
        value: int = 0,
    ) -> None:
        count = int(self._words[_COUNT])
        at = HEADER_BYTES + count % RECORDS * _RECORD.size
        _RECORD.pack_into(self._memory, at, kind, deck, *note, value, sample, end, number)
        # Last: a reader never sees the number before the record.
        self._words[_COUNT] = count + 1

    # --- a reader ------------------------------------------------------------------

    @property
    def count(self) -> int:
        """Records written since the tape was made."""
        return int(self._words[_COUNT])

    @property
    def oldest(self) -> int:
        """Number of the oldest record that is surely there."""
        # Half the tape: what is older may be written over while it is read.
        return max(0, self.count - RECORDS // 2)

    def read(self, since: int) -> list[Record]:
        """Return the records from a number on, oldest first.

        Args:
            since: number of the first; those that are not there any more are left out (see `oldest`).
        """
        found = []
        for number in range(max(since, self.oldest), self.count):
            at = HEADER_BYTES + number % RECORDS * _RECORD.size
            kind, deck, instrument, pitch, velocity, value, sample, end, piece = _RECORD.unpack_from(self._memory, at)
            control, pitch = (pitch, 0) if kind == Kind.TURNED else (0, pitch)
            name = _NAMES[instrument]
            found.append(Record(Kind(kind), sample, end, piece, deck, name, pitch, velocity, control, value))
        return found


def _make(path: Path) -> None:
    header = np.zeros(HEADER_BYTES // 8, np.int64)
    header[[_MAGIC, _VERSION]] = MAGIC, VERSION
    handle, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(header.tobytes())
            # Real pages, not a hole: a full disk is told here and not as SIGBUS on air.
            os.posix_fallocate(file.fileno(), 0, HEADER_BYTES + RECORDS * _RECORD.size)
        # A link, not a rename: of two processes that come at once, one wins.
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        os.unlink(name)
