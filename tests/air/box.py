"""A controller on a JACK server: keys that are pressed, and lights that remember."""

from __future__ import annotations

import ctypes
from typing import Any

from tests.air.jack import Synth


class Box:
    """A controller with a port of each direction.

    Args:
        name: of the port of its keys; that of its lights has `lights` before it.
    """

    def __init__(self, name: str = "box") -> None:
        import rtmidi

        self._out: Any = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name=name)
        self._out.open_virtual_port("keys")
        self._lights = Synth(f"lights{name}")

    def send(self, *messages: bytes) -> None:
        """Send messages at once."""
        for message in messages:
            self._out.send_message(message)

    def press(self, note: int) -> None:
        """Press a key and let it go."""
        self.send(bytes((0x90, note, 100)), bytes((0x80, note, 0)))

    def light(self, note: int) -> int | None:
        """Return how the light of a key shines; None: nothing was ever said of it."""
        values = [message[2] for _, message in self._lights.heard if message[:2] == bytes((0x90, note))]
        return values[-1] if values else None

    def abandon(self) -> None:
        """Be left by a server that died: to take leave of it would end this process."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._out))
        self._out = None
        self._lights.abandon()

    def unplug(self) -> None:
        """Go away."""
        if self._out is not None:
            self._out.close_port()
            self._out.delete()
        self._out = None
        self._lights.unplug()
