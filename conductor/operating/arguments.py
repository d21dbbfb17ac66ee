"""The arguments of the verbs."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictStr

from conductor.chat.poll import LEAST_S, MOST_CHOICES

# The id of a cue, or its number.
CueName = Annotated[StrictStr, Field(min_length=1, max_length=200, description="id of a cue, or its number")]
CueFields = Annotated[dict[str, Any], Field(description="keys of a cue as in a setlist, but for `id`")]
Place = Annotated[int, Field(ge=1, description="1: next")]
Switch = Annotated[bool, Field(description="on or off")]


class Arguments(BaseModel):
    """Base of all: what is unknown is refused."""

    model_config = ConfigDict(extra="forbid")


class Nothing(Arguments):
    """None."""


class OneCue(Arguments):
    """A cue."""

    cue: CueName


class MaybeCue(Arguments):
    """A cue, or the one the verb is about by itself."""

    cue: CueName | None = None


class Fading(Arguments):
    """How long."""

    seconds: Annotated[float, Field(gt=0, le=60, description="of the fade")] = 4.0


class Copying(Arguments):
    """A cue and what is to be different of its copy."""

    cue: CueName
    changes: CueFields = {}


class Editing(Arguments):
    """A cue and what is to be different."""

    cue: CueName
    changes: CueFields


class Inserting(Arguments):
    """A new cue and its place."""

    cue: Annotated[dict[str, Any], Field(description="keys of a cue as in a setlist")]
    at: Place | None = None


class Moving(Arguments):
    """A cue and its place."""

    cue: CueName
    to: Place


class Choosing(Arguments):
    """A cue and one of its candidates."""

    cue: CueName
    take: Annotated[int, Field(ge=1, description="1: the first candidate")]


class Switching(Arguments):
    """On or off."""

    on: Switch = True


class Polling(Arguments):
    """What the audience is asked."""

    styles: Annotated[
        list[StrictStr], Field(max_length=MOST_CHOICES, description="to choose from; none: some of what is drawn")
    ] = []
    seconds: Annotated[float | None, Field(ge=LEAST_S, le=600, description="until it ends")] = None


class Changing(Arguments):
    """What is to be different of what plays; one at least."""

    style: Any = None
    instruments: list[StrictStr] | None = None
    density: Any = None
    energy: Any = None
    key: str | None = None
    tempo_bpm: float | None = None
    duration_s: float | None = None
