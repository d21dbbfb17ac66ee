"""Messages between the conductor and its three workers.

Each worker listens on a Unix socket in the show's run folder, so that it
outlives a conductor that dies and serves the next one. A message is one line
of JSON with its kind; the newest connection is the one that is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import TypeAdapter, ValidationError

from conductor.errors import WireError

# A four-minute piece of 10,000 notes is about 500 kB of JSON.
MAX_LINE_BYTES = 16 * 1024 * 1024

# (onset_s, pitch, instrument, duration_s, velocity), the order of model.notes.Note
NoteRow = tuple[float, int, str, float, int]


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


# From any worker.


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


# conductor -> composer.


@dataclass(frozen=True, slots=True)
class Compose(Message):
    """Compose a piece; answered by Progress and then Composed or Refused.

    Attributes:
        request_id: names the request in the answers.
        prompt: fields of `model.composing.prompt.Prompt` as plain values.
        out: path without ending; the piece is written as `<out>.mid`.
    """

    request_id: str
    prompt: dict[str, Any]
    out: str


@dataclass(frozen=True, slots=True)
class Cancel(Message):
    """Stop composing a request; answered by Refused."""

    request_id: str


# composer -> conductor.


@dataclass(frozen=True, slots=True)
class Progress(Message):
    """How far composing is.

    Attributes:
        fraction: 0 to 1.
        composed_s: seconds of music so far, all candidates together.
    """

    request_id: str
    fraction: float
    composed_s: float


@dataclass(frozen=True, slots=True)
class Composed(Message):
    """A take is ready.

    Attributes:
        midi: path of the written MIDI file.
        notes: the notes, for player and feed.
        tempi: (time_s, bpm) marks.
        duration_s: end of the last note.
        seconds: wall time composing took.
        provenance: checkpoint hash, seed, prompt and all scores.
    """

    request_id: str
    midi: str
    notes: list[NoteRow]
    tempi: list[tuple[float, float]]
    duration_s: float
    seconds: float
    provenance: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused(Message):
    """A request ended without a piece: an error, or it was cancelled."""

    request_id: str
    reason: str
    retryable: bool


# conductor -> player.


@dataclass(frozen=True, slots=True)
class Load(Message):
    """Keep a piece in memory under a number.

    Number 0 is the bed: it loops, softly, whenever nothing else is playing.

    Attributes:
        number: chosen by the conductor, 1 and up, never used twice in a show.
        gain_db: added to every note's level.
    """

    number: int
    notes: list[NoteRow]
    duration_s: float
    gain_db: float = 0.0


@dataclass(frozen=True, slots=True)
class Follow(Message):
    """Replace the queue: the pieces that start by themselves, in this order.

    Each starts when the one before has ended. An empty list: after the end comes the bed.

    Attributes:
        numbers: loaded pieces.
        gap_s: pause after the end of a piece; negative starts early (a hang).
    """

    numbers: list[int]
    gap_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Go(Message):
    """Start a loaded piece now; what is playing fades out under it."""

    number: int
    fade_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Fade(Message):
    """Fade out what is playing; the next in the queue follows, else the bed."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drop(Message):
    """Forget loaded pieces."""

    numbers: list[int]


# player -> conductor.


@dataclass(frozen=True, slots=True)
class Started(Message):
    """A piece begins at this sample of the programme (number 0: the bed)."""

    number: int
    sample: int


@dataclass(frozen=True, slots=True)
class Ended(Message):
    """A piece has ended (or faded) at this sample of the programme."""

    number: int
    sample: int


@dataclass(frozen=True, slots=True)
class Levels(Message):
    """What is sounding now, ten times a second.

    Attributes:
        sample: samples of the programme written so far.
        number: the piece that is playing (0: the bed).
        position_s: seconds since it began.
        momentary_lufs, integrated_lufs: EBU R128; -inf is sent as -120.
        peak_dbtp: true peak since the last message.
        voices: sounding voices.
    """

    sample: int
    number: int
    position_s: float
    momentary_lufs: float
    integrated_lufs: float
    peak_dbtp: float
    voices: int


# conductor -> feed.


@dataclass(frozen=True, slots=True)
class Announce(Message):
    """Tell the feed of a piece before it sounds, so that it can draw it.

    Attributes:
        number: as in Load; 0 is the bed.
        caption: a line under the title, such as style and age of the piece.
    """

    number: int
    title: str
    caption: str
    notes: list[NoteRow]
    tempi: list[tuple[float, float]]
    duration_s: float
    beats_per_bar: float = 4.0


@dataclass(frozen=True, slots=True)
class Next(Message):
    """The line about what comes next (empty: nothing to say)."""

    text: str


@dataclass(frozen=True, slots=True)
class Record(Message):
    """Start recording the programme to a file (empty path: stop)."""

    path: str


@dataclass(frozen=True, slots=True)
class Offer(Message):
    """A viewer's WebRTC offer; answered by Answer with the same request_id."""

    request_id: str
    sdp: str


# feed -> conductor.


@dataclass(frozen=True, slots=True)
class Answer(Message):
    """The WebRTC answer, or an error (then sdp is empty)."""

    request_id: str
    sdp: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class FeedStatus(Message):
    """State of the programme feed, once a second.

    Attributes:
        sample: sample index of the picture shown last.
        frames: pictures sent so far; dropped: pictures left out.
        viewers: WebRTC peers; readers: NUT readers (OBS).
        recording: path being recorded, or empty.
        slate: whether the slate is shown since no player is heard.
    """

    sample: int
    frames: int
    dropped: int
    viewers: int
    readers: int
    recording: str
    slate: bool


_ADAPTERS: dict[str, TypeAdapter[Any]] = {}


def encode(message: Message) -> bytes:
    """Return the message as one line of JSON, newline included."""
    if not is_dataclass(message):
        raise WireError(f"not a message: {message!r}")
    body = {f.name: getattr(message, f.name) for f in fields(message)}
    return json.dumps({"kind": type(message).__name__, **body}, separators=(",", ":")).encode() + b"\n"


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
        raise WireError(f"not a message: {line[:80]!r} ({error})") from error
    return message


@dataclass(slots=True)
class Link:
    """One end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    closed: bool = field(default=False, init=False)

    def send(self, message: Message) -> None:
        """Queue a message; a link that is gone swallows it (see `closed`)."""
        if self.closed or self.writer.is_closing():
            self.closed = True
            return
        self.writer.write(encode(message))

    async def messages(self) -> AsyncIterator[Message]:
        """Yield messages until the other end goes away."""
        try:
            while line := await self.reader.readline():
                yield decode(line)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.closed = True

    async def close(self) -> None:
        """Flush and close."""
        self.closed = True
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def connect(path: Path) -> Link:
    """Connect to a worker's socket.

    Raises:
        WireError: nobody listens there.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=MAX_LINE_BYTES)
    except OSError as error:
        raise WireError(f"no worker listens at {path}: {error.strerror}") from error
    return Link(reader, writer)


async def serve(path: Path, handler: Callable[[Link], Awaitable[None]]) -> asyncio.Server:
    """Listen on a socket (an old one in its place is removed)."""
    path.unlink(missing_ok=True)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(reader, writer)
        try:
            await handler(link)
        finally:
            await link.close()

    return await asyncio.start_unix_server(accept, path=str(path), limit=MAX_LINE_BYTES)
