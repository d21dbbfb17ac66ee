"""The delay of OBS's sound that was measured, kept for the shows to come."""

from __future__ import annotations

import json
import os
from pathlib import Path

from streaming.errors import ObsError
from streaming.obs.wanted import AUDIO_OFFSET_MS


def _kept() -> Path:
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "conductor-live" / "obs-offset.json"


def kept_offset_ms(url: str) -> int:
    """Return the delay that was measured for an OBS, or the usual one where none was."""
    try:
        value = json.loads(_kept().read_text())[url]
    except (OSError, ValueError, KeyError, TypeError):
        return AUDIO_OFFSET_MS
    return value if isinstance(value, int) and -950 <= value <= 20000 else AUDIO_OFFSET_MS


def keep_offset(url: str, offset_ms: int) -> Path:
    """Keep the delay that was measured for an OBS; return where.

    Raises:
        ObsError: it cannot be written.
    """
    path = _kept()
    try:
        kept = json.loads(path.read_text())
    except (OSError, ValueError):
        kept = {}
    kept = {**(kept if isinstance(kept, dict) else {}), url: offset_ms}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        with new.open("w") as file:
            json.dump(kept, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise ObsError(f"{path}: {error.strerror} - the result is not kept") from None
    return path
