"""Each part of a show on air is killed in the middle: what the audience misses, and how soon it is back.

Minutes: `make test-air` runs it. Sound and picture are told by the programme's own clock, on which the player's
samples and the wall's seconds are one.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from streaming.timeline import SAMPLE_RATE
from tests.air.aired import Aired, read
from tests.air.ingest import Ingest
from tests.air.processes import free_port, wait_for
from tests.air.show import Show
from tests.air.studio import FPS, HEIGHT, PASSWORD, WIDTH, Studio
from tests.air.tape import Tape
from tests.air.viewers import CHROMIUM, Counts, Watcher, watching

pytestmark = [pytest.mark.air, pytest.mark.long, pytest.mark.timeout(1500)]

# Before and after each fault.
CALM_S = 20.0
DOWN_S = 3.0


@dataclass
class Fault:
    """What was done to a part.

    Attributes:
        part: which.
        begin_s: when, by the wall clock.
        sample: of the programme that was on air then.
        mended_s: when it was there again (0: by itself).
        end_s: when the next fault may come.
    """

    part: str
    begin_s: float
    sample: int
    mended_s: float = 0.0
    end_s: float = 0.0


@dataclass
class Scene:
    """A show on air by RTMP, by OBS, and in a browser."""

    show: Show
    direct: Ingest
    by_obs: Ingest
    studio: Studio
    tape: Tape
    watcher: Watcher
    faults: list[Fault] = field(default_factory=list)

    async def suffer(self, part: str, harm: Callable[[], None], mend: Callable[[], object] | None = None) -> None:
        """Do harm, mend it if it does not mend itself, and leave time to recover."""
        fault = Fault(part, time.time(), self.tape.now)
        harm()
        if mend is not None:
            await asyncio.sleep(DOWN_S)
            await asyncio.to_thread(mend)
            fault.mended_s = time.time()
        await asyncio.sleep(CALM_S)
        async with asyncio.timeout(60):
            while not await self.watcher.plays():
                await asyncio.sleep(0.2)
        fault.end_s = time.time()
        self.faults.append(fault)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    assert CHROMIUM, "chromium is not installed: make test installs it"
    with tempfile.TemporaryDirectory(prefix="rec", ignore_cleanup_errors=True) as name:
        folder, nut, port = Path(name), free_port(), free_port()
        direct, by_obs = Ingest(folder / "direct"), Ingest(folder / "by-obs")
        studio = Studio(folder / "studio", by_obs.url, "concert", f"tcp://127.0.0.1:{nut}")
        studio.start_obs()
        options = ["--port", str(port), "--nut", str(nut), "--obs", studio.url, "--stream", "--stamp"]
        options += ["--size", f"{WIDTH}x{HEIGHT}", "--fps", str(FPS), "--publish", direct.url]
        show = Show(folder / "a", *options, env={"STREAM_KEY": "recovery", "OBS_PASSWORD": PASSWORD})
        try:
            await asyncio.to_thread(show.on_air, 180.0)
            tape = Tape(show.run / "programme.ring")
            await asyncio.to_thread(wait_for, lambda: len(by_obs.recordings()) > 0, "stream of OBS", 60.0)
            async with watching(f"http://127.0.0.1:{port}") as watcher:
                await asyncio.sleep(10)
                yield Scene(show, direct, by_obs, studio, tape, watcher)
            tape.close()
        finally:
            show.close()
            studio.close()
            for ingest in (direct, by_obs):
                ingest.close()


def missing_s(recordings: list[Aired], since: int, until: int, most_step: int) -> tuple[float, float]:
    """Return how much of a span of the programme nobody received, and how much of it was not the player's sound.

    Args:
        recordings: of one ingest.
        since, until: samples of the programme.
        most_step: pictures that may be left out within a recording without its being a gap.
    """
    came = np.zeros((until - since) * FPS // SAMPLE_RATE, bool)
    first, strange = since * FPS // SAMPLE_RATE, 0.0
    for aired in recordings:
        for number, step in zip(aired.numbers[:-1], aired.steps, strict=True):
            if 0 < step <= most_step:
                low, high = np.clip([number - first, number + step - first], 0, len(came))
                came[low:high] = True
        strange += aired.strange_between_s(since, until)
    return float((~came).sum()) / FPS, strange


# Published by the feed, a picture that is left out had its sound; OBS that stands still has neither.
MOST_STEP = {"direct": 1000, "obs": FPS // 2}


async def test_whatever_is_killed_is_back_and_the_rest_does_not_care(scene: Scene) -> None:
    show = scene.show
    assert scene.studio.obs is not None
    obs = scene.studio.obs
    await scene.suffer("player", lambda: show.kill("player"))
    await scene.suffer("feed", lambda: show.kill("feed"))
    await scene.suffer("composer", lambda: show.kill("composer"))
    await scene.suffer("conductor", lambda: show.kill("conductor"), show.start)
    await scene.suffer("ingest killed", scene.direct.kill, scene.direct.start)
    await scene.suffer("ingest frozen", scene.direct.freeze, scene.direct.thaw)
    await scene.suffer("OBS", obs.kill, scene.studio.start_obs)
    counts = await scene.watcher.counts()
    until = scene.tape.now
    await asyncio.sleep(3)
    show.close()
    recordings = {
        name: [read(path, scene.tape, FPS, until=until) for path in ingest.recordings()]
        for name, ingest in (("direct", scene.direct), ("obs", scene.by_obs))
    }
    rows = [row(fault, counts, recordings) for fault in scene.faults]
    for found in rows:
        print(json.dumps({"measured": "recovery", **found, "load": round(os.getloadavg()[0], 1)}))
    for found in rows:
        untouched = {"direct_missing_s", "direct_strange_s", "browser_sound_gap_s"} - TOUCHED[str(found["part"])]
        for name in untouched:
            assert float(found[name]) < 1.0, (found["part"], name)
        for name, value in found.items():
            assert name in ("part", "at_s") or float(value) < CALM_S + DOWN_S, (found["part"], name)


# What each fault may be noticed by; all else goes on as if nothing were.
TOUCHED: dict[str, set[str]] = {
    "player": {"direct_strange_s"},
    "feed": {"direct_missing_s", "browser_sound_gap_s", "direct_strange_s"},
    "composer": set(),
    "conductor": set(),
    "ingest killed": {"direct_missing_s"},
    "ingest frozen": {"direct_missing_s"},
    "OBS": set(),
}


def row(fault: Fault, counts: Counts, recordings: dict[str, list[Aired]]) -> dict[str, float | str]:
    """Return what a fault cost, in seconds."""
    until = fault.sample + int((fault.end_s - fault.begin_s) * SAMPLE_RATE)
    found: dict[str, float | str] = {"part": fault.part, "at_s": round(fault.sample / SAMPLE_RATE, 1)}
    for name, aired in recordings.items():
        missing, strange = missing_s(aired, fault.sample - SAMPLE_RATE, until, MOST_STEP[name])
        found[f"{name}_missing_s"], found[f"{name}_strange_s"] = round(missing, 2), round(strange, 2)
    found["browser_sound_gap_s"] = round(counts.gap_s(counts.sound, fault.begin_s, fault.end_s), 2)
    found["browser_picture_gap_s"] = round(counts.gap_s(counts.pictures, fault.begin_s, fault.end_s), 2)
    return found
