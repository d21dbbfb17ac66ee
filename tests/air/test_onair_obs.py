"""A show as a person runs it, put on air by real OBS that was set up by files and, in the long form, calibrated.

Where cores are short, OBS shows pictures late and puts silence into the sound, and calibrating says so: figures that a
viewer would judge are asked for in the long form alone, on a machine that does nothing else.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.air.aired import read
from tests.air.ingest import Ingest
from tests.air.processes import free_port, wait_for
from tests.air.show import Show
from tests.air.studio import FPS, HEIGHT, PASSWORD, WIDTH, Studio
from tests.air.tape import Tape
from tests.air.test_onair import QUIET, SECONDS, whole

MOST_OFFSET_MS = 40.0 if QUIET else 250.0
pytestmark = [pytest.mark.air, pytest.mark.timeout(4 * SECONDS + 400)]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="obs", ignore_cleanup_errors=True) as name:
        yield Path(name)


def calibrate(url: str, env: dict[str, str]) -> None:
    """Measure how late OBS shows pictures, by the command, and have it kept for the show."""
    command = [sys.executable, "-m", "conductor.cli", "obs", "calibrate", "--obs", url]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    print(done.stdout)


def test_obs_sends_the_sound_and_the_picture_of_a_show_together(folder: Path) -> None:
    nut = free_port()
    env = {"OBS_PASSWORD": PASSWORD, "XDG_STATE_HOME": str(folder / "state")}
    ingest = Ingest(folder / "ingest")
    studio = Studio(folder / "studio", ingest.url, "concert", f"tcp://127.0.0.1:{nut}")
    try:
        obs = studio.start_obs()
        if QUIET:
            calibrate(studio.url, env)
        options = ["--port", "0", "--nut", str(nut), "--obs", studio.url, "--stream", "--stamp"]
        show = Show(folder / "a", *options, "--size", f"{WIDTH}x{HEIGHT}", "--fps", str(FPS), env=env)
        try:
            show.on_air(180.0)
            tape = Tape(show.run / "programme.ring")
            try:
                wait_for(lambda: len(ingest.recordings()) > 0, "stream of OBS", 60.0)
                # OBS buffers its way through the beginning of an input.
                time.sleep(8.0)
                since, begun_s, used_s = tape.now, time.monotonic(), obs.cpu_s()
                time.sleep(SECONDS + 2)
                until = tape.now
                share = (obs.cpu_s() - used_s) / (time.monotonic() - begun_s)
            finally:
                tape.close()
        finally:
            show.close()
    finally:
        studio.close()
        ingest.close()
    (path,) = ingest.recordings()
    aired = read(path, tape, FPS, since=since, until=until)
    aired.report("OBS", load=os.getloadavg()[0], obs_cpu=share)
    whole(aired, SECONDS - 3)
    if QUIET:
        assert aired.lost_samples == aired.added_samples == 0
    assert abs(np.median(aired.offsets_ms)) < MOST_OFFSET_MS
    assert aired.breaks == 0
