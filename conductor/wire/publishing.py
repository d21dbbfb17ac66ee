"""Between the conductor and the feed: where the programme is published, and how that goes."""

from __future__ import annotations

from dataclasses import dataclass, field

from conductor.wire.message import Message

# conductor -> feed.


@dataclass(frozen=True, slots=True)
class DestinationRow:
    """One destination; its key stays where it lies, and the feed reads it there.

    Attributes:
        name: as people call it; unique.
        url: may have a key inside, and is not shown.
        key_env, key_file: where the key lies; both empty: there is none.
        ca_file: certificates to trust besides the system's.
    """

    name: str
    url: str = field(repr=False)
    key_env: str = ""
    key_file: str = ""
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Publish(Message):
    """Publish to these from now on; what is published to already goes on undisturbed."""

    destinations: list[DestinationRow]


# feed -> conductor.


@dataclass(frozen=True, slots=True)
class PublishNews(Message):
    """A destination was lost, or is on air (again); told once each.

    Attributes:
        name: of the destination.
        there: whether it is on air.
        text: for a person.
    """

    name: str
    there: bool
    text: str


@dataclass(frozen=True, slots=True)
class DestinationStatus:
    """How a destination is; part of FeedStatus.

    Attributes:
        name: as people call it.
        place: its address without path and key.
        state: connecting, live, retrying, or refused.
        for_s: how long it has been so.
        sent_bytes: taken by the ingest, over all connections.
        dropped: packets left out since they could not be sent in time.
        reconnects: times that it was on air again after a loss.
        last_error: empty where there was none.
    """

    name: str
    place: str
    state: str
    for_s: float
    sent_bytes: int
    dropped: int
    reconnects: int
    last_error: str
