"""OBS is made as the show wants it, whatever OBS does, and the show never learns of it by an exception."""

from __future__ import annotations

import asyncio
import logging
import threading
from random import Random

import pytest

from streaming.backoff import Backoff
from streaming.errors import ObsError
from streaming.obs.director import ObsDirector
from streaming.obs.link import ObsFinalError, ObsLink, ObsRefusedError, parse_url
from streaming.obs.sources import FEED_INPUT, KEY_FILTER, KEY_SETTINGS, TEXT_INPUTS, feed_settings
from streaming.obs.wanted import ObsState
from tests.fakes_obs import PASSWORD, FakeObs

FEED = "tcp://127.0.0.1:19003"


class Watched:
    """A director and every state it told of."""

    def __init__(self, url: str, password: str = PASSWORD, *, timeout_s: float = 2.0, keyed: bool = False) -> None:
        self.states: list[ObsState] = []
        self.threads: set[int] = set()
        self.director = ObsDirector(
            url,
            password,
            FEED,
            on_change=self._changed,
            timeout_s=timeout_s,
            backoff=Backoff(Random(), first_s=0.01, longest_s=0.05),
            keyed=keyed,
        )

    def _changed(self, state: ObsState) -> None:
        self.threads.add(threading.get_ident())
        self.states.append(state)

    async def __aenter__(self) -> ObsDirector:
        return self.director

    async def __aexit__(self, *_: object) -> None:
        await self.director.close()


async def test_start_makes_the_feed_input_with_the_settings_of_least_delay(obs: FakeObs) -> None:
    async with Watched(obs.url) as director:
        assert await director.start()
        assert obs.kinds == {FEED_INPUT: "ffmpeg_source"}
        assert obs.inputs[FEED_INPUT] == feed_settings(FEED)
        assert obs.items[FEED_INPUT] == {"scene": "Main", "enabled": True}


async def test_what_is_wanted_before_the_start_is_done_at_the_start(obs: FakeObs) -> None:
    async with Watched(obs.url) as director:
        director.wanted(scene="Break", now="Dawn", streaming=True)
        assert await director.start()
        assert (obs.scene, obs.streaming) == ("Break", True)
        assert obs.inputs[TEXT_INPUTS["now"]]["text"] == "Dawn"
        assert obs.items[FEED_INPUT]["scene"] == "Break", "the feed belongs into the scene on program"
        assert director.state == ObsState(True, "", "29.0.2", "Break", True)


async def test_what_is_wanted_later_is_done_then_and_nothing_else_is_touched(obs: FakeObs) -> None:
    async with Watched(obs.url) as director:
        director.wanted(scene="Main", now="Dawn", next="Dusk")
        await director.start()
        obs.requests.clear()
        director.wanted(now="Dusk")
        await obs.until(lambda: obs.inputs[TEXT_INPUTS["now"]]["text"] == "Dusk")
        assert obs.inputs[TEXT_INPUTS["next"]]["text"] == "Dusk"
        assert obs.requests.count("SetInputSettings") == 1
        assert "SetCurrentProgramScene" not in obs.requests


async def test_the_green_of_a_transparent_theme_is_taken_away_and_a_persons_filter_is_theirs(obs: FakeObs) -> None:
    async with Watched(obs.url, keyed=True) as director:
        assert await director.start()
        assert obs.shown.filters == {FEED_INPUT: {KEY_FILTER: KEY_SETTINGS}}
        obs.shown.filters[FEED_INPUT][KEY_FILTER]["similarity"] = 300
    async with Watched(obs.url, keyed=True) as director:
        assert await director.start()
        assert obs.shown.filters[FEED_INPUT][KEY_FILTER]["similarity"] == 300
        assert director.state.alert == ""
    async with Watched(obs.url) as director:
        assert await director.start()
        assert obs.shown.filters == {FEED_INPUT: {}}


async def test_a_programme_that_is_made_again_is_keyed_again(obs: FakeObs) -> None:
    async with Watched(obs.url, keyed=True) as director:
        assert await director.start()
        obs.forget()
        await obs.until(lambda: KEY_FILTER in obs.shown.filters.get(FEED_INPUT, {}))


async def test_texts_are_made_hidden_since_the_picture_tells_them_already(obs: FakeObs) -> None:
    async with Watched(obs.url) as director:
        director.wanted(now="Dawn", next="")
        await director.start()
        assert {name: obs.items[name]["enabled"] for name in TEXT_INPUTS.values()} == {
            "Conductor now": False,
            "Conductor next": False,
        }


async def test_a_persons_own_text_style_survives_a_new_text(obs: FakeObs) -> None:
    async with Watched(obs.url) as director:
        director.wanted(now="Dawn")
        await director.start()
        obs.inputs[TEXT_INPUTS["now"]]["font"] = {"face": "Own", "size": 99}
        director.wanted(now="Dusk")
        await obs.until(lambda: obs.inputs[TEXT_INPUTS["now"]]["text"] == "Dusk")
        assert obs.inputs[TEXT_INPUTS["now"]]["font"] == {"face": "Own", "size": 99}


async def test_a_scene_picked_by_hand_is_left_alone_until_the_show_wants_another(obs: FakeObs) -> None:
    async with Watched(obs.url) as director:
        director.wanted(scene="Main")
        await director.start()
        obs.scene = "Break"
        director.wanted(now="Dawn")
        await obs.until(lambda: TEXT_INPUTS["now"] in obs.inputs)
        assert obs.scene == "Break"


async def test_a_scene_that_obs_lacks_is_told_once_and_the_rest_is_done(
    obs: FakeObs, caplog: pytest.LogCaptureFixture
) -> None:
    async with Watched(obs.url) as director:
        director.wanted(scene="Mian", now="Dawn")
        assert await director.start()
        director.wanted(now="Dusk")
        await obs.until(lambda: obs.inputs[TEXT_INPUTS["now"]]["text"] == "Dusk")
        assert director.state.alert == "OBS has no scene 'Mian'; it has 'Main', 'Break'"
    told = [r.getMessage() for r in caplog.records if "Mian" in r.getMessage()]
    assert told == ["OBS has no scene 'Mian'; it has 'Main', 'Break'"]
    assert obs.scene == "Main"


async def test_a_stream_that_ended_though_wanted_is_started_again(
    obs: FakeObs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming.obs.director.PULSE_S", 0.02)
    async with Watched(obs.url) as director:
        director.wanted(streaming=True)
        await director.start()
        obs.streaming = False
        await obs.until(lambda: obs.streaming)
        director.wanted(streaming=False)
        await obs.until(lambda: not obs.streaming)


async def test_no_obs_is_one_line_and_no_exception() -> None:
    watched = Watched("ws://127.0.0.1:1")
    async with watched as director:
        director.wanted(scene="Main", streaming=True)
        assert not await director.start()
        assert director.state.reason == "no OBS answers at ws://127.0.0.1:1 (connection refused)"
        assert not director.available


async def test_obs_that_comes_later_is_found_and_told_everything(obs: FakeObs) -> None:
    await obs.stop()
    watched = Watched(obs.url)
    async with watched as director:
        director.wanted(scene="Break", now="Dawn")
        assert not await director.start()
        await obs.start()
        await obs.until(lambda: director.available)
        assert obs.scene == "Break"
        assert obs.inputs[TEXT_INPUTS["now"]]["text"] == "Dawn"


async def test_after_a_restart_of_obs_everything_wanted_is_there_again(obs: FakeObs) -> None:
    watched = Watched(obs.url)
    async with watched as director:
        director.wanted(scene="Break", now="Dawn", streaming=True)
        await director.start()
        await obs.stop()
        # Wanted while OBS is gone: what counts afterwards is this, not a replay of what came before.
        director.wanted(now="Dusk")
        director.wanted(now="Night")
        obs.forget()
        obs.scene, obs.streaming = "Main", False
        obs.requests.clear()
        await obs.start()
        await obs.until(lambda: obs.streaming and TEXT_INPUTS["now"] in obs.inputs)
        await obs.until(lambda: director.available)
    assert obs.scene == "Break"
    assert obs.inputs[FEED_INPUT] == feed_settings(FEED)
    assert obs.inputs[TEXT_INPUTS["now"]]["text"] == "Night"
    assert [s.available for s in watched.states][:1] == [True]
    assert False in [s.available for s in watched.states]
    assert watched.threads == {threading.get_ident()}, "states are told in the event loop's thread"


async def test_an_obs_that_does_not_reply_gets_a_fresh_client(obs: FakeObs) -> None:
    async with Watched(obs.url, timeout_s=0.2) as director:
        await director.start()
        obs.deaf = {"SetCurrentProgramScene"}
        director.wanted(scene="Break")
        await obs.until(lambda: not director.available)
        obs.deaf = set()
        await obs.until(lambda: obs.scene == "Break")
        assert obs.identified >= 2


async def test_a_reply_out_of_step_gets_a_fresh_client(obs: FakeObs) -> None:
    async with Watched(obs.url) as director:
        await director.start()
        obs.out_of_step = {"GetStreamStatus"}
        director.wanted(scene="Break")
        await obs.until(lambda: obs.identified >= 2)
        obs.out_of_step = set()
        await obs.until(lambda: director.available)


@pytest.mark.parametrize("password", ["wrong", ""])
async def test_a_wrong_password_is_said_once_and_never_tried_again(
    obs: FakeObs, password: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Watched(obs.url, password) as director:
        assert not await director.start()
        assert "password" in director.state.reason
        # Ten times the longest pause between tries.
        await asyncio.sleep(0.5)
        assert obs.connections == 1
    warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert warnings == [f"{director.state.reason}; OBS is left alone until the show is started again"]


async def test_being_kicked_out_of_obs_is_respected(obs: FakeObs) -> None:
    async with Watched(obs.url) as director:
        await director.start()
        await obs.until(lambda: obs.listening == 1)
        await obs.kick()
        director.wanted(scene="Break")
        await obs.until(lambda: "ended the session" in director.state.reason)
        await asyncio.sleep(0.5)
        assert obs.connections == 2, "neither the link nor the one of the meters came again"


async def test_a_feed_without_a_reader_is_set_anew_but_not_at_every_second(obs: FakeObs) -> None:
    async with Watched(obs.url) as director:
        await director.start()
        obs.requests.clear()
        director.feed_readers(0)
        director.feed_readers(1)
        director.feed_readers(0)
        director.wanted(scene="Break")
        await obs.until(lambda: obs.scene == "Break")
        assert "SetInputSettings" not in obs.requests, "one missing second is a reconnect at work"
        for _ in range(5):
            director.feed_readers(0)
        await obs.until(lambda: "SetInputSettings" in obs.requests)
        director.wanted(scene="Main")
        await obs.until(lambda: obs.scene == "Main")
        assert obs.requests.count("SetInputSettings") == 1


async def test_closing_does_what_was_wanted_last(obs: FakeObs) -> None:
    async with Watched(obs.url) as director:
        director.wanted(streaming=True)
        await director.start()
        director.wanted(streaming=False)
    assert not obs.streaming


async def test_the_password_is_in_no_log_record_and_no_repr(obs: FakeObs, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    watched = Watched(obs.url)
    async with watched as director:
        await director.start()
    link_free = Watched("ws://127.0.0.1:1")
    async with link_free as director:
        await director.start()
    assert caplog.records
    told = [*(r.getMessage() for r in caplog.records), repr(director), repr(director.state), str(watched.states)]
    assert not [text for text in told if PASSWORD in text]


@pytest.mark.parametrize("url", ["127.0.0.1:4455", "http://127.0.0.1:4455", "ws://", "ws://host:port", "wss://h:1", ""])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ObsError, match="must look like ws://"):
        ObsDirector(url)


def test_an_address_without_a_port_means_the_usual_one() -> None:
    assert parse_url("ws://studio") == ("studio", 4455)
    assert parse_url("ws://[::1]:9") == ("[::1]", 9)


async def test_a_server_that_is_not_obs_is_told_as_such() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        with pytest.raises(ObsError, match=f"no OBS answers at {url}"):
            await asyncio.to_thread(ObsLink, url)


async def test_a_link_tells_refusals_from_losses(obs: FakeObs) -> None:
    link = await asyncio.to_thread(ObsLink, obs.url, PASSWORD)
    with pytest.raises(ObsRefusedError) as refused:
        await asyncio.to_thread(link.request, "SetCurrentProgramScene", sceneName="none")
    assert refused.value.code == 600
    assert (await asyncio.to_thread(link.request, "GetVersion"))["obsVersion"] == "29.0.2"
    await obs.kick()
    with pytest.raises(ObsFinalError, match="ended the session"):
        await asyncio.to_thread(link.request, "GetVersion")
    link.close()
