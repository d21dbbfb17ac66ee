"""A real IRC server, Debian's ngircd, on this machine, and people who talk there."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from tests.air.processes import Program, free_port, program, wait_for

CHANNEL = "#music"
_CONFIG = """\
[Global]
Name = irc.test.local
Info = a test
AdminEMail = nobody@test.local
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = hello
[Limits]
MaxNickLength = 26
MaxConnections = 0
MaxConnectionsIP = 0
MaxPenaltyTime = 0
[Options]
DNS = no
Ident = no
PAM = no
"""


class IrcServer:
    """The server.

    Args:
        folder: for its configuration and its log.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._config, self._log = folder / "ngircd.conf", folder / "ngircd.log"
        self._config.write_text(_CONFIG.format(port=self.port))
        self.start()

    def start(self) -> None:
        """Start it (again), and wait until it is heard."""
        self._program = Program([program("ngircd"), "-n", "-f", str(self._config)], self._log)

        def heard() -> bool:
            self._program.check()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for(heard, "IRC server")

    def kill(self) -> None:
        """End it as a crash would."""
        self._program.kill()

    def close(self) -> None:
        self._program.stop()


class Person:
    """Somebody in the channel.

    Args:
        server: where.
        name: theirs.
    """

    def __init__(self, server: IrcServer, name: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=10.0)
        self._text = ""
        self.send(f"NICK {name}\r\nUSER {name} 0 * {name}")
        self.wait_for(" 001 ")
        self.send(f"JOIN {CHANNEL}")
        self.wait_for(" 366 ")

    def send(self, line: str) -> None:
        """Send a line as it is."""
        self._socket.sendall(f"{line}\r\n".encode())

    def say(self, text: str) -> None:
        """Say something in the channel."""
        self.send(f"PRIVMSG {CHANNEL} :{text}")

    def flood(self, text: str, times: int) -> None:
        """Say the same again and again, as fast as the server takes it, and read along so that it stays up."""
        data = f"PRIVMSG {CHANNEL} :{text}\r\n".encode() * times
        self._socket.setblocking(False)
        end_s = time.monotonic() + 30.0
        while data:
            assert time.monotonic() < end_s, "the server takes no more"
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                time.sleep(0.002)
            self.hear()
        self._socket.settimeout(10.0)

    def hear(self) -> str:
        """Return all that was heard so far, without waiting for more."""
        self._socket.setblocking(False)
        try:
            while data := self._socket.recv(65536):
                self._text = (self._text + data.decode("utf-8", "replace"))[-20_000:]
        except BlockingIOError:
            pass
        self._socket.settimeout(10.0)
        return self._text

    def wait_for(self, words: str, seconds: float = 30.0) -> str:
        """Wait until somebody says something; return that line, and forget what was before."""
        wait_for(lambda: words in self.hear(), words, seconds)
        before, _, after = self._text.partition(words)
        self._text = after.partition("\n")[2]
        return before.rpartition("\n")[2] + words + after.partition("\r\n")[0]

    def close(self) -> None:
        self._socket.close()
