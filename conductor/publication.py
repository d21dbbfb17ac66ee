"""Where a show is published: chosen before it starts, told to the feed, and what comes back told on."""

from __future__ import annotations

from collections.abc import Sequence

from conductor import wire
from conductor.errors import UsageError
from streaming.errors import PublishError
from streaming.publishing.destination import SERVICES, Destination, KeySource, destination_of, key_inside, named_apart

NOWHERE = "none"
DEFAULT_KEY = "STREAM_KEY"


def chosen(planned: Sequence[Destination], wishes: Sequence[str]) -> tuple[Destination, ...]:
    """Return where a show is published.

    Args:
        planned: what the setlist says.
        wishes: of the command line: names of these, services, addresses, or `none`; empty: all that is planned.

    Raises:
        UsageError: a wish is none of these; or a key is not where it should be, which is better known beforehand.
    """
    found: list[Destination] = list(planned)
    if wishes:
        found = []
        for wish in wishes:
            if wish != NOWHERE:
                found.append(named_apart(_wished(wish, planned), found))
    for destination in found:
        try:
            destination.key.read()
        except PublishError as error:
            raise UsageError(f"{destination.name}: {error} (--publish {NOWHERE} publishes nowhere)") from None
    return tuple(found)


def warnings(destinations: Sequence[Destination]) -> list[str]:
    """Return a line for each key that others may read."""
    lines = [(destination.name, destination.key.exposed()) for destination in destinations]
    return [f"{name}: {line}" for name, line in lines if line]


def message(destinations: Sequence[Destination]) -> wire.Publish:
    """Return what the feed is told."""
    return wire.Publish(
        [wire.DestinationRow(to.name, to.url, to.key.env, to.key.file, to.ca_file) for to in destinations]
    )


def destinations(told: wire.Publish) -> list[Destination]:
    """Return the destinations that a feed was told of."""
    return [
        Destination(row.name, row.url, KeySource(row.key_env, row.key_file), row.ca_file) for row in told.destinations
    ]


def _wished(wish: str, planned: Sequence[Destination]) -> Destination:
    for destination in planned:
        if destination.name == wish:
            return destination
    if "://" not in wish and wish not in SERVICES:
        names = ", ".join([*(destination.name for destination in planned), *SERVICES, NOWHERE])
        raise UsageError(f"--publish: should be one of {names}, or an address such as rtmps://host/app")
    try:
        if "://" in wish and key_inside(wish):
            raise UsageError(
                f"--publish: the address seems to hold a key, and a command line can be read by others; "
                f"end it with the application, and put the key into the environment as {DEFAULT_KEY}"
            )
        # WHIP does without a key where there is none.
        key = KeySource(env=DEFAULT_KEY) if wish.startswith("rtmp") or _is_set(wish) else None
        return destination_of(wish, key=None if wish in SERVICES else key)
    except (PublishError, ValueError) as error:
        raise UsageError(f"--publish: {error}") from None


def _is_set(wish: str) -> bool:
    if not wish.startswith("http"):
        return False
    try:
        return bool(KeySource(env=DEFAULT_KEY).read())
    except PublishError:
        return False
