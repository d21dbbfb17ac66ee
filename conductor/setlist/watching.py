"""The part of a setlist about those who watch by WebRTC, and what is made of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from conductor.setlist.part import Part
from conductor.setlist.values import Text
from streaming.programme.ice import ANYBODY, MAX_VIEWERS, STUN, TURN, Relay, Watching
from streaming.publishing.destination import KeySource

MOST_VIEWERS = 200
_ORIGIN = re.compile(r"https?://[^/\s]+")


def _stun(url: str) -> str:
    if not STUN.fullmatch(url):
        raise ValueError(f'"{url}" is no STUN server; write it as stun:stun.example.org:3478')
    return url


def _turn(url: str) -> str:
    if not TURN.fullmatch(url):
        raise ValueError(f'"{url}" is no TURN server; write it as turn:turn.example.org:3478?transport=udp')
    return url


def _origin(origin: str) -> str:
    if origin != "*" and not (_ORIGIN.fullmatch(origin) and urlsplit(origin).hostname):
        raise ValueError(f'"{origin}" is no origin of a web page; write it as https://example.org, without a path')
    return origin


class PasswordPart(Part):
    """`password`: where it lies; never the password itself."""

    env: Text | None = None
    file: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _not_itself(cls, value: Any) -> Any:
        # Before anything else looks at it: what is wrong is told, and a password is not.
        if not isinstance(value, dict):
            raise ValueError("no password is written here; say where it lies: {env: NAME} or {file: PATH}")
        return value

    @model_validator(mode="after")
    def _of_one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("say where the password lies: {env: NAME} or {file: PATH}")
        return self


class TurnPart(Part):
    """One of `webrtc.turn`."""

    url: Annotated[Text, AfterValidator(_turn)]
    username: Annotated[Text, Field(min_length=1, max_length=200)]
    password: PasswordPart


class WebrtcPart(Part):
    """`webrtc`: who may watch, and how they are reached."""

    viewers: Annotated[int, Field(ge=1, le=MOST_VIEWERS)] = MAX_VIEWERS
    stun: Annotated[list[Annotated[Text, AfterValidator(_stun)]], Field(max_length=4)] = Field(default=[])
    turn: Annotated[list[TurnPart], Field(max_length=4)] = Field(default=[])
    origins: list[Annotated[Text, AfterValidator(_origin)]] = Field(default=[])


def watching_of(part: WebrtcPart | None, folder: Path) -> Watching:
    """Return what the part says.

    Args:
        part: as written; None: nothing is.
        folder: of the setlist, from which files are named.
    """
    if part is None:
        return ANYBODY
    relays = tuple(Relay(turn.url, turn.username, _source(turn.password, folder)) for turn in part.turn)
    return Watching(part.viewers, tuple(part.stun), relays, tuple(part.origins))


def _source(part: PasswordPart, folder: Path) -> KeySource:
    return KeySource(env=part.env or "", file=str((folder / part.file).resolve()) if part.file else "")
