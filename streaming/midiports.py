"""MIDI ports of this machine, by ALSA and by JACK: which there are, and one that is held on to.

A port may go at any time (a cable is pulled, a program ends) and come back. The
holder looks for it in a thread of its own, so that whoever sends never waits.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from streaming.errors import MidiPortError

log = logging.getLogger(__name__)

CLIENT = "conductor"
# How often a port that is there is looked after, and one that is not looked for: ever less often.
_LOOK_S = 0.5
_BACK_OFF_S = (0.5, 0.5, 1.0, 1.0, 2.0, 5.0)
# A server that has died takes no more, and whoever writes on waits for ever when its buffer (some 2,300) is full.
_MOST_UNLOOKED = 1500
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


class _RtMidiPort:
    def __init__(self, out: Any) -> None:
        self._out = out

    def send(self, message: bytes) -> None:
        try:
            self._out.send_message(message)
        except (OSError, ValueError) as error:
            raise MidiPortError(str(error)) from error

    def close(self) -> None:
        self._out.close_port()
        self._out.delete()


class SystemPorts:
    """The ports that ALSA's sequencer and a JACK server have."""

    def __init__(self) -> None:
        # A client that looks for ports must not start a server of its own.
        os.environ.setdefault("JACK_NO_START_SERVER", "1")
        self._lookers: dict[str, Any] = {}

    def names(self) -> list[str]:
        """Return the names of the ports that can be sent to, ALSA's before JACK's."""
        return [name for system in self._systems() for name in self._names(system)]

    def open(self, name: str) -> Port:
        """Open a port.

        Raises:
            MidiPortError: it is not there, or cannot be opened.
        """
        for system in self._systems():
            names = self._names(system)
            if name in names:
                try:
                    out = _make(system)
                    out.open_port(names.index(name), "notes")
                except (OSError, ValueError) as error:
                    raise MidiPortError(f"{name}: {error}") from error
                return _RtMidiPort(out)
        raise MidiPortError(f"{name}: there is no such port")

    def missing(self) -> str:
        """Return why there are no ports and what to do, as a line."""
        if sys.platform != "linux":
            return "no MIDI port is there - connect a device, or start the program that is to play"
        if not self._systems():
            return (
                "this machine has neither ALSA's sequencer (sudo modprobe snd-seq) "
                "nor a JACK server (jackd -d dummy, or PipeWire's pw-jack): there can be no MIDI ports"
            )
        return "no MIDI port is there - connect a device, or start the program that is to play"

    def close(self) -> None:
        """Let go of what was used to look."""
        for looker in self._lookers.values():
            looker.delete()
        self._lookers.clear()

    def _systems(self) -> list[str]:
        """Return the systems that are here; to ask one that is not makes its library talk."""
        if sys.platform != "linux":
            return ["UNSPECIFIED"]
        there = ["LINUX_ALSA"] if _SEQUENCER.exists() else []
        # The sockets of jackd2 are called jack_SERVER_USER_NUMBER.
        server = os.environ.get("JACK_DEFAULT_SERVER", "default")
        return there + (["UNIX_JACK"] if any(_JACK_SOCKETS.glob(f"jack_{server}_*_0")) else [])

    def _names(self, system: str) -> list[str]:
        try:
            if system not in self._lookers:
                self._lookers[system] = _make(system)
            names = [str(name) for name in self._lookers[system].get_ports()]
        except OSError as error:
            log.debug("%s: %s", system, error)
            self._lookers.pop(system, None)
            return []
        if not names:
            # A client of a server that has died sees nothing for ever: another one next time.
            self._lookers.pop(system).delete()
        return names


def _make(system: str) -> Any:
    # Here, since without its system libraries it cannot even be imported.
    try:
        rtmidi = importlib.import_module("rtmidi")
    except ImportError as error:
        raise MidiPortError(f"python-rtmidi cannot be loaded ({error}) - apt install libasound2") from error
    return rtmidi.MidiOut(getattr(rtmidi, f"API_{system}"), name=CLIENT)


def chosen(wanted: str, names: Iterable[str]) -> str | None:
    """Return the port that is meant: the one of that name, else the first that has it in its name."""
    names = list(names)
    if wanted in names:
        return wanted
    return next((name for name in names if wanted.lower() in name.lower()), None)


class HeldPort:
    """A port that is opened, looked after, and opened again when it is back.

    Args:
        wanted: its name, or a part of it.
        ports: where it is looked for.
        news: called with whether it is there and a line for a person, from another thread.

    Attributes:
        sent: messages sent.
    """

    def __init__(self, wanted: str, ports: Ports, news: Callable[[bool, str], None]) -> None:
        self.wanted = wanted
        self.sent = 0
        self._ports, self._news = ports, news
        self._port: Port | None = None
        self._name = ""
        self._fresh = False
        self._unlooked = 0
        self._told: bool | None = None
        self._misses = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="midi port", daemon=True)

    def start(self) -> None:
        """Begin to look for it."""
        self._thread.start()

    @property
    def there(self) -> bool:
        """Whether it is open."""
        return self._port is not None

    def take_fresh(self) -> bool:
        """Return whether it was opened since the last time this was asked."""
        fresh, self._fresh = self._fresh, False
        return fresh

    def send(self, messages: Iterable[bytes]) -> None:
        """Send messages, as long as it is there; never waits for it."""
        with self._lock:
            for message in messages:
                if self._port is None:
                    return
                if self._unlooked >= _MOST_UNLOOKED:
                    # What is left out now is made good when it was looked after.
                    self._lose("it takes nothing any more")
                    return
                try:
                    self._port.send(message)
                except MidiPortError as error:
                    self._lose(str(error))
                    return
                self._unlooked += 1
                self.sent += 1

    def _lose(self, reason: str) -> None:
        log.warning("%s: %s", self._name, reason)
        self._unlooked = _MOST_UNLOOKED
        self._wake.set()

    def close(self) -> None:
        """Let go of it."""
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._let_go()

    # --- in the thread that looks ----------------------------------------------------

    def _watch(self) -> None:
        while not self._closing.is_set():
            self.look()
            self._wake.wait(_LOOK_S if self.there else _BACK_OFF_S[min(self._misses, len(_BACK_OFF_S)) - 1])
            self._wake.clear()

    def look(self) -> None:
        """Look whether the port is there; open it, or let go of it."""
        lost = self._unlooked >= _MOST_UNLOOKED
        try:
            names = self._ports.names()
        except MidiPortError as error:
            names, why = [], str(error)
        else:
            why = f"ports that are there: {', '.join(names)}" if names else self._ports.missing()
        if self._port is not None and (lost or self._name not in names):
            self._let_go()
        if self._port is None:
            name = chosen(self.wanted, names)
            if name is not None:
                why = self._open(name) or why
        self._unlooked = 0
        self._misses = 0 if self.there else self._misses + 1
        self._say(why)

    def _open(self, name: str) -> str:
        """Open a port; return why it cannot be."""
        try:
            port = self._ports.open(name)
        except MidiPortError as error:
            return str(error)
        with self._lock:
            self._port, self._name, self._fresh = port, name, True
        return ""

    def _let_go(self) -> None:
        with self._lock:
            port, self._port = self._port, None
        if port is not None:
            port.close()

    def _say(self, why: str) -> None:
        if self._told == self.there:
            return
        if self.there:
            self._news(True, f"notes go to the MIDI port {self._name}")
        elif self._told is None:
            self._news(False, f'the MIDI port "{self.wanted}" is not there; it is looked for until it comes ({why})')
        else:
            self._news(False, f'the MIDI port "{self.wanted}" is gone; it is looked for until it is back ({why})')
        self._told = self.there
