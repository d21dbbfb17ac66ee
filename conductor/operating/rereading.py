"""The setlist's file, looked at while the show runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from conductor.errors import SetlistError
from conductor.setlist import Setlist, load_setlist

EVERY_S = 1.0


class Rereading:
    """Reads a setlist again whenever its file has changed.

    Args:
        setlist: as it was read at the beginning.
        changed: called with the new setlist.
        broken: called with what is wrong with it: file:line:column, a line for each mistake.
    """

    def __init__(self, setlist: Setlist, changed: Callable[[Setlist], None], broken: Callable[[str], None]) -> None:
        self._path, self._changed, self._broken = setlist.path, changed, broken
        # It may be another already: written meanwhile, or spoilt, and the show goes on by what it was.
        self._seen = self._stamp() if setlist.text == self._text() else None

    def _text(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except OSError:
            return None

    def _stamp(self) -> tuple[int, int] | None:
        """Return what tells one version of the file from another; None: it is not there."""
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size

    async def look(self) -> None:
        """Read the file if it is another than last time."""
        stamp = self._stamp()
        # An editor that writes by renaming has it away for a moment.
        if stamp is None or stamp == self._seen:
            return
        self._seen = stamp
        try:
            setlist = await asyncio.to_thread(load_setlist, self._path)
        except SetlistError as error:
            self._broken(str(error))
            return
        self._changed(setlist)

    async def run(self) -> None:
        """Look now and then, for ever."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.look()
