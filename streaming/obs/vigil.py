"""Whether the programme is seen and heard in OBS: outcomes watched, not what OBS says of itself.

OBS 29 reports that a source plays which has stopped for good, and streams a silent
programme as readily as a loud one. So two things are watched: that the time of the
picture moves, and that what sounds here sounds there.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum

from streaming.obs.meters import SILENCE_DB, Reading

# Silence is told of when it has lasted for so long; with a look a second, within 5 s.
SILENT_FOR_S = 3.0
# What sounds here is on OBS's meters within this: a player ahead of its time, the feed, OBS's buffer.
LATENCY_S = 1.0
# The programme sounds above this, and OBS is silent below the other; between them is quiet music.
SOUNDS_DB = -45.0
SILENT_DB = -70.0
# OBS's picture has stopped when its time stands still for so long.
STILL_FOR_S = 3.0
# Between two times that the input is set anew: OBS needs 2 to 3 s to connect. Longer each time it did not help.
REMEDY_EVERY_S = 6.0
REMEDY_AT_MOST_S = 48.0


class Sound(Enum):
    """How the programme is heard in OBS."""

    UNKNOWN = "unknown"
    HEARD = "heard"
    HELD_BACK = "held back"
    ABSENT = "absent"


class SoundVigil:
    """Compares the sound that leaves here with OBS's meters.

    Args:
        clock: in seconds; that of the readings.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._played: deque[tuple[float, float]] = deque(maxlen=256)

    def played(self, peak_db: float) -> None:
        """Tell the programme's peak since the last call, dBFS; any thread may."""
        with self._lock:
            self._played.append((self._clock(), peak_db))

    def judge(self, readings: Sequence[Reading] | None) -> Sound:
        """Say how the programme is heard.

        Args:
            readings: of the last `SILENT_FOR_S`; None: the meters have not been heard for so long.
        """
        if readings is None:
            return Sound.UNKNOWN
        if max((reading.leaving_db for reading in readings), default=SILENCE_DB) > SILENT_DB:
            return Sound.HEARD
        if max((reading.arriving_db for reading in readings), default=SILENCE_DB) > SOUNDS_DB:
            return Sound.HELD_BACK
        now_s = self._clock()
        with self._lock:
            due = [peak for at_s, peak in self._played if LATENCY_S <= now_s - at_s <= SILENT_FOR_S]
        return Sound.ABSENT if max(due, default=SILENCE_DB) > SOUNDS_DB else Sound.UNKNOWN


class PictureVigil:
    """Notices that the time of OBS's picture stands still.

    A time that was never seen to move says nothing: another OBS may not tell it for this kind of input.

    Args:
        clock: in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Begin anew: the input has been set anew, or OBS is another."""
        self._cursor: int | None = None
        self._moves = 0
        self._still_since_s = self._clock()

    def stands_still(self, cursor_ms: int | None) -> bool:
        """Take in the time of the picture; return whether it has stopped."""
        now_s = self._clock()
        if cursor_ms is not None and cursor_ms != self._cursor:
            self._moves += self._cursor is not None
            self._cursor, self._still_since_s = cursor_ms, now_s
        return self._moves >= 2 and now_s - self._still_since_s >= STILL_FOR_S


class Remedy:
    """Says when something may be tried again: at once, then with pauses that grow while it does not help.

    Args:
        clock: in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._pause_s = REMEDY_EVERY_S
        self._next_s = -1e9

    def due(self) -> bool:
        """Return whether it may be tried now, and reckon with its being tried."""
        now_s = self._clock()
        if now_s < self._next_s:
            return False
        # Well for as long as the pause was: this is another illness.
        if now_s - self._next_s > self._pause_s:
            self._pause_s = REMEDY_EVERY_S
        self._next_s = now_s + self._pause_s
        self._pause_s = min(2 * self._pause_s, REMEDY_AT_MOST_S)
        return True
