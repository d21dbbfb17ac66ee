"""What is green in OBS and yet not seen or heard is noticed, told once, and healed where it can be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest

from streaming.backoff import Backoff
from streaming.obs.director import ObsDirector
from streaming.obs.link import ObsFinalError, ObsLink, version_of
from streaming.obs.outputs import ROLL_PAUSE_S
from streaming.obs.sources import FEED_INPUT, feed_settings
from tests.fakes_obs import PASSWORD, FakeObs
from tests.streaming.obs.conftest import Time

FEED = "tcp://127.0.0.1:19003"
HOUR_S = 3600.0


class Watcher:
    """A director whose clock a test moves, and what it told."""

    def __init__(self, obs: FakeObs, clock: Time) -> None:
        self.obs, self.clock = obs, clock
        self.news: list[tuple[str, bool]] = []
        self.director = ObsDirector(
            obs.url,
            PASSWORD,
            FEED,
            on_news=lambda text, good: self.news.append((text, good)),
            roll_after_s=47 * HOUR_S,
            backoff=Backoff(Random(), first_s=0.01, longest_s=0.05),
            clock=clock,
        )

    @property
    def bad(self) -> list[str]:
        return [text for text, good in self.news if not good]

    async def pass_s(self, seconds: float, *, playing_db: float | None = -12.0) -> None:
        """Let time pass while the player plays; not faster than the director looks and the meters tell."""
        for _ in range(round(seconds * 2)):
            if playing_db is not None:
                self.director.played(playing_db)
            self.clock.go(0.5)
            looked, told = self.obs.looks + 2, self.obs.told + 1
            await self.obs.until(lambda at=looked, of=told: self.obs.looks >= at and self.obs.told >= of)  # type: ignore[misc]


@pytest.fixture
async def watcher(obs: FakeObs, clock: Time, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watcher]:
    monkeypatch.setattr("streaming.obs.director.LOOK_S", 0.02)
    monkeypatch.setattr("streaming.obs.director.SETTLING_S", 0.02)
    monkeypatch.setattr("streaming.obs.director.PULSE_S", 0.1)
    made = Watcher(obs, clock)
    made.director.wanted(scene="Main")
    assert await made.director.start()
    await obs.until(lambda: obs.listening == 1)
    await made.pass_s(4)
    yield made
    await made.director.close()


async def test_a_programme_that_is_seen_and_heard_is_no_news(watcher: Watcher, obs: FakeObs) -> None:
    obs.requests.clear()
    await watcher.pass_s(20)
    assert watcher.news == [(f"OBS 29.0.2 at {obs.url} shows the programme", True)]
    assert watcher.director.state.alert == ""
    assert watcher.director.state.level_db == pytest.approx(-6.0, abs=0.1)
    assert not {"SetInputSettings", "SetInputMute", "SetInputVolume"} & set(obs.requests)


async def test_a_muted_programme_is_noticed_within_5_s_unmuted_and_told_of(watcher: Watcher, obs: FakeObs) -> None:
    obs.shown.muted[FEED_INPUT] = True
    await watcher.pass_s(5)
    assert not obs.shown.muted[FEED_INPUT]
    await watcher.pass_s(4)
    assert [text for text, _ in watcher.news][1:] == [
        "OBS is silent: the programme is muted, or its fader is down",
        "the programme's input in OBS was muted or its fader down: opened",
        "the programme is heard in OBS again",
    ]
    assert watcher.director.state.alert == ""


async def test_a_fader_that_is_down_is_brought_to_where_the_show_wants_it(watcher: Watcher, obs: FakeObs) -> None:
    watcher.director.wanted(volume_db=-3.0)
    await obs.until(lambda: obs.shown.volumes[FEED_INPUT] == -3.0)
    obs.shown.volumes[FEED_INPUT] = -100.0
    await watcher.pass_s(6)
    assert obs.shown.volumes[FEED_INPUT] == -3.0


async def test_whoever_mutes_it_a_third_time_means_it(watcher: Watcher, obs: FakeObs) -> None:
    for _ in range(3):
        obs.shown.muted[FEED_INPUT] = True
        await watcher.pass_s(20, playing_db=None)
    assert obs.shown.muted[FEED_INPUT]
    assert "muted" in watcher.director.state.alert


async def test_sound_that_does_not_reach_obs_is_noticed_within_5_s_and_the_input_set_anew(
    watcher: Watcher, obs: FakeObs
) -> None:
    obs.requests.clear()
    obs.arriving = 0.0
    await watcher.pass_s(5)
    assert obs.requests.count("SetInputSettings") == 1
    assert watcher.bad[0] == "OBS is silent: the programme's sound does not reach it"
    assert "does not reach it" in watcher.director.state.alert
    await watcher.pass_s(20)
    assert obs.requests.count("SetInputSettings") == 3, "again, with growing pauses"
    obs.arriving = 0.5
    await watcher.pass_s(2)
    assert watcher.news[-1] == ("the programme is heard in OBS again", True)


async def test_a_pause_of_the_music_is_no_fault_of_obs(watcher: Watcher, obs: FakeObs) -> None:
    obs.requests.clear()
    obs.arriving = 0.0
    await watcher.pass_s(10, playing_db=-100.0)
    assert not watcher.bad
    assert "SetInputSettings" not in obs.requests


async def test_a_picture_that_stands_still_is_noticed_within_5_s_and_the_input_set_anew(
    watcher: Watcher, obs: FakeObs
) -> None:
    obs.requests.clear()
    obs.moving = False
    await watcher.pass_s(5)
    assert obs.requests.count("SetInputSettings") == 1
    assert watcher.bad[0] == "the programme's picture stands still in OBS"


async def test_without_meters_the_show_goes_on_and_nothing_is_made_up(watcher: Watcher, obs: FakeObs) -> None:
    obs.metering = False
    obs.arriving = 0.0
    await asyncio.sleep(0.1)
    watcher.director.wanted(now="Dawn")
    await obs.until(lambda: "Conductor now" in obs.inputs)
    assert watcher.director.available


async def test_a_scene_without_the_programme_is_told_of_once_and_left_alone(watcher: Watcher, obs: FakeObs) -> None:
    obs.scene = "Break"
    await watcher.pass_s(10)
    assert watcher.bad == ["OBS shows the scene 'Break', in which 'Conductor programme' is not: unheard"]
    assert obs.scene == "Break"
    obs.scene = "Main"
    await watcher.pass_s(1)
    assert watcher.director.state.alert == ""


async def test_an_input_that_a_person_removes_is_made_again(watcher: Watcher, obs: FakeObs) -> None:
    obs.forget()
    await obs.until(lambda: FEED_INPUT in obs.inputs)
    assert obs.inputs[FEED_INPUT] == feed_settings(FEED)
    assert obs.identified == 1, "the connection is sound"
    assert watcher.bad == ["the programme's input is gone from OBS: it is made again"]


async def test_settings_that_were_changed_while_obs_was_away_are_set_right(watcher: Watcher, obs: FakeObs) -> None:
    await obs.stop()
    await obs.until(lambda: not watcher.director.available)
    obs.inputs[FEED_INPUT]["input"] = "tcp://127.0.0.1:1"
    obs.inputs[FEED_INPUT]["reconnect_delay_sec"] = 10
    obs.offsets[FEED_INPUT] = 500
    await obs.start()
    await obs.until(lambda: watcher.director.available)
    assert obs.inputs[FEED_INPUT] == feed_settings(FEED)
    assert obs.offsets[FEED_INPUT] == 20


async def test_an_obs_that_changes_its_scene_collection_is_waited_for(watcher: Watcher, obs: FakeObs) -> None:
    obs.busy = {"GetCurrentProgramScene", "GetStreamStatus", "GetInputSettings"}
    await obs.until(lambda: not watcher.director.available)
    obs.busy = set()
    await obs.until(lambda: watcher.director.available)


async def test_recording_begins_and_ends_as_wanted(watcher: Watcher, obs: FakeObs) -> None:
    watcher.director.wanted(recording=True)
    await obs.until(lambda: obs.recording and watcher.director.state.recording)
    watcher.director.wanted(recording=False)
    await obs.until(lambda: not obs.recording)


async def test_an_ingest_that_refuses_the_stream_is_told_of_once(watcher: Watcher, obs: FakeObs) -> None:
    obs.broken = {"Stream"}
    watcher.director.wanted(streaming=True)
    await watcher.pass_s(60)
    assert watcher.bad == [
        "OBS does not stream though it was told to again and again: look at server and key (Settings, Stream)"
    ]
    assert obs.requests.count("StartStream") <= 6
    obs.broken = set()
    await watcher.pass_s(60)
    assert watcher.news[-1] == ("OBS streams now", True)


async def test_a_broadcast_rolls_at_the_seam_after_47_hours(watcher: Watcher, obs: FakeObs) -> None:
    watcher.director.wanted(streaming=True)
    await obs.until(lambda: watcher.director.state.streaming)
    obs.streamed_ms = int(47.1 * HOUR_S * 1000)
    await watcher.pass_s(5)
    assert obs.requests.count("StopStream") == 0, "not in the middle of a piece"
    watcher.director.seam()
    await obs.until(lambda: not obs.streaming)
    obs.streamed_ms = 0
    await watcher.pass_s(ROLL_PAUSE_S - 2)
    assert not obs.streaming, "the service is to see two broadcasts"
    await watcher.pass_s(4)
    await obs.until(lambda: obs.streaming)
    watcher.director.seam()
    await watcher.pass_s(5)
    assert (obs.requests.count("StopStream"), obs.requests.count("StartStream")) == (1, 2)


async def test_a_stream_that_a_person_began_is_a_persons_to_end(watcher: Watcher, obs: FakeObs) -> None:
    obs.streaming, obs.streamed_ms = True, int(60 * HOUR_S * 1000)
    for _ in range(3):
        watcher.director.seam()
        await watcher.pass_s(1)
    assert "StopStream" not in obs.requests


async def test_an_obs_before_28_is_told_as_such_and_left_alone(obs: FakeObs) -> None:
    obs.version = "27.2.4"
    director = ObsDirector(obs.url, PASSWORD, FEED, backoff=Backoff(Random(), first_s=0.01, longest_s=0.05))
    assert not await director.start()
    assert director.state.reason == "this is OBS 27.2.4: OBS 28 or later is needed"
    await asyncio.sleep(0.3)
    assert obs.connections == 1
    await director.close()


async def test_an_obs_websocket_of_version_4_says_nothing_and_is_told_as_such(obs: FakeObs) -> None:
    obs.speechless = True
    director = ObsDirector(obs.url, PASSWORD, FEED, timeout_s=0.2)
    assert not await director.start()
    assert "older than OBS 28" in director.state.reason
    await director.close()


async def test_a_protocol_that_does_not_fit_is_told_as_such(obs: FakeObs) -> None:
    link = await asyncio.to_thread(ObsLink, obs.url, PASSWORD)
    await obs.stop(4010)
    with pytest.raises(ObsFinalError, match="OBS 28 or later"):
        await asyncio.to_thread(version_of, link)
