"""A show as a person runs it, published by itself: what its ingest recorded, what players and a browser make of it.

Lasts `AIR_SECONDS`, 40 where nothing is said; `make test-air` has 300, and a machine that does nothing else. Where
cores are short, pictures are left out for the sound's sake; so only there the pictures are counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Page

from tests.air.aired import Aired, read
from tests.air.ingest import MODULE, Ingest
from tests.air.processes import free_port, program, wait_for
from tests.air.show import Show
from tests.air.tape import Tape
from tests.air.viewers import CHROMIUM, chromium, play

SECONDS = float(os.environ.get("AIR_SECONDS", "40"))
WIDTH, HEIGHT, FPS = 1280, 720, 30
QUIET = SECONDS >= 300
# So long without a new picture is a freeze.
FREEZE_S = 0.5 if QUIET else 10.0
KEY = "kept-out-of-every-log"
pytestmark = [
    pytest.mark.timeout(3 * SECONDS + 240),
    pytest.mark.skipif(not MODULE.exists(), reason="nginx's RTMP module is not installed"),
]


@dataclass
class OnAir:
    """A show that is on air.

    Attributes:
        show: its processes.
        ingest: where it streams to.
        tape: what its player plays.
        url: of its console.
        since: the sample from which on it is looked at.
        until_s: when it has been on air for long enough, monotonic.
    """

    show: Show
    ingest: Ingest
    tape: Tape
    url: str
    since: int
    until_s: float


@pytest.fixture(scope="module")
def on_air() -> Iterator[OnAir]:
    with tempfile.TemporaryDirectory(prefix="onair", ignore_cleanup_errors=True) as name:
        folder, port = Path(name), free_port()
        ingest = Ingest(folder / "ingest")
        options = ["--port", str(port), "--nut", "0", "--obs", "", "--size", f"{WIDTH}x{HEIGHT}", "--fps", str(FPS)]
        show = Show(folder / "a", *options, "--stamp", "--publish", ingest.url, env={"STREAM_KEY": KEY})
        try:
            show.on_air(180.0)
            tape = Tape(show.run / "programme.ring")
            try:
                wait_for(lambda: show.says("is on air"), "stream", 60.0)
                # The first second is the player's coming in.
                time.sleep(2.0)
                yield OnAir(show, ingest, tape, f"http://127.0.0.1:{port}", tape.now, time.monotonic() + SECONDS)
            finally:
                tape.close()
        finally:
            show.close()
            ingest.close()


def ffmpeg(name: str, *arguments: str) -> tuple[str, str]:
    """Run one of ffmpeg's programs; return what it says and what it complains of."""
    done = subprocess.run(
        [program(name), "-v", "warning", *arguments], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout, done.stderr


def test_ffprobe_and_ffmpeg_play_the_ingest(on_air: OnAir) -> None:
    url = f"{on_air.ingest.url}/{KEY}"
    told, _ = ffmpeg("ffprobe", "-of", "json", "-show_streams", url)
    streams = {stream["codec_type"]: stream for stream in json.loads(told)["streams"]}
    picture, sound = streams["video"], streams["audio"]
    assert (picture["codec_name"], picture["width"], picture["height"]) == ("h264", WIDTH, HEIGHT)
    assert (picture["has_b_frames"], picture["r_frame_rate"]) == (0, f"{FPS}/1")
    assert (sound["codec_name"], sound["sample_rate"], sound["channels"]) == ("aac", "48000", 2)
    # Every error of a decoder ends it.
    told, complaints = ffmpeg(
        "ffmpeg", "-xerror", "-err_detect", "explode", "-i", url, "-t", "8", "-f", "null", "-progress", "-", "-"
    )
    assert "progress=end" in told
    assert complaints == ""


STATS = """async () => {
  const found = {};
  for (const report of (await player.peer.getStats()).values())
    if (report.type === 'inbound-rtp') found[report.kind] = report;
  return found;
}"""


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
async def test_a_browser_loses_nothing(on_air: OnAir) -> None:
    async with chromium() as browser:
        page = await play(browser, on_air.url)
        before, after = await _watched(page, SECONDS / 4)
        sdp = await page.evaluate("player.peer.remoteDescription.sdp")
    pictures, sound = ({key: after[kind][key] - before[kind][key] for key in KEYS[kind]} for kind in KEYS)
    pictures["fps"] = pictures["framesDecoded"] / pictures["timestamp"] * 1000
    print(json.dumps({"measured": "Chromium", "pictures": pictures, "sound": sound}))
    assert pictures["packetsLost"] == sound["packetsLost"] == 0
    assert pictures["framesDecoded"] > 0
    if QUIET:
        assert pictures["fps"] == pytest.approx(FPS, abs=0.5)
        assert pictures["freezeCount"] == 0
    assert sound["totalAudioEnergy"] > 0
    assert "stereo=1" in sdp


KEYS = {
    "video": ("framesDecoded", "framesReceived", "packetsLost", "freezeCount", "timestamp"),
    "audio": ("packetsLost", "concealedSamples", "totalSamplesReceived", "totalAudioEnergy", "timestamp"),
}


async def _watched(page: Page, seconds: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the browser counts once it plays, and again after a while."""
    async with asyncio.timeout(60):
        while not (stats := await page.evaluate(STATS)) or not stats.get("video", {}).get("framesDecoded"):
            await asyncio.sleep(0.1)
    # The first second is the decoder's.
    await asyncio.sleep(1.0)
    before = await page.evaluate(STATS)
    await asyncio.sleep(seconds)
    return before, await page.evaluate(STATS)


def test_its_recording_has_every_sample_and_picture_in_time(on_air: OnAir) -> None:
    time.sleep(max(0.0, on_air.until_s - time.monotonic()))
    feed = on_air.show.workers()["feed"]
    share = sum(feed.cpu_times()[:2]) / (time.time() - feed.create_time())
    # What it has by now; the show goes on.
    *before, path = on_air.ingest.recordings()
    # Where nothing gets its time for 3 s, a publisher takes its ingest for stopped, and begins another recording.
    assert not (QUIET and before)
    copy = path.with_suffix(".copy.flv")
    copy.write_bytes(path.read_bytes())
    aired = read(copy, on_air.tape, FPS, since=on_air.since)
    aired.report("direct RTMP", load=os.getloadavg()[0], feed_cpu=share)
    whole(aired, SECONDS / 4 if before else SECONDS - 3)
    assert aired.lost_samples == aired.added_samples == 0
    assert aired.breaks == 0
    assert aired.strange_s == 0.0, "every moment is the player's"
    assert np.abs(aired.offsets_ms).max() < 5.0


def whole(aired: Aired, seconds: float) -> None:
    """Check that a recording is the programme, from its first moment to its last."""
    assert aired.duration_s > seconds
    assert aired.steps.min() >= 0, "no picture goes back"
    if QUIET:
        assert np.mean(aired.steps == 1) > 0.95, "pictures follow one another"
    assert aired.frozen_s < FREEZE_S
    assert aired.silent_s == 0.0


def test_no_log_of_it_has_the_key(on_air: OnAir) -> None:
    logs = [on_air.show.log, *on_air.show.log.parent.rglob("*.log")]
    assert len(logs) > 1
    for log in logs:
        assert KEY not in log.read_text(errors="replace"), log.name
