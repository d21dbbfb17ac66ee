"""The parts of a setlist about the audience: its chat, and when it is asked; no refusal repeats a token."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, PlainValidator, model_validator

from conductor.chat.plan import FOR_ALL, FOR_MODERATORS, PLAIN_PORT, TLS_PORT, TWITCH, TWITCH_PORT, ChatPlan, PollPlan
from conductor.chat.poll import LEAST_S, MOST_CHOICES
from conductor.setlist.part import Part
from conductor.setlist.values import Text, known_style
from conductor.setlist.watching import PasswordPart
from conductor.setlist.yamlfile import did_you_mean
from streaming.publishing.destination import KeySource

COMMANDS = (*FOR_ALL, *FOR_MODERATORS)
LONGEST_S = 600.0
_CHANNEL = re.compile(r"#?[A-Za-z0-9_-]{1,49}")
_NICK = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,24}")


class PollPart(Part):
    """`endless.poll`: when the audience is asked what is drawn."""

    every: Annotated[int, Field(ge=0, le=100)] = 3
    choices: Annotated[int, Field(ge=2, le=MOST_CHOICES)] = 3
    seconds: Annotated[float, Field(ge=LEAST_S, le=LONGEST_S)] = 60.0


class CuePollPart(Part):
    """`poll` of a cue: the styles that the audience chooses from."""

    styles: Annotated[list[str], Field(min_length=2, max_length=MOST_CHOICES)]
    seconds: Annotated[float, Field(ge=LEAST_S, le=LONGEST_S)] = 60.0

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return {"styles": value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _known(self) -> Self:
        for style in self.styles:
            known_style(style)
        if len(set(self.styles)) < len(self.styles):
            raise ValueError("each style once")
        return self


def _channel(value: Any) -> str:
    if not isinstance(value, str) or not _CHANNEL.fullmatch(value):
        raise ValueError(f'should name a channel, such as "#mychannel" (in quotes: # begins a comment), not {value!r}')
    return f"#{value.removeprefix('#').lower()}"


def _nick(value: Any) -> str:
    if not isinstance(value, str) or not _NICK.fullmatch(value):
        raise ValueError(f"should be a name of letters, digits and _, not {value!r}")
    return value


def _server(value: Any) -> tuple[str, int, bool]:
    """Return host, port, and whether the connection is encrypted: always, but for this machine, if nothing is said."""
    wrong = ValueError(
        f"should be an address such as irc.example.org, ircs://host:6697 or irc://127.0.0.1:6667, not {value!r}"
    )
    if not isinstance(value, str):
        raise wrong
    parts = urlsplit(value if "://" in value else f"//{value}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if not host or parts.scheme not in ("", "irc", "ircs") or parts.path.strip("/") or parts.username or parts.query:
        raise wrong
    tls = parts.scheme == "ircs" or (not parts.scheme and not is_this_machine(host))
    return host, port or (TLS_PORT if tls else PLAIN_PORT), tls


def is_this_machine(host: str) -> bool:
    """Whether a host is the machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _commands(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"should list commands, such as [vote, styles]; there are {', '.join(COMMANDS)}")
    for name in value:
        if name not in COMMANDS:
            known = did_you_mean(str(name), COMMANDS) or f"; there are {', '.join(COMMANDS)}"
            raise ValueError(f'the command "{name}" is unknown{known}')
    return tuple(dict.fromkeys(value))


def _names(value: Any) -> Any:
    return (
        [name.lower().removeprefix("@") if isinstance(name, str) else name for name in value]
        if isinstance(value, list)
        else value
    )


Names = Annotated[list[Annotated[Text, Field(min_length=1, max_length=25)]], BeforeValidator(_names)]


class ChatPart(Part):
    """`chat`: where the audience is read."""

    channel: Annotated[str, PlainValidator(_channel)]
    server: Annotated[tuple[str, int, bool], PlainValidator(_server)] = (TWITCH, TWITCH_PORT, True)
    nick: Annotated[str, PlainValidator(_nick)] = ""
    token: PasswordPart | None = None
    commands: Annotated[tuple[str, ...], PlainValidator(_commands)] = COMMANDS
    mods: Annotated[Names, Field(max_length=500)] = Field(default=[])
    blocked: Annotated[Names, Field(max_length=5000)] = Field(default=[])
    answers: bool = True

    @model_validator(mode="after")
    def _token_kept(self) -> Self:
        host, _, tls = self.server
        if self.token and not tls and not is_this_machine(host):
            raise ValueError(
                f"token: {host} would be sent it where everybody can read along; write server: ircs://{host}"
            )
        if self.token and not self.nick:
            raise ValueError("nick: a token belongs to a name; say which")
        return self


def chat_of(part: ChatPart | None, folder: Path) -> ChatPlan | None:
    """Return where the chat is; None: nowhere.

    Args:
        part: as written.
        folder: of the setlist, from which files are named.
    """
    if part is None:
        return None
    host, port, tls = part.server
    token = KeySource()
    if said := part.token:
        token = KeySource(env=said.env or "", file=str((folder / said.file).resolve()) if said.file else "")
    return ChatPlan(
        part.channel,
        host,
        port,
        tls,
        part.nick,
        token,
        part.commands,
        tuple(part.mods),
        tuple(part.blocked),
        part.answers,
    )


def poll_of(part: PollPart | None) -> PollPlan | None:
    """Return when the audience is asked what is drawn; None: never by itself."""
    return None if part is None else PollPlan(part.every, part.choices, part.seconds)
