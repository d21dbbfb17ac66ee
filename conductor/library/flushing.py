"""What was written is on the disk before long, and nobody waits for it.

SQLite's write-ahead log reaches the disk by itself only when it is copied into the database, after minutes. A sync with
every commit would hold up the conductor for as long as a slow disk takes. So a thread does it, within half a second.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

LOG = logging.getLogger("conductor.library")

# From a commit until the disk is asked to have it.
WITHIN_S = 0.5


class Flusher:
    """Brings a file to the disk soon after each write.

    Args:
        path: of the file; it may come and go.
        sync: makes sure that the disk has an open file.
    """

    def __init__(self, path: Path, sync: Callable[[int], None] = os.fdatasync) -> None:
        self._path, self._sync = path, sync
        self._dirty = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._failing = False

    def written(self) -> None:
        """Note that something was written."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="flusher", daemon=True)
            self._thread.start()
        self._dirty.set()

    def close(self) -> None:
        """Bring the last of it to the disk, and stop."""
        self._stopped.set()
        self._dirty.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._dirty.wait()
            self._dirty.clear()
            self._flush()
            self._stopped.wait(WITHIN_S)

    def _flush(self) -> None:
        try:
            handle = os.open(self._path, os.O_RDONLY)
            try:
                self._sync(handle)
            finally:
                os.close(handle)
        except FileNotFoundError:
            # It was copied into the database, and is on the disk with it.
            return
        except OSError as error:
            if not self._failing:
                LOG.error("%s: not known to be on the disk (%s)", self._path, error.strerror)
            self._failing = True
        else:
            self._failing = False
