"""A streaming service of our own: nginx with its RTMP module, recording what it is sent."""

from __future__ import annotations

import os
from pathlib import Path

from tests.air.processes import Program, free_port, program, wait_for

MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
_CONFIGURATION = """
load_module {module};
{user}
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log warn;
events {{}}
rtmp {{
    server {{
        listen 127.0.0.1:{port}; chunk_size 4096;
        application live {{
            live on; drop_idle_publisher 10s; allow publish 127.0.0.1; deny publish all;
            record all; record_path {folder}/recordings; record_suffix -%s.flv;
        }}
    }}
}}
"""


class Ingest:
    """A running RTMP server.

    Attributes:
        url: where to stream to, without the key.
    """

    def __init__(self, folder: Path) -> None:
        assert MODULE.exists(), "nginx's RTMP module is not installed: make test-obs installs it"
        self._folder = folder
        (folder / "recordings").mkdir(parents=True)
        self._port = free_port()
        self.url = f"rtmp://127.0.0.1:{self._port}/live"
        # A master that is root gives its workers to another user, who may not write into a test's folder.
        user = "user root;" if os.geteuid() == 0 else ""
        configuration = folder / "nginx.conf"
        configuration.write_text(_CONFIGURATION.format(module=MODULE, user=user, folder=folder, port=self._port))
        command = [program("nginx"), "-p", str(folder), "-e", str(folder / "nginx.log"), "-c", str(configuration)]
        self._server = Program(command, folder / "nginx.out")
        wait_for(self._runs, "RTMP server")

    def recordings(self) -> list[Path]:
        """Return what was recorded so far, a file for each publication, the oldest first."""
        return sorted((self._folder / "recordings").iterdir(), key=lambda path: path.stat().st_ctime_ns)

    def close(self) -> None:
        self._server.stop()

    def _runs(self) -> bool:
        self._server.check()
        return (self._folder / "nginx.pid").exists()
