"""OBS on a screen that nobody sees: Xvfb, software OpenGL, a configuration that starts without a wizard.

Facts of OBS 28 to 29: from 30.2 on, the WebSocket server's settings live in a file of their own.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from streaming.obs.files import Plan, write_files
from streaming.obs.layout import Canvas
from streaming.obs.scenes import stream_service
from tests.air.processes import Program, free_port, program, wait_for

PASSWORD = "for this test only"
WIDTH, HEIGHT, FPS = 640, 360, 30
SCENES = ("Main", "Break")


class Studio:
    """A virtual screen and OBS on it, streaming (when told to) to an RTMP address.

    Args:
        folder: for everything it writes.
        rtmp_url: of the streaming service.
        key: of the stream.
        feed_url: with one, OBS has the scenes that `conductor obs setup --files` writes; without, two empty ones.

    Attributes:
        url: of OBS's WebSocket server.
        obs: the running OBS, or None.
    """

    def __init__(self, folder: Path, rtmp_url: str, key: str, feed_url: str = "") -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"ws://127.0.0.1:{self._port}"
        self.obs: Program | None = None
        folder.mkdir(parents=True)
        self._write_configuration(rtmp_url, key, feed_url)
        self._screen, self._display = self._start_screen()

    def start_obs(self) -> Program:
        """Start OBS and wait until its WebSocket server listens."""
        env = {
            **os.environ,
            "DISPLAY": self._display,
            "HOME": str(self._folder),
            "XDG_CONFIG_HOME": str(self._folder / "config"),
            "XDG_RUNTIME_DIR": str(self._folder),
            "LIBGL_ALWAYS_SOFTWARE": "1",
            # Two cores: more of llvmpipe's threads only fight the encoder.
            "LP_NUM_THREADS": "2",
        }
        env.pop("WAYLAND_DISPLAY", None)
        command = [
            program("obs"),
            "--multi",
            "--disable-updater",
            "--disable-missing-files-check",
            "--minimize-to-tray",
        ]
        command += ["--profile", "concert", "--collection", "concert", "--scene", SCENES[0]]
        self.obs = obs = Program(command, self._folder / "obs.log", env)

        def listens() -> bool:
            obs.check()
            return f":{self._port:04X}" in _listeners()

        wait_for(listens, "WebSocket server of OBS")
        return obs

    def close(self) -> None:
        """End OBS and the screen."""
        if self.obs is not None:
            self.obs.stop()
        self._screen.stop()

    def _start_screen(self) -> tuple[Program, str]:
        # Xvfb picks a free display by itself and writes its number into a file descriptor.
        number = self._folder / "display"
        command = f'exec {program("Xvfb")} -displayfd 3 -screen 0 1280x720x24 -nolisten tcp 3>"$0"'
        screen = Program(["/bin/sh", "-c", command, str(number)], self._folder / "xvfb.log")

        def ready() -> bool:
            screen.check()
            return number.exists() and number.read_text().endswith("\n")

        wait_for(ready, "virtual screen")
        return screen, f":{number.read_text().strip()}"

    def _write_configuration(self, rtmp_url: str, key: str, feed_url: str) -> None:
        base = self._folder / "config" / "obs-studio"
        plan = Plan(
            Canvas(WIDTH, HEIGHT, FPS),
            feed_url,
            PASSWORD,
            port=self._port,
            name="concert",
            service=stream_service(rtmp_url, key),
        )
        assert len(list(write_files(base, plan))) == 5
        profile = base / "basic" / "profiles" / "concert" / "basic.ini"
        profile.write_text(profile.read_text().replace("Preset=veryfast", "Preset=ultrafast"))
        settings = base / "global.ini"
        # Nobody sees it; drawn for nobody it would cost a core.
        settings.write_text(settings.read_text() + "[BasicWindow]\nPreviewEnabled=false\n")
        if not feed_url:
            collection = {
                "name": "concert",
                "current_scene": SCENES[0],
                "current_program_scene": SCENES[0],
                "scene_order": [{"name": scene} for scene in SCENES],
                "sources": [{"id": "scene", "name": scene, "settings": {}} for scene in SCENES],
            }
            (base / "basic" / "scenes" / "concert.json").write_text(json.dumps(collection))


def _listeners() -> set[str]:
    """Return ":PORT" in upper hex digits of all TCP ports listened on: looking does not disturb the listener."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                found.add(":" + fields[1].rsplit(":", 1)[1])
    return found
