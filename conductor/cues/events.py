"""What happens to a show; what an operator says is in `conductor.cues.verbs`."""

from __future__ import annotations

from dataclasses import dataclass

from conductor.cues.slot import Candidate, Join
from conductor.cues.verbs import Verb


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; `wall_s`: to this time of day, in seconds since 1970."""

    wall_s: float | None = None


@dataclass(frozen=True, slots=True)
class ComposerUp:
    """The composer is there and knows of no request."""


@dataclass(frozen=True, slots=True)
class ComposerLost:
    """The composer is gone, and with it what it was composing."""


@dataclass(frozen=True, slots=True)
class PlayerUp:
    """The player is there.

    Attributes:
        playing: the piece it plays, where it outlived an earlier conductor; else 0.
        position_s: second of that piece.
        new: whether it has just begun: nobody had it before.
    """

    playing: int = 0
    position_s: float = 0.0
    new: bool = False


@dataclass(frozen=True, slots=True)
class PlayerLost:
    """The player is gone."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """Composing goes on; `fraction` is 0 to 1."""

    cue_id: str
    order: int
    fraction: float


@dataclass(frozen=True, slots=True)
class Took:
    """A piece for a cue is there.

    Attributes:
        duration_s: of the music.
        notes: how many.
        reason: why it stands in.
        joins: it goes on from another.
        composing_s: how long composing it took; 0: it was found in the library.
    """

    cue_id: str
    order: int
    duration_s: float
    notes: int
    reason: str = ""
    joins: Join | None = None
    composing_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Missed:
    """No piece came of it; another seed may help where `retryable`."""

    cue_id: str
    order: int
    reason: str
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class Kept:
    """The piece is stored, and the player and the feed have it.

    Attributes:
        number: the player's.
        piece: its id in the library; None: it could not be stored, and plays all the same.
        takes: the pieces to choose from, itself among them; empty: those that were known.
    """

    cue_id: str
    number: int
    piece: int | None = None
    takes: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Voted:
    """The audience chose a style: of a cue that asked, or (empty) of a piece to draw; no style: nobody voted."""

    style: str
    cue_id: str = ""


@dataclass(frozen=True, slots=True)
class Renewed:
    """The music of a cue is kept as it was changed on air."""

    cue_id: str
    piece: int


@dataclass(frozen=True, slots=True)
class Began:
    """The player started a piece (number 0: the bed)."""

    number: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The player ended a piece."""

    number: int


@dataclass(frozen=True, slots=True)
class Unheard:
    """A piece plays, and nothing is heard of it."""

    number: int


@dataclass(frozen=True, slots=True)
class Starved:
    """The bed has played for long where a piece should."""


@dataclass(frozen=True, slots=True)
class Revised:
    """The player has a section of a changed piece; `final`: the last."""

    cue_id: str
    change_id: int
    until_s: float
    duration_s: float
    final: bool


@dataclass(frozen=True, slots=True)
class Unchanged:
    """No more comes of a change; what the player has plays on."""

    cue_id: str
    change_id: int
    reason: str


Composing = Progressed | Took | Missed
Worker = ComposerUp | ComposerLost | PlayerUp | PlayerLost
Audible = Unheard | Starved
Event = Tick | Worker | Composing | Kept | Renewed | Voted | Began | Finished | Audible | Revised | Unchanged | Verb
