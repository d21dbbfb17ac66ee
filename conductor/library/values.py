"""What the library tells: pieces, and lines of the as-run log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Kept:
    """A piece in the library.

    Attributes:
        id: of the row.
        midi: its file.
        aired: how often it was on air.
        provenance: checkpoint hash, seed, prompt, all scores.
        composed_at: when it was composed.
        refused: why it must not be played; empty where it may.
    """

    id: int
    cue_id: str
    title: str
    style: str | None
    midi: Path
    duration_s: float
    aired: int
    provenance: dict[str, Any]
    composed_at: datetime
    refused: str = ""


@dataclass(frozen=True, slots=True)
class AsRun:
    """One line of the as-run log; `sample` counts from the start of the programme."""

    wall: str
    sample: int
    event: str
    cue_id: str
    title: str
    piece_id: int | None
    detail: str
