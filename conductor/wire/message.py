"""What all messages are: values with a kind, a line of JSON each."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, ClassVar

from pydantic import TypeAdapter, ValidationError

from conductor.errors import WireError

# (onset_s, pitch, instrument, duration_s, velocity, part), the order of model.notes.Note
NoteRow = tuple[float, int, str, float, int, int]
# (time_s, text), the order of model.notes.Mark
MarkRow = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Message:
    """Base of all messages; the class name is the kind on the wire."""

    kinds: ClassVar[dict[str, type[Message]]] = {}

    def __init_subclass__(cls) -> None:
        Message.kinds[cls.__name__] = cls


# To any worker.


@dataclass(frozen=True, slots=True)
class Quit(Message):
    """Finish what is being written and exit."""


@dataclass(frozen=True, slots=True)
class Ping(Message):
    """Ask whether the worker is at work; answered by Pong with the same number, by the link itself."""

    number: int


# From any worker.


@dataclass(frozen=True, slots=True)
class Pong(Message):
    """The worker is at work.

    Attributes:
        number: of the ping.
        trouble: why it is not at work all the same, such as a thread that hangs; empty: it is.
    """

    number: int
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Hello(Message):
    """The first message of every worker to every conductor that connects."""

    worker: str
    pid: int


@dataclass(frozen=True, slots=True)
class Fault(Message):
    """Something went wrong that a person should read."""

    worker: str
    reason: str
    retryable: bool = False


_ADAPTERS: dict[str, TypeAdapter[Any]] = {}


def encode(message: Message) -> bytes:
    """Return the message as one line of JSON, newline included."""
    if not is_dataclass(message):
        raise WireError(f"not a message: {message!r}")
    body = {f.name: getattr(message, f.name) for f in fields(message)}
    # What a message is made of may be dataclasses, too.
    text = json.dumps({"kind": type(message).__name__, **body}, separators=(",", ":"), default=asdict)
    return text.encode() + b"\n"


def decode(line: bytes) -> Message:
    """Return the message a line holds.

    Raises:
        WireError: the line is not JSON, of an unknown kind, or has wrong fields.
    """
    try:
        body = json.loads(line)
        kind = body.pop("kind")
        adapter = _ADAPTERS.get(kind) or _ADAPTERS.setdefault(kind, TypeAdapter(Message.kinds[kind]))
        message: Message = adapter.validate_python(body)
    except (ValueError, KeyError, AttributeError, ValidationError) as error:
        # A message may hold what is in no log: what is wrong is told, not what was said.
        wrong = str(error)
        if isinstance(error, ValidationError):
            wrong = "; ".join(f"{details['loc']}: {details['msg']}" for details in error.errors())
        raise WireError(f"not a message: {line[:24]!r} ({wrong})") from None
    return message
