"""Faders and encoders: what their places and turns say, without a jump."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from conductor.controllers.message import HIGHEST

Encoding = Literal["twos_complement", "sign_bit", "offset"]
ENCODINGS: tuple[Encoding, ...] = ("twos_complement", "sign_bit", "offset")
# So near to a value a fader has it; of all its way.
NEAR = 3 / HIGHEST


@dataclass(frozen=True, slots=True)
class Scale:
    """The values between the ends of a fader.

    Attributes:
        low, high: at its lower and upper end; low above high turns it round.
        whole: whole numbers alone.
    """

    low: float
    high: float
    whole: bool = False

    def value(self, place: float) -> float:
        """Return the value at a place of 0 to 1."""
        value = self.low + (self.high - self.low) * place
        return round(value) if self.whole else round(value, 3)

    def place(self, value: float) -> float:
        """Return where a value lies, 0 to 1."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


class Fader:
    """A fader that takes a value over softly: only once it has reached or passed it.

    Args:
        scale: its values.
        start: the value before it is first moved; None: there is none, and the first move takes it.
        soft: False: it takes the value with every move.
    """

    def __init__(self, scale: Scale, start: float | None = None, *, soft: bool = True) -> None:
        self.scale, self.value, self._soft = scale, start, soft
        self._last: float | None = None
        self._has = False

    def moved(self, value: int) -> float | None:
        """Return the new value, None while the fader has not taken it over.

        Args:
            value: where it is now, 0 to 127.
        """
        place = value / HIGHEST
        if not (self._has or not self._soft or self.value is None):
            target = self.scale.place(self.value)
            passed = self._last is not None and (self._last - target) * (place - target) <= 0
            self._has = passed or abs(place - target) <= NEAR
        else:
            self._has = True
        self._last = place
        if not self._has:
            return None
        self.value = self.scale.value(place)
        return self.value

    def put(self, value: float) -> None:
        """Take note that somebody else has set the value; the fader has to reach it again, unless it is there."""
        if value == self.value:
            return
        self.value = value
        self._has = self._last is not None and abs(self._last - self.scale.place(value)) <= NEAR

    def lost(self) -> None:
        """Take note that it was unplugged and may be anywhere."""
        self._last, self._has = None, False


def turns(value: int, encoding: Encoding) -> int:
    """Return by how many steps an encoder was turned, to the right above 0.

    Args:
        value: what it sent, 0 to 127.
        encoding: 127 is -1, 65 is -1, or 63 is -1.
    """
    match encoding:
        case "twos_complement":
            return value - 128 if value > 63 else value
        case "sign_bit":
            return -(value - 64) if value > 63 else value
        case "offset":
            return value - 64


class Encoder:
    """A knob without ends, which says only how it is turned.

    Args:
        scale: its values.
        step: how much a step is, above 0.
        encoding: how it says its steps.
        start: the value before it is first turned; None: the middle.
    """

    def __init__(self, scale: Scale, step: float, encoding: Encoding, start: float | None = None) -> None:
        self.scale, self._step, self._encoding = scale, step, encoding
        self.value = (scale.low + scale.high) / 2 if start is None else start
        if scale.whole:
            self.value = round(self.value)

    def turned(self, value: int) -> float | None:
        """Return the new value, None when it was not turned."""
        steps = turns(value, self._encoding)
        if not steps:
            return None
        low, high = sorted((self.scale.low, self.scale.high))
        up = 1 if self.scale.high >= self.scale.low else -1
        reached = min(high, max(low, self.value + steps * self._step * up))
        self.value = round(reached) if self.scale.whole else round(reached, 3)
        return self.value

    def put(self, value: float) -> None:
        """Take note that somebody else has set the value."""
        self.value = value
