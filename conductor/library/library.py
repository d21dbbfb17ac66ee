"""The folder of a show: what is kept in it, and found again."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from conductor.errors import LibraryError
from conductor.library.flushing import Flusher
from conductor.library.opening import is_spoilt, open_database
from conductor.library.sidecar import KINDS, found_beside, write_beside
from conductor.library.values import AsRun, Kept

LOG = logging.getLogger("conductor.library")


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
        self._news: list[str] = []
        self._tell: Callable[[str], None] = self._news.append
        self._db = self._open()
        self._flusher = Flusher(folder / "show.db-wal")

    def _open(self) -> sqlite3.Connection:
        """Open the database; where it is spoilt, begin another with all that is still there."""
        db, news = open_database(self.folder / "show.db")
        if news:
            back = self._find_pieces(db)
            self._tell(f"{news}{f'; {back} pieces more are found by what lies beside them' if back else ''}")
        return db

    def _find_pieces(self, db: sqlite3.Connection) -> int:
        """Put pieces into a database that it does not know; return how many."""
        known = {row[0] for row in db.execute("SELECT midi FROM pieces")}
        back = 0
        for midi, row in found_beside(self.pieces):
            named = _inside(midi, self.folder)
            if named not in known:
                values = {name: row[name] for name in KINDS} | {"midi": named}
                values["provenance"] = json.dumps(row["provenance"])
                places = ", ".join("?" * len(values))
                db.execute(
                    f"INSERT OR IGNORE INTO pieces ({', '.join(values)}) VALUES ({places})", tuple(values.values())
                )
                back += 1
        return back

    def heard_by(self, tell: Callable[[str], None]) -> None:
        """Let somebody hear what went wrong with the database, so far and from now on."""
        self._tell = tell
        for line in self._news:
            tell(line)
        self._news.clear()

    def close(self) -> None:
        """Close the database."""
        self._flusher.close()
        self._db.close()

    def _run(self, sql: str, *values: object) -> sqlite3.Cursor:
        try:
            try:
                done = self._db.execute(sql, values)
            except sqlite3.DatabaseError as error:
                if not is_spoilt(error):
                    raise
                # It was spoilt while the show runs.
                self._db.close()
                self._db = self._open()
                done = self._db.execute(sql, values)
        except sqlite3.Error as error:
            raise LibraryError(f"{self.folder / 'show.db'}: {error}") from error
        if not sql.startswith("SELECT"):
            self._flusher.written()
        return done

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
        known: dict[str, Any] = {
            "cue_id": cue_id, "title": title, "style": style, "duration_s": duration_s, "notes": notes,
            "composed_at": at.isoformat(timespec="seconds"), "composing_s": composing_s, "provenance": provenance,
            "take_of": take_of, "refused": refused,
        }  # fmt: skip
        # Relative to the show's folder, so that the folder can be moved.
        row = {**known, "midi": _inside(midi, self.folder), "provenance": json.dumps(provenance, default=str)}
        places = ", ".join("?" * len(row))
        done = self._run(f"INSERT INTO pieces ({', '.join(row)}) VALUES ({places})", *row.values())
        piece_id = int(done.lastrowid or 0)
        if midi.resolve().parent == self.pieces.resolve():
            write_beside(midi, {"id": piece_id, **known})
        return piece_id

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
        # First what a kill between the two would do the least harm to.
        if event in ("live", "changed") and piece_id is not None:
            self._run("UPDATE pieces SET aired = aired + 1 WHERE id = ?", piece_id)
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
        """Return pieces that may stand in, best first: of the style, chosen once, least aired, longest not heard.

        One that was left since nothing was heard of it does not.
        """
        return self._kept(
            "WHERE refused = '' AND id NOT IN"
            " (SELECT piece_id FROM as_run WHERE event = 'silence' AND piece_id IS NOT NULL)"
            " ORDER BY style IS NOT ?, take_of IS NOT NULL, aired, id",
            style,
        )

    def composing_times(self, last: int) -> list[tuple[float, dict[str, Any]]]:
        """Return how many seconds the latest pieces took to compose, and their provenance, oldest first."""
        rows = self._run(
            "SELECT composing_s, provenance FROM pieces WHERE take_of IS NULL AND composing_s > 0"
            " ORDER BY id DESC LIMIT ?",
            last,
        ).fetchall()
        return [(seconds, json.loads(provenance)) for seconds, provenance in reversed(rows)]

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
        """Return what was remembered, or None; what cannot be read is set aside under another key."""
        row = self._run("SELECT value FROM state WHERE key = ?", key).fetchone()
        if row is None:
            return None
        try:
            return json.loads(row[0])
        except ValueError as error:
            self.set_aside(key, str(error))
            return None

    def set_aside(self, key: str, why: str) -> None:
        """Keep a part of the state, which means nothing, under another key, and say so.

        Args:
            key: under which it was remembered.
            why: what is wrong with it.
        """
        kept = f"{key} that could not be read"
        self._run("UPDATE OR REPLACE state SET key = ? WHERE key = ?", kept, key)
        self._tell(f"{self.folder / 'show.db'}: the state '{key}' cannot be read ({why}); it is kept as '{kept}'")


def _inside(path: Path, folder: Path) -> str:
    path, folder = path.resolve(), folder.resolve()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
