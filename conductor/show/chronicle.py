"""What is told of the show: a line for the person at the terminal, a row in the as-run log."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from conductor.clock import Clock, minutes
from conductor.cues import Phase, Slot
from conductor.errors import LibraryError
from conductor.library import Library
from conductor.logs import AS_RUN, Terminal
from conductor.setlist import Cue

LOG = logging.getLogger("conductor.show.chronicle")

# Of the as-run log, while its disk is full: hours of a show.
UNWRITTEN = 1000


class Chronicle:
    """Writes down what happens.

    Attributes:
        heard: whether anything was, yet.
        logged: called with every event of the as-run log.

    Args:
        library: holds the as-run log.
        clock: wall time for the log; monotonic for the first sound.
        terminal: for people.
        sample: returns the programme's clock, in samples.
    """

    def __init__(self, library: Library, clock: Clock, terminal: Terminal, sample: Callable[[], int]) -> None:
        self.terminal = terminal
        self._library = library
        self._clock = clock
        self._sample = sample
        self._begun_s = clock.monotonic_s()
        self.heard = False
        self.logged: list[Callable[[str], None]] = []
        self._unwritten: deque[dict[str, Any]] = deque(maxlen=UNWRITTEN)
        self._told = False

    def time(self) -> str:
        """Return the time of day as the operator reads it."""
        return f"{self._clock.wall().astimezone():%H:%M:%S}"

    def say(self, text: str) -> None:
        """Print a line with the time of day."""
        self.terminal.say(f"{self.time()}  {text}")

    def warn(self, text: str) -> None:
        """Print a line about something wrong."""
        self.terminal.warn(f"{self.time()}  {text}")

    def first_sound(self) -> None:
        """Say once how long it took until something was heard."""
        if not self.heard:
            self.heard = True
            self.say(f"first sound after {self._clock.monotonic_s() - self._begun_s:.1f} s")

    def moved(self, slot: Slot, piece_id: int | None, sample: int | None = None) -> None:
        """Tell that a cue entered a phase (at a sample of the programme, where known)."""
        cue = slot.cue
        length = minutes(slot.duration_s)
        about = (
            f" ({', '.join(filter(None, (str(cue.style or ''), length)))})"
            if slot.phase in (Phase.READY, Phase.ARMED)
            else ""
        )
        retry = f", with another seed (try {slot.attempt + 1})" if slot.attempt else ""
        about += retry if slot.phase is Phase.COMPOSING else ""
        reason = f": {slot.reason}" if slot.reason and slot.phase in (Phase.PLANNED, *_ENDED, Phase.LIVE) else ""
        # Checked lasts for a moment; planned anew without a reason is no news.
        if slot.phase is not Phase.CHECKED and not (slot.phase is Phase.PLANNED and not reason):
            self.say(f"{slot.phase:<9}  {cue.number:>3}  {cue.name}{about}{reason}")
        self.log(str(slot.phase), cue=cue, piece_id=piece_id, detail=slot.reason, sample=sample)

    def log(
        self,
        event: str,
        *,
        cue: Cue | None = None,
        piece_id: int | None = None,
        detail: str = "",
        sample: int | None = None,
    ) -> None:
        """Append to the as-run log; what cannot be written waits until it can, and stops nobody."""
        for logged in self.logged:
            logged(event)
        sample = self._sample() if sample is None else sample
        known = {"event": event, "cue": cue.id if cue else "", "piece": piece_id, "sample": sample}
        AS_RUN.info("%s", " ".join(filter(None, (event, cue.name if cue else "", detail))), extra=known)
        self._unwritten.append(
            {
                "event": event, "at": self._clock.wall(), "sample": sample, "cue_id": cue.id if cue else "",
                "title": cue.name if cue else "", "piece_id": piece_id, "detail": detail,
            }
        )  # fmt: skip
        self.catch_up()

    def catch_up(self) -> None:
        """Write what waits for the as-run log, the oldest first; an error is told once."""
        try:
            while self._unwritten:
                self._library.log(**self._unwritten[0])
                self._unwritten.popleft()
        except LibraryError as error:
            if not self._told:
                LOG.error("%s", error)
            self._told = True
        else:
            self._told = False


_ENDED = (Phase.AIRED, Phase.FAILED, Phase.SKIPPED)
