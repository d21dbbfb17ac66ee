"""One clock at the viewer: marks in sound and picture are together, also after the player was gone for a while."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest

from streaming.picture.stamp import read_flash, read_stamp
from streaming.programme.ice import Watching
from streaming.ring import Ring
from streaming.timeline import SAMPLE_RATE
from tests.fakes_feed import RingPlayer
from tests.streaming.programme.house import House, Viewer

FPS = 30
# Between what is written and what an Opus decoder gives, at the edge of a tone.
EDGE_S = 0.004


def flashes_s(viewer: Viewer, pictures: slice) -> list[float]:
    """When each flash began, by the sender's reports."""
    seen = [(frame, read_flash(frame.to_ndarray()[: frame.height])) for _, frame in viewer.frames["video"][pictures]]
    return [viewer.time_s(frame) for (_, before), (frame, now) in itertools.pairwise(seen) if now and not before]


def beeps_s(viewer: Viewer) -> list[float]:
    """When each beep on the left began, by the sender's reports."""
    frames = [frame for _, frame in viewer.frames["audio"]]
    left = np.concatenate([frame.to_ndarray().reshape(-1, 2)[:, 0] for frame in frames]) / 32768.0
    loud = np.abs(left) > 0.05
    quiet_before = np.convolve(loud, np.ones(4800), "full")[: len(loud)]
    starts = np.flatnonzero(loud[1:] & (quiet_before[:-1] == 0)) + 1
    begin_s = viewer.time_s(frames[0])
    return [begin_s + float(start) / SAMPLE_RATE for start in starts if start > 4800]


def apart_s(viewer: Viewer, pictures: slice) -> list[float]:
    """How much later each beep is than its flash, of those in some pictures."""
    beeps = np.array(beeps_s(viewer))
    return [float(beeps[np.abs(beeps - at_s).argmin()]) - at_s for at_s in flashes_s(viewer, pictures)]


async def test_sound_and_picture_are_on_one_clock_through_a_slate_and_a_new_player() -> None:
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="feed") as folder:
        ring = Ring.create(Path(folder) / "programme.ring")
        player = RingPlayer(ring)
        async with House(Path(folder), Watching(), "--stamp").open() as house, Viewer(house.url) as viewer:
            await viewer.heard("video", 4 * FPS)
            # A flash that is on its way as the player goes has no beep, and what bridges the gap may beep by itself.
            played = len(viewer.frames["video"]) - FPS // 2
            player.stop()
            await house.until(lambda status: status.slate)
            player = RingPlayer(ring)
            await house.until(lambda status: not status.slate)
            again = len(viewer.frames["video"]) + FPS
            await viewer.heard("video", again + 4 * FPS)
            player.stop()
            apart = apart_s(viewer, slice(played)) + apart_s(viewer, slice(again, again + 3 * FPS + FPS // 2))
            late_s = lateness_s(viewer, ring)
        ring.close()
    numbers = [read_stamp(frame.to_ndarray()[: frame.height]) for _, frame in viewer.frames["video"]]
    times = [frame.pts for _, frame in viewer.frames["video"]]
    # The picture may be repeated, or left out, on a busy machine; its time is the programme's all the same.
    assert np.diff(times).min() >= 3000
    assert (np.diff(times) % 3000 == 0).all()
    exact = [number for number, pts in zip(numbers, times, strict=True) if pts == (number - numbers[0]) * 3000]
    assert len(exact) > 0.9 * len(numbers)
    sound = [frame.pts for _, frame in viewer.frames["audio"]]
    assert set(np.diff(sound).tolist()) == {960}, "no jump in the sound"
    assert len(apart) >= 4
    print(f"sound after picture: {1000 * np.median(apart):+.1f} ms; from index to decoded {1000 * late_s:.0f} ms")
    assert apart == pytest.approx([0.0] * len(apart), abs=EDGE_S)


def lateness_s(viewer: Viewer, ring: Ring) -> float:
    """Return how long after it was on air a picture was decoded, in the middle."""
    air_s = ring.air_ns / 1e9
    late = [at_s - air_s - read_stamp(f.to_ndarray()[: f.height]) / FPS for at_s, f in viewer.frames["video"][-FPS:]]
    return float(np.median(late))


async def test_many_who_come_at_once_are_served_by_few_keyframes() -> None:
    with tempfile.TemporaryDirectory(prefix="feed") as folder:
        ring = Ring.create(Path(folder) / "programme.ring")
        with RingPlayer(ring):
            async with House(Path(folder), Watching(viewers=10)).open() as house, Viewer(house.url) as first:
                await first.heard("video", FPS)
                others = [Viewer(house.url) for _ in range(5)]
                began = len(first.frames["video"])
                await asyncio.gather(*(viewer.connect() for viewer in others))
                for viewer in others:
                    await viewer.heard("video")
                await first.heard("video", len(first.frames["video"]) + 5)
                keyframes = sum(frame.key_frame for _, frame in first.frames["video"][began:])
                seconds = (len(first.frames["video"]) - began) / FPS
                assert 1 <= keyframes <= 2 + seconds * (2 + 0.5)
                for viewer in others:
                    await viewer.close()
        ring.close()
