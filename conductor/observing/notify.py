"""What systemd is told: that the show is up, how it is, and that it lives.

The watchdog is fed only while the programme is heard or may still come back by itself, so that a show that is there
and silent is not kept alive. Nothing happens where no systemd started it.

Source: sd_notify(3), systemd.service(5).
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Mapping

LOG = logging.getLogger("conductor.observing")


class Notifier:
    """Speaks to systemd, where it listens.

    Attributes:
        supervised: whether a watchdog waits to be fed.

    Args:
        environment: of the process.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        given = os.environ if environment is None else environment
        self._address = given.get("NOTIFY_SOCKET", "")
        self.supervised = bool(self._address) and _watchdog_us(given) > 0
        self._told = ""

    def ready(self) -> None:
        """Tell that the show is up."""
        self._send("READY=1")

    def stopping(self) -> None:
        """Tell that the show ends."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Tell how the show is, in a line; the same line is told once."""
        if text != self._told:
            self._told = text
            self._send(f"STATUS={text.replace(chr(10), ' ')}")

    def alive(self) -> None:
        """Feed the watchdog."""
        if self.supervised:
            self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        # An address that begins with @ has no file.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            to.setblocking(False)
            to.sendto(text.encode(), address)


def _watchdog_us(environment: Mapping[str, str]) -> int:
    """Return how often systemd wants a sign of life, in microseconds; 0: it does not, or not from this process."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0
    text = environment.get("WATCHDOG_USEC", "")
    return int(text) if text.isdecimal() else 0
