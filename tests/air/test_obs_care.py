"""Real OBS set up, surveyed, calibrated, and healed of what is green and yet not seen or heard."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from streaming.backoff import Backoff
from streaming.obs.calibration import calibrate
from streaming.obs.director import ObsDirector
from streaming.obs.layout import CAPTIONS
from streaming.obs.link import METERS, ObsLink
from streaming.obs.scenes import set_up
from streaming.obs.sources import FEED_INPUT, feed_settings
from streaming.obs.survey import survey
from tests.air.conftest import Chain
from tests.air.processes import until
from tests.air.recording import read
from tests.air.studio import PASSWORD, Studio
from tests.fakes_obs import FakeObs

pytestmark = pytest.mark.air


async def asked(chain: Chain, name: str, **data: Any) -> dict[str, Any]:
    """Return OBS's answer to a question of the test's own."""

    def ask() -> dict[str, Any]:
        link = ObsLink(chain.studio.url, PASSWORD)
        try:
            return link.request(name, **data)
        finally:
            link.close()

    return await asyncio.to_thread(ask)


class Played:
    """Tells a director, as the show does, what the player plays: here a beep in each second."""

    def __init__(self, director: ObsDirector) -> None:
        self._task = asyncio.create_task(self._tell(director))

    async def _tell(self, director: ObsDirector) -> None:
        while True:
            director.played(-6.0)
            await asyncio.sleep(0.1)

    def close(self) -> None:
        self._task.cancel()


@pytest.fixture
async def watched(chain: Chain, director: ObsDirector) -> AsyncIterator[list[tuple[float, str]]]:
    """A director at work on the programme, and its news with their times."""
    news: list[tuple[float, str]] = []
    director.on_news = lambda text, _: news.append((time.monotonic(), text))
    director.wanted(scene="Main")
    async with chain.readers(director) as readers:
        assert await director.start()
        await until(lambda: 1 in readers[-1:], "OBS at the feed")
        played = Played(director)
        await until(lambda: (director.state.level_db or -100.0) > -20.0, "sound in OBS")
        news.clear()
        yield news
        played.close()


def noticed_after_s(news: list[tuple[float, str]], words: str, since_s: float) -> float:
    return next((at_s for at_s, text in news if words in text), float("inf")) - since_s


def report(what: str, **figures: float) -> None:
    print(json.dumps({"measured": what, **{name: round(value, 2) for name, value in figures.items()}}))


async def test_the_meters_of_the_fake_are_those_of_obs(chain: Chain, watched: list[tuple[float, str]]) -> None:
    assert not watched

    def listen() -> dict[str, Any]:
        link = ObsLink(chain.studio.url, PASSWORD, events=METERS)
        name, told = link.event()
        link.close()
        assert name == "InputVolumeMeters"
        return next(entry for entry in told["inputs"] if entry["inputName"] == FEED_INPUT)

    real = await asyncio.to_thread(listen)
    fake = FakeObs()
    fake.shown.kinds[FEED_INPUT], fake.shown.muted[FEED_INPUT], fake.shown.volumes[FEED_INPUT] = (
        "ffmpeg_source",
        False,
        0.0,
    )
    pretended = fake.meters()["inputs"][0]
    assert pretended.keys() == real.keys()
    assert [len(channel) for channel in pretended["inputLevelsMul"]] == [len(c) for c in real["inputLevelsMul"]]


async def test_a_programme_that_was_muted_in_obs_is_heard_again(
    chain: Chain, director: ObsDirector, watched: list[tuple[float, str]]
) -> None:
    await asked(chain, "SetInputMute", inputName=FEED_INPUT, inputMuted=True)
    muted_s = time.monotonic()
    await until(lambda: any("opened" in text for _, text in watched), "healing")
    noticed_s = noticed_after_s(watched, "OBS is silent", muted_s)
    await until(lambda: any("heard in OBS again" in text for _, text in watched), "sound")
    report("muted in OBS", noticed_s=noticed_s, healed_s=noticed_after_s(watched, "heard in OBS again", muted_s))
    assert noticed_s < 5.0
    assert not (await asked(chain, "GetInputMute", inputName=FEED_INPUT))["inputMuted"]
    assert director.state.alert == ""


async def test_a_feed_that_stops_is_noticed_in_obs_and_comes_back(
    chain: Chain, director: ObsDirector, watched: list[tuple[float, str]]
) -> None:
    os.kill(chain.feed.pid, signal.SIGSTOP)
    stopped_s = time.monotonic()
    try:
        # Sound and picture stop together; whichever is noticed first is told, and the input set anew.
        await until(lambda: bool(watched), "notice")
    finally:
        os.kill(chain.feed.pid, signal.SIGCONT)
    on_s = time.monotonic()
    noticed_s = watched[0][0] - stopped_s
    await until(lambda: director.state.alert == "" and (director.state.level_db or -100.0) > -20.0, "sound in OBS")
    report("feed stopped", noticed_s=noticed_s, back_s=time.monotonic() - on_s)
    assert noticed_s < 5.0
    assert "set anew" in " ".join(text for _, text in watched)


async def test_an_input_that_was_removed_in_obs_is_there_again(
    chain: Chain, director: ObsDirector, watched: list[tuple[float, str]]
) -> None:
    await asked(chain, "RemoveInput", inputName=FEED_INPUT)
    removed_s = time.monotonic()
    await until(lambda: any("is made again" in text for _, text in watched), "notice")
    await until(lambda: director.state.alert == "" and (director.state.level_db or -100.0) > -20.0, "sound in OBS")
    report("input removed", back_s=time.monotonic() - removed_s)
    found = (await asked(chain, "GetInputSettings", inputName=FEED_INPUT))["inputSettings"]
    assert {name: found[name] for name in feed_settings("")} == feed_settings(chain.feed_url)


async def test_a_scene_without_the_programme_is_told_of(
    director: ObsDirector, watched: list[tuple[float, str]]
) -> None:
    director.wanted(scene="Break")
    await until(lambda: any("'Break', in which" in text for _, text in watched), "notice")
    director.wanted(scene="no such scene")
    await until(lambda: any("OBS has no scene 'no such scene'" in text for _, text in watched), "notice")
    director.wanted(scene="Main")
    await until(lambda: director.state.alert == "", "all well")


async def test_volume_and_recording_are_as_wanted(
    chain: Chain, director: ObsDirector, watched: list[tuple[float, str]]
) -> None:
    assert not watched
    director.wanted(volume_db=-12.0, recording=True)
    await until(lambda: director.state.recording, "recording")
    await until(lambda: -20.0 < (director.state.level_db or 0.0) < -17.0, "sound 12 dB softer")
    director.wanted(volume_db=0.0, recording=False)
    await until(lambda: not director.state.recording, "end of the recording")
    assert (await asked(chain, "GetInputVolume", inputName=FEED_INPUT))["inputVolumeDb"] == pytest.approx(0, abs=0.05)
    folder = (await asked(chain, "GetRecordDirectory"))["recordDirectory"]
    assert list(Path(folder).glob("*.mkv"))


async def test_a_broadcast_that_is_old_enough_rolls_at_a_seam_into_another(chain: Chain) -> None:
    before = set(chain.ingest.recordings())
    director = ObsDirector(
        chain.studio.url,
        PASSWORD,
        chain.feed_url,
        roll_after_s=4.0,
        backoff=Backoff(Random(), first_s=0.25, longest_s=1.0),
    )
    director.wanted(scene="Main", streaming=True)
    assert await director.start()
    try:
        await until(lambda: director.state.streaming, "stream")
        director.seam()
        await asyncio.sleep(5)
        assert director.state.streaming, "a seam before its time is none"
        director.seam()
        ended_s = await until(lambda: not director.state.streaming, "end of the first broadcast")
        pause_s = await until(lambda: director.state.streaming, "second broadcast")
        report("rolled", ended_s=ended_s, pause_s=pause_s)
        await asyncio.sleep(5)
    finally:
        director.wanted(streaming=False)
        await director.close()
    await until(lambda: len(set(chain.ingest.recordings()) - before) == 2, "two broadcasts")
    # OBS takes its time to end a stream; whoever has it next finds it at rest.
    async with asyncio.timeout(15):
        while (await asked(chain, "GetStreamStatus"))["outputActive"]:
            await asyncio.sleep(0.25)
    for path in set(chain.ingest.recordings()) - before:
        assert read(path).frames


async def test_calibrating_measures_each_start_and_leaves_obs_as_it_was(chain: Chain) -> None:
    before = await asked(chain, "GetSceneList"), await asked(chain, "GetInputList")
    lines: list[str] = []
    found = await asyncio.to_thread(calibrate, chain.studio.url, PASSWORD, starts=2, say=lines.append)
    report("calibrated", offset_ms=found.offset_ms, first_ms=found.starts_ms[0], second_ms=found.starts_ms[1])
    assert len(lines) == 2
    assert all(-100.0 < late_ms < 150.0 for late_ms in found.starts_ms)
    # What was shown last goes when the transition away from it is over.
    await asyncio.sleep(1)
    assert (await asked(chain, "GetSceneList"), await asked(chain, "GetInputList")) == before


async def test_a_running_obs_is_set_up_once_and_the_programme_is_on(chain: Chain) -> None:
    def set_it_up() -> list[str]:
        link = ObsLink(chain.studio.url, PASSWORD)
        try:
            return list(set_up(link, chain.feed_url, collection="Set up"))
        finally:
            link.close()

    try:
        assert await asyncio.to_thread(set_it_up)
        assert await asyncio.to_thread(set_it_up) == []
        await asyncio.sleep(4)
        for scene in CAPTIONS:
            await asked(chain, "SetCurrentProgramScene", sceneName=scene)
            # A transition, and the levels of some seconds: a busy OBS may swallow one beep, not all of them.
            await asyncio.sleep(1)
            levels_db: list[float] = []
            while len(levels_db) < 5 and max(levels_db, default=-100.0) < -20.0:
                found = await asyncio.to_thread(survey, chain.studio.url, PASSWORD)
                assert list(found.wrong()) == [], scene
                assert found.scenes == list(CAPTIONS)
                levels_db.append(found.level_db)
            assert max(levels_db) == pytest.approx(-6.0, abs=1.0), levels_db
    finally:
        await asked(chain, "SetCurrentSceneCollection", sceneCollectionName="concert")


async def test_an_obs_that_starts_from_the_files_is_ready(chain: Chain, tmp_path: Path) -> None:
    studio = Studio(tmp_path / "studio", chain.ingest.url, "from files", chain.feed_url)
    try:
        studio.start_obs()

        def found() -> dict[str, Any]:
            return survey(studio.url, PASSWORD).as_json()

        def ready() -> bool:
            return not found()["wrong"]

        await until(ready, "programme in OBS")
        told = await asyncio.to_thread(found)
        assert (told["collection"], told["scenes"], told["scene"]) == ("concert", list(CAPTIONS), "Main")
        assert (told["width"], told["height"], told["fps"], told["offset_ms"]) == (640, 360, 30.0, 20)
        assert (told["service"], told["has_key"]) == (chain.ingest.url, True)

        def set_it_up() -> list[str]:
            link = ObsLink(studio.url, PASSWORD)
            try:
                return list(set_up(link, chain.feed_url, collection="concert"))
            finally:
                link.close()

        assert await asyncio.to_thread(set_it_up) == [], "files and requests make the same"
    finally:
        studio.close()
