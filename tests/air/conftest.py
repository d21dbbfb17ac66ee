"""The whole chain on this machine: player, feed, OBS, streaming service. Made once, the slow parts take seconds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

import pytest

from conductor import wire
from conductor.errors import WireError
from streaming.backoff import Backoff
from streaming.obs.director import ObsDirector
from tests.air.beeper import Beeper
from tests.air.ingest import Ingest
from tests.air.processes import Program, free_port, wait_for
from tests.air.studio import FPS, HEIGHT, PASSWORD, WIDTH, Studio


class Chain:
    """Everything between the notes and the audience.

    Attributes:
        ingest: the streaming service.
        studio: OBS and its screen.
        feed: the feed process.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run = folder / "run"
        self._run.mkdir()
        self._nut_port = free_port()
        self.ingest = Ingest(folder / "ingest")
        self.studio = Studio(folder / "studio", self.ingest.url, "concert")
        self._beeper = Beeper(self._run / "programme.ring")
        self.feed = self.start_feed()
        self.studio.start_obs()

    @property
    def feed_url(self) -> str:
        return f"tcp://127.0.0.1:{self._nut_port}"

    def start_feed(self) -> Program:
        """Start the feed and wait for its socket."""
        command = [sys.executable, "-m", "conductor.feed", "--run", str(self._run), "--nut", str(self._nut_port)]
        command += ["--size", f"{WIDTH}x{HEIGHT}", "--fps", str(FPS), "--stamp"]
        socket = self._run / "feed.sock"
        socket.unlink(missing_ok=True)
        self.feed = feed = Program(command, self._folder / "feed.log", {**os.environ, "OMP_NUM_THREADS": "1"})

        def ready() -> bool:
            feed.check()
            return socket.exists()

        wait_for(ready, "socket of the feed")
        return feed

    def director(self) -> ObsDirector:
        """Return what drives this OBS."""
        return ObsDirector(
            self.studio.url, PASSWORD, self.feed_url, backoff=Backoff(Random(), first_s=0.25, longest_s=1.0)
        )

    @contextlib.asynccontextmanager
    async def readers(self, director: ObsDirector) -> AsyncIterator[list[int]]:
        """Tell the director, as the show does, how many read the feed; yield these counts, the newest last."""
        counts: list[int] = []

        async def listen() -> None:
            while True:
                with contextlib.suppress(WireError):
                    link = await wire.connect(self._run / "feed.sock")
                    try:
                        async for message in link.messages():
                            if isinstance(message, wire.FeedStatus):
                                counts.append(message.readers)
                                director.feed_readers(message.readers)
                    finally:
                        await link.close()
                await asyncio.sleep(0.2)

        task = asyncio.create_task(listen())
        try:
            yield counts
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def close(self) -> None:
        """End all of it, the end of the chain first."""
        self.studio.close()
        self.feed.stop()
        self._beeper.close()
        self.ingest.close()


# One for each file, so that the next has the machine to itself.
@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    # A short path: a Unix socket's may not be longer than 107 bytes.
    with tempfile.TemporaryDirectory(prefix="air", ignore_cleanup_errors=True) as folder:
        made = Chain(Path(folder))
        yield made
        made.close()


@pytest.fixture
async def director(chain: Chain) -> AsyncIterator[ObsDirector]:
    made = chain.director()
    yield made
    made.wanted(streaming=False)
    await made.close()
