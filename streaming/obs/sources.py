"""What the show has in OBS: the programme input, two texts, the scene.

Each function makes one thing so, and changes nothing that already is: sending
an input its settings again restarts it, and a person's layout is theirs.
"""

from __future__ import annotations

from typing import Any

from streaming.obs.link import NOT_FOUND, ObsAbsentError, ObsLink, ObsRefusedError
from streaming.obs.wanted import Wanted

FEED_INPUT = "Conductor programme"
KEY_FILTER = "Conductor key"
TEXT_INPUTS = {"now": "Conductor now", "next": "Conductor next"}

# The first kind that OBS knows: FreeType 2 everywhere, GDI+ in builds for Windows without it.
TEXT_KINDS = ("text_ft2_source_v2", "text_gdiplus_v3", "text_gdiplus_v2")
# A fader at or below this lets nothing through that anybody hears.
FADER_DOWN_DB = -40.0
# With these every colour that a transparent theme may have stays as it is.
KEY_SETTINGS = {"key_color_type": "green", "similarity": 120, "smoothness": 60, "spill": 100}
TEXT_PLACES = {"now": (0.05, 0.84), "next": (0.05, 0.91)}


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
        ObsAbsentError: OBS has no such scene.
    """
    if wanted.scene is None or wanted.scene == program_scene(link):
        return
    try:
        link.request("SetCurrentProgramScene", sceneName=wanted.scene)
    except ObsRefusedError as error:
        if error.code != NOT_FOUND:
            raise
        there = ", ".join(repr(name) for name in scene_names(link))
        raise ObsAbsentError(f"OBS has no scene {wanted.scene!r}; it has {there}") from None


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


def apply_key(link: ObsLink, keyed: bool) -> None:
    """Have the green behind a transparent theme taken away, or nothing of another theme.

    A filter that is there stays as a person has set it.
    """
    filters = link.request("GetSourceFilterList", sourceName=FEED_INPUT)["filters"]
    there = any(each["filterName"] == KEY_FILTER for each in filters)
    if keyed and not there:
        link.request(
            "CreateSourceFilter",
            sourceName=FEED_INPUT,
            filterName=KEY_FILTER,
            filterKind="chroma_key_filter_v2",
            filterSettings=KEY_SETTINGS,
        )
    elif there and not keyed:
        link.request("RemoveSourceFilter", sourceName=FEED_INPUT, filterName=KEY_FILTER)


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
        kind = text_kind(link)
        canvas = link.request("GetVideoSettings")
        x, y = TEXT_PLACES[which]
        place = {"positionX": x * canvas["baseWidth"], "positionY": y * canvas["baseHeight"]}
        font = {"face": "DejaVu Sans", "size": canvas["baseHeight"] // 20}
        _create(link, name, kind, {"text": text, "font": font}, enabled=False, transform=place)


def text_kind(link: ObsLink) -> str:
    """Return the kind of text input that this OBS has."""
    kinds = link.request("GetInputKindList", unversioned=False)["inputKinds"]
    return next((kind for kind in TEXT_KINDS if kind in kinds), TEXT_KINDS[0])


def apply_volume(link: ObsLink, volume_db: float) -> bool:
    """Have the programme as loud as wanted in OBS's mixer, and not muted.

    Returns:
        Whether anything was not so.
    """
    changed = False
    if link.request("GetInputMute", inputName=FEED_INPUT)["inputMuted"]:
        link.request("SetInputMute", inputName=FEED_INPUT, inputMuted=False)
        changed = True
    # OBS keeps a factor, and tells decibels of it.
    if abs(float(link.request("GetInputVolume", inputName=FEED_INPUT)["inputVolumeDb"]) - volume_db) > 0.05:
        link.request("SetInputVolume", inputName=FEED_INPUT, inputVolumeDb=volume_db)
        changed = True
    return changed


def unmute(link: ObsLink, volume_db: float | None) -> bool:
    """Let a programme be heard again that OBS receives and does not pass on.

    Args:
        link: to OBS.
        volume_db: as wanted; None: a fader that lets something through stays where it is.

    Returns:
        Whether anything could be done.
    """
    if volume_db is None:
        now_db = float(link.request("GetInputVolume", inputName=FEED_INPUT)["inputVolumeDb"])
        volume_db = now_db if now_db > FADER_DOWN_DB else 0.0
    return apply_volume(link, volume_db)


def feed_on_program(link: ObsLink) -> bool:
    """Return whether the programme is part of what OBS sends."""
    return bool(link.request("GetSourceActive", sourceName=FEED_INPUT)["videoActive"])


def feed_cursor_ms(link: ObsLink) -> int | None:
    """Return the time of the picture that OBS shows of the programme; None: it shows none."""
    cursor = link.request("GetMediaInputStatus", inputName=FEED_INPUT).get("mediaCursor")
    return None if cursor is None else int(cursor)


def scene_names(link: ObsLink) -> list[str]:
    """Return the names of all scenes as OBS lists them, from above."""
    scenes = link.request("GetSceneList")["scenes"]
    return [str(scene["sceneName"]) for scene in sorted(scenes, key=lambda scene: -int(scene["sceneIndex"]))]


def program_scene(link: ObsLink) -> str:
    """Return the scene on program."""
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
    scene = program_scene(link)
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
