"""Finished runs, kept as files: a benchmark of hours goes on where it was stopped.

A run's name is what it is and a digest of all that its figures depend on, so
that a changed setting is another run, and benchmarks that share a folder may
run side by side.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def name_of(kind: str, settings: dict[str, Any]) -> str:
    """Return the name of a run.

    Args:
        kind: what is trained, for a person.
        settings: all that its figures depend on.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()
    return f"{kind}-{digest[:10]}"


def run_once(folder: Path, kind: str, settings: dict[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return a run's figures: those kept in a folder, or fresh ones, which are then kept.

    Args:
        folder: where finished runs lie.
        kind: what is trained.
        settings: all that its figures depend on.
        make: the run; returns what JSON can hold.
    """
    path = folder / "runs" / f"{name_of(kind, settings)}.json"
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())["figures"]
        return found
    figures = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"kind": kind, "settings": settings, "figures": figures}, indent=1, default=str))
    os.replace(partial, path)
    return figures
