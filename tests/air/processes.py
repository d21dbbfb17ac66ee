"""Programs that a test starts, and ends by their own process id."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def free_port() -> int:
    """Return a TCP port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str) -> str:
    """Return the path of a program these tests cannot do without."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    assert path, f"{name} is not installed: make test-obs installs it"
    return path


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> float:
    """Wait until a condition holds, fail the test when it does not in time.

    Returns:
        How long it took, in seconds.
    """
    start_s = time.monotonic()
    while not condition():
        assert time.monotonic() - start_s < seconds, f"no {what} within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - start_s


class Program:
    """A program that runs, with its output in a file."""

    def __init__(self, command: Sequence[str], log: Path, env: dict[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as out:
            # A session of its own, so that a Ctrl-C at the test reaches only the test, which then tidies up.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def check(self) -> None:
        """Fail the test when the program has ended, with the last of what it said."""
        code = self._process.poll()
        tail = self.log.read_text(errors="replace")[-2000:]
        assert code is None, f"{self._process.args!r} ended with {code}:\n{tail}"

    def cpu_s(self) -> float:
        """Return the processor time it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait()

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ask it to end, and see to it."""
        if self._process.poll() is None:
            self._process.send_signal(number)
            try:
                self._process.wait(10.0)
            except subprocess.TimeoutExpired:
                self.kill()


async def until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> float:
    """Do as `wait_for` does, while the event loop goes on."""
    return await asyncio.to_thread(wait_for, condition, what, seconds)
