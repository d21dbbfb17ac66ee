"""What is wanted of a radio: variety, an arc over the hour, parts of the day, joins, cards, no repeats."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from model.composing.course import Course

# (name, weight) pairs; weights above 0.
Weights = tuple[tuple[str, float], ...]
# (instruments, weight) pairs; no instruments leave them to the model.
Ensembles = tuple[tuple[tuple[str, ...], float], ...]
JoinKind = Literal["gap", "crossfade", "morph"]
Mode = Literal["any", "major", "minor"]
DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Variety:
    """What keeps neighbours from being alike.

    Attributes:
        style: so many pieces of a style in a row, at most; 1 and up.
        keys: `near`, from one piece to the next along the circle of fifths; `free`, any but those of late;
            `model`, left to the composer.
        mode: of the keys that are drawn.
    """

    style: int = 2
    keys: Literal["near", "free", "model"] = "near"
    mode: Mode = "any"


@dataclass(frozen=True, slots=True)
class Arc:
    """How far energy and tempo rise and fall, again and again.

    Attributes:
        every_s: length of an arc; it begins low, is highest after two thirds, and comes down.
        energy: mean velocity above and below what is usual, 0 to 40.
        tempo: share of the tempo above and below what is usual, 0 to 0.4.
    """

    every_s: float = 3600.0
    energy: float = 14.0
    tempo: float = 0.15


@dataclass(frozen=True, slots=True)
class Daypart:
    """What is otherwise in a part of the day; None: as all day.

    Attributes:
        start, stop: minutes since midnight, local time; `stop` may be before `start`: over midnight.
        styles, ensembles, energy, density, tempo_bpm, mode: in place of those of all day.
    """

    start: int
    stop: int
    styles: Weights | None = None
    ensembles: Ensembles | None = None
    energy: Course | None = None
    density: Course | None = None
    tempo_bpm: float | None = None
    mode: Mode | None = None

    def holds(self, minute: int) -> bool:
        """Return whether a minute of the day, 0 to 1439, is in it."""
        if self.start < self.stop:
            return self.start <= minute < self.stop
        return minute >= self.start or minute < self.stop

    def __str__(self) -> str:
        return f"{_clock(self.start)}-{_clock(self.stop)}"


@dataclass(frozen=True, slots=True)
class Ident:
    """When the station says who it is, on a card over the picture.

    Attributes:
        text: what it says.
        every: with every so many pieces; 0: by time.
        every_s: once in so many seconds; 0: by pieces.
    """

    text: str
    every: int = 4
    every_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Radio:
    """How pieces are drawn beside what each of them is.

    Attributes:
        ensembles: instruments of a piece, drawn by weight; empty: those of all pieces.
        variety, arc, dayparts, ident: as of their classes; None: none.
        joins: how a piece comes after the one before it, drawn by weight.
        crossfade_s: how much earlier it begins; morph_s: how long one changes into the next.
        repeat_after_s: no piece comes again within this time; 0: it may.
        zone: whose local time parts of the day are in; empty: this machine's.
    """

    ensembles: Ensembles = ()
    variety: Variety = Variety()
    arc: Arc | None = Arc()
    dayparts: tuple[Daypart, ...] = ()
    joins: tuple[tuple[JoinKind, float], ...] = (("gap", 1.0),)
    crossfade_s: float = 4.0
    morph_s: float = 20.0
    ident: Ident | None = None
    repeat_after_s: float = 6 * 3600.0
    zone: str = ""

    def local(self, moment_s: float) -> datetime:
        """Return the local time of a moment, in seconds since 1970; every moment has one, whatever clocks are put."""
        moment = datetime.fromtimestamp(moment_s, UTC)
        return moment.astimezone(ZoneInfo(self.zone)) if self.zone else moment.astimezone()

    def daypart(self, moment_s: float) -> Daypart | None:
        """Return the part of the day that a moment is in; None: none was written for it."""
        if not self.dayparts:
            return None
        local = self.local(moment_s)
        minute = local.hour * 60 + local.minute
        return next((part for part in self.dayparts if part.holds(minute)), None)


def overlapping(parts: tuple[Daypart, ...]) -> tuple[Daypart, Daypart] | None:
    """Return two parts of the day that share a minute; None where each minute has one at most."""
    taken: dict[int, Daypart] = {}
    for part in parts:
        for minute in range(DAY_MINUTES):
            if part.holds(minute) and taken.setdefault(minute, part) is not part:
                return taken[minute], part
    return None


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
