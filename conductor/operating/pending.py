"""What the setlist's file says since the show began, until it is taken up."""

from __future__ import annotations

from dataclasses import dataclass, replace

from conductor.setlist import Setlist
from conductor.setlist.diff import Diff, diff


@dataclass(slots=True)
class Pending:
    """The setlist in force, and the one that waits.

    Attributes:
        setlist: in force.
        waiting: read since; None: none, or the same.
        trouble: what is wrong with the file, a line for each mistake; the setlist in force plays on.
    """

    setlist: Setlist
    waiting: Setlist | None = None
    trouble: str = ""

    @property
    def diff(self) -> Diff | None:
        """What would be different; None: nothing."""
        if self.waiting is None:
            return None
        found = diff(self.setlist, self.waiting)
        return None if found.empty else found

    @property
    def lines(self) -> tuple[str, ...]:
        """What people read of it."""
        if self.trouble:
            return tuple(self.trouble.splitlines())
        return diff(self.setlist, self.waiting).lines if self.waiting else ()

    def read(self, setlist: Setlist) -> None:
        """Take note of the file as it is now."""
        self.waiting, self.trouble = setlist, ""

    def broken(self, trouble: str) -> None:
        """Take note that the file cannot be read; what was waiting before is not what anybody wants now."""
        self.waiting, self.trouble = None, trouble

    def take_up(self) -> None:
        """Let what waits be in force, as far as a show can take it up."""
        if new := self.waiting:
            self.setlist = replace(
                self.setlist, title=new.title, cues=new.cues, endless=new.endless, ahead=new.ahead,
                template=new.template, text=new.text,
            )  # fmt: skip
            self.waiting = None
