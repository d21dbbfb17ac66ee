"""A show as a person starts it: `conductor run` in a process of its own, found again by the folder it runs in."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil

from tests.air.processes import Program, wait_for

WORKERS = ("feed", "player", "composer")
# Short pieces one after the other, then without end: something is always composed, played and drawn.
SETLIST = """\
version: 1
show: {title: On Air, ahead: 1}
defaults: {duration: 20s, candidates: 1}
cues:
  - {id: first, name: First, style: bach, instruments: [piano], seed: 1}
  - {id: second, name: Second, style: chopin, instruments: [piano, strings], seed: 2}
endless: {styles: {bach: 1}, duration: 60s}
"""


class Show:
    """A running `conductor run`, and its workers, which outlive it.

    Args:
        folder: for what it writes.
        options: of `conductor run`, besides the setlist and `--data`.
        setlist: its text.
        env: variables beside those of the test.

    Attributes:
        conductor: its process.
        log: what it says.
    """

    def __init__(self, folder: Path, *options: str, setlist: str = SETLIST, env: dict[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "setlist.yaml"
        path.write_text(setlist)
        self._command = [sys.executable, "-m", "conductor.cli", "run", str(path), "--data", str(folder / "show")]
        self._command += options
        self._env = {**os.environ, "OMP_NUM_THREADS": "1", **(env or {})}
        self.log = folder / "show.txt"
        self._run: Path | None = None
        self.start()

    def start(self) -> None:
        """Start the conductor (again)."""
        self.conductor = Program(self._command, self.log, self._env)

    def on_air(self, seconds: float = 90.0) -> float:
        """Wait for the first sound; return how long that took."""
        return wait_for(lambda: self.says("first sound"), "sound", seconds)

    def says(self, words: str) -> bool:
        """Return whether it has said something; fail the test when it has ended."""
        self.conductor.check()
        return words in self.log.read_text(errors="replace")

    @property
    def run(self) -> Path:
        """The folder of its sockets and its ring, as its workers are told it."""
        if self._run is None:
            children = psutil.Process(self.conductor.pid).children()
            lines = [child.cmdline() for child in children]
            self._run = next(Path(line[line.index("--run") + 1]) for line in lines if "--run" in line)
        return self._run

    def workers(self) -> dict[str, psutil.Process]:
        """Return the workers that run now, by name; whose conductor started them does not matter."""
        found = {}
        for process in psutil.process_iter():
            try:
                line = process.cmdline()
            except psutil.Error:
                continue
            if "--run" in line and line[line.index("--run") + 1] == str(self.run):
                found[line[2].removeprefix("conductor.")] = process
        return found

    def kill(self, name: str) -> None:
        """End the conductor or a worker as a crash would."""
        if name == "conductor":
            self.conductor.kill()
        else:
            os.kill(self.workers()[name].pid, signal.SIGKILL)

    def close(self) -> None:
        """End it as Ctrl-C does, and what it may have left."""
        left = self.workers() if self._run or self.conductor.runs else {}
        self.conductor.stop(signal.SIGINT)
        gone, alive = psutil.wait_procs(list(left.values()), timeout=10.0)
        assert len(gone) + len(alive) == len(left)
        for process in alive:
            process.kill()
