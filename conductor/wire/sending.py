"""Between the conductor and the process that sends the show's notes to a MIDI port."""

from __future__ import annotations

from dataclasses import dataclass

from conductor.wire.message import Message

# conductor -> midi_out.


@dataclass(frozen=True, slots=True)
class Route(Message):
    """Where the notes go from now on.

    Attributes:
        port: name of the port, or a part of it.
        channels: channel (1-16) of each instrument that is sent.
        clock: whether MIDI clock, start and stop are sent.
        latency_ms: how much earlier than it is on air everything is sent; negative: later.
        programs: whether program changes are sent.
    """

    port: str
    channels: dict[str, int]
    clock: bool
    latency_ms: float
    programs: bool


@dataclass(frozen=True, slots=True)
class Tempi(Message):
    """The tempo of a piece: from each time in seconds on, quarter notes a minute."""

    number: int
    tempi: list[tuple[float, float]]


# midi_out -> conductor.


@dataclass(frozen=True, slots=True)
class PortNews(Message):
    """The port is there, or is gone; the text is for a person."""

    there: bool
    text: str
