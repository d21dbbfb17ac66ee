"""Files that are whole or not there: written beside their place, then swapped in."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield where to write a file; when that is done it takes its place, until then the old one stays.

    It is on the disk before it takes its place: no power cut leaves half of it there.

    Args:
        path: its place; the folder is made if missing. What is no file, such as `/dev/null`, is written to as it is.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        on_disk(partial)
        os.replace(partial, path)
        on_disk(path.parent)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def on_disk(path: Path) -> None:
    """Return when the disk has a file, or the names in a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in one step, into a folder that is there.

    Raises:
        OSError: it cannot be written.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    with whole(path) as partial:
        partial.write_bytes(data)
