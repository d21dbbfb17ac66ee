"""Takes: pieces as the show handles them, ready for the player, the feed and the library."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from conductor import wire
from conductor.wire import NoteRow
from model.midi import read_midi
from model.notes import Piece

BED = 0
BED_TITLE = "In a moment"
# The bed waits behind the door; a piece comes in.
BED_GAIN_DB = -4.0
# Two versions of a piece meet half a tick of the composer's clock before the bar line, so that a
# note on the line falls to the new one however its time was rounded.
SEAM_S = 0.005


@dataclass(frozen=True, slots=True)
class Take:
    """A piece of music and where it came from.

    Attributes:
        title, caption: for the audience.
        notes, tempi, duration_s, beats_per_bar: the music, as on the wire.
        midi: its file.
        style: of the piece.
        composing_s: wall time composing took.
        provenance: checkpoint hash, seed, prompt, all scores.
        piece_id: in the library; None while it is not stored.
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

    def load(self, number: int) -> wire.Load:
        """Return the message that gives the piece to the player."""
        return wire.Load(number, self.notes, self.duration_s, BED_GAIN_DB if number == BED else 0.0)

    def announce(self, number: int) -> wire.Announce:
        """Return the message that gives the piece to the feed."""
        return wire.Announce(
            number, self.title, self.caption, self.notes, self.tempi, self.duration_s, self.beats_per_bar
        )


def note_rows(piece: Piece) -> list[NoteRow]:
    """Return a piece's notes as they go between processes."""
    return [(n.onset_s, n.pitch, n.instrument, n.duration_s, n.velocity) for n in piece.notes]


def tempo_rows(piece: Piece) -> list[tuple[float, float]]:
    """Return a piece's tempo marks as they go between processes."""
    return [(t.time_s, t.bpm) for t in piece.tempi]


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
    )


def read_take(midi: Path, *, title: str, caption: str, piece_id: int | None = None) -> Take:
    """Return a take of a MIDI file.

    Raises:
        MidiError: it cannot be read.
    """
    return take_of(read_midi(midi).piece, midi, title=title, caption=caption, piece_id=piece_id)


def bed() -> Take:
    """Return the bed: the soft piece that is heard while nothing else is."""
    with resources.as_file(resources.files("conductor") / "bed.mid") as path:
        return read_take(path, title=BED_TITLE, caption="the next piece is on its way")
