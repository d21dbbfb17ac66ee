"""OBS's stream and its recording: begun and ended as wanted, tried again with growing pauses, rolled in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streaming.obs.link import ObsLink

# Between two tries to begin. OBS puts a window on the screen for each that fails, and an ingest counts them. While it
# connects it does not call itself active, and OBS 29 falls when it is told to begin a second time then.
PAUSES_S = (5.0, 5.0, 10.0, 20.0, 40.0, 60.0)
# An output that has run for so long has begun well.
STEADY_S = 10.0
# An output that was told to begin takes seconds to reach its ingest.
BEGINNING_S = 5.0
# From the end of a broadcast to the beginning of the next, so that a service sees two.
ROLL_PAUSE_S = 10.0
# No seam for so long after the broadcast was due to roll, and it rolls in the middle of a piece.
ROLL_PATIENCE_S = 1800.0


class Output:
    """Has one output of OBS run, or not.

    Args:
        kind: "Stream" or "Record", as in OBS's requests.
        clock: in seconds.
    """

    def __init__(self, kind: str, clock: Callable[[], float]) -> None:
        self._kind, self._clock = kind, clock
        self._tries = 0
        self._next_try_s = -1e9
        self._tried_at_s = -1e9
        self._since_s: float | None = None
        self.active = False

    @property
    def alert(self) -> str:
        """What is wrong, in one line; empty when nothing is."""
        beginning = self._tries == 2 and self._clock() - self._tried_at_s < BEGINNING_S
        if self.active or self._tries < 2 or beginning:
            return ""
        where, what = {
            "Stream": ("Settings, Stream", "server and key"),
            "Record": ("Settings, Output, Recording", "folder and disk"),
        }[self._kind]
        return f"OBS does not {self._kind.lower()} though it was told to again and again: look at {what} ({where})"

    def look(self, link: ObsLink) -> dict[str, Any]:
        """Return OBS's status of it, and take it in."""
        status = link.request(f"Get{self._kind}Status")
        self.active = bool(status.get("outputActive"))
        if not self.active:
            self._since_s = None
        elif self._since_s is None:
            self._since_s = self._clock()
        elif self._clock() - self._since_s >= STEADY_S:
            self._tries = 0
        return status

    def apply(self, link: ObsLink, wanted: bool) -> None:
        """Begin or end it, when it is not so already and a try is due.

        Raises:
            ObsRefusedError: OBS will not.
        """
        self.look(link)
        if not wanted:
            self._tries, self._next_try_s = 0, -1e9
            if self.active:
                link.request(f"Stop{self._kind}")
        elif not self.active and self._clock() >= self._next_try_s:
            self._tried_at_s = self._clock()
            self._next_try_s = self._tried_at_s + PAUSES_S[min(self._tries, len(PAUSES_S) - 1)]
            self._tries += 1
            link.request(f"Start{self._kind}")


class Roll:
    """Ends a broadcast before the service does, between two pieces, and begins the next.

    A service ends a broadcast after a while (Twitch after 48 hours), and OBS then tries for ever to go on with it.

    Args:
        after_s: age at which a broadcast may be rolled; None: never.
        clock: in seconds.
    """

    def __init__(self, after_s: float | None, clock: Callable[[], float]) -> None:
        self._after_s, self._clock = after_s, clock
        self._since_s: float | None = None
        self._seam = False
        self._rolling = False
        self._resume_at_s: float | None = None

    @property
    def rolling(self) -> bool:
        """Whether no stream is wanted for a moment, between two broadcasts."""
        return self._rolling

    def seam(self) -> None:
        """Tell that a piece has ended: a good moment."""
        self._seam = True

    def watch(self, active: bool, duration_s: float) -> bool:
        """Take in how the stream is.

        Args:
            active: whether OBS streams.
            duration_s: for how long, by OBS's count; a stream may be older than this connection to OBS.

        Returns:
            Whether rolling has just begun.
        """
        now_s, seam, self._seam = self._clock(), self._seam, False
        if self._rolling:
            if active:
                self._resume_at_s = None
            elif self._resume_at_s is None:
                self._resume_at_s, self._since_s = now_s + ROLL_PAUSE_S, None
            elif now_s >= self._resume_at_s:
                self._rolling = False
            return False
        if not active:
            self._since_s = None
            return False
        since_s = now_s - duration_s
        self._since_s = since_s if self._since_s is None else min(self._since_s, since_s)
        if self._after_s is None:
            return False
        over_s = now_s - self._since_s - self._after_s
        self._rolling = over_s >= ROLL_PATIENCE_S or (seam and over_s >= 0)
        self._resume_at_s = None
        return self._rolling
