"""A real show on air and somebody who listens to it: where faults are injected and what comes of them is measured."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import psutil

from streaming.timeline import SAMPLE_RATE
from tests.air.processes import free_port, wait_for
from tests.air.show import Show
from tests.faults.ear import Ear, Heard
from tests.faults.table import Row, add

# Pieces that overlap, so that what is silent is a fault; a short one first, so that there is soon something to hear.
CUES = 100
SETLIST = "version: 1\nshow: {title: Faults, ahead: 2}\ndefaults: {duration: 14s, candidates: 1}\ncues:\n" + "".join(
    f"  - {{id: c{n}, name: Cue {n}, style: bach, instruments: [piano], seed: {n}, follow: {{hang: -1s}}}}\n"
    for n in range(1, CUES + 1)
)
# After the fault is mended, so long nothing else may be heard of it.
CALM_S = 3.0
SIZE = "640x360"


class Staged(Show):
    """A show whose conductor can be harmed from within."""

    def start(self) -> None:
        """Start the conductor (again)."""
        self._command[2] = "tests.faults.theatre"
        super().start()


class House:
    """A show on air, with an ear at its output; leave it by `with`.

    Args:
        folder: for all it writes.
        options: of `conductor run`, beside those that every one has.
        setlist: its text.
        data: the show's folder, where it is not within `folder`.
        env: variables of the show.
        composer: whether the real one composes, in place of one that misbehaves on order.

    Attributes:
        show: its processes.
        ear: what is heard.
        faults: the folder of what is to go wrong (see `tests.faults.theatre`).
    """

    def __init__(
        self, folder: Path, *options: str, setlist: str = SETLIST, data: Path | None = None,
        env: dict[str, str] | None = None, composer: bool = False,
    ) -> None:  # fmt: skip
        self.faults = folder / "faults"
        self.faults.mkdir()
        if composer:
            (self.faults / "real-composer").touch()
        self.port, self.nut = free_port(), free_port()
        self.data = data or folder / "a" / "show"
        line = ["--port", str(self.port), "--nut", str(self.nut), "--size", SIZE, "--obs", ""]
        # Said again, an option counts as it was said last.
        line += ["--data", str(self.data), *options]
        self.show = Staged(folder / "a", *line, setlist=setlist, env={"FAULTS": str(self.faults), **(env or {})})
        try:
            self.show.on_air(120.0)
            # Known from its children, of which the next conductor has none.
            assert self.show.run.is_dir()
            self.ear = Ear(self.nut)
            # The first piece, not the bed.
            wait_for(lambda: self.says("live  ") and self.ear.peak_db() > -60, "music", 90.0)
        except BaseException:
            print(self.show.log.read_text())
            self.show.close()
            raise

    def __enter__(self) -> House:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None:
            print(self.show.log.read_text()[-6000:])
        self.ear.close()
        self.show.close()

    # --- what is to be seen from outside ---

    @property
    def said(self) -> str:
        """All that the conductor has said."""
        return self.show.log.read_text(errors="replace")

    @property
    def log(self) -> Path:
        """What the conductor and its workers wrote down."""
        return self.data / "show.log"

    def says(self, words: str, since: int = 0) -> bool:
        """Return whether a line matches since so many characters were there (a regular expression)."""
        return re.search(words, self.said[since:]) is not None

    def pid(self, name: str) -> int:
        """Return the process of a worker, or of the conductor."""
        if name == "conductor":
            return self.show.conductor.pid
        found = self.show.workers()
        return int(found.get(name, found.get("tests.faults.muse" if name == "composer" else name)).pid)  # type: ignore[union-attr]

    def there(self, name: str) -> bool:
        """Return whether a worker runs and is not stopped."""
        found = self.show.workers()
        worker = found.get(name) or (found.get("tests.faults.muse") if name == "composer" else None)
        try:
            return worker is not None and worker.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def as_run(self) -> list[tuple[str, str, str]]:
        """Return (event, cue, detail) of the as-run log."""
        with sqlite3.connect(f"file:{self.data / 'show.db'}?mode=ro", uri=True) as database:
            return list(database.execute("SELECT event, cue_id, detail FROM as_run ORDER BY id"))

    def mood(self, word: str, times: int = 1) -> None:
        """Let the composer's next requests end badly."""
        (self.faults / "muse.mood").write_text(f"{word} {times}")

    def signal(self, name: str, number: int) -> None:
        """Send a worker, or the conductor, a signal."""
        os.kill(self.pid(name), number)

    # --- a fault ---

    def suffer(
        self,
        fault: str,
        harm: Callable[[], object],
        *,
        hears: str,
        says: str,
        healed: Callable[[int], bool],
        patience_s: float = 60.0,
        calm_s: float = CALM_S,
        logged: bool = False,
    ) -> tuple[Row, Heard]:
        """Do harm, wait until it is told and healed, and measure what the audience heard meanwhile.

        Args:
            fault: in words, for the table.
            harm: does it.
            hears: what the audience is meant to hear.
            says: what must be said of it (a regular expression; empty: nothing).
            healed: whether all is well again; told how much had been said before.
            patience_s: how long all of it may take.
            calm_s: how long it is listened to afterwards.
            logged: it is said in the log alone, not to the person at the terminal.

        Returns:
            The row of the table and what was heard.
        """

        def words() -> str:
            return self.log.read_text(errors="replace") if logged else self.said

        mark, began_s, since = len(words()), time.monotonic(), self.ear.now
        harm()
        try:
            if says:
                wait_for(lambda: re.search(says, words()[mark:]) is not None, f"word of it ({says})", patience_s)
            wait_for(lambda: healed(mark), "recovery", patience_s)
        except AssertionError:
            print(f"{fault}: {self.ear.heard(since, self.ear.now)}\n{words()[mark:]}")
            raise
        recovery_s = time.monotonic() - began_s
        time.sleep(calm_s)
        heard = self.ear.heard(since, self.ear.now)
        line = next((line for line in words()[mark:].splitlines() if says and re.search(says, line)), "")
        row = add(Row(fault, hears, heard.gap, line, recovery_s))
        print(row, heard)
        assert heard.blocks > calm_s * SAMPLE_RATE / 256 / 2, "the ear was deaf"
        return row, heard
