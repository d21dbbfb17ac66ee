"""A real relay, Debian's coturn, on this machine."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.air.processes import Program, free_port, program, wait_for

USER, PASSWORD = "hall", "a-secret-of-the-hall"


def own_address() -> str:
    """Return this machine's address, as others reach it: relays do not serve the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Nothing is sent: the kernel only says which address it would send from.
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


class RelayServer:
    """The server, heard by UDP and TCP.

    Args:
        folder: for its log.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.address, self.port = own_address(), free_port()
        self._log = folder / "turn.log"
        self._program = Program(
            [
                program("turnserver"), "-n", "--no-cli", "--no-tls", "--no-dtls", "--lt-cred-mech", "--verbose",
                f"--listening-ip={self.address}", f"--relay-ip={self.address}", f"--listening-port={self.port}",
                f"--user={USER}:{PASSWORD}", "--realm=hall.example", f"--pidfile={folder / 'turn.pid'}",
                "--log-file=stdout", "--simple-log",
            ],
            self._log,
        )  # fmt: skip

        def heard() -> bool:
            self._program.check()
            with socket.socket() as probe:
                return probe.connect_ex((self.address, self.port)) == 0

        wait_for(heard, "relay")

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        """End it."""
        self._program.stop()
