"""What is known of a piece, kept in a file beside it: with it the piece is found again when the database is lost."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from model.whole import whole

LOG = logging.getLogger("conductor.library")

# The columns of `pieces`, in their order, with the kinds of their values.
KINDS: dict[str, tuple[type, ...]] = {
    "id": (int,),
    "cue_id": (str,),
    "title": (str,),
    "style": (str, type(None)),
    "duration_s": (float, int),
    "notes": (int,),
    "composed_at": (str,),
    "composing_s": (float, int),
    "provenance": (dict,),
    "take_of": (int, type(None)),
    "refused": (str,),
}


def beside(midi: Path) -> Path:
    """Return where it is said what is known of a piece."""
    return midi.with_suffix(".json")


def write_beside(midi: Path, row: dict[str, Any]) -> None:
    """Keep what is known of a piece; where that cannot be written, the database knows it all the same.

    Args:
        midi: file of the piece.
        row: values by column.
    """
    try:
        with whole(beside(midi)) as partial:
            partial.write_text(json.dumps(row, ensure_ascii=False, default=str), encoding="utf-8")
    except OSError as error:
        LOG.warning("%s: cannot be written (%s)", beside(midi), error.strerror)


def found_beside(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the pieces of a folder that have their knowledge beside them, and that.

    Args:
        folder: of pieces.
    """
    for path in sorted(folder.glob("*.json")):
        midi = path.with_suffix(".mid")
        try:
            row = json.loads(path.read_bytes())
            if midi.is_file() and all(isinstance(row[name], kinds) for name, kinds in KINDS.items()):
                datetime.fromisoformat(row["composed_at"])
                yield midi, row
        except (OSError, ValueError, KeyError, TypeError) as error:
            LOG.warning("%s: not what is known of a piece (%s)", path, error)
