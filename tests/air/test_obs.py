"""Real OBS answers as the fake of the fast tests does, and the director is at home with both."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streaming.errors import ObsError
from streaming.obs.director import ObsDirector
from streaming.obs.link import ObsFinalError, ObsLink, ObsRefusedError
from streaming.obs.sources import FEED_INPUT, KEY_FILTER, KEY_SETTINGS, TEXT_INPUTS, feed_settings
from tests.air.conftest import Chain
from tests.air.studio import PASSWORD as OBS_PASSWORD
from tests.fakes_obs import PASSWORD as FAKE_PASSWORD
from tests.fakes_obs import FakeObs

pytestmark = pytest.mark.air

PROBE = "Probe"
FEED_PROBE: dict[str, Any] = {
    "sceneName": "Main",
    "inputName": "Probe of the feed",
    "inputKind": "ffmpeg_source",
    "inputSettings": {},
    "sceneItemEnabled": True,
}
KEY_PROBE: dict[str, Any] = {
    "sourceName": FEED_PROBE["inputName"],
    "filterName": KEY_FILTER,
    "filterKind": "chroma_key_filter_v2",
    "filterSettings": KEY_SETTINGS,
}
# Everything the show asks, in an order that meets every answer it knows how to take.
QUESTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("GetVersion", {}),
    ("GetVideoSettings", {}),
    ("GetInputKindList", {"unversioned": False}),
    ("GetCurrentProgramScene", {}),
    ("SetCurrentProgramScene", {"sceneName": "no such scene"}),
    ("SetCurrentProgramScene", {"sceneName": "Main"}),
    ("GetInputSettings", {"inputName": PROBE}),
    ("SetInputSettings", {"inputName": PROBE, "inputSettings": {"text": "x"}, "overlay": True}),
    ("SetInputAudioSyncOffset", {"inputName": PROBE, "inputAudioSyncOffset": 20}),
    (
        "CreateInput",
        {
            "sceneName": "Main",
            "inputName": PROBE,
            "inputKind": "text_ft2_source_v2",
            "inputSettings": {"text": "x"},
            "sceneItemEnabled": False,
        },
    ),
    (
        "CreateInput",
        {
            "sceneName": "Main",
            "inputName": PROBE,
            "inputKind": "text_ft2_source_v2",
            "inputSettings": {},
            "sceneItemEnabled": False,
        },
    ),
    ("SetInputSettings", {"inputName": PROBE, "inputSettings": {"text": "y"}, "overlay": True}),
    ("GetInputSettings", {"inputName": PROBE}),
    ("SetSceneItemTransform", {"sceneName": "Main", "sceneItemId": 9999, "sceneItemTransform": {"positionX": 1}}),
    ("SetSceneItemIndex", {"sceneName": "Main", "sceneItemId": 9999, "sceneItemIndex": 0}),
    ("GetSceneList", {}),
    ("GetSceneItemList", {"sceneName": "Main"}),
    ("GetSceneItemId", {"sceneName": "Main", "sourceName": PROBE}),
    ("GetSceneItemId", {"sceneName": "Main", "sourceName": "no such source"}),
    ("GetSourceActive", {"sourceName": PROBE}),
    ("GetSourceActive", {"sourceName": "no such source"}),
    ("GetInputList", {}),
    ("GetSpecialInputs", {}),
    ("CreateScene", {"sceneName": "Main"}),
    ("CreateScene", {"sceneName": "Probing"}),
    ("CreateSceneItem", {"sceneName": "Probing", "sourceName": PROBE, "sceneItemEnabled": False}),
    ("CreateSceneItem", {"sceneName": "Probing", "sourceName": "no such source"}),
    ("RemoveInput", {"inputName": "no such input"}),
    ("RemoveScene", {"sceneName": "no such scene"}),
    ("RemoveScene", {"sceneName": "Probing"}),
    ("CreateInput", FEED_PROBE),
    ("GetInputMute", {"inputName": FEED_PROBE["inputName"]}),
    ("SetInputMute", {"inputName": FEED_PROBE["inputName"], "inputMuted": True}),
    ("SetInputVolume", {"inputName": FEED_PROBE["inputName"], "inputVolumeDb": -3.0}),
    ("GetInputVolume", {"inputName": FEED_PROBE["inputName"]}),
    ("SetInputAudioSyncOffset", {"inputName": FEED_PROBE["inputName"], "inputAudioSyncOffset": 20}),
    ("GetInputAudioSyncOffset", {"inputName": FEED_PROBE["inputName"]}),
    ("GetMediaInputStatus", {"inputName": FEED_PROBE["inputName"]}),
    ("GetSourceFilterList", {"sourceName": FEED_PROBE["inputName"]}),
    ("CreateSourceFilter", KEY_PROBE),
    ("CreateSourceFilter", KEY_PROBE),
    ("GetSourceFilterList", {"sourceName": FEED_PROBE["inputName"]}),
    ("RemoveSourceFilter", {"sourceName": FEED_PROBE["inputName"], "filterName": KEY_FILTER}),
    ("RemoveSourceFilter", {"sourceName": FEED_PROBE["inputName"], "filterName": KEY_FILTER}),
    ("GetSourceFilterList", {"sourceName": "no such source"}),
    ("GetMediaInputStatus", {"inputName": "no such input"}),
    ("RemoveInput", {"inputName": FEED_PROBE["inputName"]}),
    ("RemoveInput", {"inputName": PROBE}),
    ("GetSceneCollectionList", {}),
    ("CreateSceneCollection", {"sceneCollectionName": "concert"}),
    ("SetCurrentSceneCollection", {"sceneCollectionName": "no such collection"}),
    ("GetStreamServiceSettings", {}),
    ("GetRecordStatus", {}),
    ("StopRecord", {}),
    ("GetStreamStatus", {}),
    ("StopStream", {}),
    ("NoSuchRequest", {}),
)


def ask(url: str, password: str) -> list[tuple[str, int, dict[str, Any]]]:
    """Return name, status and answer of every question."""
    link = ObsLink(url, password)
    answers: list[tuple[str, int, dict[str, Any]]] = []
    for name, data in QUESTIONS:
        try:
            answers.append((name, 100, link.request(name, **data)))
        except ObsRefusedError as error:
            answers.append((name, error.code, {}))
    link.close()
    return answers


async def test_the_fake_answers_as_obs_does(chain: Chain) -> None:
    fake = FakeObs()
    await fake.start()
    pretended = await asyncio.to_thread(ask, fake.url, FAKE_PASSWORD)
    await fake.stop()
    real = await asyncio.to_thread(ask, chain.studio.url, OBS_PASSWORD)
    assert [(name, code) for name, code, _ in pretended] == [(name, code) for name, code, _ in real]
    for (name, _, said), (_, _, truth) in zip(pretended, real, strict=True):
        assert said.keys() <= truth.keys(), f"the fake makes up answers to {name}"
    text = [
        answer["inputSettings"]["text"] for name, code, answer in real if name == "GetInputSettings" and code == 100
    ]
    assert text == ["y"]


async def test_obs_has_the_input_filling_its_canvas_and_the_texts_hidden(chain: Chain, director: ObsDirector) -> None:
    director.wanted(scene="Main", now="Dämmerung – 曙", next="")
    assert await director.start()

    def look() -> tuple[dict[str, Any], dict[str, Any], dict[str, bool], list[dict[str, Any]]]:
        link = ObsLink(chain.studio.url, OBS_PASSWORD)
        feed = link.request("GetInputSettings", inputName=FEED_INPUT)["inputSettings"]
        text = link.request("GetInputSettings", inputName=TEXT_INPUTS["now"])["inputSettings"]
        items = link.request("GetSceneItemList", sceneName="Main")["sceneItems"]
        link.close()
        return feed, text, {i["sourceName"]: i["sceneItemEnabled"] for i in items}, items

    feed, text, enabled, items = await asyncio.to_thread(look)
    # OBS leaves out what equals its defaults when it reads its own file; what it says must be what we said.
    assert {name: feed[name] for name in feed_settings(chain.feed_url)} == feed_settings(chain.feed_url)
    assert text["text"] == "Dämmerung – 曙"
    assert enabled[FEED_INPUT]
    assert not enabled[TEXT_INPUTS["now"]]
    place = next(i["sceneItemTransform"] for i in items if i["sourceName"] == FEED_INPUT)
    assert (place["boundsWidth"], place["boundsHeight"]) == (640, 360)


async def test_obs_refuses_a_wrong_password_and_is_not_asked_again(chain: Chain) -> None:
    director = ObsDirector(chain.studio.url, "wrong", chain.feed_url)
    assert not await director.start()
    assert "password" in director.state.reason
    await director.close()
    with pytest.raises(ObsFinalError):
        await asyncio.to_thread(ObsLink, chain.studio.url, "wrong")


async def test_the_feed_is_no_obs_and_said_to_be_none(chain: Chain) -> None:
    with pytest.raises(ObsError, match="no OBS answers"):
        await asyncio.to_thread(ObsLink, chain.feed_url.replace("tcp:", "ws:"), timeout_s=1.0)
