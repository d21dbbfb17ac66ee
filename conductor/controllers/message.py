"""MIDI messages, as far as a controller's keys, faders and lights need them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["note", "cc", "program"]
KINDS: tuple[Kind, ...] = ("note", "cc", "program")
HIGHEST = 127
_STATUS: dict[Kind, int] = {"note": 0x90, "cc": 0xB0, "program": 0xC0}


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """One key, fader or light of a controller.

    Attributes:
        kind: what it sends.
        number: of the note, the controller or the program, 0 to 127.
        channel: 1 to 16.
    """

    kind: Kind
    number: int
    channel: int = 1

    def __str__(self) -> str:
        return f"{self.kind} {self.number} on channel {self.channel}"

    def message(self, value: int) -> bytes:
        """Return the message that says a value of 0 to 127."""
        status = _STATUS[self.kind] | self.channel - 1
        return bytes((status, self.number)) if self.kind == "program" else bytes((status, self.number, value))


def heard(message: bytes) -> tuple[Key, int] | None:
    """Return what a message says, None for one that no key sends.

    A note that is let go, in either of the two ways, has the value 0; a program, which
    is only ever called, 127.
    """
    if len(message) < 2 or message[1] > HIGHEST:
        return None
    status, number, channel = message[0] & 0xF0, message[1], (message[0] & 0x0F) + 1
    if status == 0xC0:
        return Key("program", number, channel), HIGHEST
    if len(message) < 3 or message[2] > HIGHEST:
        return None
    match status:
        case 0x80:
            return Key("note", number, channel), 0
        case 0x90:
            return Key("note", number, channel), message[2]
        case 0xB0:
            return Key("cc", number, channel), message[2]
    return None
