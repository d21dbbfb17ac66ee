"""What can be ordered by a controller: verbs and the arguments that each takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _OfCue(_Said):
    cue: str | None = None


class _Cue(_Said):
    cue: str


class _Fade(_Said):
    seconds: Annotated[float, Field(gt=0, le=60)] = 4.0


_Level = Literal["low", "mid", "high"]


class _Change(_Said):
    style: str | None = None
    instruments: list[str] | None = None
    energy: Annotated[float, Field(ge=1, le=127)] | _Level | None = None
    density: Annotated[float, Field(ge=0.5, le=30)] | _Level | None = None
    key: str | None = None
    tempo_bpm: Annotated[float, Field(ge=20, le=250)] | None = None
    duration_s: Annotated[float, Field(ge=5, le=1800)] | None = None


class _OnOff(_Said):
    on: bool = True


class _Take(_Cue):
    take: Annotated[int, Field(ge=1, le=16)]


Verbs = Mapping[str, type[BaseModel]]

VERBS: Verbs = {
    "go": _OfCue,
    "standby": _Cue,
    "hold": _Said,
    "release": _Said,
    "skip": _OfCue,
    "back": _Said,
    "fade": _Fade,
    "change": _Change,
    "panic": _Said,
    "endless": _OnOff,
    "lock": _OnOff,
    "undo": _Said,
    "redo": _Said,
    "take": _Take,
}


def arguments_of(verb: type[BaseModel]) -> list[str]:
    """Return the arguments that a verb takes."""
    return list(verb.model_fields)


def wrong_of(verb: type[BaseModel], arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with the arguments of a verb, by argument; nothing is left out of it for want of others."""
    try:
        verb.model_validate(dict(arguments))
    except ValidationError as error:
        return {str(each["loc"][0]) if each["loc"] else "": each["msg"] for each in error.errors()}
    return {}
