"""What the processes of a show take: memory and time of the processor."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass

import psutil

from conductor.workers import Worker

CONDUCTOR = "conductor"


@dataclass(frozen=True, slots=True)
class Process:
    """A process of the show.

    Attributes:
        name: conductor, or the worker's.
        pid: of it; 0 while there is none.
        memory_bytes: resident.
        cpu_s: of the processor, since it began.
        up_s: since when it lives.
    """

    name: str
    pid: int = 0
    memory_bytes: int = 0
    cpu_s: float = 0.0
    up_s: float = 0.0


class Processes:
    """Looks at processes; what psutil reads once of each is kept as long as it lives."""

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}

    def look(self, workers: dict[str, Worker]) -> list[Process]:
        """Return this process and those of the workers, in their order."""
        pids = {CONDUCTOR: os.getpid(), **{name: worker.pid for name, worker in workers.items()}}
        self._known = {pid: known for pid, known in self._known.items() if pid in pids.values()}
        return [self._one(name, pid) for name, pid in pids.items()]

    def _one(self, name: str, pid: int) -> Process:
        with contextlib.suppress(psutil.Error):
            if pid:
                process = self._known.get(pid) or psutil.Process(pid)
                # The number of one that has died may be another's by now.
                if process.is_running():
                    self._known[pid] = process
                    with process.oneshot():
                        times = process.cpu_times()
                        age_s = time.time() - process.create_time()
                        used_s = times.user + times.system
                        return Process(name, pid, process.memory_info().rss, used_s, max(0.0, age_s))
        self._known.pop(pid, None)
        return Process(name)
