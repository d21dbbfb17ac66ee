"""Workers that nobody cares for any more: of a conductor that was killed, stopped, or still starting."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import psutil

_WAIT_S = 2.0


def end_strays(name: str, run: Path) -> list[int]:
    """End every process that is this worker of this run folder; two players would write into one ring.

    Args:
        name: of the worker.
        run: its run folder.

    Returns:
        The ids of the processes that were ended.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and _is(process.cmdline(), name, run):
                process.kill()
                found.append(process)
    psutil.wait_procs(found, _WAIT_S)
    return [process.pid for process in found]


def _is(line: list[str], name: str, run: Path) -> bool:
    if "--run" not in line[:-1] or line[line.index("--run") + 1] != str(run):
        return False
    return f"conductor.{name}" in line or name in line
