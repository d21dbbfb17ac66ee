"""Notes and pieces: what every part of the program means by music. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass, replace

from model.controls import Controls

DEFAULT_TEMPO_BPM = 120.0


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """One note.

    Attributes:
        onset_s: start, in seconds from the start of the piece.
        pitch: MIDI pitch (0-127, C4 = 60); for drums the General MIDI key.
        instrument: a name of `model.instruments`.
        duration_s: length in seconds; 0 or more.
        velocity: MIDI velocity (1-127).
        part: of `Piece.controls`, which number (from 1) turns it while it sounds; 0: none.
    """

    onset_s: float
    pitch: int
    instrument: str
    duration_s: float
    velocity: int
    part: int = 0

    @property
    def offset_s(self) -> float:
        """End of the note, in seconds."""
        return self.onset_s + self.duration_s


@dataclass(frozen=True, slots=True, order=True)
class TempoMark:
    """From `time_s` on, a beat (quarter note) lasts 60 / `bpm` seconds."""

    time_s: float
    bpm: float


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """Something that people are told of at a time: a section begins, the composing does."""

    time_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of music.

    Attributes:
        notes: sorted by onset.
        tempi: tempo marks, the first at 0; never empty.
        title: for people.
        style: a style of the vocabulary, or None where unknown.
        beats_per_bar: quarter notes in a bar, for bar lines.
        marks: by time.
        controls: what is turned while notes sound, of those read with it from a file.
    """

    notes: tuple[Note, ...]
    tempi: tuple[TempoMark, ...] = (TempoMark(0.0, DEFAULT_TEMPO_BPM),)
    title: str = ""
    style: str | None = None
    beats_per_bar: float = 4.0
    marks: tuple[Mark, ...] = ()
    controls: tuple[Controls, ...] = ()

    @property
    def duration_s(self) -> float:
        """End of the last note, in seconds."""
        return max((n.offset_s for n in self.notes), default=0.0)

    def since(self, seconds: float) -> Piece:
        """Return what begins from a time on, that time being its start."""
        if seconds <= 0:
            return self
        notes = tuple(replace(n, onset_s=n.onset_s - seconds) for n in self.notes if n.onset_s >= seconds)
        marks = tuple(Mark(m.time_s - seconds, m.text) for m in self.marks if m.time_s >= seconds)
        return replace(self, notes=notes, marks=marks)

    @property
    def instruments(self) -> tuple[str, ...]:
        """Names of the instruments that play, most notes first."""
        counts: dict[str, int] = {}
        for note in self.notes:
            counts[note.instrument] = counts.get(note.instrument, 0) + 1
        return tuple(sorted(counts, key=lambda name: (-counts[name], name)))
