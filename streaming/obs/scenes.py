"""A scene collection made in an OBS that runs, as often as one likes: what is there already stays as it is."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from streaming.errors import ObsError
from streaming.obs.layout import Canvas, Layout, layout
from streaming.obs.link import NOT_FOUND, NOT_READY, ObsLink, ObsRefusedError
from streaming.obs.sources import scene_names, text_kind
from streaming.obs.wanted import AUDIO_OFFSET_MS

# OBS refuses everything while it changes its scene collection.
READY_WITHIN_S = 10.0
_EMPTY_SCENE = "Scene"


def set_up(
    link: ObsLink,
    feed_url: str,
    *,
    collection: str,
    offset_ms: int = AUDIO_OFFSET_MS,
    service: Mapping[str, Any] | None = None,
) -> Iterator[str]:
    """Make everything a show needs in OBS; yield a line for each thing that was made or changed.

    Args:
        link: to OBS.
        feed_url: where OBS reads the programme.
        collection: scene collection to make it in; empty: the one that is shown now.
        offset_ms: delay of the programme's sound.
        service: as `stream_service` returns it; None: the one that is set.

    Raises:
        ObsError: OBS is on air, which changing the collection would disturb; or it refused something.
    """
    before = link.request("GetSceneCollectionList")["sceneCollections"]
    yield from _collection(link, collection)
    video = link.request("GetVideoSettings")
    fps = round(video["fpsNumerator"] / video["fpsDenominator"])
    canvas = Canvas(int(video["baseWidth"]), int(video["baseHeight"]), fps)
    wanted = layout(canvas, feed_url, offset_ms=offset_ms, text_kind=text_kind(link))
    yield from _scenes(link, wanted)
    yield from _places(link, wanted)
    yield from _programme(link, wanted)
    if collection and collection not in before:
        yield from _others(link, wanted)
    if service is not None and service != link.request("GetStreamServiceSettings"):
        link.request("SetStreamServiceSettings", **service)
        yield "the streaming service and its key are set (Settings, Stream)"


def stream_service(server: str, key: str) -> dict[str, Any]:
    """Return the settings of a streaming service.

    Args:
        server: rtmp://... or rtmps://..., or the name of a service that OBS knows, such as Twitch.
        key: of the stream; never printed.
    """
    if "://" in server:
        return {
            "streamServiceType": "rtmp_custom",
            "streamServiceSettings": {"server": server, "key": key, "use_auth": False},
        }
    settings = {"service": server, "server": "auto", "key": key}
    return {"streamServiceType": "rtmp_common", "streamServiceSettings": settings}


def _collection(link: ObsLink, name: str) -> Iterator[str]:
    told = link.request("GetSceneCollectionList")
    if not name or told["currentSceneCollectionName"] == name:
        return
    if any(link.request(f"Get{what}Status")["outputActive"] for what in ("Stream", "Record")):
        raise ObsError(
            f"OBS is on air in another scene collection: end the stream first, or set up that one "
            f"(--collection {told['currentSceneCollectionName']!r})"
        )
    there = name in told["sceneCollections"]
    link.request("SetCurrentSceneCollection" if there else "CreateSceneCollection", sceneCollectionName=name)
    _until_ready(link)
    yield f"scene collection {name!r}: {'shown now' if there else 'made'}"


def _until_ready(link: ObsLink) -> None:
    until_s = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            link.request("GetSceneList")
            return
        except ObsRefusedError as error:
            if error.code != NOT_READY or time.monotonic() > until_s:
                raise
            time.sleep(0.1)


def _scenes(link: ObsLink, wanted: Layout) -> Iterator[str]:
    there = scene_names(link)
    for scene in wanted.scenes:
        if scene not in there:
            link.request("CreateScene", sceneName=scene)
            yield f"scene {scene!r}: made"
    # A new collection begins with one empty scene, which nobody asked for.
    if there == [_EMPTY_SCENE] and not link.request("GetSceneItemList", sceneName=_EMPTY_SCENE)["sceneItems"]:
        link.request("SetCurrentProgramScene", sceneName=next(iter(wanted.scenes)))
        link.request("RemoveScene", sceneName=_EMPTY_SCENE)


def _places(link: ObsLink, wanted: Layout) -> Iterator[str]:
    """Put every input into its scenes, making it where it is missing: in order, since OBS stacks them upwards."""
    there = {str(entry["inputName"]) for entry in link.request("GetInputList")["inputs"]}
    sources = {source.name: source for source in wanted.sources}
    for scene, places in wanted.scenes.items():
        for placed in places:
            about = {"sceneName": scene, "sceneItemEnabled": placed.visible}
            if placed.name not in there:
                source = sources[placed.name]
                about |= {"inputKind": source.kind, "inputSettings": dict(source.settings)}
                made = link.request("CreateInput", inputName=placed.name, **about)
                there.add(placed.name)
                yield f"input {placed.name!r}: made in {scene!r}"
            elif not _stands(link, scene, placed.name):
                made = link.request("CreateSceneItem", sourceName=placed.name, **about)
                yield f"scene {scene!r}: {placed.name!r} put in"
            else:
                continue
            where = {"sceneName": scene, "sceneItemId": int(made["sceneItemId"])}
            link.request("SetSceneItemTransform", sceneItemTransform=placed.transform(wanted.canvas), **where)
            if placed is places[0]:
                link.request("SetSceneItemIndex", sceneItemIndex=0, **where)


def _stands(link: ObsLink, scene: str, name: str) -> bool:
    try:
        link.request("GetSceneItemId", sceneName=scene, sourceName=name)
    except ObsRefusedError as error:
        if error.code != NOT_FOUND:
            raise
        return False
    return True


def _programme(link: ObsLink, wanted: Layout) -> Iterator[str]:
    """Set the programme's input right where it reads something else; texts and places are a person's to change."""
    source = wanted.sources[0]
    found = link.request("GetInputSettings", inputName=source.name)["inputSettings"]
    if any(found.get(key) != value for key, value in source.settings.items()):
        link.request("SetInputSettings", inputName=source.name, inputSettings=dict(source.settings), overlay=True)
        yield f"input {source.name!r}: set right"
    if link.request("GetInputAudioSyncOffset", inputName=source.name)["inputAudioSyncOffset"] != source.offset_ms:
        link.request("SetInputAudioSyncOffset", inputName=source.name, inputAudioSyncOffset=source.offset_ms)
        yield f"input {source.name!r}: its sound delayed by {source.offset_ms} ms, to be in time with the picture"


def _others(link: ObsLink, wanted: Layout) -> Iterator[str]:
    """Mute what OBS puts into a new collection by itself and would send along: microphone and desktop."""
    ours = {source.name for source in wanted.sources}
    special = {str(name) for name in link.request("GetSpecialInputs").values() if name} - ours
    for name in sorted(special):
        if not link.request("GetInputMute", inputName=name)["inputMuted"]:
            link.request("SetInputMute", inputName=name, inputMuted=True)
            yield f"input {name!r}: muted, since it would be heard with the programme (unmute it if it should be)"
