"""MIDI ports of this machine, by ALSA and by JACK: which there are, and how one is opened."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import logging
import os
import sys
from pathlib import Path
from typing import Protocol

from streaming.errors import MidiPortError

log = logging.getLogger(__name__)

CLIENT = "conductor"
_SEQUENCER = Path("/dev/snd/seq")
_JACK_SOCKETS = Path("/dev/shm")


class Port(Protocol):
    """An open port."""

    def send(self, message: bytes) -> None:
        """Send one message.

        Raises:
            MidiPortError: it cannot be sent.
        """

    def close(self) -> None:
        """Let go of the port."""


class Ports(Protocol):
    """The ports of a machine."""

    def names(self) -> list[str]:
        """Return the names of the ports that can be sent to."""

    def open(self, name: str) -> Port:
        """Open a port.

        Raises:
            MidiPortError: it cannot be opened.
        """

    def missing(self) -> str:
        """Return why there are no ports and what to do, as a line."""


class _Client:
    """A client of ALSA's sequencer or of a JACK server, which may die under it."""

    def __init__(self, system: str) -> None:
        # Here, since without its system libraries it cannot even be imported.
        try:
            rtmidi = importlib.import_module("rtmidi")
        except ImportError as error:
            raise MidiPortError(f"python-rtmidi cannot be loaded ({error}) - apt install libasound2") from error
        self._system = system
        self._server = _server(system)
        try:
            self.out = rtmidi.MidiOut(getattr(rtmidi, f"API_{system}"), name=CLIENT)
        except OSError as error:
            raise MidiPortError(str(error)) from error

    def names(self) -> list[str]:
        """Return the names of the ports it sees."""
        return [str(name) for name in self.out.get_ports()]

    def send(self, message: bytes) -> None:
        try:
            self.out.send_message(message)
        except (OSError, ValueError) as error:
            raise MidiPortError(str(error)) from error

    @property
    def stale(self) -> bool:
        """Whether its server is another one by now, or none."""
        return self._server != _server(self._system)

    def close(self) -> None:
        if self.stale:
            # To take leave of a server that has died ends this process; it is left as it is, for good.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.out))
            return
        self.out.close_port()
        self.out.delete()


class SystemPorts:
    """The ports that ALSA's sequencer and a JACK server have."""

    def __init__(self) -> None:
        # A client that looks for ports must not start a server of its own.
        os.environ.setdefault("JACK_NO_START_SERVER", "1")
        self._lookers: dict[str, _Client] = {}

    def names(self) -> list[str]:
        """Return the names of the ports that can be sent to, ALSA's before JACK's."""
        return [name for system in _systems() for name in self._names(system)]

    def open(self, name: str) -> Port:
        """Open a port.

        Raises:
            MidiPortError: it is not there, or cannot be opened.
        """
        for system in _systems():
            if name in self._names(system):
                client = _Client(system)
                try:
                    client.out.open_port(client.names().index(name), "notes")
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
            looker = looker or _Client(system)
            names = looker.names()
        except (MidiPortError, OSError) as error:
            log.debug("%s: %s", system, error)
            return []
        self._lookers[system] = looker
        return names


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
