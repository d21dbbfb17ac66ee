"""Where the controllers of each channel stand, and the messages that bring them there.

Source: MIDI 1.0 Detailed Specification 4.2, control change, pitch bend, registered parameter 0.
"""

from __future__ import annotations

from collections.abc import Mapping

from model.controls import (
    BEND,
    DATA_COARSE,
    DATA_FINE,
    EXPRESSION,
    MODULATION,
    NUMBER_COARSE,
    NUMBER_FINE,
    PLACE,
    VOLUME,
)

# How far a bend reaches, in semitones: with the controllers, though it is none.
REACH = 129
# Where a device stands that nobody has told anything.
NEUTRAL: Mapping[int, int] = {REACH: 2, VOLUME: 100, PLACE: 64, MODULATION: 0, BEND: 8192}
# Volume is told as one: what of it a file says by expression is in it.
assert EXPRESSION not in NEUTRAL
_CONTROL, _BEND = 0xB0, 0xE0
_NOTHING = 127


class Standing:
    """The controllers of all channels of a device."""

    def __init__(self) -> None:
        # (channel, controller) to value, where it was ever another than the neutral one.
        self._values: dict[tuple[int, int], int] = {}

    def turn(self, channel: int, control: int, value: int) -> list[bytes]:
        """Turn a controller and return what is to be sent; nothing where it stands there.

        Args:
            channel: 0 to 15.
            control: of `NEUTRAL`.
            value: 0 to 127, of a bend 0 to 16383, of a reach in semitones.
        """
        if self._values.get((channel, control), NEUTRAL[control]) == value:
            return []
        self._values[channel, control] = value
        return _messages(channel, control, value)

    def again(self) -> list[bytes]:
        """Return what brings a device that has heard nothing to where the controllers stand."""
        told = []
        for (channel, control), value in self._values.items():
            told += _messages(channel, control, value)
        return told

    def release(self) -> list[bytes]:
        """Turn everything back and return what is to be sent."""
        told = []
        for channel, control in list(self._values):
            told += self.turn(channel, control, NEUTRAL[control])
        self._values.clear()
        return told


def _messages(channel: int, control: int, value: int) -> list[bytes]:
    if control == BEND:
        return [bytes((_BEND | channel, value & 0x7F, value >> 7))]
    if control == REACH:
        # The number of the parameter, its value, and that nobody means it any more.
        steps = (
            (NUMBER_COARSE, 0), (NUMBER_FINE, 0), (DATA_COARSE, value), (DATA_FINE, 0),
            (NUMBER_COARSE, _NOTHING), (NUMBER_FINE, _NOTHING),
        )  # fmt: skip
        return [bytes((_CONTROL | channel, number, data)) for number, data in steps]
    return [bytes((_CONTROL | channel, control, value))]
