"""MPEG-TS over TCP, read by ffmpeg, as a remote OBS reads it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import numpy as np

from streaming.publishing.destination import Destination
from tests.air.processes import free_port, program
from tests.air.recording import Recording, read
from tests.streaming.publishing.onair import PROGRAMME
from tests.streaming.publishing.peers import on_air


def to(port: int) -> Destination:
    return Destination("ts", f"mpegts://127.0.0.1:{port}")


async def fetched(port: int, out: Path, seconds: float) -> Recording:
    """Return what ffmpeg reads in some seconds."""
    command = ["-v", "error", "-f", "mpegts", "-i", f"tcp://127.0.0.1:{port}", "-t", str(seconds), "-c", "copy"]
    ffmpeg = await asyncio.create_subprocess_exec(program("ffmpeg"), *command, str(out))
    assert await asyncio.wait_for(ffmpeg.wait(), 30) == 0
    return await asyncio.to_thread(read, out)


def good(recording: Recording, seconds: float) -> None:
    assert len(recording.frames) > (seconds - 0.5) * PROGRAMME.fps
    assert set(recording.steps) == {1}
    assert len(recording.offsets_ms) >= seconds - 1
    # A reader may come in the middle of a flash.
    assert np.abs(recording.offsets_ms[1:]).max() < 5.0


async def test_readers_come_and_go_and_each_gets_picture_and_sound_in_time(tmp_path: Path) -> None:
    port = free_port()
    async with on_air(to(port)) as show:
        await asyncio.sleep(1)
        assert show.status("ts").state == "connecting"
        assert not show.publishers.wanted, "nobody reads: nothing need be encoded"
        first = asyncio.create_task(fetched(port, tmp_path / "first.mkv", 5))
        await show.live("ts")
        good(await fetched(port, tmp_path / "second.mkv", 3), 3)
        good(await first, 5)
        await show.until(lambda: show.status("ts").state == "connecting", "end of readers")
        assert not show.publishers.wanted
        good(await fetched(port, tmp_path / "third.mkv", 3), 3)
        assert show.status("ts").reconnects == 0
        assert False not in show.told("ts"), "readers that go are no fault"


async def test_a_reader_that_never_reads_costs_the_others_nothing(tmp_path: Path) -> None:
    port = free_port()
    async with on_air(to(port)) as show:
        await show.until(lambda: _listens(port), "listener")
        with socket.create_connection(("127.0.0.1", port)) as idle:
            idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await show.live("ts")
            await asyncio.sleep(3)
            good(await fetched(port, tmp_path / "good.mkv", 4), 4)
        assert show.status("ts").dropped == 0


async def test_a_port_that_is_taken_is_told_of_and_tried_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with on_air(to(port)) as show:
            await show.until(lambda: show.news != [], "word")
            assert "cannot listen there: address already in use" in show.news[0][1].text
            taken.close()
            await show.until(lambda: _listens(port), "listener")
            good(await fetched(port, tmp_path / "late.mkv", 3), 3)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
