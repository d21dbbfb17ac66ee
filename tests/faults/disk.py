"""A small disk that fills up, or takes nothing any more."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path


def can_mount() -> bool:
    """Return whether this user may mount a file system."""
    return os.geteuid() == 0


class Disk:
    """A file system in memory.

    Args:
        folder: where it is mounted.
        size_mb: its room.
    """

    def __init__(self, folder: Path, size_mb: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._stone = folder / "stone"
        _run("mount", "-t", "tmpfs", "-o", f"size={int(size_mb * 1024)}k", "tmpfs", str(folder))

    def fill(self) -> None:
        """Leave no byte free."""
        with contextlib.suppress(OSError), self._stone.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)):
                        pass

    def empty(self) -> None:
        """Give the room back."""
        self._stone.unlink(missing_ok=True)

    def freeze(self, *, on: bool) -> None:
        """Let it be read only, or not any more.

        Whoever has a file open for writing would forbid it; a bind of itself is not asked.
        """
        if on:
            _run("mount", "--bind", str(self.folder), str(self.folder))
            _run("mount", "-o", "remount,ro,bind", str(self.folder))
        else:
            _run("umount", "-l", str(self.folder))

    def close(self) -> None:
        """Take it away, whoever still holds a file of it."""
        _run("umount", "-l", str(self.folder))


@contextlib.contextmanager
def disk(folder: Path, size_mb: float = 8.0) -> Iterator[Disk]:
    """Mount a small disk for as long as it is needed."""
    made = Disk(folder, size_mb)
    try:
        yield made
    finally:
        made.close()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
