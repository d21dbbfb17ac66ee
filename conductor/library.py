"""The show's memory: pieces with their provenance, the as-run log, the state.

One SQLite file with one writer; it survives a kill at any moment.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from conductor.errors import LibraryError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pieces (
    id INTEGER PRIMARY KEY,
    cue_id TEXT NOT NULL,
    title TEXT NOT NULL,
    style TEXT,
    midi TEXT NOT NULL,
    duration_s REAL NOT NULL,
    notes INTEGER NOT NULL,
    composed_at TEXT NOT NULL,
    composing_s REAL NOT NULL,
    aired INTEGER NOT NULL DEFAULT 0,
    provenance TEXT NOT NULL,
    take_of INTEGER,
    refused TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE IF NOT EXISTS as_run (
    id INTEGER PRIMARY KEY,
    wall TEXT NOT NULL,
    sample INTEGER NOT NULL,
    event TEXT NOT NULL,
    cue_id TEXT NOT NULL,
    title TEXT NOT NULL,
    piece_id INTEGER REFERENCES pieces(id),
    detail TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""


# Columns that a database of an earlier version lacks.
_LATER = {"take_of": "INTEGER", "refused": "TEXT NOT NULL DEFAULT ''"}


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


class Library:
    """The folder of a show: `show.db` and `pieces/`.

    Args:
        folder: made if it is not there.

    Raises:
        LibraryError: the folder or the database cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pieces = folder / "pieces"
        try:
            self.pieces.mkdir(parents=True, exist_ok=True)
            probe = self.pieces / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise LibraryError(
                f"{folder}: cannot keep the show there ({error.strerror}) - choose another folder with --data DIR"
            ) from None
        try:
            self._db = sqlite3.connect(folder / "show.db", isolation_level=None, timeout=5.0)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_SCHEMA)
            there = {row[1] for row in self._db.execute("PRAGMA table_info(pieces)")}
            for name in _LATER.keys() - there:
                self._db.execute(f"ALTER TABLE pieces ADD COLUMN {name} {_LATER[name]}")
        except sqlite3.Error as error:
            raise LibraryError(
                f"{folder / 'show.db'}: not usable as the show's database ({error}) - move it away or use --data DIR"
            ) from None

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def _run(self, sql: str, *values: object) -> sqlite3.Cursor:
        try:
            return self._db.execute(sql, values)
        except sqlite3.Error as error:
            raise LibraryError(f"{self.folder / 'show.db'}: {error}") from error

    def keep(
        self,
        *,
        cue_id: str,
        title: str,
        style: str | None,
        midi: Path,
        duration_s: float,
        notes: int,
        at: datetime,
        composing_s: float,
        provenance: dict[str, Any],
        take_of: int | None = None,
        refused: str = "",
    ) -> int:
        """Store a composed piece and return its id.

        Args:
            cue_id: for which cue it was composed.
            title: for people.
            style: of the vocabulary.
            midi: its file.
            duration_s: end of the last note.
            notes: how many.
            at: when it was composed.
            composing_s: how long that took.
            provenance: checkpoint hash, seed, prompt, all scores.
            take_of: the piece that was chosen in its place; None: it was chosen itself.
            refused: why it must not be played.

        Raises:
            LibraryError: the database cannot be written (such as a full disk).
        """
        row = self._run(
            "INSERT INTO pieces (cue_id, title, style, midi, duration_s, notes, composed_at, composing_s, provenance,"
            " take_of, refused) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            cue_id,
            title,
            style,
            # Relative to the show's folder, so that the folder can be moved.
            _inside(midi, self.folder),
            duration_s,
            notes,
            at.isoformat(timespec="seconds"),
            composing_s,
            json.dumps(provenance, default=str),
            take_of,
            refused,
        )
        return int(row.lastrowid or 0)

    def log(
        self,
        event: str,
        *,
        at: datetime,
        sample: int,
        cue_id: str = "",
        title: str = "",
        piece_id: int | None = None,
        detail: str = "",
    ) -> None:
        """Append a line to the as-run log; `sample` is the programme's clock.

        Raises:
            LibraryError: the database cannot be written.
        """
        self._run(
            "INSERT INTO as_run (wall, sample, event, cue_id, title, piece_id, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
            at.isoformat(timespec="milliseconds"),
            sample,
            event,
            cue_id,
            title,
            piece_id,
            detail,
        )
        if event in ("live", "changed") and piece_id is not None:
            self._run("UPDATE pieces SET aired = aired + 1 WHERE id = ?", piece_id)

    def as_run(self, last: int = 100) -> list[AsRun]:
        """Return the latest lines of the as-run log, oldest first."""
        rows = self._run(
            "SELECT wall, sample, event, cue_id, title, piece_id, detail FROM as_run ORDER BY id DESC LIMIT ?", last
        ).fetchall()
        return [AsRun(*row) for row in reversed(rows)]

    def _kept(self, sql: str, *values: object) -> list[Kept]:
        rows = self._run(
            "SELECT id, cue_id, title, style, midi, duration_s, aired, provenance, composed_at, refused"
            f" FROM pieces {sql}",
            *values,
        ).fetchall()
        return [
            Kept(
                id=row[0],
                cue_id=row[1],
                title=row[2],
                style=row[3],
                midi=self.folder / row[4],
                duration_s=row[5],
                aired=row[6],
                provenance=json.loads(row[7]),
                composed_at=datetime.fromisoformat(row[8]),
                refused=row[9],
            )
            for row in rows
        ]

    def piece(self, piece_id: int) -> Kept | None:
        """Return a piece by its id."""
        return next(iter(self._kept("WHERE id = ?", piece_id)), None)

    def latest(self, last: int = 50) -> list[Kept]:
        """Return the latest pieces, the newest first."""
        return self._kept("ORDER BY id DESC LIMIT ?", last)

    def substitutes(self, style: str | None) -> list[Kept]:
        """Return pieces that may stand in, best first: of the style, chosen once, least aired, longest not heard."""
        return self._kept("WHERE refused = '' ORDER BY style IS NOT ?, take_of IS NOT NULL, aired, id", style)

    def aired_since(self, at: datetime) -> dict[int, datetime]:
        """Return the pieces that were on air since a time, and when they were last."""
        rows = self._run(
            "SELECT piece_id, MAX(wall) FROM as_run WHERE event IN ('live', 'changed') AND piece_id IS NOT NULL"
            " AND wall >= ? GROUP BY piece_id",
            at.isoformat(timespec="milliseconds"),
        ).fetchall()
        return {piece: datetime.fromisoformat(wall) for piece, wall in rows}

    def remember(self, key: str, value: Any) -> None:
        """Store a part of the show's state (plain JSON values) in one step.

        Raises:
            LibraryError: the database cannot be written.
        """
        self._run("INSERT OR REPLACE INTO state (key, value) VALUES (?, ?)", key, json.dumps(value))

    def recall(self, key: str) -> Any:
        """Return what was remembered, or None."""
        row = self._run("SELECT value FROM state WHERE key = ?", key).fetchone()
        return None if row is None else json.loads(row[0])


def _inside(path: Path, folder: Path) -> str:
    path, folder = path.resolve(), folder.resolve()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
