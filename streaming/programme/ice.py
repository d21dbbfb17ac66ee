"""How viewers find a way to the feed: how many, and by which STUN and TURN servers. Free of aiortc."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from streaming.errors import PublishError
from streaming.publishing.destination import KeySource

MAX_VIEWERS = 8
# What aiortc reads of RFC 7064 and RFC 7065; a relay over TLS is always reached by TCP.
STUN = re.compile(r"stun:[^?:/\s]+(:[0-9]{1,5})?")
TURN = re.compile(r"turns?:[^?:/\s]+(:[0-9]{1,5})?(\?transport=(udp|tcp))?")


@dataclass(frozen=True, slots=True)
class Ways:
    """How many may watch, and by which servers they are reached, passwords included.

    Attributes:
        viewers: at once, at most.
        stun: URLs.
        turn: (URL, user name, password).
    """

    viewers: int = MAX_VIEWERS
    stun: tuple[str, ...] = ()
    turn: tuple[tuple[str, str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Relay:
    """A TURN server.

    Attributes:
        url: such as `turn:turn.example.org:3478?transport=udp`.
        username: on the server.
        password: where it lies.
    """

    url: str
    username: str
    password: KeySource


@dataclass(frozen=True, slots=True)
class Watching:
    """Who may watch, and how.

    Attributes:
        viewers: how many at once, at most.
        stun: servers that tell a peer its address, such as `stun:stun.example.org:3478`.
        turn: servers that relay where no direct way is.
        origins: web pages of other sites that may show the programme, such as `https://example.org`.
    """

    viewers: int = MAX_VIEWERS
    stun: tuple[str, ...] = ()
    turn: tuple[Relay, ...] = ()
    origins: tuple[str, ...] = ()

    def ways(self) -> tuple[Ways, list[str]]:
        """Return the same with its passwords, and a line for each relay whose password is not to be had."""
        turn: list[tuple[str, str, str]] = []
        missing: list[str] = []
        for relay in self.turn:
            try:
                turn.append((relay.url, relay.username, relay.password.read()))
            except PublishError as error:
                missing.append(f"viewers cannot be relayed by {relay.url}: {error}")
        return Ways(self.viewers, self.stun, tuple(turn)), missing


# What holds where a setlist says nothing.
ANYBODY = Watching()
