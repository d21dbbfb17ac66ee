"""A MIDI port that is held on to: opened, looked after, and opened again when it is back.

A port may go at any time (a cable is pulled, a program ends, a server dies). It is
looked for in a thread of its own, so that whoever sends or hears never waits.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from streaming.errors import MidiPortError
from streaming.midi.ports import InPort, InPorts, Open, Port, Ports, PortsOf

log = logging.getLogger(__name__)

# How often a port that is there is looked after, and one that is not looked for: ever less often.
_LOOK_S = 0.5
_BACK_OFF_S = (0.5, 0.5, 1.0, 1.0, 2.0, 5.0)
# A server that has died takes no more, and whoever writes on waits for ever when its buffer (some 2,300) is full.
_MOST_UNLOOKED = 1500


def chosen(wanted: str, names: Iterable[str]) -> str | None:
    """Return the port that is meant: the one of that name, else the first that has it in its name."""
    names = list(names)
    if wanted in names:
        return wanted
    return next((name for name in names if wanted.lower() in name.lower()), None)


P = TypeVar("P", bound=Open)


class Held(Generic[P]):
    """A port that is opened, looked after, and opened again when it is back.

    Args:
        wanted: its name, or a part of it.
        ports: where it is looked for.
        news: called with whether it is there and a line for a person, from another thread.
        use: what it is there for, for that line; the port's name follows.
    """

    def __init__(self, wanted: str, ports: PortsOf[P], news: Callable[[bool, str], None], use: str) -> None:
        self.wanted = wanted
        self._ports, self._news, self._use = ports, news, use
        self._port: P | None = None
        self._name = ""
        self._fresh = self._again = False
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

    @property
    def name(self) -> str:
        """The whole name of the port that is or was open."""
        return self._name

    def take_fresh(self) -> bool:
        """Return whether it was opened since the last time this was asked."""
        fresh, self._fresh = self._fresh, False
        return fresh

    def open_again(self) -> None:
        """Have it let go of and opened again: it may have gone and come back so fast that its name never went."""
        self._again = True
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

    def _lost(self) -> bool:
        """Return whether the open port is of no use any more."""
        again, self._again = self._again, False
        return self._port is not None and (again or self._port.stale)

    def _looked(self) -> None:
        """Called when it was looked after."""

    def look(self) -> None:
        """Look whether the port is there; open it, or let go of it."""
        lost = self._lost()
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
        self._looked()
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
            self._news(True, f"{self._use} {self._name}")
        elif self._told is None:
            self._news(False, f'the MIDI port "{self.wanted}" is not there; it is looked for until it comes ({why})')
        else:
            self._news(False, f'the MIDI port "{self.wanted}" is gone; it is looked for until it is back ({why})')
        self._told = self.there


class HeldPort(Held[Port]):
    """A port that is sent to.

    Attributes:
        sent: messages sent.
    """

    def __init__(
        self,
        wanted: str,
        ports: Ports,
        news: Callable[[bool, str], None],
        use: str = "notes go to the MIDI port",
    ) -> None:
        super().__init__(wanted, ports, news, use)
        self.sent = 0
        self._unlooked = 0

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

    def _lost(self) -> bool:
        return super()._lost() or self._unlooked >= _MOST_UNLOOKED

    def _looked(self) -> None:
        self._unlooked = 0


class HeldInput(Held[InPort]):
    """A port that is heard."""

    def __init__(self, wanted: str, ports: InPorts, news: Callable[[bool, str], None], use: str) -> None:
        super().__init__(wanted, ports, news, use)

    def receive(self, most: int) -> list[bytes]:
        """Return what has come, the oldest first; never waits.

        Args:
            most: how many messages at most; the rest stays for the next time.
        """
        heard: list[bytes] = []
        with self._lock:
            while self._port is not None and len(heard) < most and (message := self._port.receive()) is not None:
                heard.append(message)
        return heard
