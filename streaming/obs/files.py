"""The same scenes for an OBS that does not run: profile, scene collection and WebSocket server, written as files.

Facts of OBS 28 to 31. Up to 30.1 the WebSocket server's settings are a section of `global.ini`, from 30.2 on a
file of their own; both are written. Nothing that is there is lost: what differs is kept beside it as `.before`.
"""

from __future__ import annotations

import configparser
import io
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streaming.errors import ObsError
from streaming.obs.layout import COLLECTION, Canvas, collection_file, layout
from streaming.obs.wanted import AUDIO_OFFSET_MS

_SERVER = "OBSWebSocket"
# An OBS that starts with these asks nothing, and takes nothing over from versions before 25.
_FIRST_START = {
    "General": {
        "FirstRun": "true",
        "LastVersion": "486539266",
        "EnableAutoUpdates": "false",
        "Pre19Defaults": "false",
        "Pre21Defaults": "false",
        "Pre23Defaults": "false",
        "Pre24.1Defaults": "false",
    },
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is written.

    Attributes:
        canvas: size and rate of OBS's picture.
        feed_url: where OBS reads the programme.
        password: of OBS's WebSocket server, not empty.
        port: of that server.
        name: of profile and scene collection.
        offset_ms: delay of the programme's sound.
        service: as `stream_service` returns it; None: none is set.
    """

    canvas: Canvas
    feed_url: str
    password: str
    port: int = 4455
    name: str = COLLECTION
    offset_ms: int = AUDIO_OFFSET_MS
    service: Mapping[str, Any] | None = None

    def __repr__(self) -> str:
        # Neither password nor key: this may end in a log.
        return f"Plan({self.name!r}, {self.canvas}, {self.feed_url!r})"


def obs_folder() -> Path:
    """Return where OBS keeps its settings on this system."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "obs-studio"
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "obs-studio"
    flatpak = Path.home() / ".var" / "app" / "com.obsproject.Studio" / "config" / "obs-studio"
    return flatpak if flatpak.is_dir() and not base.is_dir() else base


def write_files(folder: Path, plan: Plan) -> Iterator[str]:
    """Write what is missing; yield a line for each file that was written.

    Args:
        folder: OBS's settings.
        plan: what is written.

    Raises:
        ObsError: a file cannot be read or written.
    """
    profile = folder / "basic" / "profiles" / plan.name
    scenes = collection_file(layout(plan.canvas, plan.feed_url, offset_ms=plan.offset_ms), plan.name)
    try:
        # What OBS has of its own by these names is a person's work by now.
        if not (profile / "basic.ini").exists():
            yield from _write(profile / "basic.ini", _profile(plan))
        if plan.service is not None:
            told = {"type": plan.service["streamServiceType"], "settings": plan.service["streamServiceSettings"]}
            yield from _write(profile / "service.json", json.dumps(told, indent=4), secret=True)
        if not (there := folder / "basic" / "scenes" / f"{plan.name}.json").exists():
            yield from _write(there, json.dumps(scenes, indent=4))
        yield from _write(folder / "global.ini", _global(folder / "global.ini", plan), secret=True)
        server = folder / "plugin_config" / "obs-websocket" / "config.json"
        yield from _write(server, _server(server, plan), secret=True)
    except OSError as error:
        raise ObsError(f"{error.filename or folder}: {error.strerror}") from None


def _profile(plan: Plan) -> str:
    canvas = plan.canvas
    # 4 Mb/s at 720p and 30 fps, up and down with the pixels: what services advise.
    video = max(1000, min(6000, round(4000 * canvas.width * canvas.height * canvas.fps / (1280 * 720 * 30), -2)))
    return _ini(
        {
            "General": {"Name": plan.name},
            "Video": {
                "BaseCX": canvas.width,
                "BaseCY": canvas.height,
                "OutputCX": canvas.width,
                "OutputCY": canvas.height,
                "FPSType": 1,
                "FPSInt": canvas.fps,
            },
            "Audio": {"SampleRate": 48000, "ChannelSetup": "Stereo"},
            "Output": {"Mode": "Simple", "Reconnect": "true", "RetryDelay": 2, "MaxRetries": 25},
            "SimpleOutput": {
                "StreamEncoder": "x264",
                "RecQuality": "Stream",
                "RecFormat": "mkv",
                "VBitrate": video,
                "ABitrate": 160,
                "UseAdvanced": "true",
                "Preset": "veryfast",
                # A keyframe every 2 s, as services ask for: who joins waits for one.
                "x264Settings": f"keyint={2 * canvas.fps}",
            },
        }
    )


def _global(path: Path, plan: Plan) -> str:
    """Return `global.ini` with the WebSocket server on; a server that is on already stays as it is."""
    there = configparser.ConfigParser(interpolation=None, strict=False)
    # OBS minds upper and lower case.
    there.optionxform = str  # type: ignore[method-assign,assignment]
    if path.exists():
        text = path.read_text(encoding="utf-8-sig")
        try:
            there.read_string(text)
        except configparser.Error as error:
            raise ObsError(f"{path}: {' '.join(str(error).split())} - have OBS itself write it anew") from None
        if there.get(_SERVER, "ServerEnabled", fallback="false") == "true":
            return text
    else:
        there.read_dict(_FIRST_START)
        names = {"Profile": plan.name, "ProfileDir": plan.name}
        there["Basic"] = {**names, "SceneCollection": plan.name, "SceneCollectionFile": plan.name}
    if not there.has_section(_SERVER):
        there.add_section(_SERVER)
    there[_SERVER].update(
        {
            "FirstLoad": "false",
            "ServerEnabled": "true",
            "ServerPort": str(plan.port),
            "AuthRequired": "true",
            "ServerPassword": plan.password,
        }
    )
    return _ini({section: dict(there[section]) for section in there.sections()})


def _server(path: Path, plan: Plan) -> str:
    told: dict[str, Any] = {}
    if path.exists():
        text = path.read_text(encoding="utf-8")
        try:
            told = json.loads(text)
        except ValueError as error:
            raise ObsError(f"{path}: {error} - remove it, and OBS writes it anew") from None
        if told.get("server_enabled"):
            return text
    told |= {
        "alerts_enabled": False,
        "auth_required": True,
        "first_load": False,
        "server_enabled": True,
        "server_password": plan.password,
        "server_port": plan.port,
    }
    return json.dumps(told, indent=4)


def _ini(sections: Mapping[str, Mapping[str, Any]]) -> str:
    out = io.StringIO()
    for section, values in sections.items():
        out.write(f"[{section}]\n" + "".join(f"{key}={value}\n" for key, value in values.items()) + "\n")
    return out.getvalue()


def _write(path: Path, text: str, *, secret: bool = False) -> Iterator[str]:
    """Write a file whole or not at all; what it said before stays beside it."""
    before = path.read_text(encoding="utf-8-sig") if path.exists() else None
    if before == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if before is not None:
        shutil.copy2(path, path.with_name(path.name + ".before"))
    new = path.with_name(path.name + ".new")
    # Passwords and keys: from the first byte on nobody else's to read.
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if secret else 0o644), "w") as file:
        file.write(text)
    new.replace(path)
    yield f"{path}: {'written' if before is None else 'written anew (as it was: ' + path.name + '.before)'}"
