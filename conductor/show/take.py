"""Takes: pieces as the show handles them, ready for the player, the feed and the library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from conductor import wire
from conductor.setlist import Cue
from conductor.wire import ControlsRow, MarkRow, NoteRow
from conductor.wire.showing import StyleRow
from model.midi import read_midi, write_midi
from model.notes import DEFAULT_TEMPO_BPM, Mark, Note, Piece, TempoMark
from streaming.mixing.room import room_of
from streaming.performing.splice import joined
from streaming.picture.scene import beats
from streaming.playing import bed as waiting
from streaming.soundfonts.sf2 import SYNTH
from streaming.timeline import to_samples

# Two versions of a piece meet half a tick of the composer's clock before the bar line, so that a
# note on the line falls to the new one however its time was rounded.
SEAM_S = 0.005


@dataclass(frozen=True, slots=True)
class Take:
    """A piece of music and where it came from.

    Attributes:
        title, caption: for the audience.
        notes, tempi, duration_s, beats_per_bar, marks: the music, as on the wire.
        midi: its file.
        style: of the piece.
        composing_s: wall time composing took.
        provenance: checkpoint hash, seed, prompt, all scores.
        piece_id: in the library; None while it is not stored.
        bank: path of the SoundFont that plays it, or `synth`.
        expression: whether it is played as people would, or exactly as written.
        written: whether the file holds this very music.
        controls: what is turned while the notes of each part sound.
        variants: (instrument, variant) of patches, before what the style says.
        styles: how styles share it, and when.
        composed_s: when it was composed, in seconds since 1970; None: nobody knows.
        heard: whether it was on air before.
        ident: what the station says of itself while it plays.
    """

    title: str
    caption: str
    notes: list[NoteRow]
    tempi: list[tuple[float, float]]
    duration_s: float
    midi: Path
    style: str | None = None
    beats_per_bar: float = 4.0
    composing_s: float = 0.0
    provenance: dict[str, Any] = field(default_factory=dict)
    piece_id: int | None = None
    bank: str = SYNTH
    expression: bool = False
    written: bool = True
    marks: list[MarkRow] = field(default_factory=list)
    controls: list[ControlsRow] = field(default_factory=list)
    variants: tuple[tuple[str, str], ...] = ()
    styles: list[StyleRow] = field(default_factory=list)
    composed_s: float | None = None
    heard: bool = False
    ident: str = ""

    @property
    def piece(self) -> Piece:
        """The music."""
        notes = tuple(sorted(Note(*row) for row in self.notes))
        marks = tuple(Mark(*row) for row in self.marks)
        controls = tuple(wire.controls_of(self.controls))
        return Piece(notes, _marks(self.tempi), self.title, self.style, self.beats_per_bar, marks, controls)

    @property
    def bars(self) -> tuple[tuple[int, float], ...]:
        """Numbers and seconds of the bar lines."""
        return bar_lines(self.tempi, self.beats_per_bar, self.duration_s)

    def revised(self, notes: list[NoteRow], tempi: list[tuple[float, float]], from_s: float) -> Take:
        """Return the take with other music from a time on; what sounds across it ends there."""
        at = to_samples(from_s)
        piece = Piece(joined([Note(*row) for row in self.notes], [Note(*row) for row in notes], at))
        marks = [mark for mark in self.tempi if mark[0] < from_s] + _tempi_from(tempi, from_s)
        duration_s = max(piece.duration_s, from_s)
        told = [mark for mark in self.marks if mark[0] < from_s]
        return replace(self, notes=note_rows(piece), tempi=marks, duration_s=duration_s, written=False, marks=told)

    def begun_at(self, at_s: float) -> Take:
        """Return the music from a bar line on, as a piece of its own."""
        notes: list[NoteRow] = [(max(0.0, row[0] - at_s), *row[1:]) for row in self.notes if row[0] >= at_s - SEAM_S]
        tempi = [(time_s - at_s, bpm) for time_s, bpm in _tempi_from(self.tempi, at_s)]
        duration_s = max((row[0] + row[3] for row in notes), default=0.0)
        told = [(max(0.0, time_s - at_s), text) for time_s, text in self.marks if time_s >= at_s - SEAM_S]
        turned: list[ControlsRow] = [
            (_later(row[0], at_s), _later(row[1], at_s), _later(row[2], at_s), _later(row[3], at_s))
            for row in self.controls
        ]
        return replace(
            self, notes=notes, tempi=tempi, duration_s=duration_s, written=False, marks=told, controls=turned
        )

    def played_for(self, cue: Cue) -> Take:
        """Return the take played as a cue asks for."""
        return replace(self, bank=cue.bank, variants=cue.variants, expression=cue.expression, ident=cue.ident)

    def write(self, midi: Path) -> Take:
        """Write the music to a file and return the take with it.

        Raises:
            MidiError: it cannot be written.
        """
        write_midi(self.piece, midi)
        return replace(self, midi=midi, written=True)

    def load(self, number: int) -> wire.Load:
        """Return the message that gives the piece to the player."""
        return wire.Load(
            number,
            self.notes,
            self.duration_s,
            room=room_of(self.style),
            bank=self.bank,
            score=self.score(self.tempi),
            controls=self.controls,
            style=self.style or "",
            variants=dict(self.variants),
        )

    def score(self, tempi: list[tuple[float, float]]) -> wire.ScoreRow | None:
        """Return by what its players make music of the notes; None: they play exactly as written.

        Args:
            tempi: of the whole piece.
        """
        return (self.style, tempi, self.beats_per_bar) if self.expression else None

    def announce(self, number: int) -> wire.Announce:
        """Return the message that gives the piece to the feed."""
        return wire.Announce(
            number,
            self.title,
            self.caption,
            self.notes,
            self.tempi,
            self.duration_s,
            self.beats_per_bar,
            self.marks,
            self.styles,
            self.composed_s,
            self.heard,
            self.ident,
        )


def bar_lines(tempi: list[tuple[float, float]], beats_per_bar: float, until_s: float) -> tuple[tuple[int, float], ...]:
    """Return numbers and seconds of the bar lines before a time."""
    return tuple((beat.bar, beat.time_s) for beat in beats(_marks(tempi), beats_per_bar, until_s) if beat.is_bar)


def _marks(tempi: list[tuple[float, float]]) -> tuple[TempoMark, ...]:
    return tuple(TempoMark(*mark) for mark in tempi) or (TempoMark(0.0, DEFAULT_TEMPO_BPM),)


def _tempi_from(tempi: list[tuple[float, float]], from_s: float) -> list[tuple[float, float]]:
    """Return the tempo in force at a time, as a mark there, and the marks after it."""
    held = [bpm for time_s, bpm in tempi if time_s <= from_s + SEAM_S]
    later = [mark for mark in tempi if mark[0] > from_s + SEAM_S]
    return [(from_s, held[-1] if held else DEFAULT_TEMPO_BPM), *later]


def _later(row: Sequence[tuple[float, float]], at_s: float) -> list[tuple[float, float]]:
    """Return the steps of a curve from a time on; the one that holds there comes first."""
    held = [value for time_s, value in row if time_s <= at_s][-1:] or [value for _, value in row][:1]
    return [(0.0, value) for value in held] + [(time_s - at_s, value) for time_s, value in row if time_s > at_s]


def note_rows(piece: Piece) -> list[NoteRow]:
    """Return a piece's notes as they go between processes."""
    return [(n.onset_s, n.pitch, n.instrument, n.duration_s, n.velocity, n.part) for n in piece.notes]


def tempo_rows(piece: Piece) -> list[tuple[float, float]]:
    """Return a piece's tempo marks as they go between processes."""
    return [(t.time_s, t.bpm) for t in piece.tempi]


def mark_rows(piece: Piece) -> list[MarkRow]:
    """Return a piece's marks as they go between processes."""
    return [(m.time_s, m.text) for m in piece.marks]


def take_of(piece: Piece, midi: Path, *, title: str, caption: str, piece_id: int | None = None) -> Take:
    """Return a take of a piece."""
    return Take(
        title=title,
        caption=caption,
        notes=note_rows(piece),
        tempi=tempo_rows(piece),
        duration_s=piece.duration_s,
        midi=midi,
        style=piece.style,
        beats_per_bar=piece.beats_per_bar,
        piece_id=piece_id,
        marks=mark_rows(piece),
        controls=wire.control_rows(piece.controls),
    )


def read_take(midi: Path, *, title: str, caption: str, piece_id: int | None = None) -> Take:
    """Return a take of a MIDI file, with its pedal and what it turns, as it is rendered.

    Raises:
        MidiError: it cannot be read.
    """
    piece = read_midi(midi, pedal=True, controls=True).piece
    return take_of(piece, midi, title=title, caption=caption, piece_id=piece_id)


def bed() -> Take:
    """Return the bed, for those who show it; the player has it from the beginning."""
    return take_of(waiting.bed(), Path(), title=waiting.TITLE, caption="the next piece is on its way")
