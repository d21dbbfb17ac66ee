"""Viewers by WHEP, written with aiortc, at a feed of its own process: what they get, and what becomes of them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import numpy as np
import psutil
import pytest

from streaming.programme.ice import Watching
from tests.streaming.programme.house import House, Viewer

SDP = {"Content-Type": "application/sdp"}


@pytest.fixture
async def house(run: Path) -> AsyncIterator[House]:
    async with House(run, Watching(viewers=20), "--stamp").open() as house:
        yield house


async def test_a_player_gets_pictures_and_sound_of_two_sides(house: House) -> None:
    async with Viewer(house.url) as viewer:
        assert "a=fmtp:96 minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1" in viewer.answer
        pictures = await viewer.heard("video", 75)
        await viewer.heard("audio", 110)
        await house.until(lambda status: status.viewers == 1)
    steps = np.diff([frame.pts for _, frame in pictures])
    assert set(steps.tolist()) == {3000}, "no picture is missing, and each is a thirtieth of a second"
    assert (pictures[0][1].width, pictures[0][1].height) == (640, 360)
    sound = [frame for _, frame in viewer.frames["audio"]]
    assert set(np.diff([frame.pts for frame in sound]).tolist()) == {960}
    left, right = np.concatenate([frame.to_ndarray().reshape(-1, 2) for frame in sound]).T.astype(float) / 32768
    assert np.abs(left).max() > 0.3
    assert np.abs(right).max() < 0.1 * np.abs(left).max()
    await house.until(lambda status: status.viewers == 0)


async def test_a_session_ends_when_it_is_deleted_and_is_gone_then(house: House) -> None:
    async with aiohttp.ClientSession() as http:
        viewer = Viewer(house.url)
        await viewer.connect()
        await viewer.heard("video")
        session = house.url + viewer.headers["Location"]
        async with http.delete(session) as said:
            assert said.status == 200
        await house.until(lambda status: status.viewers == 0)
        async with http.delete(session) as said:
            assert said.status == 404
            assert "no such viewer" in (await said.json())["reason"]
        await viewer.close()


async def test_no_more_than_the_limit_may_watch(run: Path) -> None:
    async with House(run, Watching(viewers=1)).open() as house, aiohttp.ClientSession() as http:
        async with Viewer(house.url) as viewer:
            await viewer.heard("video")
            other = Viewer(house.url)
            async with http.post(f"{house.url}/whep", data=await other.offer(), headers=SDP) as said:
                assert said.status == 503
                assert int(said.headers["Retry-After"]) > 0
                assert "1 viewers watch already" in (await said.json())["reason"]
            await other.close()
        await house.until(lambda status: status.viewers == 0)
        async with Viewer(house.url) as viewer:
            await viewer.heard("video")


CROWD = """
import asyncio, sys
from tests.streaming.programme.house import Viewer

async def main() -> None:
    viewers = [Viewer(sys.argv[1], decode=False) for _ in range(int(sys.argv[2]))]
    for viewer in viewers:
        await viewer.connect()
    while not all(viewer.peer.connectionState == "connected" for viewer in viewers):
        await asyncio.sleep(0.05)
    print("ready", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def crowd(house: House, count: int) -> asyncio.subprocess.Process:
    """Start a process of so many viewers, and wait until all watch."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CROWD, house.url, str(count), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"ready\n"
    return process


async def test_viewers_that_are_killed_leave_nothing_behind(house: House) -> None:
    feed = psutil.Process(house.worker.pid)

    def held() -> tuple[int, int]:
        return feed.num_fds(), feed.num_threads()

    async with Viewer(house.url) as viewer:
        await viewer.heard("video")
        await house.until(lambda status: status.viewers == 1)
        before = held()
        for _ in range(2):
            process = await crowd(house, 10)
            await house.until(lambda status: status.viewers == 11)
            assert held()[0] > before[0]
            process.send_signal(signal.SIGKILL)
            await process.wait()
            await house.until(lambda status: status.viewers == 1, 10)
        count = len(viewer.frames["video"])
        await viewer.heard("video", count + 15)
        assert held() == before


async def test_a_viewer_that_stands_still_costs_nothing_and_is_let_go(house: House) -> None:
    process = await crowd(house, 2)
    process.send_signal(signal.SIGSTOP)
    try:
        await house.until(lambda status: status.viewers == 0, 10)
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_a_feed_that_was_killed_is_there_again_for_the_next_offer(house: House) -> None:
    async with Viewer(house.url) as viewer:
        await viewer.heard("video")
        os.kill(house.worker.pid, signal.SIGKILL)
        async with aiohttp.ClientSession() as http:
            async with asyncio.timeout(20):
                status = 0
                while status != 503:
                    async with http.post(f"{house.url}/whep", data="nonsense", headers=SDP) as said:
                        status = said.status
                while status != 400:
                    async with http.post(f"{house.url}/whep", data="nonsense", headers=SDP) as said:
                        status = said.status
                    await asyncio.sleep(0.05)
    async with Viewer(house.url) as viewer:
        await viewer.heard("video")
