"""The player process, through its socket and its ring, as conductor and feed see it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from conductor import wire
from conductor.errors import WireError
from conductor.player import Player, main
from streaming.cache import cache_folder
from streaming.playing.playout import Playout
from streaming.ring import Ring

M = TypeVar("M", bound=wire.Message)
TUNE: list[wire.NoteRow] = [(0.0, 60, "organ", 0.5, 80, 0), (0.5, 64, "organ", 0.5, 80, 0)]
LONG: list[wire.NoteRow] = [(0.0, 48, "organ", 60.0, 80, 0)]


class Desk:
    """A conductor's end of the link that remembers what it was told."""

    def __init__(self, link: wire.Link) -> None:
        self.link = link
        self.heard: list[wire.Message] = []
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for message in self.link.messages():
            self.heard.append(message)
            self._news.set()

    async def until(self, kind: type[M], true: Callable[[M], bool] = lambda _: True) -> M:
        """The first message of a kind, told already or to come."""
        async with asyncio.timeout(30):
            while True:
                for message in self.heard:
                    if isinstance(message, kind) and true(message):
                        return message
                self._news.clear()
                await self._news.wait()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.link.close()


async def dial(run: Path) -> Desk:
    async with asyncio.timeout(60):
        while True:
            try:
                return Desk(await wire.connect(run / "player.sock"))
            except WireError:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def player(run: Path, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "conductor.player", "--run", str(run), *options, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_in_real_time_it_plays_the_bed_a_piece_the_queue_and_outlives_its_conductor(tmp_path: Path) -> None:
    async with player(tmp_path) as process:
        desk = await dial(tmp_path)
        assert (await desk.until(wire.Hello)) == wire.Hello("player", process.pid)
        ring = Ring.open(tmp_path / "programme.ring")
        bed = await desk.until(wire.Started)
        assert bed.number == 0
        for number in (1, 2):
            desk.link.send(wire.Load(number, TUNE, 1.0))
        desk.link.send(wire.Load(3, LONG, 60.0))
        desk.link.send(wire.Follow([2], gap_s=-0.5))
        desk.link.send(wire.Go(1))
        first = await desk.until(wire.Started, lambda m: m.number == 1)
        # The conductor dies; the show goes on, and the next one hears what it missed.
        await desk.close()
        desk = await dial(tmp_path)
        second = await desk.until(wire.Started, lambda m: m.number == 2)
        ended = await desk.until(wire.Ended, lambda m: m.number == 1)
        assert ended.sample - second.sample == 24_000
        assert ended.sample - first.sample == 96_000
        assert ring.marks() == [(0, bed.sample), (1, first.sample), (2, second.sample)]
        # The newest conductor is the one that is answered.
        newer = await dial(tmp_path)
        newer.link.send(wire.Go(3, fade_s=0.1))
        third = await newer.until(wire.Started, lambda m: m.number == 3)
        newer.link.send(wire.Fade(0.3))
        faded = await newer.until(wire.Ended, lambda m: m.number == 3)
        assert faded.sample > third.sample
        # The bed comes in under the fade.
        assert (await newer.until(wire.Started, lambda m: m.number == 0)).sample <= faded.sample
        assert not any(isinstance(m, wire.Started) and m.number == 3 for m in desk.heard)
        newer.link.send(wire.Go(99))
        assert "99" in (await newer.until(wire.Fault)).reason
        levels = await newer.until(wire.Levels, lambda m: m.number == 0)
        assert -120.0 <= levels.momentary_lufs < 0.0
        assert levels.peak_dbtp <= -1.0
        newer.link.send(wire.Quit())
        assert await process.wait() == 0
        assert not (tmp_path / "player.sock").exists()
        sound = ring.read(first.sample, 48_000)
        assert np.sqrt(np.mean(np.square(sound))) > 0.01
        await desk.close()
        await newer.close()
        ring.close()


async def test_killed_and_started_again_it_continues_the_ring_and_never_behind_its_reader(tmp_path: Path) -> None:
    with Ring.create(tmp_path / "programme.ring") as ring:
        async with player(tmp_path) as process:
            desk = await dial(tmp_path)
            await desk.until(wire.Levels)
            process.kill()
            await process.wait()
            await desk.close()
        left = ring.write_index
        assert left > 0
        # The feed goes on over silence meanwhile.
        ring.read_index = left + 70_000
        async with player(tmp_path):
            desk = await dial(tmp_path)
            again = await desk.until(wire.Started)
            assert again.sample >= left + 70_000
            assert (await desk.until(wire.Levels)).sample > again.sample
            assert not ring.read(left, 70_000).any()
            os.kill((await desk.until(wire.Hello)).pid, signal.SIGTERM)
            await desk.close()


async def test_a_reader_that_has_gone_ahead_is_caught_up_with_and_hears_it_again(tmp_path: Path) -> None:
    with Ring.create(tmp_path / "programme.ring", seconds=8.0) as ring:
        it = Player(ring, Playout())
        running = asyncio.create_task(it.run())
        async with asyncio.timeout(30):
            while ring.write_index < 24_000:
                await asyncio.sleep(0.01)
            # As a feed does that played on while this process was kept from it.
            ring.read_index = ahead = ring.write_index + 48_000
            while ring.write_index < ahead + 24_000:
                await asyncio.sleep(0.01)
        it.quit()
        await running
        assert np.abs(ring.read(ahead + 12_000, 12_000)).max() > 0.0


async def test_fast_it_stands_still_until_a_piece_plays_and_waits_for_room(tmp_path: Path) -> None:
    with Ring.create(tmp_path / "programme.ring", seconds=1.0) as ring:
        async with player(tmp_path, "--fast") as process:
            desk = await dial(tmp_path)
            await desk.until(wire.Levels)
            assert ring.write_index == 0
            desk.link.send(wire.Load(1, TUNE, 1.0))
            desk.link.send(wire.Go(1))
            started = await desk.until(wire.Started)
            assert started.sample == 256
            seen = len(desk.heard)
            await desk.until(wire.Levels, lambda m: m.sample > 40_000)
            # A second of room and not one block more, however long the reader takes.
            assert ring.write_index <= ring.capacity
            sound = [ring.read(0, ring.write_index)]
            while not any(isinstance(m, wire.Ended) for m in desk.heard[seen:]):
                sound.append(ring.read(ring.read_index, ring.write_index - ring.read_index))
                ring.read_index = ring.write_index
                await asyncio.sleep(0.01)
            assert (await desk.until(wire.Ended)).sample == started.sample + 96_000
            assert np.abs(np.concatenate(sound)).max() > 0.05
            desk.link.send(wire.Quit())
            assert await process.wait() == 0
            await desk.close()


async def test_nonsense_is_told_and_survived(tmp_path: Path) -> None:
    async with player(tmp_path, "--fast") as process:
        desk = await dial(tmp_path)
        desk.link.send(wire.Record("a.mkv"))
        assert "Record" in (await desk.until(wire.Fault)).reason
        # Whoever speaks no messages is hung up on; the next conductor reads why.
        desk.link.writer.write(b"no message\n")
        await asyncio.wait([desk._task], timeout=30)
        again = await dial(tmp_path)
        assert "no message" in (await again.until(wire.Fault)).reason
        again.link.send(wire.Quit())
        assert await process.wait() == 0
        await desk.close()
        await again.close()


async def test_a_run_folder_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "conductor.player", "--run", str(tmp_path / "none"), stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert "none" in said.decode()
    assert "Traceback" not in said.decode()


async def test_a_piece_on_air_is_changed_and_the_next_takes_its_place_where_it_is_cut(tmp_path: Path) -> None:
    rows: list[wire.NoteRow] = [(n / 4, 60, "organ", 0.2, 80, 0) for n in range(24)]
    async with player(tmp_path) as process:
        desk = await dial(tmp_path)
        ring = Ring.open(tmp_path / "programme.ring")
        desk.link.send(wire.Load(1, rows, 6.0))
        desk.link.send(wire.Load(2, TUNE, 1.0))
        desk.link.send(wire.Go(1))
        first = await desk.until(wire.Started, lambda m: m.number == 1)
        desk.link.send(wire.Revise(1, 1.5, [(1.5 + n / 4, 72, "flute", 0.2, 80, 0) for n in range(10)], 4.0))
        replaced = await desk.until(wire.Replaced)
        assert (replaced.from_s, replaced.sample, replaced.late) == (1.5, first.sample + 72_000, False)
        desk.link.send(wire.Revise(1, 0.0, [(0.5, 72, "flute", 0.2, 80, 0)], 4.0))
        late = await desk.until(wire.Replaced, lambda m: m.late)
        assert late.from_s > 0.0
        assert late.sample == pytest.approx(first.sample + late.from_s * 48_000, abs=1)
        desk.link.send(wire.Follow([2], 1.0, [3.0]))
        second = await desk.until(wire.Started, lambda m: m.number == 2)
        ended = await desk.until(wire.Ended, lambda m: m.number == 1)
        assert second.sample == ended.sample == first.sample + 3 * 48_000
        desk.link.send(wire.Revise(9, 0.0, [], 1.0))
        assert "piece 9 is not loaded" in (await desk.until(wire.Fault)).reason
        desk.link.send(wire.Quit())
        assert await process.wait() == 0
        await desk.close()
        ring.close()


def test_what_the_first_show_would_wait_for_is_made_beforehand(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--prepare"]) == 0
    kept = {path.name.split("-")[0] for path in cache_folder().iterdir()}
    assert kept >= {"tables", "levels"}
    with pytest.raises(SystemExit):
        main([])
    assert "one of the arguments --run --prepare is required" in capsys.readouterr().err
