"""Whatever moment a writer is killed or the power goes: the database is whole, and its log is contiguous."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conductor.library import Library
from conductor.library.flushing import WITHIN_S, Flusher

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
KILLS = 20
PAGE = 4096
WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from conductor.library import Library
from model.whole import write_whole
library, n = Library(Path(sys.argv[1])), int(sys.argv[2])
while True:
    midi = library.pieces / f"p{n % 8}.mid"
    write_whole(midi, b"MThd" + bytes([n % 256]) * 20_000)
    library.log("live", at=datetime.now(UTC), sample=n, title="x" * 50)
    library.remember("show", {"n": n, "slots": ["y" * 50] * 100})
    print(n, flush=True)
    n += 1
"""


def checked(path: Path) -> list[int]:
    """Return the samples of a log, after a look at the whole database."""
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = db.execute("SELECT id, sample FROM as_run ORDER BY id").fetchall()
    db.close()
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    assert [row[1] for row in rows] == list(range(len(rows)))
    return [row[1] for row in rows]


def test_a_writer_that_is_killed_at_any_moment_loses_nothing_it_said_it_wrote(tmp_path: Path) -> None:
    dice, n = random.Random(7), 0
    for _ in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(n)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
        )
        assert writer.stdout is not None
        said = int(writer.stdout.readline())
        # Somewhere in the middle of one of its writes.
        time.sleep(dice.random() * 0.03)
        writer.send_signal(signal.SIGKILL)
        said = [said, *map(int, writer.stdout.read().split())][-1]
        writer.wait()
        writer.stdout.close()
        samples = checked(tmp_path / "show.db")
        # It may have been killed between writing and saying so.
        assert said <= samples[-1] <= said + 1
        library = Library(tmp_path)
        assert library.recall("show")["n"] in (samples[-1], samples[-1] - 1)
        library.close()
        for midi in (tmp_path / "pieces").glob("*.mid"):
            raw = midi.read_bytes()
            assert len(raw) == 20_004
            assert len(set(raw[4:])) == 1
        n = samples[-1] + 1
    assert n > KILLS


def test_a_power_cut_loses_at_most_the_last_second_of_the_log(tmp_path: Path) -> None:
    """After a cut the disk has what it was asked to have, and any of what was written since."""
    library = Library(tmp_path / "show")
    library.close()
    wal = tmp_path / "show" / "show.db-wal"
    on_disk: list[bytes] = []
    synced = threading.Event()

    def sync(_: int) -> None:
        on_disk.append(wal.read_bytes())
        synced.set()

    library = Library(tmp_path / "show")
    library._flusher = Flusher(wal, sync)
    dice = random.Random(3)
    times_s: list[float] = []
    losses = 0
    for round_ in range(30):
        for _ in range(dice.randrange(1, 40)):
            library.log("live", at=NOON, sample=len(times_s), title="x" * 60)
            times_s.append(time.monotonic())
        if round_ % 6 == 0:
            synced.clear()
            assert synced.wait(5.0)
        cut = tmp_path / f"cut{round_}"
        cut.mkdir()
        shutil.copy(tmp_path / "show" / "show.db", cut)
        kept, now = on_disk[-1], wal.read_bytes()
        pages = []
        for at in range(0, len(now), PAGE):
            new = now[at : at + PAGE]
            pages.append(new if dice.random() < 0.5 else kept[at : at + PAGE].ljust(len(new), b"\0"))
        (cut / "show.db-wal").write_bytes(b"".join(pages))
        cut_s = time.monotonic()
        samples = checked(cut / "show.db")
        lost = times_s[len(samples) :]
        losses += bool(lost)
        # Half a second until it is asked for, and some for a machine with other things to do.
        assert not lost or cut_s - lost[0] < WITHIN_S + 0.5
    assert len(on_disk) > 3
    # Else nothing was cut.
    assert losses > 3
    library.close()


def test_the_disk_is_asked_soon_after_a_write_and_not_with_each(tmp_path: Path) -> None:
    asked: list[int] = []
    path = tmp_path / "file"
    path.touch()
    flusher = Flusher(path, asked.append)
    for _ in range(1000):
        flusher.written()
    flusher.close()
    assert 1 <= len(asked) <= 3


def test_a_disk_that_fails_is_told_once_and_holds_nobody_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: int) -> None:
        raise OSError(5, os.strerror(5))

    path = tmp_path / "file"
    path.touch()
    flusher = Flusher(path, broken)
    flusher._flush()
    flusher._flush()
    flusher.close()
    assert caplog.text.count("not known to be on the disk") == 1
