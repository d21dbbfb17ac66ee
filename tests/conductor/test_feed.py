"""The feed as a process: what a recording and OBS get, measured from frame stamps, flashes and beeps."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import pytest

from conductor import wire
from streaming.picture.stamp import read_flash, read_stamp
from streaming.programme.nut import NutServer
from streaming.ring import Ring
from streaming.timeline import SAMPLE_RATE
from tests.fakes_feed import BLOCK, Conversation, RingPlayer, feed_process

FPS = 30


@pytest.fixture
def run() -> Iterator[Path]:
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="feed") as folder:
        yield Path(folder)


@pytest.fixture
def ring(run: Path) -> Iterator[Ring]:
    with Ring.create(run / "programme.ring") as ring:
        yield ring


@dataclass
class Seen:
    """A decoded stream. Times in seconds."""

    pictures: list[tuple[float, int, bool]] = field(default_factory=list)  # time, stamp, flash
    sound: list[tuple[float, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]] = field(default_factory=list)

    @property
    def flashes_s(self) -> list[float]:
        """When each flash began, leaving out one that was on from the start."""
        pairs = zip(self.pictures, self.pictures[1:], strict=False)
        return [at_s for (_, _, before), (at_s, _, now) in pairs if now and not before]

    @property
    def beeps_s(self) -> list[float]:
        """When each beep on the left began, leaving out one that was on from the start."""
        begin_s = self.sound[0][0]
        left = np.abs(np.concatenate([samples for _, samples in self.sound]))
        quiet_before = np.convolve(left > 0.05, np.ones(4800), "full")[: len(left)]
        starts = np.flatnonzero((left[1:] > 0.05) & (quiet_before[:-1] == 0)) + 1
        return [begin_s + float(start) / SAMPLE_RATE for start in starts if start > 4800]


def watch(source: str, seconds: float, file_format: str) -> Seen:
    """Decode a stream or file, at most so many seconds of it."""
    seen = Seen()
    with av.open(source, "r", format=file_format, timeout=10) as container:
        for packet in container.demux(video=0, audio=0):
            for frame in packet.decode():
                assert isinstance(frame, av.VideoFrame | av.AudioFrame)
                assert frame.pts is not None
                assert frame.time_base is not None
                at_s = float(frame.pts * frame.time_base)
                if isinstance(frame, av.VideoFrame):
                    luma = frame.to_ndarray()[: frame.height].astype(np.uint8)
                    seen.pictures.append((at_s, read_stamp(luma), read_flash(luma)))
                else:
                    samples = frame.to_ndarray().astype(np.float32)
                    # Interleaved 16 bits in NUT, a plane a side in AAC.
                    left = samples[0, ::2] / np.float32(32768) if len(samples) == 1 else samples[0]
                    seen.sound.append((at_s, left))
            if seen.pictures and seen.pictures[-1][0] - seen.pictures[0][0] >= seconds:
                break
    return seen


def in_background(port: int, seconds: float) -> tuple[threading.Thread, list[Seen]]:
    found: list[Seen] = []
    thread = threading.Thread(target=lambda: found.append(watch(f"tcp://127.0.0.1:{port}", seconds, "nut")))
    thread.start()
    return thread, found


def free_port() -> int:
    server = NutServer(0, 16, 16, 30)
    server.close()
    return server.port


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def live(run: Path, ring: Ring, port: int) -> AsyncIterator[Conversation]:
    """A feed that runs in real time beside a player of beeps."""
    with feed_process(run, "--stamp", "--nut", str(port)), RingPlayer(ring):
        conversation = await Conversation.begin(run)
        yield conversation
        await conversation.end()


def test_obs_and_recording_have_sound_and_picture_exactly_together(run: Path, ring: Ring, port: int) -> None:
    recording = run / "programme.mp4"

    async def record() -> None:
        talk = await Conversation.begin(run)
        talk.link.send(wire.Record(str(recording)))
        await talk.next(wire.FeedStatus, lambda status: status.recording == str(recording))
        thread, found = in_background(port, 3.4)
        while thread.is_alive():
            await asyncio.sleep(0.05)
        seen.extend(found)
        talk.link.send(wire.Record(""))
        await talk.next(wire.FeedStatus, lambda status: not status.recording)
        await talk.end()

    seen: list[Seen] = []
    with feed_process(run, "--stamp", "--nut", str(port)), RingPlayer(ring):
        asyncio.run(record())
    nut = seen[0]
    # To OBS all is raw: exact.
    for at_s, number, flash in nut.pictures:
        assert round(at_s * FPS) == number
        assert flash == (number % FPS < 2)
    assert len(nut.flashes_s) >= 3
    assert nut.flashes_s == pytest.approx([round(at_s) for at_s in nut.flashes_s], abs=1e-3)
    assert nut.beeps_s == pytest.approx(nut.flashes_s, abs=1e-3)
    # A recording begins at its own zero; between sound and picture there is less than a frame.
    file = watch(str(recording), 1e9, "mp4")
    numbers = [number for _, number, _ in file.pictures]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert file.pictures[0][0] == pytest.approx(0.0, abs=1e-3)
    assert len(file.flashes_s) >= 3
    assert file.beeps_s == pytest.approx(file.flashes_s[-len(file.beeps_s) :], abs=1 / FPS)
    assert len(file.beeps_s) >= len(file.flashes_s) - 1


async def test_fast_everything_the_player_wrote_is_recorded(run: Path, ring: Ring) -> None:
    recording, seconds = run / "programme.mp4", 20
    with feed_process(run, "--stamp", "--fast"):
        talk = await Conversation.begin(run)
        talk.link.send(wire.Record(str(recording)))
        await talk.next(wire.FeedStatus, lambda status: status.recording == str(recording))
        player = RingPlayer(ring, fast_samples=seconds * SAMPLE_RATE)
        await asyncio.to_thread(player.join, 60)
        talk.link.send(wire.Record(""))
        status = await talk.next(wire.FeedStatus, lambda status: not status.recording)
        assert status.sample == seconds * SAMPLE_RATE
        assert (status.dropped, status.slate) == (0, False)
        await talk.end()
    file = await asyncio.to_thread(watch, str(recording), 1e9, "mp4")
    assert [number for _, number, _ in file.pictures] == list(range(seconds * FPS))
    assert sum(len(samples) for _, samples in file.sound) == pytest.approx(seconds * SAMPLE_RATE, abs=2048)
    # The first second's flash and beep are on from the start.
    assert len(file.beeps_s) == len(file.flashes_s) == seconds - 1
    assert file.beeps_s == pytest.approx(file.flashes_s, abs=1 / FPS)


async def test_when_the_player_dies_the_stream_goes_on_and_takes_the_next_one(run: Path, ring: Ring, port: int) -> None:
    with feed_process(run, "--stamp", "--nut", str(port)):
        talk = await Conversation.begin(run)
        assert (await talk.next(wire.FeedStatus)).slate, "nobody plays yet"
        player = RingPlayer(ring)
        await talk.next(wire.FeedStatus, lambda status: not status.slate)
        thread, found = in_background(port, 5.0)
        await talk.next(wire.FeedStatus, lambda status: status.readers == 1)
        player.stop()
        await talk.next(wire.FeedStatus, lambda status: status.slate)
        with RingPlayer(ring):
            await talk.next(wire.FeedStatus, lambda status: not status.slate)
            while thread.is_alive():
                await asyncio.sleep(0.05)
        await talk.end()
    nut = found[0]
    numbers = [number for _, number, _ in nut.pictures]
    assert np.diff([at_s for at_s, _ in nut.sound]) == pytest.approx(1 / FPS, abs=1e-3), "no jump in the sound"
    assert numbers == sorted(set(numbers)), "no picture twice, none out of order"
    assert all(round(at_s * FPS) == number for at_s, number, _ in nut.pictures)
    assert len(nut.beeps_s) >= 2
    assert nut.beeps_s[-1] == pytest.approx(round(nut.beeps_s[-1]), abs=1e-3), "the next player is on the same clock"


async def test_of_a_player_that_is_there_and_silent_the_feed_notices_by_itself(run: Path, ring: Ring) -> None:
    # Eight seconds by the wall: what is taken for a silence has to last.
    silence = np.zeros((BLOCK, 2), np.float32)
    with feed_process(run), RingPlayer(ring, lambda _sample, _samples: silence):
        talk = await Conversation.begin(run)
        talk.link.send(wire.Ping(7))
        assert await talk.next(wire.Pong) == wire.Pong(7), "the link answers for the process"
        begun = await talk.next(wire.FeedStatus, lambda status: not status.slate)
        noticed = await talk.next(wire.FeedStatus, lambda status: status.emergency and status.quiet_s > 1.0, 30.0)
        assert noticed.sample - begun.sample > 4 * SAMPLE_RATE, "a pause between two pieces is none"
        assert not noticed.slate
        await talk.next(wire.FeedStatus, lambda status: status.level_db > -40.0, seconds=30.0)
        await talk.end()


async def test_a_recording_that_cannot_be_written_is_told_and_the_programme_goes_on(live: Conversation) -> None:
    live.link.send(wire.Record("/proc/no/such/place.mp4"))
    fault = await live.next(wire.Fault)
    assert "/proc/no/such/place.mp4" in fault.reason
    before = await live.next(wire.FeedStatus)
    after = await live.next(wire.FeedStatus, lambda status: status.frames > before.frames)
    assert after.recording == ""


async def test_a_full_disk_ends_the_recording_and_nothing_else(live: Conversation) -> None:
    # Every write to it says that no space is left.
    live.link.send(wire.Record("/dev/full"))
    fault = await live.next(wire.Fault)
    assert "No space left" in fault.reason
    assert "\n" not in fault.reason
    before = await live.next(wire.FeedStatus, lambda status: status.recording == "")
    assert (await live.next(wire.FeedStatus, lambda status: status.frames > before.frames)).recording == ""


async def test_quit_finishes_the_recording(run: Path, ring: Ring) -> None:
    recording = run / "programme.mp4"
    with feed_process(run, "--stamp") as process, RingPlayer(ring):
        talk = await Conversation.begin(run)
        talk.link.send(wire.Record(str(recording)))
        begun = await talk.next(wire.FeedStatus, lambda status: bool(status.recording))
        await talk.next(wire.FeedStatus, lambda status: status.frames > begun.frames + 20)
        talk.link.send(wire.Quit())
        assert await asyncio.to_thread(process.wait, 60) == 0
        await talk.end()
    file = await asyncio.to_thread(watch, str(recording), 1e9, "mp4")
    numbers = [number for _, number, _ in file.pictures]
    assert len(numbers) >= 20
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_the_newest_connection_is_the_one_that_is_told(live: Conversation, run: Path) -> None:
    newer = await Conversation.begin(run)
    assert (await newer.next(wire.Hello)).worker == "feed"
    await newer.next(wire.FeedStatus)
    live.heard.clear()
    await newer.next(wire.FeedStatus)
    assert not [message for message in live.heard if isinstance(message, wire.FeedStatus)]
    newer.link.send(wire.Cancel("7"))
    assert "Cancel" in (await newer.next(wire.Fault)).reason
    await newer.end()


def test_a_port_in_use_ends_the_feed_with_one_line(run: Path) -> None:
    taken = NutServer(0, 16, 16, 30)
    try:
        command = [sys.executable, "-m", "conductor.feed", "--run", str(run), "--nut", str(taken.port)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    finally:
        taken.close()
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert f"port {taken.port}" in ended.stderr
    assert "another port" in ended.stderr
