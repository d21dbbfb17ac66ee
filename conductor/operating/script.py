"""The setlist in force, and its file: read again when it changes, told, and taken up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from conductor.operating.pending import Pending
from conductor.operating.rereading import Rereading
from conductor.setlist import Setlist
from conductor.setlist.inforce import forget, keep
from conductor.show.chronicle import Chronicle


class Script:
    """What a show plays by.

    Args:
        setlist: in force at the beginning.
        chronicle: told what is different, or wrong.
        take_up: gives the order to take a changed file up.
        notify: called when there is something to be told.
        at_once: a changed file is taken up without being asked.
        folder: where what is in force is kept, for a conductor that finds the file spoilt; None: nowhere.
    """

    def __init__(
        self,
        setlist: Setlist,
        chronicle: Chronicle,
        *,
        take_up: Callable[[str], None],
        notify: Callable[[], None],
        at_once: bool = False,
        folder: Path | None = None,
    ) -> None:
        self.pending = Pending(setlist)
        self._folder = folder
        self._keep()
        self._chronicle, self._take_up, self._notify, self._at_once = chronicle, take_up, notify, at_once
        self._rereading = Rereading(setlist, self._changed, self._broken)

    async def look(self) -> None:
        """Look at the file now."""
        await self._rereading.look()

    async def follow(self) -> None:
        """Look at the file now and then, for ever."""
        await self._rereading.run()

    def take_up(self) -> None:
        """Let the file as it was read last be in force."""
        self.pending.take_up()
        self._keep()

    def over(self) -> None:
        """Keep nothing: the next show is what its file says."""
        if self._folder is not None:
            forget(self._folder)

    def _keep(self) -> None:
        if self._folder is not None:
            keep(self.pending.setlist, self._folder)

    def _changed(self, setlist: Setlist) -> None:
        name = setlist.path.name
        self.pending.read(setlist)
        if self.pending.diff is None:
            self._chronicle.say(f"{name} has changed, and nothing in it that can be taken up now")
        elif self._at_once:
            self._take_up(name)
        else:
            self._chronicle.say(f"{name} has changed; reload takes this up:")
        for line in self.pending.lines:
            self._chronicle.say(f"  {line}")
        self._notify()

    def _broken(self, trouble: str) -> None:
        self.pending.broken(trouble)
        for line in trouble.splitlines():
            self._chronicle.warn(line)
        self._chronicle.warn("the setlist plays on as it was")
        self._chronicle.log("setlist", detail=trouble)
        self._notify()
