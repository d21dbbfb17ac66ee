"""Direct RTMP without OBS: from the player's samples through the feed to the file that a streaming service recorded."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest

from conductor import publication, wire
from streaming.publishing.destination import Destination, KeySource
from tests.air.beeper import Beeper
from tests.air.ingest import Ingest
from tests.air.processes import Program, wait_for
from tests.air.recording import Recording, read
from tests.air.studio import FPS, HEIGHT, WIDTH

pytestmark = pytest.mark.air

# AIR_SECONDS=300 for a longer look.
ON_AIR_S = float(os.environ.get("AIR_SECONDS", "20"))
MOST_OFFSET_MS = 40.0


class Chain:
    """A player of beeps, a feed, and the ingest that it publishes to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run = folder / "run"
        self._run.mkdir()
        self.key = folder / "key.txt"
        self.key.write_text("concert")
        self.key.chmod(0o600)
        self.ingest = Ingest(folder / "ingest")
        self._beeper = Beeper(self._run / "programme.ring")
        self.status: wire.FeedStatus | None = None
        self._listening: asyncio.Task[None] | None = None

    async def start_feed(self) -> None:
        """Start the feed (again) and tell it where to publish."""
        command = [sys.executable, "-m", "conductor.feed", "--run", str(self._run), "--stamp"]
        command += ["--size", f"{WIDTH}x{HEIGHT}", "--fps", str(FPS)]
        socket = self._run / "feed.sock"
        socket.unlink(missing_ok=True)
        self.feed = Program(command, self._folder / "feed.log", {**os.environ, "OMP_NUM_THREADS": "1"})
        await asyncio.to_thread(wait_for, socket.exists, "socket of the feed")
        self.link = await wire.connect(socket)
        to = Destination("home", self.ingest.url, KeySource(file=str(self.key)))
        self.link.send(publication.message([to]))
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for message in self.link.messages():
            if isinstance(message, wire.FeedStatus):
                self.status = message

    @property
    def state(self) -> str:
        """How the destination is."""
        there = self.status.destinations if self.status else []
        return there[0].state if there else "unknown"

    @property
    def late(self) -> int:
        """How many pictures the feed has repeated or left out, and may until it is told."""
        return (self.status.dropped if self.status else 0) + FPS

    async def until(self, condition: Callable[[], bool], what: str, seconds: float = 60.0) -> float:
        """Wait for a condition; return how long it took."""
        begun_s = time.monotonic()
        while not condition():
            assert time.monotonic() - begun_s < seconds, f"no {what}: {self.status}"
            await asyncio.sleep(0.02)
        return time.monotonic() - begun_s

    async def live(self) -> float:
        return await self.until(lambda: self.state == "live", "stream")

    async def end_feed(self) -> None:
        """End the feed as a show does."""
        self.link.send(wire.Quit())
        await asyncio.to_thread(self.feed.stop)
        await self._gone()

    async def kill_feed(self) -> None:
        """End the feed as a crash would."""
        self.feed.kill()
        await self._gone()

    async def _gone(self) -> None:
        if self._listening is not None:
            await asyncio.wait_for(self._listening, 5.0)
        await self.link.close()
        self.status = None

    def close(self) -> None:
        self.feed.stop()
        self._beeper.close()
        self.ingest.close()


@pytest.fixture
async def chain() -> AsyncIterator[Chain]:
    with tempfile.TemporaryDirectory(prefix="air", ignore_cleanup_errors=True) as folder:
        made = Chain(Path(folder))
        await made.start_feed()
        yield made
        made.close()


def report(what: str, recording: Recording, **more: float) -> None:
    """Print the figures as one line of JSON (pytest -s shows it)."""
    steps, offsets = recording.steps, recording.offsets_ms
    figures = {
        "seconds": recording.duration_s,
        "shown_twice": int((steps == 0).sum()),
        "left_out": int((steps[steps > 1] - 1).sum()),
        "offset_ms_median": float(np.median(offsets)),
        "offset_ms_most": float(np.abs(offsets).max()),
        "beep_error_ms": float(np.abs(np.diff(recording.beeps_s[1:]) - 1.0).max() * 1000),
        **more,
    }
    print(json.dumps({"measured": what, **{name: round(value, 2) for name, value in figures.items()}}))


def together(recording: Recording, seconds: float, late: int) -> None:
    """Check that no sound is lost, no picture but those that the feed was late with, and that both are together."""
    assert recording.duration_s > seconds - 1.5
    # The first one may be cut: a recording begins anywhere.
    assert np.abs(np.diff(recording.beeps_s[1:]) - 1.0).max() < 0.002, "no sample is lost between the beeps"
    assert len(recording.beeps_s) >= seconds - 2
    assert recording.steps.min() >= 0, "no picture goes back"
    assert (recording.steps[recording.steps > 1] - 1).sum() <= late, "a busy machine leaves pictures out, nobody else"
    # A picture that is left out may be the first of a flash: the median knows.
    assert abs(np.median(recording.offsets_ms)) < MOST_OFFSET_MS


async def test_a_service_records_all_of_the_programme(chain: Chain) -> None:
    await chain.live()
    feed_s, begun_s = chain.feed.cpu_s(), time.monotonic()
    await asyncio.sleep(ON_AIR_S)
    share = (chain.feed.cpu_s() - feed_s) / (time.monotonic() - begun_s)
    assert chain.status is not None
    dropped, late = chain.status.destinations[0].dropped, chain.late
    await chain.end_feed()
    (path,) = chain.ingest.recordings()
    recording = await asyncio.to_thread(read, path)
    report("direct RTMP", recording, feed_cpu=share, dropped=dropped, late=late)
    together(recording, ON_AIR_S, late)
    assert dropped == 0


async def test_after_the_feed_was_killed_and_started_again_the_service_has_a_second_part(chain: Chain) -> None:
    await chain.live()
    await asyncio.sleep(3)
    await chain.kill_feed()
    await chain.start_feed()
    back_s = await chain.live()
    await asyncio.sleep(6)
    late = chain.late
    await chain.end_feed()
    parts = chain.ingest.recordings()
    assert len(parts) == 2, "the process of the first feed ended with it"
    recording = await asyncio.to_thread(read, parts[1])
    report("after a restart of the feed", recording, back_s=back_s)
    together(recording, 5, late)


@pytest.mark.parametrize("fault", ["frozen", "killed"])
async def test_after_a_fault_of_the_service_it_is_on_air_again(chain: Chain, fault: str) -> None:
    await chain.live()
    await asyncio.sleep(3)
    (chain.ingest.freeze if fault == "frozen" else chain.ingest.kill)()
    noticed_s = await chain.until(lambda: chain.state == "retrying", "notice")
    assert noticed_s < 3.0
    await asyncio.sleep(4)
    (chain.ingest.thaw if fault == "frozen" else chain.ingest.start)()
    back_s = await chain.live()
    await asyncio.sleep(6)
    late = chain.late
    await chain.end_feed()
    recording = await asyncio.to_thread(read, chain.ingest.recordings()[-1])
    report(f"after the service was {fault}", recording, noticed_s=noticed_s, back_s=back_s)
    together(recording, 5, late)
