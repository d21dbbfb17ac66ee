"""OBS's answers to what the show asks, and what they leave behind in it; `tests.fakes_obs` serves them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Item:
    """A source's place in a scene."""

    scene: str
    name: str
    number: int
    enabled: bool = True
    transform: dict[str, Any] = field(default_factory=dict)


@dataclass
class Collection:
    """A scene collection: scenes from above, the one on program, inputs by name and where they stand."""

    scenes: list[str]
    scene: str
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    muted: dict[str, bool] = field(default_factory=dict)
    volumes: dict[str, float] = field(default_factory=dict)
    places: list[Item] = field(default_factory=list)
    filters: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)


class ObsAnswers:
    """What an OBS has, and how it answers.

    Attributes:
        collections: by name; `current` is the name of the one that is shown.
        streaming, recording: whether the outputs run; `broken` outputs begin and end at once.
        streamed_ms: for how long it streams, while it does.
        service: settings of the streaming service.
        special: microphones and the like, by OBS's names of their places.
        arriving: factor of the sound that every input delivers.
        moving: whether the time of a media input moves.
        version: of OBS, as it says.
        looks: how often the outputs were asked for.
    """

    def __init__(self) -> None:
        self.collections = {"concert": Collection(["Main", "Break"], "Main")}
        self.current = "concert"
        self.streaming = False
        self.recording = False
        self.streamed_ms = 0
        self.broken: set[str] = set()
        self.service: dict[str, Any] = {"server": "rtmp://127.0.0.1/live", "key": "concert"}
        self.special: dict[str, str | None] = {"desktop1": None, "mic1": None}
        self.arriving = 0.5
        self.moving = True
        self.version = "29.0.2"
        self.looks = 0
        self._cursor = 0
        self._items = 0

    # What is in the collection that is shown, by short names.

    @property
    def shown(self) -> Collection:
        return self.collections[self.current]

    @property
    def scene(self) -> str:
        return self.shown.scene

    @scene.setter
    def scene(self, name: str) -> None:
        self.shown.scene = name

    @property
    def inputs(self) -> dict[str, dict[str, Any]]:
        return self.shown.inputs

    @property
    def kinds(self) -> dict[str, str]:
        return self.shown.kinds

    @property
    def offsets(self) -> dict[str, int]:
        return self.shown.offsets

    @property
    def items(self) -> dict[str, dict[str, Any]]:
        """The first place of every input."""
        return {
            item.name: {"scene": item.scene, "enabled": item.enabled}
            for item in reversed(self.shown.places)
            if item.name in self.inputs
        }

    def forget(self) -> None:
        """Lose all inputs, as an OBS that was never saved does."""
        self.collections[self.current] = Collection(self.shown.scenes, self.shown.scene)

    def meters(self) -> dict[str, Any]:
        """Return what OBS's meters show: magnitude and peak behind the fader, peak before it, for two channels."""
        inputs = []
        for name, kind in self.kinds.items():
            if kind == "ffmpeg_source":
                factor = 0.0 if self.shown.muted[name] else 10 ** (self.shown.volumes[name] / 20)
                peak = self.arriving
                inputs.append({"inputName": name, "inputLevelsMul": [[0.7 * peak * factor, peak * factor, peak]] * 2})
        return {"inputs": inputs}

    def answer(self, name: str, data: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return status code and answer, by OBS's rules: 600 for what does not exist, 601 for what does."""
        answer = (
            self._answer_on_outputs(name, data)
            or self._answer_on_scenes(name, data)
            or self._answer_on_inputs(name, data)
        )
        return answer or (204, {})

    def _answer_on_outputs(self, name: str, data: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        match name:
            case "GetVersion":
                return 100, {"obsVersion": self.version, "obsWebSocketVersion": "5.1.0"}
            case "GetVideoSettings":
                return 100, {"baseWidth": 640, "baseHeight": 360, "fpsNumerator": 30, "fpsDenominator": 1}
            case "GetStreamStatus":
                return 100, {
                    "outputActive": self.streaming,
                    "outputReconnecting": False,
                    "outputDuration": self.streamed_ms if self.streaming else 0,
                }
            case "GetRecordStatus":
                self.looks += 1
                return 100, {"outputActive": self.recording, "outputDuration": 0}
            case "StartStream" | "StopStream":
                if self.streaming == (name == "StartStream"):
                    return (500 if self.streaming else 501), {}
                self.streaming = name == "StartStream" and "Stream" not in self.broken
                return 100, {}
            case "StartRecord" | "StopRecord":
                if self.recording == (name == "StartRecord"):
                    return (500 if self.recording else 501), {}
                self.recording = name == "StartRecord" and "Record" not in self.broken
                return 100, {} if name == "StartRecord" else {"outputPath": "/nowhere/recording.mkv"}
            case "GetStreamServiceSettings":
                return 100, {"streamServiceType": "rtmp_custom", "streamServiceSettings": self.service}
            case "SetStreamServiceSettings":
                self.service = dict(data["streamServiceSettings"])
                return 100, {}
        return None

    def _answer_on_scenes(self, name: str, data: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        shown, scene, source = self.shown, data.get("sceneName", ""), data.get("sourceName", "")
        match name:
            case "GetSceneCollectionList":
                return 100, {"currentSceneCollectionName": self.current, "sceneCollections": list(self.collections)}
            case "CreateSceneCollection" | "SetCurrentSceneCollection":
                wanted = data["sceneCollectionName"]
                if (wanted in self.collections) == (name == "CreateSceneCollection"):
                    return (601 if wanted in self.collections else 600), {}
                if wanted not in self.collections:
                    self.collections[wanted] = Collection(["Scene"], "Scene")
                    self.collections[wanted].muted.update({each: False for each in self.special.values() if each})
                self.current = wanted
                return 100, {}
            case "GetCurrentProgramScene":
                return 100, {"currentProgramSceneName": shown.scene}
            case "GetSceneList":
                numbered = [{"sceneIndex": i, "sceneName": s} for i, s in enumerate(reversed(shown.scenes))]
                return 100, {"currentProgramSceneName": shown.scene, "scenes": numbered}
            case "SetCurrentProgramScene":
                if scene not in shown.scenes:
                    return 600, {}
                shown.scene = scene
                return 100, {}
            case "CreateScene":
                if scene in shown.scenes or scene in shown.inputs:
                    return 601, {}
                shown.scenes.append(scene)
                return 100, {}
            case "RemoveScene":
                if scene not in shown.scenes:
                    return 600, {}
                shown.scenes.remove(scene)
                shown.scene = shown.scene if shown.scene != scene else shown.scenes[0]
                return 100, {}
            case (
                "GetSceneItemList"
                | "GetSceneItemId"
                | "CreateSceneItem"
                | "SetSceneItemTransform"
                | "SetSceneItemIndex"
            ):
                if scene not in shown.scenes:
                    return 600, {}
                return self._answer_on_places(name, data, scene, source)
        return None

    def _answer_on_places(self, name: str, data: dict[str, Any], scene: str, source: str) -> tuple[int, dict[str, Any]]:
        here = [item for item in self.shown.places if item.scene == scene]
        match name:
            case "GetSceneItemList":
                items = [{"sourceName": i.name, "sceneItemId": i.number, "sceneItemEnabled": i.enabled} for i in here]
                return 100, {"sceneItems": items}
            case "GetSceneItemId":
                found = [item.number for item in here if item.name == source]
                return (100, {"sceneItemId": found[0]}) if found else (600, {})
            case "CreateSceneItem":
                if source not in self.inputs:
                    return 600, {}
                return 100, {"sceneItemId": self._place(scene, source, data.get("sceneItemEnabled", True))}
            case _:
                item = next((item for item in here if item.number == data["sceneItemId"]), None)
                if item is None:
                    return 600, {}
                if name == "SetSceneItemIndex":
                    self.shown.places.remove(item)
                    self.shown.places.insert(data["sceneItemIndex"], item)
                else:
                    item.transform.update(data["sceneItemTransform"])
                return 100, {}

    def _place(self, scene: str, source: str, enabled: bool) -> int:
        self._items += 1
        self.shown.places.append(Item(scene, source, self._items, enabled))
        return self._items

    def _answer_on_inputs(self, name: str, data: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        shown, source = self.shown, data.get("inputName", data.get("sourceName", ""))
        match name:
            case "GetInputKindList":
                return 100, {"inputKinds": ["color_source_v3", "ffmpeg_source", "text_ft2_source_v2"]}
            case "RemoveInput":
                if source not in shown.inputs:
                    return 600, {}
                for each in (shown.inputs, shown.kinds, shown.muted, shown.volumes, shown.offsets):
                    del each[source]
                shown.filters.pop(source, None)
                shown.places = [item for item in shown.places if item.name != source]
                return 100, {}
            case "GetSpecialInputs":
                return 100, self.special
            case "GetInputList":
                return 100, {"inputs": [{"inputName": n, "inputKind": k} for n, k in shown.kinds.items()]}
            case "CreateInput":
                if source in shown.inputs:
                    return 601, {}
                if data["sceneName"] not in shown.scenes:
                    return 600, {}
                shown.inputs[source] = dict(data["inputSettings"])
                shown.kinds[source] = data["inputKind"]
                shown.muted[source], shown.volumes[source], shown.offsets[source] = False, 0.0, 0
                return 100, {"sceneItemId": self._place(data["sceneName"], source, data["sceneItemEnabled"])}
        if name not in _OF_AN_INPUT:
            return None
        if source not in shown.inputs and source not in shown.muted:
            return 600, {}
        match name:
            case "GetInputSettings":
                return 100, {"inputSettings": shown.inputs[source], "inputKind": shown.kinds[source]}
            case "SetInputSettings":
                shown.inputs[source].update(data["inputSettings"])
            case "SetInputAudioSyncOffset":
                shown.offsets[source] = data["inputAudioSyncOffset"]
            case "GetInputAudioSyncOffset":
                return 100, {"inputAudioSyncOffset": shown.offsets[source]}
            case "GetInputMute":
                return 100, {"inputMuted": shown.muted[source]}
            case "SetInputMute":
                shown.muted[source] = data["inputMuted"]
            case "GetInputVolume":
                return 100, {"inputVolumeDb": shown.volumes[source]}
            case "SetInputVolume":
                shown.volumes[source] = data["inputVolumeDb"]
            case "GetSourceFilterList":
                own = shown.filters.get(source, {})
                return 100, {"filters": [{"filterName": n, "filterSettings": s} for n, s in own.items()]}
            case "CreateSourceFilter":
                own = shown.filters.setdefault(source, {})
                if data["filterName"] in own:
                    return 601, {}
                own[data["filterName"]] = dict(data["filterSettings"])
            case "RemoveSourceFilter":
                return (100 if shown.filters.get(source, {}).pop(data["filterName"], None) is not None else 600), {}
            case "GetSourceActive":
                active = any(i.name == source and i.scene == shown.scene and i.enabled for i in shown.places)
                return 100, {"videoActive": active, "videoShowing": active}
            case "GetMediaInputStatus":
                self._cursor += 40 if self.moving else 0
                return 100, {"mediaState": "OBS_MEDIA_STATE_PLAYING", "mediaCursor": self._cursor}
        return 100, {}


_OF_AN_INPUT = {
    "GetInputSettings",
    "SetInputSettings",
    "GetInputAudioSyncOffset",
    "SetInputAudioSyncOffset",
    "GetInputMute",
    "SetInputMute",
    "GetInputVolume",
    "SetInputVolume",
    "GetSourceFilterList",
    "CreateSourceFilter",
    "RemoveSourceFilter",
    "GetSourceActive",
    "GetMediaInputStatus",
}
