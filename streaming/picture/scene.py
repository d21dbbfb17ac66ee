"""What is to be drawn: a piece as the picture sees it, and where its beats fall."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model.notes import Mark, Note, Piece, TempoMark


@dataclass(frozen=True, slots=True)
class Scene:
    """What is to be drawn; it does not change while a piece plays.

    Attributes:
        number: of the piece in the show.
        title: for people.
        caption: a line under the title.
        notes: sorted by onset.
        tempi: tempo marks, the first at 0.
        duration_s: end of the piece.
        beats_per_bar: quarter notes in a bar.
        marks: sections and the like, by time.
    """

    number: int
    title: str
    caption: str
    notes: tuple[Note, ...]
    tempi: tuple[TempoMark, ...]
    duration_s: float
    beats_per_bar: float = 4.0
    marks: tuple[Mark, ...] = ()

    @classmethod
    def of_piece(cls, piece: Piece, number: int = 0, caption: str | None = None) -> Scene:
        """Return the scene of a piece; its caption is its style where none is given."""
        if caption is None:
            caption = (piece.style or "").replace("_", " ")
        return cls(
            number,
            piece.title,
            caption,
            piece.notes,
            piece.tempi,
            piece.duration_s,
            piece.beats_per_bar,
            piece.marks,
        )

    @property
    def instruments(self) -> tuple[str, ...]:
        """Names of the instruments that play, most notes first."""
        return Piece(self.notes).instruments


@dataclass(frozen=True, slots=True)
class Beat:
    """A beat of a piece.

    Attributes:
        time_s: seconds from the start of the piece.
        bar: number of the bar, from 1.
        is_bar: whether the bar begins here.
    """

    time_s: float
    bar: int
    is_bar: bool


def beats(tempi: tuple[TempoMark, ...], beats_per_bar: float, until_s: float) -> Iterator[Beat]:
    """Yield bar starts and the whole beats within each bar, in order.

    Args:
        tempi: tempo marks, the first at 0; tempo holds until the next mark.
        beats_per_bar: quarter notes in a bar, above 0; need not be whole.
        until_s: no beat at or after this time is given.
    """
    marks = [mark for mark in tempi if mark.bpm > 0]
    if not marks or beats_per_bar <= 0:
        return
    index, time_s, beat = 0, 0.0, 0.0
    bar, in_bar = 1, 0
    while True:
        at_beat = (bar - 1) * beats_per_bar + in_bar
        # Walk from the beat reached so far to the wanted one, through the tempo marks between.
        while index + 1 < len(marks):
            span_beats = max(0.0, marks[index + 1].time_s - time_s) * marks[index].bpm / 60
            if beat + span_beats > at_beat:
                break
            beat, time_s, index = beat + span_beats, max(time_s, marks[index + 1].time_s), index + 1
        at_s = time_s + (at_beat - beat) * 60 / marks[index].bpm
        if at_s >= until_s:
            return
        yield Beat(at_s, bar, in_bar == 0)
        in_bar += 1
        if in_bar >= beats_per_bar - 1e-6:
            bar, in_bar = bar + 1, 0
