"""The part of a setlist about where the programme is published; no word of a refusal repeats an address or a key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, PlainValidator, model_validator

from conductor.setlist.part import Part
from conductor.setlist.yamlfile import did_you_mean
from streaming.errors import PublishError
from streaming.publishing.destination import SERVICES, Destination, KeySource, destination_of, is_variable, named_apart

MOST_DESTINATIONS = 8
_PLACES = "write key: {env: STREAM_KEY} or key: {file: key.txt}"


def _to(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"should be one of {', '.join(SERVICES)}, or an address such as rtmps://host/app")
    if "://" not in value and value not in SERVICES:
        # A key written here by mistake is like no service, and is not repeated.
        raise ValueError(
            f"should be one of {', '.join(SERVICES)}, or an address such as rtmps://host/app"
            f"{did_you_mean(value, SERVICES)}"
        )
    return value.strip()


def _key(value: Any) -> KeySource:
    if isinstance(value, str):
        raise ValueError(f"a key does not belong into a setlist, which others read: {_PLACES}")
    if not isinstance(value, dict) or len(value) != 1 or not set(value) <= {"env", "file"}:
        raise ValueError(f"should say where the key lies: {_PLACES}")
    (kind, place), *_ = value.items()
    if not isinstance(place, str) or not place:
        raise ValueError(f"should say where the key lies: {_PLACES}")
    if kind == "env" and not is_variable(place):
        raise ValueError("env: names a variable of the environment, such as STREAM_KEY, not the key itself")
    return KeySource(env=place) if kind == "env" else KeySource(file=place)


class DestinationPart(Part):
    """One of `stream`."""

    to: Annotated[str, PlainValidator(_to)]
    key: Annotated[KeySource | None, PlainValidator(_key)] = None
    name: str = ""
    ca: str = ""

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        try:
            destination_of(self.to, key=self.key)
        except PublishError as error:
            raise ValueError(str(error)) from None
        return self


def _listed(value: Any) -> Any:
    """Return a list of mappings; one destination alone, and a service's name alone, are short for it."""
    listed = value if isinstance(value, list) else [value]
    if len(listed) > MOST_DESTINATIONS:
        raise ValueError(f"{len(listed)} destinations are too many; at most {MOST_DESTINATIONS}")
    if not all(isinstance(each, str | dict) for each in listed):
        raise ValueError("should list destinations, such as [{to: twitch, key: {env: TWITCH_KEY}}]")
    return [{"to": each} if isinstance(each, str) else each for each in listed]


Destinations = Annotated[list[DestinationPart], BeforeValidator(_listed)]


def destinations_of(parts: list[DestinationPart], folder: Path) -> tuple[Destination, ...]:
    """Return the destinations that the parts say, each with a name of its own.

    Args:
        parts: as written.
        folder: of the setlist, from which files are named.
    """
    found: list[Destination] = []
    for part in parts:
        key = part.key
        if key and key.file:
            key = KeySource(file=str((folder / key.file).resolve()))
        ca_file = str((folder / part.ca).resolve()) if part.ca else ""
        made = destination_of(part.to, name=part.name, key=key, ca_file=ca_file)
        found.append(named_apart(made, found))
    return tuple(found)
