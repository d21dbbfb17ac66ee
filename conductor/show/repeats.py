"""No piece twice within a time: what is composed is compared, what stands in is ordered by when it was heard."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta

from conductor.clock import Clock, minutes
from conductor.errors import LibraryError
from conductor.library import Kept, Library
from conductor.radio.repeats import MARGIN_S, Heard, fresh_first, sketch_of, too_near
from conductor.setlist import Cue, Endless
from conductor.show.take import Take

LOG = logging.getLogger("conductor.show.repeats")

KEY = "lately"
# Of a time with pieces that are very short, the latest so many are remembered.
MOST = 2000


class Repeats:
    """What was heard lately, kept across restarts.

    Args:
        library: where it is kept.
        clock: wall time.
        endless: returns what is drawn, which says within what time no piece comes again; None: nothing is.
    """

    def __init__(self, library: Library, clock: Clock, endless: Callable[[], Endless | None]) -> None:
        self._library, self._clock, self._endless = library, clock, endless
        self._lately: deque[Heard] = deque(self._kept(), MOST)

    def _kept(self) -> list[Heard]:
        try:
            rows = self._library.recall(KEY) or ()
            return [Heard(str(title), float(at_s), tuple(map(tuple, sketch))) for title, at_s, sketch in rows]
        except (LibraryError, TypeError, ValueError) as error:
            LOG.warning("what was heard lately is not known: %s", error)
            return []

    def _within_s(self) -> float:
        endless = self._endless()
        return endless.radio.repeat_after_s if endless else 0.0

    def refusal(self, cue: Cue, take: Take) -> str:
        """Return why what was composed must not be heard now; empty where it may.

        What is drawn is compared; what a person planned is heard as planned.
        """
        within_s = self._within_s()
        if not cue.drawn or not within_s:
            return ""
        now_s = self._clock.wall().timestamp()
        twin = too_near(sketch_of(take.notes), self._lately, now_s - within_s - MARGIN_S)
        return f"it is {twin.title} again, of {minutes(now_s - twin.at_s)} ago" if twin else ""

    def note(self, take: Take) -> None:
        """Remember a piece that is to be heard."""
        within_s = self._within_s()
        if not within_s:
            return
        now_s = self._clock.wall().timestamp()
        self._lately.append(Heard(take.title, now_s, sketch_of(take.notes)))
        while self._lately and self._lately[0].at_s < now_s - within_s - MARGIN_S:
            self._lately.popleft()
        try:
            self._library.remember(KEY, [[heard.title, heard.at_s, heard.sketch] for heard in self._lately])
        except LibraryError as error:
            LOG.error("%s", error)

    def ordered(self, pieces: Sequence[Kept]) -> list[Kept]:
        """Return pieces that may stand in, those that were not heard lately first, of the others the least recent."""
        within_s = self._within_s()
        if not within_s:
            return list(pieces)
        since = self._clock.wall() - timedelta(seconds=within_s)
        return fresh_first(pieces, {piece: at.timestamp() for piece, at in self._library.aired_since(since).items()})
