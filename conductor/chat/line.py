"""A line of IRC taken apart, whatever it is.

Source: RFC 1459 section 2.3, IRCv3 message tags, Twitch's IRC reference (tags of PRIVMSG).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydle.features.ircv3.tags import TaggedMessage
from pydle.protocol import ProtocolViolation

from conductor.chat.cleaning import login

# Tags and text of the longest line that Twitch sends.
MAX_LINE = 8704
_MODERATING = frozenset({"broadcaster", "moderator"})


@dataclass(frozen=True, slots=True)
class Line:
    """A message of the server.

    Attributes:
        command: in upper case, or three digits.
        params: the last may have spaces.
        source: who sent it, as `nick!user@host`; empty: the server.
        tags: of IRCv3.
    """

    command: str
    params: tuple[str, ...] = ()
    source: str = ""
    tags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said in the channel.

    Attributes:
        who: a name for lists and logs, harmless.
        person: whoever it is, however they are called: one vote each.
        text: as it was said; to be cleaned before it is shown anywhere.
        moderates: whether the server says so.
    """

    who: str
    person: str
    text: str
    moderates: bool = False


def read_line(raw: bytes) -> Line | None:
    """Return what a line says; None where it is no message.

    Args:
        raw: without its end.
    """
    # The parser takes what is behind the first space of it for the message.
    if not raw or len(raw) > MAX_LINE or (raw[:1] == b"@" and b" " not in raw):
        return None
    text = raw.decode("utf-8", "replace")
    if "\0" in text or "\r" in text or "\n" in text:
        return None
    try:
        message = TaggedMessage.parse(text.encode())
    except (ProtocolViolation, ValueError, IndexError):
        return None
    command = f"{message.command:03}" if isinstance(message.command, int) else str(message.command)
    tags = {str(name): "" if value is True else str(value) for name, value in (message.tags or {}).items()}
    return Line(command, tuple(map(str, message.params)), str(message.source or ""), tags)


def said_in(line: Line, channel: str, *, trusted: bool) -> Said | None:
    """Return what somebody said in a channel; None where the line is about something else.

    Args:
        line: of the server.
        channel: in lower case.
        trusted: whether the tags are the server's own word.
    """
    if line.command != "PRIVMSG" or len(line.params) != 2 or line.params[0].lower() != channel:
        return None
    who = login(line.source.split("!", 1)[0])
    if not who:
        return None
    tags = (line.tags or {}) if trusted else {}
    badges = {badge.split("/", 1)[0] for badge in tags.get("badges", "").split(",")}
    person = tags.get("user-id", "") or who
    return Said(who, person[:64], line.params[1], bool(badges & _MODERATING) or tags.get("mod") == "1")


def written(command: str, *params: str) -> bytes:
    """Return a line to send; the end of a line in a parameter is none of it.

    Args:
        command: such as PRIVMSG.
        params: the last may have spaces.
    """
    safe = ["".join(" " if sign in "\r\n\0" else sign for sign in param) for param in params]
    message = TaggedMessage(tags={}, command=command, params=safe)
    return str(message.construct(force=True)).encode()


def wanted(raw: bytes, *, digits: bool) -> bool:
    """Whether a line is worth being taken apart: not what people say to one another.

    Args:
        raw: the line.
        digits: whether a number alone is a vote now.
    """
    at = raw.find(b" PRIVMSG ")
    if at < 0:
        return True
    # After the channel; a text that holds the word twice is looked at all the same.
    text = raw[at:].partition(b" :")[2].lstrip()
    return text[:1] == b"!" or (digits and text[:1].isdigit())
