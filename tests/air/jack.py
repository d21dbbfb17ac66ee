"""A JACK server without a sound card, and a synthesizer on it that writes down what it is sent and when."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.air.processes import Program, program

KEYS = "keys"


class Jack:
    """A server of its own name; the environment of this process points to it while it runs.

    Args:
        log: file for what it says.
        period: samples at 48 kHz after which messages are handed on; what it adds to their jitter.
    """

    def __init__(self, log: Path, period: int = 32) -> None:
        self.name = f"conductor{os.getpid()}"
        self.env = {"JACK_DEFAULT_SERVER": self.name, "JACK_NO_START_SERVER": "1"}
        self._log, self._period = log, period
        self._before = {key: os.environ.get(key) for key in self.env}
        os.environ.update(self.env)
        self.start()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        # -S: it waits for all clients in each period, so that none is left out on a busy machine.
        dummy = ["-d", "dummy", "-r", "48000", "-p", str(self._period)]
        priority = ["-R", "-P", "10"] if _may_hurry() else ["--no-realtime"]
        command = [program("jackd"), "-n", self.name, *priority, "-S", *dummy]
        self._server = Program(command, self._log)
        subprocess.run([program("jack_wait"), "-s", self.name, "-w", "-t", "20"], check=True, capture_output=True)

    def stop(self) -> None:
        """End the server alone."""
        self._server.stop()

    def close(self) -> None:
        """End the server and let the environment be as it was."""
        self.stop()
        for key, value in self._before.items():
            os.environ.pop(key, None) if value is None else os.environ.update({key: value})


def _may_hurry() -> bool:
    """Return whether this user may have threads that go before others, as who runs JACK for music has."""
    limit, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
    return os.getuid() == 0 or limit >= 10


class Synth:
    """A MIDI device: a port that remembers.

    JACK's own thread puts down what comes; no Python runs there, for it would hold up the server whenever this
    process has to wait for a core.
    """

    def __init__(self, name: str = "synth") -> None:
        import rtmidi

        self._heard: list[tuple[int, int, bytes]] = []
        self._since_ns = 0
        self._in: Any = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name=name, queue_size_limit=2**18)
        self._in.ignore_types(timing=False)
        self._in.open_virtual_port(KEYS)

    def listen(self) -> None:
        """Take what has come; the times are the more exact the more often this is done."""
        while self._in is not None and (event := self._in.get_message()) is not None:
            message, delta_s = event
            self._since_ns += round(delta_s * 1e9)
            self._heard.append((time.monotonic_ns(), self._since_ns, bytes(message)))

    def forget(self) -> None:
        """Forget what was heard so far."""
        self.listen()
        self._heard.clear()

    @property
    def heard(self) -> list[tuple[int, bytes]]:
        """(monotonic nanoseconds, message) in the order of coming.

        JACK tells the time of each since the one before; where that began is known from when they were taken.
        """
        self.listen()
        began = min((at - since for at, since, _ in self._heard), default=0)
        return [(began + since, message) for _, since, message in self._heard]

    @property
    def down(self) -> set[tuple[int, int]]:
        """(channel, pitch) of the keys that are held, by what was heard."""
        down: set[tuple[int, int]] = set()
        for _, message in self.heard:
            kind, channel = message[0] & 0xF0, message[0] & 0x0F
            if kind == 0x90:
                down.add((channel + 1, message[1]))
            elif kind == 0x80:
                down.discard((channel + 1, message[1]))
            elif kind == 0xB0 and message[1] in (120, 123):
                down = {key for key in down if key[0] != channel + 1}
        return down

    def abandon(self) -> None:
        """Be left by a server that died: to take leave of it would end this process."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._in))
        self._in = None

    def unplug(self) -> None:
        """Go away."""
        self.listen()
        if self._in is not None:
            self._in.close_port()
            self._in.delete()
        self._in = None
