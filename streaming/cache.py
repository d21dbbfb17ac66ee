"""What was computed once and is kept in the user's cache: a convenience, never needed."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def cache_folder() -> Path:
    """Return where the program keeps what it computed."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "conductor-live"


def keep_arrays(
    path: Path, arrays: Mapping[str, NDArray[np.generic]], *, among: str, kept: int, what: str, log: logging.Logger
) -> None:
    """Write arrays as an npz file, whole or not at all; a disk that refuses is told of, and nothing else.

    Args:
        path: its place; the folder is made if missing.
        arrays: by name.
        among: pattern of the files of its kind, of which older versions would pile up.
        kept: how many of them stay, the newest.
        what: it is, for the log.
        log: told where nothing could be kept.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="new-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        old = sorted(path.parent.glob(among), key=lambda p: p.stat().st_mtime, reverse=True)
        for stale in old[kept:]:
            stale.unlink(missing_ok=True)
    except OSError as error:
        log.info("%s: not kept: %s", what, error)
