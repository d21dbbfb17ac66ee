"""Between the conductor and the feed, about those who watch by WebRTC."""

from __future__ import annotations

from dataclasses import dataclass, field

from conductor.wire.message import Message

# conductor -> feed.


@dataclass(frozen=True, slots=True)
class Admit(Message):
    """Who may watch from now on, and how they are reached; holds for viewers to come.

    Attributes:
        viewers: how many at once.
        stun: URLs of STUN servers.
        turn: (URL, user name, password) of TURN servers.
    """

    viewers: int
    stun: list[str]
    turn: list[tuple[str, str, str]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Offer(Message):
    """A viewer's WebRTC offer; answered by Answer with the same request_id.

    Attributes:
        session: what the viewer is known by from now on.
        sdp: the offer.
    """

    request_id: str
    session: str
    sdp: str


@dataclass(frozen=True, slots=True)
class Trickle(Message):
    """Addresses of a viewer that came after its offer; answered by Answer."""

    request_id: str
    session: str
    fragment: str


@dataclass(frozen=True, slots=True)
class Leave(Message):
    """A viewer goes; answered by Answer."""

    request_id: str
    session: str


# feed -> conductor.


@dataclass(frozen=True, slots=True)
class Answer(Message):
    """The WebRTC answer to an Offer, and that something was done, or not.

    Attributes:
        sdp: the answer; empty for anything but an Offer.
        error: one line for a person; empty: all is well.
        why: what kind of error: `offer` (not understood), `media` (not to be had), `full`, `gone`, or else.
    """

    request_id: str
    sdp: str = ""
    error: str = ""
    why: str = ""
