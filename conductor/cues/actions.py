"""What the rules of the show ask for: actions, carried out by `conductor.show.deeds`."""

from __future__ import annotations

from dataclasses import dataclass

from conductor.cues.slot import Changing, Join
from conductor.cues.wish import Wish
from conductor.pace.effort import Effort
from conductor.setlist import Cue


@dataclass(frozen=True, slots=True)
class StartComposing:
    """Ask the composer for a cue's piece.

    Attributes:
        seed: of this attempt.
        after: where it goes on from (the second is still to be found).
        effort: what is done for it; None: all that the cue asks for.
    """

    cue: Cue
    order: int
    seed: int
    after: Join | None = None
    effort: Effort | None = None


@dataclass(frozen=True, slots=True)
class StopComposing:
    """Cancel the request for a cue."""

    cue_id: str
    order: int


@dataclass(frozen=True, slots=True)
class Borrow:
    """Find a piece in the library; answered by Took or Missed; `pressed`: one that is not to come anyway."""

    cue: Cue
    order: int
    reason: str
    pressed: bool = False


@dataclass(frozen=True, slots=True)
class Recall:
    """Fetch a cue's own piece out of the library; answered by Took or Missed."""

    cue: Cue
    order: int
    piece: int


@dataclass(frozen=True, slots=True)
class Keep:
    """Store a cue's piece and give it to player and feed; answered by Kept."""

    cue_id: str
    number: int


@dataclass(frozen=True, slots=True)
class Give:
    """Give player and feed the pieces of these cues again, as their cues are now."""

    cue_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Play:
    """Start a piece now; `from_s`: at this second of it."""

    number: int
    fade_s: float
    from_s: float = 0.0


@dataclass(frozen=True, slots=True)
class QueueUp:
    """What the player follows with by itself; `cuts` as of `wire.Follow`."""

    numbers: tuple[int, ...]
    gap_s: float
    cuts: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class FadeNow:
    """Fade out what is playing."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Forget:
    """The player may drop this piece."""

    number: int


@dataclass(frozen=True, slots=True)
class ListOver:
    """The last cue has been; nothing is to come."""


@dataclass(frozen=True, slots=True)
class StartChange:
    """Ask the composer for another rest of a live piece."""

    cue: Cue
    number: int
    changing: Changing
    wish: Wish
    seed: int


@dataclass(frozen=True, slots=True)
class StopChange:
    """Take a change back; what the player has of it stays."""

    cue_id: str
    change_id: int


Action = (
    StartComposing
    | StopComposing
    | StartChange
    | StopChange
    | Borrow
    | Keep
    | Recall
    | Give
    | Play
    | QueueUp
    | FadeNow
    | Forget
    | ListOver
)
