"""A streaming service of our own: nginx with its RTMP module, recording what it is sent."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
from pathlib import Path

from tests.air.processes import Program, program, wait_for

MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
# One process, so that a signal reaches the one that serves.
_CONFIGURATION = """
load_module {module};
{user}
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log warn;
events {{}}
rtmp {{
    server {{
        listen 127.0.0.1:{port}; chunk_size 4096;
        application live {{
            live on; drop_idle_publisher 10s; allow publish 127.0.0.1; deny publish all;
            {rules}
            record {record}; record_path {folder}/recordings; record_suffix -%s.flv; record_unique on;
        }}
    }}
}}
"""


def quiet_port() -> int:
    """Return a free TCP port that no connection is given by chance, so that it stays free while a server is away."""
    while True:
        port = random.randrange(20_000, 30_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


class Ingest:
    """A running RTMP server.

    Args:
        folder: of its own.
        on_publish: asked by HTTP, at each publication, whether it may be; empty: all may.
        record: whether what comes is kept.

    Attributes:
        url: where to stream to, without the key.
        port: that it listens on, for as long as this lives.
    """

    def __init__(self, folder: Path, *, on_publish: str = "", record: bool = True) -> None:
        assert MODULE.exists(), "nginx's RTMP module is not installed: make setup and make test install it"
        self._folder = folder
        (folder / "recordings").mkdir(parents=True)
        self.port = quiet_port()
        self.url = f"rtmp://127.0.0.1:{self.port}/live"
        # Who is root becomes another user, who may not write into a test's folder.
        user = "user root;" if os.geteuid() == 0 else ""
        rules = f"on_publish {on_publish};" if on_publish else ""
        configuration = folder / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                module=MODULE,
                user=user,
                folder=folder,
                port=self.port,
                rules=rules,
                record="all" if record else "off",
            )
        )
        self._command = [program("nginx"), "-p", str(folder), "-e", str(folder / "nginx.log"), "-c", str(configuration)]
        self.start()

    def start(self) -> None:
        """Start it (again) and wait until it listens."""
        (self._folder / "nginx.pid").unlink(missing_ok=True)
        self._server = Program(self._command, self._folder / "nginx.out")
        wait_for(self._runs, "RTMP server")

    def recordings(self) -> list[Path]:
        """Return what was recorded so far, a file for each publication, the oldest first."""
        return sorted((self._folder / "recordings").iterdir(), key=lambda path: path.stat().st_ctime_ns)

    def freeze(self) -> None:
        """Let it stand still with its connections open, as an overloaded machine does."""
        os.kill(self._server.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self._server.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash would."""
        self._server.kill()

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(ProcessLookupError):
            self.thaw()
        self._server.stop()

    def _runs(self) -> bool:
        self._server.check()
        return (self._folder / "nginx.pid").exists()
