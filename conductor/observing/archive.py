"""The folder of a show, only read: what was played, what was composed, what was measured.

A show may be running in it, or be over for years; nothing is written, and no table is made.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from conductor.errors import LibraryError
from conductor.library import AsRun
from conductor.observing.diary import measures

END = "end"


@dataclass(frozen=True, slots=True)
class Music:
    """A piece that was composed.

    Attributes:
        id: in the library; take_of: the one that was chosen in its place, if one was.
        composed_at: when, in UTC.
        refused: why it must not be played; empty where it may.
        provenance: how it came about.
    """

    id: int
    title: str
    style: str
    duration_s: float
    composed_at: datetime
    composing_s: float
    take_of: int | None
    refused: str
    provenance: dict[str, Any]


class Archive:
    """Reads the folder of a show.

    Args:
        folder: of the show.

    Raises:
        LibraryError: there is no show in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "show.db"
        if not self._file.is_file():
            raise LibraryError(f"{folder}: no show was kept there (there is no show.db)")

    @contextmanager
    def _asked(self, sql: str, *values: object) -> Iterator[sqlite3.Cursor]:
        try:
            with closing(sqlite3.connect(f"{self._file.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
                yield db.execute(sql, values)
        except sqlite3.Error as error:
            raise LibraryError(f"{self._file}: cannot be read ({error})") from None

    def runs(self) -> list[tuple[int, int]]:
        """Return the shows of this folder, oldest first: the first and the last line of each in the as-run log.

        A show ends where it was ended; one that broke off goes on with the next run.
        """
        with self._asked("SELECT min(id), max(id) FROM as_run") as rows:
            first, last = rows.fetchone()
        if first is None:
            return []
        with self._asked("SELECT id FROM as_run WHERE event = ? ORDER BY id", END) as rows:
            ends = [row[0] for row in rows]
        found = []
        for end in [*ends, last]:
            if end >= first:
                found.append((first, end))
                first = end + 1
        return found

    def as_run(self, first: int, last: int) -> list[AsRun]:
        """Return lines of the as-run log, oldest first, from a number to a number."""
        sql = "SELECT wall, sample, event, cue_id, title, piece_id, detail FROM as_run WHERE id BETWEEN ? AND ?"
        with self._asked(f"{sql} ORDER BY id", first, last) as rows:
            return [AsRun(*row) for row in rows]

    def composed(self) -> list[Music]:
        """Return all pieces, oldest first."""
        sql = "SELECT id, title, style, duration_s, composed_at, composing_s, take_of, refused, provenance FROM pieces"
        with self._asked(f"{sql} ORDER BY id") as rows:
            return [_music(row) for row in rows]

    def measures(self, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """Return what was measured between two moments."""
        return [each for each in measures(self.folder) if since <= datetime.fromisoformat(each["time"]) <= until]


def _music(row: tuple[Any, ...]) -> Music:
    number, title, style, duration_s, at, composing_s, take_of, refused, provenance = row
    try:
        known = json.loads(provenance)
    except ValueError:
        known = {}
    when = datetime.fromisoformat(at)
    return Music(
        number,
        title,
        style or "",
        duration_s,
        when,
        composing_s,
        take_of,
        refused,
        known if type(known) is dict else {},
    )
