"""MIDI ports of this machine, by ALSA and by JACK, to send to and to hear: which there are, and how one is opened."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import logging
import os
import re
import sys
from pathlib import Path
from typing import Protocol, TypeVar

from streaming.errors import MidiPortError

log = logging.getLogger(__name__)

CLIENT = "conductor"
_SEQUENCER = Path("/dev/snd/seq")
_JACK_SOCKETS = Path("/dev/shm")
# JACK tells clients of one name apart by a number.
_OWN = re.compile(rf"{CLIENT}(-\d+)?:")
# What a port keeps until it is taken: a second and a half of the fastest noise.
_KEPT = 2**14


class Open(Protocol):
    """An open port, of either direction."""

    @property
    def stale(self) -> bool:
        """Whether what it belongs to is gone, or another by now."""

    def close(self) -> None:
        """Let go of the port."""


class Port(Open, Protocol):
    """An open port that is sent to."""

    def send(self, message: bytes) -> None:
        """Send one message.

        Raises:
            MidiPortError: it cannot be sent.
        """


class InPort(Open, Protocol):
    """An open port that is heard."""

    def receive(self) -> bytes | None:
        """Return the next message, None where none has come; never waits."""


P_co = TypeVar("P_co", bound=Open, covariant=True)


class PortsOf(Protocol[P_co]):
    """The ports of a machine, of one direction."""

    def names(self) -> list[str]:
        """Return the names of the ports."""

    def open(self, name: str) -> P_co:
        """Open a port.

        Raises:
            MidiPortError: it cannot be opened.
        """

    def missing(self) -> str:
        """Return why there are no ports and what to do, as a line."""


Ports = PortsOf[Port]
InPorts = PortsOf[InPort]


class _Client:
    """A client of ALSA's sequencer or of a JACK server, which may die under it."""

    def __init__(self, system: str, *, hears: bool = False) -> None:
        # Here, since without its system libraries it cannot even be imported.
        try:
            rtmidi = importlib.import_module("rtmidi")
        except ImportError as error:
            raise MidiPortError(f"python-rtmidi cannot be loaded ({error}) - apt install libasound2") from error
        self._system = system
        self._server = _server(system)
        api = getattr(rtmidi, f"API_{system}")
        try:
            self.end = rtmidi.MidiIn(api, name=CLIENT, queue_size_limit=_KEPT) if hears else rtmidi.MidiOut(api, CLIENT)
        except OSError as error:
            raise MidiPortError(str(error)) from error
        if hears:
            # Dropped before they take any room: nobody here listens to them.
            self.end.ignore_types(sysex=True, timing=True, active_sense=True)

    def names(self) -> list[str]:
        """Return the names of the ports it sees, but for this program's own: none is to hear itself."""
        return [name for name in self._all() if not _OWN.match(name)]

    def _all(self) -> list[str]:
        return [str(name) for name in self.end.get_ports()]

    def connect(self, name: str, own: str) -> None:
        """Open the port of a name by one of its own."""
        self.end.open_port(self._all().index(name), own)

    def receive(self) -> bytes | None:
        # Taken from rtmidi's own queue: a callback would run Python in JACK's thread, and hold up the server.
        event = self.end.get_message()
        return None if event is None else bytes(event[0])

    def send(self, message: bytes) -> None:
        try:
            self.end.send_message(message)
        except (OSError, ValueError) as error:
            raise MidiPortError(str(error)) from error

    @property
    def stale(self) -> bool:
        """Whether its server is another one by now, or none."""
        return self._server != _server(self._system)

    def close(self) -> None:
        if self.stale:
            # To take leave of a server that has died ends this process; it is left as it is, for good.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.end))
            return
        self.end.close_port()
        self.end.delete()


class _SystemPorts:
    """The ports of one direction that ALSA's sequencer and a JACK server have.

    Args:
        own: what this program calls its end.
    """

    _hears = False

    def __init__(self, own: str = "notes") -> None:
        # A client that looks for ports must not start a server of its own.
        os.environ.setdefault("JACK_NO_START_SERVER", "1")
        self._own = own
        self._lookers: dict[str, _Client] = {}

    def names(self) -> list[str]:
        """Return the names of the ports, ALSA's before JACK's."""
        return [name for system in _systems() for name in self._names(system)]

    def _open(self, name: str) -> _Client:
        for system in _systems():
            if name in self._names(system):
                client = _Client(system, hears=self._hears)
                try:
                    client.connect(name, self._own)
                except (OSError, ValueError) as error:
                    raise MidiPortError(f"{name}: {error}") from error
                return client
        raise MidiPortError(f"{name}: there is no such port")

    def missing(self) -> str:
        """Return why there are no ports and what to do, as a line."""
        if not _systems():
            return (
                "this machine has neither ALSA's sequencer (sudo modprobe snd-seq) nor a JACK server (jackd): "
                "there can be no MIDI ports"
            )
        return "no MIDI port is there - connect a device, or start the program that is to play"

    def close(self) -> None:
        """Let go of what was used to look."""
        for looker in self._lookers.values():
            looker.close()
        self._lookers.clear()

    def _names(self, system: str) -> list[str]:
        looker = self._lookers.pop(system, None)
        if looker is not None and looker.stale:
            looker.close()
            looker = None
        try:
            looker = looker or _Client(system, hears=self._hears)
            names = looker.names()
        except (MidiPortError, OSError) as error:
            log.debug("%s: %s", system, error)
            return []
        self._lookers[system] = looker
        return names


class SystemPorts(_SystemPorts):
    """The ports that can be sent to."""

    def open(self, name: str) -> Port:
        """Open a port.

        Raises:
            MidiPortError: it is not there, or cannot be opened.
        """
        return self._open(name)


class SystemInPorts(_SystemPorts):
    """The ports that can be heard."""

    _hears = True

    def open(self, name: str) -> InPort:
        """Open a port.

        Raises:
            MidiPortError: it is not there, or cannot be opened.
        """
        return self._open(name)


def _systems() -> list[str]:
    """Return the systems that are here; to ask one that is not makes its library talk."""
    if sys.platform != "linux":
        return ["UNSPECIFIED"]
    there = ["LINUX_ALSA"] if _SEQUENCER.exists() else []
    return there + (["UNIX_JACK"] if any(_server("UNIX_JACK")) else [])


def _server(system: str) -> tuple[int, int]:
    """Return what tells one JACK server from the next, its socket; zeros where there is none."""
    if system != "UNIX_JACK":
        return (1, 1)
    # The sockets of jackd2 are called jack_SERVER_USER_NUMBER.
    name = os.environ.get("JACK_DEFAULT_SERVER", "default")
    for socket in _JACK_SOCKETS.glob(f"jack_{name}_*_0"):
        with contextlib.suppress(OSError):
            found = socket.stat()
            return found.st_ino, found.st_ctime_ns
    return (0, 0)
