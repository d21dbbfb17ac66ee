"""What is to be drawn: a piece as the picture sees it, what comes after it, and where its beats fall."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model.notes import Mark, Note, Piece, TempoMark

# The bed: heard and drawn while nothing else is, announced on no card.
BED = 0

# Styles and their shares.
Shares = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a piece comes from, for the audience.

    Attributes:
        composed_s: when it was composed, in seconds since 1970; None: it was not composed here.
        heard: whether it was played before.
    """

    composed_s: float | None = None
    heard: bool = False


@dataclass(frozen=True, slots=True)
class Coming:
    """What comes next.

    Attributes:
        text: its name, or another line for the audience; empty: nothing to say.
        gap_s: seconds between the end of what plays and its start (negative: it begins before); None: nobody knows.
        ready: how far it is composed, 0 to 1.
        farewell: title of the show, when nothing comes any more; empty: it goes on.
    """

    text: str = ""
    gap_s: float | None = None
    ready: float = 1.0
    farewell: str = ""


NOTHING = Coming()


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
        styles: shares of styles at times, by time; between two times they change evenly.
        origin: where it comes from.
        ident: what the station says of itself, on a card half way through; empty: nothing.
    """

    number: int
    title: str
    caption: str
    notes: tuple[Note, ...]
    tempi: tuple[TempoMark, ...]
    duration_s: float
    beats_per_bar: float = 4.0
    marks: tuple[Mark, ...] = ()
    styles: tuple[tuple[float, Shares], ...] = ()
    origin: Origin = Origin()
    ident: str = ""

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

    @property
    def is_blend(self) -> bool:
        """Whether several styles have a part in it."""
        return len({name for _, shares in self.styles for name, _ in shares}) > 1

    def shares(self, position_s: float) -> Shares:
        """Return the styles in force at a time and their shares, in the order in which they first appear."""
        found: dict[str, float] = {name: 0.0 for _, shares in self.styles for name, _ in shares}
        before = [point for point in self.styles if point[0] <= position_s] or list(self.styles[:1])
        after = [point for point in self.styles if point[0] > position_s]
        if not before:
            return ()
        start_s, start = before[-1]
        end_s, end = after[0] if after else before[-1]
        gone = min(1.0, max(0.0, (position_s - start_s) / (end_s - start_s))) if end_s > start_s else 0.0
        for shares, weight in ((start, 1 - gone), (end, gone)):
            for name, share in shares:
                found[name] += weight * share
        return tuple((name, share) for name, share in found.items() if share > 0.0005)


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
