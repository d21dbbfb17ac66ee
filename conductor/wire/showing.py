"""Between the conductor and the feed."""

from __future__ import annotations

from dataclasses import dataclass, field

from conductor.wire.message import MarkRow, Message, NoteRow
from conductor.wire.publishing import DestinationStatus

# (time_s, style to share); between two of them shares change evenly.
StyleRow = tuple[float, dict[str, float]]

# conductor -> feed.


@dataclass(frozen=True, slots=True)
class Announce(Message):
    """Tell the feed of a piece before it sounds, so that it can draw it.

    Attributes:
        number: as in Load; 0 is the bed.
        caption: a line under the title, such as style and age of the piece.
        marks: sections and the like, seen as they pass.
        styles: how styles share the piece, and when.
        composed_s: when it was composed, in seconds since 1970; None: not here.
        heard: whether it was on air before.
        ident: what the station says of itself on a card, half way through; empty: nothing.
    """

    number: int
    title: str
    caption: str
    notes: list[NoteRow]
    tempi: list[tuple[float, float]]
    duration_s: float
    beats_per_bar: float = 4.0
    marks: list[MarkRow] = field(default_factory=list)
    styles: list[StyleRow] = field(default_factory=list)
    composed_s: float | None = None
    heard: bool = False
    ident: str = ""


@dataclass(frozen=True, slots=True)
class Next(Message):
    """What comes next.

    Attributes:
        text: its name; empty: nothing to say.
        gap_s: between the end of what plays and its start, negative if before; None: nobody knows.
        ready: how far it is composed, 0 to 1.
        farewell: title of the show, when nothing comes any more.
        number: of the piece that it comes after; 0: after none.
    """

    text: str
    gap_s: float | None = None
    ready: float = 1.0
    farewell: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Record(Message):
    """Start recording the programme to a file (empty path: stop)."""

    path: str


# feed -> conductor.


@dataclass(frozen=True, slots=True)
class FeedStatus(Message):
    """State of the programme feed, once a second.

    Attributes:
        sample: sample index of the picture shown last.
        frames: pictures sent so far; dropped: pictures left out.
        viewers: WebRTC peers; readers: NUT readers (OBS).
        recording: path being recorded, or empty.
        slate: whether the slate is shown since no player is heard.
        destinations: how each place that is published to is.
        level_db: peak of what went out in the last second or two, dBFS.
        quiet_s: how long the player has given nothing but silence, or nothing at all.
        emergency: whether the emergency bed is among what is heard.
    """

    sample: int
    frames: int
    dropped: int
    viewers: int
    readers: int
    recording: str
    slate: bool
    destinations: list[DestinationStatus] = field(default_factory=list)
    level_db: float = 0.0
    quiet_s: float = 0.0
    emergency: bool = False
