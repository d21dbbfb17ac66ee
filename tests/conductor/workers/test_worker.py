"""Workers as processes: stopped, too heavy, left over; what happens to each."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from conductor import wire
from conductor.workers import Limits, Worker
from conductor.workers.limits import UNLIMITED
from tests.fakes import fake_commands

PATIENCE_S = 30.0


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Short of name: it holds sockets.
    return tmp_path_factory.mktemp("w")


class Watched:
    """A worker, and what was told of it."""

    def __init__(self, run: Path, limits: Limits, calm: Callable[[], bool] = lambda: True) -> None:
        self.heard: list[wire.Message] = []
        self.gone: list[str] = []
        self.worker = Worker(
            "player", fake_commands(run)("player"), run,
            on_message=self.heard.append, on_up=lambda: None, on_down=self.gone.append, limits=limits, calm=calm,
        )  # fmt: skip

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def watched(
    run: Path, limits: Limits = UNLIMITED, calm: Callable[[], bool] = lambda: True
) -> AsyncIterator[Watched]:
    it = Watched(run, limits, calm)
    await it.worker.start()
    try:
        yield it
    finally:
        await it.worker.stop(1.0)


async def test_one_that_is_stopped_is_ended_and_another_one_speaks(run: Path) -> None:
    async with watched(run, Limits(0.5)) as it:
        first = it.worker.pid
        await it.until(lambda: it.worker.memory_mb > 1.0)
        assert not it.gone, "it answers"
        assert not any(isinstance(message, wire.Pong) for message in it.heard), "the show hears nothing of that"
        os.kill(first, signal.SIGSTOP)
        await it.until(lambda: it.worker.restarts == 1 and it.worker.up)
        assert "did not answer" in it.gone[0]
        assert it.worker.pid != first
        assert not psutil.pid_exists(first)


async def test_one_that_holds_too_much_is_replaced_when_it_is_calm(run: Path) -> None:
    calm = False
    # Above what is allowed, and below what is not waited with.
    async with watched(run) as it:
        size_mb = psutil.Process(it.worker.pid).memory_info().rss / 1e6
    async with watched(run, Limits(10.0, size_mb * 0.8), lambda: calm) as it:
        await it.until(lambda: it.worker.memory_mb > 1.0)
        await asyncio.sleep(0.5)
        assert not it.gone, "not now"
        calm = True
        await it.until(lambda: it.worker.restarts == 1)
        assert "MB of memory" in it.gone[0]


async def test_a_stopped_one_of_an_earlier_conductor_does_not_live_on_beside_the_new_one(run: Path) -> None:
    left = subprocess.Popen([sys.executable, "-m", "tests.fakes", "player", "--run", str(run)])
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not (run / "player.sock").exists():
                await asyncio.sleep(0.01)
        left.send_signal(signal.SIGSTOP)
        async with watched(run) as it:
            assert not it.worker.adopted
            assert it.worker.pid != left.pid
            assert not psutil.pid_exists(left.pid)
    finally:
        left.kill()
        left.wait()


async def test_one_that_answers_is_taken_over(run: Path) -> None:
    left = subprocess.Popen([sys.executable, "-m", "tests.fakes", "player", "--run", str(run)])
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not (run / "player.sock").exists():
                await asyncio.sleep(0.01)
        async with watched(run, Limits(0.5)) as it:
            assert it.worker.adopted
            assert it.worker.pid == left.pid
            # Also one that is not our child is asked, and ended.
            os.kill(left.pid, signal.SIGSTOP)
            assert await asyncio.to_thread(left.wait, PATIENCE_S) == -signal.SIGKILL
            await it.until(lambda: it.worker.up and not it.worker.adopted)
    finally:
        left.kill()
        left.wait()
