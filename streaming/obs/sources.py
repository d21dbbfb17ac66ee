"""What the show has in OBS: the programme input, two texts, the scene, the stream.

Each function makes one thing so, and changes nothing that already is: sending
an input its settings again restarts it, and a person's layout is theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from streaming.obs.link import ObsLink, ObsRefusedError

FEED_INPUT = "Conductor programme"
TEXT_INPUTS = {"now": "Conductor now", "next": "Conductor next"}
NOT_FOUND = 600

# The first kind that OBS knows: FreeType 2 everywhere, GDI+ in builds for Windows without it.
_TEXT_KINDS = ("text_ft2_source_v2", "text_gdiplus_v3", "text_gdiplus_v2")
_TEXT_PLACES = {"now": (0.05, 0.84), "next": (0.05, 0.91)}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the show wants of OBS; None where it has no wish.

    Attributes:
        feed_url: where OBS reads the programme.
        audio_offset_ms: delay of the programme's sound, -950 to 20000.
        scene: on program.
        now, next: the texts.
        streaming: whether OBS streams.
    """

    feed_url: str
    audio_offset_ms: int = 0
    scene: str | None = None
    now: str | None = None
    next: str | None = None
    streaming: bool | None = None


def feed_settings(url: str) -> dict[str, Any]:
    """Return the settings of the media source that reads the programme (NUT over TCP) with the least delay."""
    return {
        "is_local_file": False,
        "input": url,
        "input_format": "nut",
        "buffering_mb": 0,
        "reconnect_delay_sec": 1,
        "restart_on_activate": False,
        "clear_on_media_end": False,
        "close_when_inactive": False,
        "hw_decode": False,
        "seekable": False,
        "ffmpeg_options": "probesize=3000000 analyzeduration=100000",
    }


def apply_scene(link: ObsLink, wanted: Wanted) -> None:
    """Put the wanted scene on program.

    Raises:
        ObsRefusedError: OBS has no such scene.
    """
    if wanted.scene is not None and wanted.scene != _program_scene(link):
        link.request("SetCurrentProgramScene", sceneName=wanted.scene)


def ensure_feed(link: ObsLink, wanted: Wanted) -> None:
    """Have the programme input in OBS, filling the canvas of the scene on program when it is new."""
    settings = feed_settings(wanted.feed_url)
    try:
        found = link.request("GetInputSettings", inputName=FEED_INPUT)["inputSettings"]
    except ObsRefusedError as error:
        if error.code != NOT_FOUND:
            raise
        _create(link, FEED_INPUT, "ffmpeg_source", settings, enabled=True, transform=_fill(link))
    else:
        if any(found.get(name) != value for name, value in settings.items()):
            restart_feed(link, wanted)
    link.request("SetInputAudioSyncOffset", inputName=FEED_INPUT, inputAudioSyncOffset=wanted.audio_offset_ms)


def restart_feed(link: ObsLink, wanted: Wanted) -> None:
    """Have OBS connect to the programme anew; a media restart does not, in OBS 29."""
    link.request("SetInputSettings", inputName=FEED_INPUT, inputSettings=feed_settings(wanted.feed_url), overlay=True)


def apply_text(link: ObsLink, which: str, text: str) -> None:
    """Write a text into its source.

    The source is made hidden: the programme's picture already tells title and
    next piece, and the text is there for a person's own layout.

    Args:
        link: to OBS.
        which: "now" or "next".
        text: what it shall say.
    """
    name = TEXT_INPUTS[which]
    try:
        link.request("SetInputSettings", inputName=name, inputSettings={"text": text}, overlay=True)
    except ObsRefusedError as error:
        if error.code != NOT_FOUND:
            raise
        kinds = link.request("GetInputKindList", unversioned=False)["inputKinds"]
        kind = next((k for k in _TEXT_KINDS if k in kinds), _TEXT_KINDS[0])
        canvas = link.request("GetVideoSettings")
        x, y = _TEXT_PLACES[which]
        place = {"positionX": x * canvas["baseWidth"], "positionY": y * canvas["baseHeight"]}
        font = {"face": "DejaVu Sans", "size": canvas["baseHeight"] // 20}
        _create(link, name, kind, {"text": text, "font": font}, enabled=False, transform=place)


def apply_streaming(link: ObsLink, streaming: bool) -> None:
    """Have OBS stream, or not."""
    if bool(link.request("GetStreamStatus").get("outputActive")) != streaming:
        link.request("StartStream" if streaming else "StopStream")


def _program_scene(link: ObsLink) -> str:
    return str(link.request("GetCurrentProgramScene")["currentProgramSceneName"])


def _fill(link: ObsLink) -> dict[str, Any]:
    canvas = link.request("GetVideoSettings")
    return {
        "boundsType": "OBS_BOUNDS_SCALE_INNER",
        "boundsWidth": canvas["baseWidth"],
        "boundsHeight": canvas["baseHeight"],
    }


def _create(
    link: ObsLink, name: str, kind: str, settings: dict[str, Any], *, enabled: bool, transform: dict[str, Any]
) -> None:
    scene = _program_scene(link)
    made = link.request(
        "CreateInput",
        sceneName=scene,
        inputName=name,
        inputKind=kind,
        inputSettings=settings,
        sceneItemEnabled=enabled,
    )
    link.request(
        "SetSceneItemTransform", sceneName=scene, sceneItemId=made["sceneItemId"], sceneItemTransform=transform
    )
