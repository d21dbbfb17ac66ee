"""What passes between the feed and a process that publishes: the job, then parcels; back come reports.

The job goes through the pipe, since a command line and an environment can be read by others.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from typing import Literal, TextIO

from streaming.publishing.parcels import HEADER_BYTES, Parcel, unpack_header

MAX_JOB_BYTES = 64 * 1024
How = Literal["refused", "closed", "lost"]


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be published where.

    Attributes:
        url: of the ingest, or where to listen.
        key: to it; empty where there is none.
        width, height, fps: of the pictures.
        video_bitrate, audio_bitrate: bits a second.
        ca_file: certificates to trust besides the system's.
    """

    url: str = field(repr=False)
    key: str = field(repr=False)
    width: int
    height: int
    fps: int
    video_bitrate: int
    audio_bitrate: int
    ca_file: str = ""

    def pack(self) -> bytes:
        """Return it as bytes."""
        body = json.dumps(asdict(self)).encode()
        return struct.pack(">I", len(body)) + body


@dataclass(frozen=True, slots=True)
class Report:
    """What a publisher tells, a line of JSON each.

    Attributes:
        ready: whether parcels are wanted: there is a connection, or somebody reads.
        delivered: bytes that the other end has taken.
        keyframe: whether the other end has lost a picture and needs one that stands by itself.
        end: why it ends: it was refused, its connection closed without a word, or was lost; empty: it goes on.
        text: about the end, for a person; without any key.
    """

    ready: bool = False
    delivered: int = 0
    keyframe: bool = False
    end: How | Literal[""] = ""
    text: str = ""

    @classmethod
    def of(cls, line: bytes) -> Report:
        """Return the report that a line holds.

        Raises:
            ValueError: it holds none.
        """
        body = json.loads(line)
        try:
            return cls(**body)
        except TypeError:
            raise ValueError("no report") from None


class Teller:
    """Writes reports.

    Args:
        out: where to; whoever is not heard any more ends by the end of its input.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def tell(self, report: Report) -> None:
        """Write a report."""
        self._out.write(json.dumps(asdict(report)) + "\n")
        self._out.flush()


async def read_job(reader: asyncio.StreamReader) -> Job:
    """Return the job that the input begins with.

    Raises:
        IncompleteReadError: the input ended.
        ValueError: there is none.
    """
    (size,) = struct.unpack(">I", await reader.readexactly(4))
    if size > MAX_JOB_BYTES:
        raise ValueError("no job")
    return Job(**json.loads(await reader.readexactly(size)))


async def read_parcels(reader: asyncio.StreamReader) -> AsyncIterator[Parcel]:
    """Yield parcels until the input ends."""
    while True:
        try:
            stream, keyframe, pts, length = unpack_header(await reader.readexactly(HEADER_BYTES))
            yield Parcel(stream, pts, keyframe, await reader.readexactly(length))
        except asyncio.IncompleteReadError:
            return
