"""The database opened: made where there is none, and made anew from what can still be read where it is spoilt."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from conductor.errors import LibraryError

SCHEMA = """
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
LATER = {"take_of": "INTEGER", "refused": "TEXT NOT NULL DEFAULT ''"}
TABLES = ("pieces", "as_run", "state")
# What SQLite keeps beside its file.
BESIDE = ("", "-wal", "-shm")


def open_database(path: Path) -> tuple[sqlite3.Connection, str]:
    """Return a database, and what a person should know of it; empty: all is well.

    Args:
        path: of its file.

    Raises:
        LibraryError: it cannot be used, and cannot be moved away.
    """
    try:
        spoilt = _trouble(path)
        news = ""
        if spoilt:
            aside = _set_aside(path)
        db = _connect(path)
        if spoilt:
            news = f"{path}: {spoilt} - a new one is begun; the old one lies beside it as {aside.name}"
            news += f" ({_salvage(aside, db)})"
    except (sqlite3.Error, OSError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise LibraryError(
            f"{path}: not usable as the show's database ({said}) - move it away or use --data DIR"
        ) from None
    return db, news


def is_spoilt(error: sqlite3.Error) -> bool:
    """Return whether an error means that the file is none of SQLite's any more; not a full disk, a lock or the like."""
    return type(error) is sqlite3.DatabaseError


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=5.0)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        # What is committed is brought to the disk by `conductor.library.flushing`.
        db.execute("PRAGMA synchronous=NORMAL")
        db.executescript(SCHEMA)
        there = {row[1] for row in db.execute("PRAGMA table_info(pieces)")}
        for name in LATER.keys() - there:
            db.execute(f"ALTER TABLE pieces ADD COLUMN {name} {LATER[name]}")
    except BaseException:
        db.close()
        raise
    return db


def _trouble(path: Path) -> str:
    """Return what is wrong with a file as a database; empty: nothing."""
    if not path.exists():
        return ""
    with closing(sqlite3.connect(path, timeout=5.0)) as db:
        try:
            found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.Error as error:
            if not is_spoilt(error):
                raise
            found = str(error)
    return "" if found == "ok" else " ".join(str(found).split())


def _set_aside(path: Path) -> Path:
    """Move a database out of the way, and return where it is now."""
    stem = f"{path.name}.spoilt-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    names = (f"{stem}{f'-{n}' if n else ''}" for n in range(100))
    aside = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    for end in BESIDE:
        with suppress(FileNotFoundError):
            os.replace(f"{path}{end}", f"{aside}{end}")
    return aside


def _salvage(aside: Path, db: sqlite3.Connection) -> str:
    """Take over all rows of a spoilt database that can be read; return how many, in words."""
    counts = dict.fromkeys(TABLES, 0)
    with suppress(sqlite3.Error), closing(sqlite3.connect(aside, timeout=5.0)) as old:
        for table in TABLES:
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            with suppress(sqlite3.Error):
                there = {row[1] for row in old.execute(f"PRAGMA table_info({table})")}
                columns = [name for name in columns if name in there]
            # From both ends, up to what cannot be read.
            for order in ("ASC", "DESC"):
                counts[table] += _take_over(old, db, table, columns, order)
    return f"taken over: {counts['pieces']} pieces, {counts['as_run']} lines of the as-run log"


def _take_over(old: sqlite3.Connection, db: sqlite3.Connection, table: str, columns: list[str], order: str) -> int:
    names, places = ", ".join(columns), ", ".join("?" * len(columns))
    taken = 0
    with suppress(sqlite3.Error):
        for row in old.execute(f"SELECT {names} FROM {table} ORDER BY rowid {order}"):
            # A row that a table refuses is no reason to leave the next.
            with suppress(sqlite3.IntegrityError):
                taken += db.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})", row).rowcount
    return taken
