"""What is measured of a show, kept: a line a minute, one for each piece and for each gap.

`measures.jsonl` in the show's folder; two files of at most 16 MB, which is months.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

LOG = logging.getLogger("conductor.observing")

NAME = "measures.jsonl"
MOST_BYTES = 16_000_000


class Diary:
    """Appends measures; where they cannot be written the show goes on without.

    Args:
        folder: of the show.
        most_bytes: size at which a new file is begun; the one before is kept.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self.path = folder / NAME
        self._most_bytes = most_bytes
        self._failing = False

    def write(self, kind: str, at: datetime, **values: Any) -> None:
        """Append a line.

        Args:
            kind: `begin`, `minute`, `piece` or `gap`.
            at: when, in UTC.
            values: plain ones.
        """
        line = json.dumps({"time": at.isoformat(timespec="seconds"), "kind": kind, **values}, ensure_ascii=False)
        try:
            if self.path.exists() and self.path.stat().st_size > self._most_bytes:
                self.path.replace(earlier(self.path))
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            # Told once: a full disk stays full for a while.
            if not self._failing:
                LOG.error("%s: %s; loudness and the like are not kept", self.path, error.strerror)
            self._failing = True
        else:
            self._failing = False


def earlier(path: Path) -> Path:
    """Return where the file before this one is kept."""
    return path.with_suffix(".1.jsonl")


def measures(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield what was kept, oldest first; a line that a power cut left half is passed over."""
    path = folder / NAME
    for each in (earlier(path), path):
        try:
            with each.open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    try:
                        read = json.loads(line)
                    except ValueError:
                        continue
                    if isinstance(read, dict) and isinstance(read.get("time"), str):
                        yield read
        except OSError:
            continue
