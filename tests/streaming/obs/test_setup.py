"""`conductor obs setup` makes all that a show needs, as often as one likes, in an OBS that runs and in its files."""

from __future__ import annotations

import asyncio
import configparser
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from streaming.errors import ObsError
from streaming.obs.files import Plan, obs_folder, write_files
from streaming.obs.layout import CAPTIONS, COLLECTION, VEIL, Canvas, collection_file, layout
from streaming.obs.link import ObsLink
from streaming.obs.scenes import set_up, stream_service
from streaming.obs.sources import FEED_INPUT, TEXT_INPUTS, feed_settings
from streaming.obs.survey import survey
from tests.fakes_obs import PASSWORD, FakeObs

FEED = "tcp://127.0.0.1:19003"
KEY = "live_0123456789abcdef"


async def made(obs: FakeObs, **more: Any) -> list[str]:
    """Set up, and return what was told."""

    def run() -> list[str]:
        link = ObsLink(obs.url, PASSWORD)
        try:
            return list(set_up(link, FEED, **{"collection": COLLECTION, **more}))
        finally:
            link.close()

    return await asyncio.to_thread(run)


async def test_a_scene_collection_is_made_with_the_programme_in_every_scene(obs: FakeObs) -> None:
    await made(obs)
    assert obs.current == COLLECTION
    assert obs.shown.scenes == list(CAPTIONS), "the empty scene of a new collection is gone"
    assert obs.inputs[FEED_INPUT] == feed_settings(FEED)
    assert obs.offsets[FEED_INPUT] == 20
    stacked = {scene: [item.name for item in obs.shown.places if item.scene == scene] for scene in CAPTIONS}
    assert stacked["Main"] == [FEED_INPUT, *TEXT_INPUTS.values()]
    for scene in ("Starting", "Pause", "End"):
        assert stacked[scene] == [FEED_INPUT, VEIL, f"Conductor {scene.lower()}"], "the programme lies at the bottom"
        assert obs.inputs[f"Conductor {scene.lower()}"]["text"] == CAPTIONS[scene]
    shown = {item.name: item.enabled for item in obs.shown.places if item.scene == "Main"}
    assert shown == {FEED_INPUT: True, "Conductor now": False, "Conductor next": False}


async def test_a_second_time_there_is_nothing_to_do(obs: FakeObs) -> None:
    assert await made(obs)
    obs.requests.clear()
    assert await made(obs) == []
    assert not [name for name in obs.requests if not name.startswith("Get")]


async def test_what_a_person_changed_stays_and_what_is_missing_is_made(obs: FakeObs) -> None:
    await made(obs)
    obs.inputs["Conductor pause"]["text"] = "Tea"
    obs.shown.places = [item for item in obs.shown.places if (item.scene, item.name) != ("End", FEED_INPUT)]
    obs.inputs[FEED_INPUT]["input"] = "tcp://127.0.0.1:1"
    assert await made(obs) == [
        f"scene 'End': {FEED_INPUT!r} put in",
        f"input {FEED_INPUT!r}: set right",
    ]
    assert obs.inputs["Conductor pause"]["text"] == "Tea"
    assert obs.inputs[FEED_INPUT]["input"] == FEED
    assert next(item.name for item in obs.shown.places if item.scene == "End") == FEED_INPUT


async def test_the_collection_that_is_shown_can_be_set_up_and_keeps_its_scenes(obs: FakeObs) -> None:
    await made(obs, collection="")
    assert obs.current == "concert"
    assert obs.shown.scenes == ["Main", "Break", "Starting", "Pause", "End"]


async def test_a_microphone_of_a_new_collection_is_muted_and_a_persons_own_is_not(obs: FakeObs) -> None:
    obs.special = {"mic1": "Mic/Aux", "desktop1": None}
    told = await made(obs)
    assert obs.shown.muted["Mic/Aux"]
    assert any("'Mic/Aux': muted" in line for line in told)
    obs.shown.muted["Mic/Aux"] = False
    assert await made(obs) == []
    assert not obs.shown.muted["Mic/Aux"]


@pytest.mark.parametrize("output", ["streaming", "recording"])
async def test_another_collection_is_not_shown_while_obs_is_on_air(obs: FakeObs, output: str) -> None:
    setattr(obs, output, True)
    with pytest.raises(ObsError, match="on air in another scene collection"):
        await made(obs)
    assert obs.current == "concert"
    assert await made(obs, collection="concert"), "the one on air may get what it lacks"


async def test_the_streaming_service_is_set_and_its_key_not_told(obs: FakeObs) -> None:
    told = await made(obs, service=stream_service("rtmp://ingest.example/live", KEY))
    assert obs.service == {"server": "rtmp://ingest.example/live", "key": KEY, "use_auth": False}
    assert not [line for line in told if KEY in line]
    assert await made(obs, service=stream_service("rtmp://ingest.example/live", KEY)) == []


def test_a_service_that_obs_knows_is_named_and_an_address_is_custom() -> None:
    assert stream_service("Twitch", KEY)["streamServiceType"] == "rtmp_common"
    assert stream_service("rtmps://a.example/x", KEY)["streamServiceType"] == "rtmp_custom"


async def test_a_survey_tells_what_keeps_the_programme_from_the_audience(obs: FakeObs) -> None:
    async def wrong() -> list[str]:
        found = await asyncio.to_thread(survey, obs.url, PASSWORD)
        assert "\n".join(found.lines())
        assert json.loads(json.dumps(found.as_json()))["version"] == "29.0.2"
        return list(found.wrong())

    assert await wrong() == [f"there is no input {FEED_INPUT!r}: run `conductor obs setup`"]
    await made(obs)
    assert await wrong() == []
    obs.shown.muted[FEED_INPUT] = True
    assert "muted" in (await wrong())[0]
    obs.moving = False
    assert "start a show" in (await wrong())[0]
    obs.shown.scenes.append("Own")
    obs.scene = "Own"
    assert "does not show" in (await wrong())[1]


async def test_a_survey_names_the_service_and_never_its_key(obs: FakeObs) -> None:
    await made(obs, service=stream_service("Twitch", KEY))
    found = await asyncio.to_thread(survey, obs.url, PASSWORD)
    assert (found.service, found.has_key) == ("Twitch", True)
    assert KEY not in "\n".join(found.lines()) + json.dumps(found.as_json()) + repr(found)


# --- files ------------------------------------------------------------------------


def plan(**more: Any) -> Plan:
    return Plan(**{"canvas": Canvas(1280, 720, 30), "feed_url": FEED, "password": PASSWORD, **more})


def ini(path: Path) -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None)
    found.optionxform = str  # type: ignore[method-assign,assignment]
    found.read(path)
    return found


def test_files_hold_profile_scenes_server_and_service(tmp_path: Path) -> None:
    lines = list(write_files(tmp_path, plan(service=stream_service("rtmp://ingest.example/live", KEY))))
    assert len(lines) == 5
    assert not [line for line in lines if KEY in line or PASSWORD in line]
    profile = ini(tmp_path / "basic" / "profiles" / COLLECTION / "basic.ini")
    assert profile["Video"]["BaseCX"] == "1280"
    assert profile["Audio"]["SampleRate"] == "48000"
    scenes = json.loads((tmp_path / "basic" / "scenes" / f"{COLLECTION}.json").read_text())
    assert [entry["name"] for entry in scenes["sources"] if entry["id"] == "scene"] == list(CAPTIONS)
    settings = ini(tmp_path / "global.ini")
    assert settings["OBSWebSocket"]["ServerEnabled"] == "true"
    server = json.loads((tmp_path / "plugin_config" / "obs-websocket" / "config.json").read_text())
    assert (server["server_enabled"], server["server_password"]) == (True, PASSWORD)


def test_files_with_secrets_are_nobody_elses_to_read(tmp_path: Path) -> None:
    list(write_files(tmp_path, plan(service=stream_service("Twitch", KEY))))
    secret = [
        path for path in tmp_path.rglob("*") if path.is_file() and any(s in path.read_text() for s in (KEY, PASSWORD))
    ]
    assert len(secret) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    assert KEY not in repr(plan(service=stream_service("Twitch", KEY)))


def test_files_are_written_once(tmp_path: Path) -> None:
    assert list(write_files(tmp_path, plan()))
    assert list(write_files(tmp_path, plan())) == []
    assert not list(tmp_path.rglob("*.before"))


def test_a_persons_own_settings_stay_and_the_server_is_switched_on(tmp_path: Path) -> None:
    (tmp_path / "global.ini").write_text(
        "\ufeff[General]\nName=Own\n\n[OBSWebSocket]\nServerEnabled=false\nServerPort=1\n"
    )
    list(write_files(tmp_path, plan()))
    settings = ini(tmp_path / "global.ini")
    assert settings["General"]["Name"] == "Own"
    assert dict(settings["OBSWebSocket"])["ServerEnabled"] == "true"
    assert settings["OBSWebSocket"]["ServerPort"] == "4455"
    assert "ServerEnabled=false" in (tmp_path / "global.ini.before").read_text()


def test_a_server_that_is_on_keeps_its_password(tmp_path: Path) -> None:
    text = "[OBSWebSocket]\nServerEnabled=true\nServerPassword=own\n"
    (tmp_path / "global.ini").write_text(text)
    list(write_files(tmp_path, plan()))
    assert (tmp_path / "global.ini").read_text() == text


def test_a_collection_that_a_person_worked_on_stays(tmp_path: Path) -> None:
    list(write_files(tmp_path, plan()))
    scenes = tmp_path / "basic" / "scenes" / f"{COLLECTION}.json"
    scenes.write_text("{}")
    list(write_files(tmp_path, plan(offset_ms=99)))
    assert scenes.read_text() == "{}"


@pytest.mark.parametrize(
    ("name", "text"), [("global.ini", "no section"), ("plugin_config/obs-websocket/config.json", "{")]
)
def test_files_that_make_no_sense_are_one_line_with_their_place(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    with pytest.raises(ObsError) as told:
        list(write_files(tmp_path, plan()))
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)
    assert path.read_text() == text


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "basic").write_text("a file")
    with pytest.raises(ObsError, match="basic"):
        list(write_files(tmp_path, plan()))


def test_the_files_say_what_the_requests_say() -> None:
    wanted = layout(Canvas(640, 360, 30), FEED, offset_ms=20, text_kind="text_ft2_source_v2")
    told = collection_file(wanted, "x")
    entries = {entry["name"]: entry for entry in told["sources"]}
    assert entries[FEED_INPUT]["settings"] == feed_settings(FEED)
    assert entries[FEED_INPUT]["sync"] == 20_000_000
    assert entries["Conductor now"]["id"] == "text_ft2_source"
    for scene, places in wanted.scenes.items():
        items = entries[scene]["settings"]["items"]
        assert [item["name"] for item in items] == [placed.name for placed in places]
        assert items[0]["bounds"] == {"x": 640.0, "y": 360.0}


def test_the_settings_of_obs_are_where_the_system_has_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "own"))
    assert obs_folder() == tmp_path / "own" / "obs-studio"
    flatpak = tmp_path / ".var" / "app" / "com.obsproject.Studio" / "config" / "obs-studio"
    flatpak.mkdir(parents=True)
    assert obs_folder() == flatpak
    (tmp_path / "own" / "obs-studio").mkdir(parents=True)
    assert obs_folder() == tmp_path / "own" / "obs-studio"
