"""A show as a person runs it: composed, played, drawn, and put on air by real OBS."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from tests.air.conftest import Chain
from tests.air.processes import Program, free_port, wait_for
from tests.air.studio import FPS, HEIGHT, PASSWORD, WIDTH

pytestmark = pytest.mark.air

SETLIST = """\
version: 1
show: {title: On Air, ahead: 1}
cues:
  - {id: only, name: Only, style: bach, instruments: [piano], duration: 10s, candidates: 1, seed: 1}
"""


def watch(path: Path) -> tuple[int, int, float]:
    """Return how many pictures a file has, how many differ from the one before, and the level of its sound, dBFS."""
    pictures, moved, power, samples = 0, 0, 0.0, 0
    last = None
    with av.open(str(path)) as container:
        for frame in container.decode(video=0, audio=0):
            if isinstance(frame, av.VideoFrame):
                luma = frame.to_ndarray(format="gray").astype(np.int16)
                moved += last is not None and float(np.abs(luma - last).mean()) > 0.05
                pictures, last = pictures + 1, luma
            else:
                assert isinstance(frame, av.AudioFrame)
                sound = frame.to_ndarray()
                power, samples = power + float(np.square(sound, dtype=np.float64).sum()), samples + sound.size
    return pictures, moved, 10 * float(np.log10(power / max(1, samples) + 1e-12))


async def test_a_show_streams_what_it_composes(chain: Chain, tmp_path: Path) -> None:
    setlist = tmp_path / "on-air.yaml"
    setlist.write_text(SETLIST)
    before = set(chain.ingest.recordings())
    command = [sys.executable, "-m", "conductor.cli", "run", str(setlist), "--data", str(tmp_path / "show")]
    command += ["--obs", chain.studio.url, "--stream", "--nut", str(free_port()), "--port", "0"]
    command += ["--size", f"{WIDTH}x{HEIGHT}", "--fps", str(FPS)]
    log = tmp_path / "show.txt"
    show = Program(command, log, {**os.environ, "OBS_PASSWORD": PASSWORD})
    try:
        # A show of cues that all start by themselves ends by itself; Ctrl-C ends one that waits.
        def aired() -> bool:
            return "aired" in log.read_text(errors="replace")

        await asyncio.to_thread(wait_for, aired, "end of the piece", 120.0)
    finally:
        show.stop(signal.SIGINT)
    new = [path for path in chain.ingest.recordings() if path not in before]
    assert new, f"OBS streamed nothing:\n{log.read_text(errors='replace')}"
    pictures, moved, level_db = watch(new[-1])
    assert pictures > 8 * FPS
    assert moved > 0.4 * pictures, "the roll moves"
    assert level_db > -40.0, "the music is heard"
    assert list((tmp_path / "show" / "pieces").glob("*.mid")), "every piece is kept as MIDI"
