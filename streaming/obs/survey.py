"""How an OBS is that runs: what a person wants to know before going on air."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from streaming.errors import ObsError
from streaming.obs.link import METERS, NOT_FOUND, ObsLink, ObsRefusedError, version_of
from streaming.obs.meters import SILENCE_DB, readings
from streaming.obs.sources import FEED_INPUT, feed_cursor_ms, feed_on_program, program_scene, scene_names

LISTEN_S = 1.0


@dataclass(slots=True)
class Survey:
    """What was found.

    Attributes:
        version: of OBS.
        collection, scenes, scene: the scene collection, its scenes, the one on program.
        width, height, fps: of OBS's canvas.
        feed: where the programme's input reads; empty: there is no such input.
        on_program: whether the programme is part of what OBS sends.
        moving: whether its picture moves; None where there is no input.
        level_db: its peak within a second, dBFS, behind the fader; arriving_db: before it.
        muted, volume_db, offset_ms: of the programme's sound.
        streaming, recording: whether the outputs run.
        service: server or name of the streaming service, without its key; has_key: whether one is set.
        also_heard: other inputs that sounded within that second, such as a microphone.
    """

    version: str
    collection: str = ""
    scenes: list[str] = field(default_factory=list)
    scene: str = ""
    width: int = 0
    height: int = 0
    fps: float = 0.0
    feed: str = ""
    on_program: bool = False
    moving: bool | None = None
    level_db: float = SILENCE_DB
    arriving_db: float = SILENCE_DB
    muted: bool = False
    volume_db: float = 0.0
    offset_ms: int = 0
    streaming: bool = False
    recording: bool = False
    service: str = ""
    has_key: bool = False
    also_heard: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it for a machine."""
        return {**asdict(self), "wrong": list(self.wrong())}

    def lines(self) -> Iterator[str]:
        """Return it for a person, a line each."""
        yield f"OBS        {self.version}, canvas {self.width}x{self.height} at {self.fps:g} fps"
        yield f"scenes     {self.collection}: {', '.join(self.scenes)}; on program: {self.scene}"
        if self.feed:
            moves = "moving" if self.moving else "standing still"
            yield f"programme  {self.feed}, {moves}, {'on' if self.on_program else 'not on'} program"
            fader = "muted" if self.muted else f"fader {self.volume_db:+.1f} dB"
            yield f"sound      peak {_decibels(self.level_db)}, {fader}, delayed by {self.offset_ms} ms"
        if self.also_heard:
            yield f"also heard {', '.join(self.also_heard)}"
        key = "" if not self.service else ", with a key" if self.has_key else ", without a key"
        yield f"service    {self.service or 'none set'}{key}"
        outputs = [name for name, on in (("streams", self.streaming), ("records", self.recording)) if on]
        yield f"outputs    {' and '.join(outputs) or 'neither streams nor records'}"
        for text in self.wrong():
            yield f"wrong      {text}"

    def wrong(self) -> Iterator[str]:
        """Return what keeps the programme from the audience, with the way out."""
        if not self.feed:
            yield f"there is no input {FEED_INPUT!r}: run `conductor obs setup`"
            return
        if not self.moving:
            yield "the programme does not arrive: start a show (conductor run ...)"
        if not self.on_program:
            yield f"the scene on program does not show {FEED_INPUT!r}: put it in, or choose another scene"
        if self.moving and self.arriving_db > SILENCE_DB >= self.level_db:
            yield f"{FEED_INPUT!r} is muted or its fader down: open it in OBS's mixer"


def survey(url: str, password: str) -> Survey:
    """Look at an OBS for a second, and change nothing.

    Args:
        url: ws://HOST:PORT of OBS's WebSocket server.
        password: of that server.

    Raises:
        ObsError: OBS cannot be reached.
    """
    link = ObsLink(url, password)
    try:
        found = Survey(version_of(link))
        told = link.request("GetSceneCollectionList")
        found.collection = str(told["currentSceneCollectionName"])
        found.scenes, found.scene = scene_names(link), program_scene(link)
        video = link.request("GetVideoSettings")
        found.width, found.height = int(video["baseWidth"]), int(video["baseHeight"])
        found.fps = round(video["fpsNumerator"] / video["fpsDenominator"], 2)
        found.streaming = bool(link.request("GetStreamStatus")["outputActive"])
        found.recording = bool(link.request("GetRecordStatus")["outputActive"])
        service = link.request("GetStreamServiceSettings")["streamServiceSettings"]
        found.service = str(service.get("service") or service.get("server") or "")
        found.has_key = bool(service.get("key"))
        _look_at_programme(link, url, password, found)
        return found
    finally:
        link.close()


def _look_at_programme(link: ObsLink, url: str, password: str, found: Survey) -> None:
    try:
        found.feed = str(link.request("GetInputSettings", inputName=FEED_INPUT)["inputSettings"].get("input", ""))
    except ObsRefusedError as error:
        if error.code != NOT_FOUND:
            raise
        return
    before = feed_cursor_ms(link)
    levels = _listen(url, password)
    after = feed_cursor_ms(link)
    found.moving = after is not None and after != before
    found.on_program = feed_on_program(link)
    found.arriving_db, found.level_db = levels.pop(FEED_INPUT, (SILENCE_DB, SILENCE_DB))
    found.also_heard = sorted(name for name, (_, leaving) in levels.items() if leaving > SILENCE_DB)
    found.muted = bool(link.request("GetInputMute", inputName=FEED_INPUT)["inputMuted"])
    found.volume_db = float(link.request("GetInputVolume", inputName=FEED_INPUT)["inputVolumeDb"])
    found.offset_ms = int(link.request("GetInputAudioSyncOffset", inputName=FEED_INPUT)["inputAudioSyncOffset"])


def _listen(url: str, password: str) -> dict[str, tuple[float, float]]:
    """Return the peaks of all inputs, before and behind their faders, dBFS."""
    levels: dict[str, tuple[float, float]] = {}
    link = ObsLink(url, password, events=METERS)
    try:
        until_s = time.monotonic() + LISTEN_S
        while time.monotonic() < until_s:
            name, told = link.event()
            if name != "InputVolumeMeters":
                continue
            for source, reading in readings(told, time.monotonic()).items():
                arriving, leaving = levels.get(source, (SILENCE_DB, SILENCE_DB))
                levels[source] = max(arriving, reading.arriving_db), max(leaving, reading.leaving_db)
    except ObsError:
        # An OBS without a source of sound has nothing to tell.
        pass
    finally:
        link.close()
    return levels


def _decibels(level_db: float) -> str:
    return "silence" if level_db <= SILENCE_DB else f"{level_db:.1f} dBFS"
