"""Time in its three units: samples of the programme, seconds of a piece, beats of its bars."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from model.notes import Note, Piece, TempoMark

SAMPLE_RATE = 48_000
# Everything that sounds is made and carried in blocks of this many frames (5.3 ms).
BLOCK_SAMPLES = 256


def to_samples(seconds: float) -> int:
    """Return the sample nearest to a time in seconds."""
    return round(seconds * SAMPLE_RATE)


def to_seconds(samples: int) -> float:
    """Return the time in seconds of a sample."""
    return samples / SAMPLE_RATE


def whole_blocks(samples: int) -> int:
    """Return the least number of blocks that hold this many samples."""
    return -(-samples // BLOCK_SAMPLES)


@dataclass(frozen=True, slots=True)
class TempoMap:
    """Beats (quarter notes) against seconds, through all tempo changes.

    Attributes:
        marks: tempo marks sorted by time; the first counts from 0.
    """

    marks: Sequence[TempoMark]
    _starts_beats: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        beats = [0.0]
        for mark, following in zip(self.marks, self.marks[1:], strict=False):
            beats.append(beats[-1] + (following.time_s - mark.time_s) * mark.bpm / 60.0)
        object.__setattr__(self, "_starts_beats", tuple(beats))

    def to_beats(self, time_s: float) -> float:
        """Return the beat at a time in seconds (0 or more)."""
        index = max(0, bisect_right(self.marks, time_s, key=lambda m: m.time_s) - 1)
        mark = self.marks[index]
        return self._starts_beats[index] + (time_s - mark.time_s) * mark.bpm / 60.0

    def to_seconds(self, beat: float) -> float:
        """Return the time in seconds of a beat (0 or more)."""
        index = max(0, bisect_right(self._starts_beats, beat) - 1)
        mark = self.marks[index]
        return mark.time_s + (beat - self._starts_beats[index]) * 60.0 / mark.bpm


@dataclass(frozen=True, slots=True)
class NoteEvent:
    """A note with its place among the samples of its piece.

    Attributes:
        sample: the first sample of the note, from the start of the piece.
        end_sample: where its key is let go; later than `sample`.
        note: the note.
    """

    sample: int
    end_sample: int
    note: Note


class Timeline:
    """The notes of a piece in the order in which they sound, for a reader that only moves on."""

    def __init__(self, notes: Sequence[Note]) -> None:
        # A note of no length is still struck: it gets one sample, so that it always ends.
        self.events = tuple(
            NoteEvent(start, max(start + 1, to_samples(note.offset_s)), note)
            for start, note in sorted((max(0, to_samples(note.onset_s)), note) for note in notes)
        )
        self.end_sample = max((e.end_sample for e in self.events), default=0)
        self._next = 0

    @classmethod
    def of(cls, piece: Piece) -> Timeline:
        """Return the timeline of a piece."""
        return cls(piece.notes)

    def take(self, until_sample: int) -> Sequence[NoteEvent]:
        """Return the events not yet taken that begin before a sample."""
        first = self._next
        while self._next < len(self.events) and self.events[self._next].sample < until_sample:
            self._next += 1
        return self.events[first : self._next]

    def rewind(self) -> None:
        """Begin again with the first note."""
        self._next = 0
