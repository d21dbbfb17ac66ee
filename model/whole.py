"""Files that are whole or not there: written beside their place, then swapped in."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole(path: Path, mode: int | None = None) -> Iterator[Path]:
    """Yield where to write a file; when that is done it takes its place, until then the old one stays.

    It is on the disk before it takes its place: no power cut leaves half of it there.

    Args:
        path: its place; the folder is made if missing. What is no file, such as `/dev/null`, is written to as it is.
        mode: who may do what with it, from its first byte on; None: as the umask says.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if mode is not None:
            # What a crash left there may be open to others.
            partial.unlink(missing_ok=True)
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            partial.chmod(mode)
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


def write_whole(path: Path, data: bytes, mode: int | None = None) -> None:
    """Write a file in one step, into a folder that is there; `mode` as of `whole`.

    Raises:
        OSError: it cannot be written.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    with whole(path, mode) as partial:
        partial.write_bytes(data)
