"""OBS's own level meters, listened to on a link of their own.

OBS tells the level of every input twenty times a second. They come on a second
connection with a thread to itself, so that no fault of theirs reaches the first
one, which carries the show's wishes.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from streaming.errors import ObsError
from streaming.obs.link import METERS, ObsFinalError, ObsLink

log = logging.getLogger(__name__)

SILENCE_DB = -100.0
# As a factor; no sound is louder.
LOUDEST = 1000.0
# Twenty readings a second: two seconds without one is a link that is dead.
TIMEOUT_S = 2.0
RETRY_S = 5.0
KEPT_S = 10.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The level of an input at a moment.

    Attributes:
        at_s: by the clock of the meters.
        arriving_db: peak of what the input delivers, dBFS, before fader and mute; -100 is silence.
        leaving_db: peak of what goes into OBS's mix.
    """

    at_s: float
    arriving_db: float
    leaving_db: float


def readings(told: Mapping[str, Any], at_s: float) -> dict[str, Reading]:
    """Return the readings of one InputVolumeMeters event by input; an input without sound yet has silence.

    Every channel has three factors: magnitude and peak behind the fader, peak before it.
    """
    found = {}
    for entry in told.get("inputs", ()):
        channels = entry.get("inputLevelsMul") or ()
        leaving = max((_db(channel[1]) for channel in channels), default=SILENCE_DB)
        arriving = max((_db(channel[2]) for channel in channels), default=SILENCE_DB)
        found[str(entry["inputName"])] = Reading(at_s, arriving, leaving)
    return found


def _db(factor: float) -> float:
    # OBS 29 tells 10^28 and the like of an input that has just been made.
    return max(SILENCE_DB, 20.0 * math.log10(factor)) if 0 < factor < LOUDEST else SILENCE_DB


class Meters:
    """Listens to OBS's meters in a thread of its own until closed.

    Args:
        url, password: as for `ObsLink`.
        inputs: whose levels are kept, by name.
        clock: in seconds, for the readings.
    """

    def __init__(
        self, url: str, password: str, inputs: Iterable[str], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url, self._password, self._clock = url, password, clock
        self._lock = threading.Lock()
        self._kept: dict[str, deque[Reading]] = {name: deque() for name in inputs}
        self._up_since_s: float | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="obs meters", daemon=True)
        self._thread.start()

    def recent(self, name: str, seconds: float) -> list[Reading] | None:
        """Return an input's readings of the last seconds; None: the meters have not been heard for as long."""
        now_s = self._clock()
        with self._lock:
            if self._up_since_s is None or now_s - self._up_since_s < seconds:
                return None
            return [reading for reading in self._kept[name] if now_s - reading.at_s <= seconds]

    def close(self) -> None:
        """Stop listening; the thread closes its own socket, and ends, with the next reading or the timeout."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._listen()
            except ObsFinalError as error:
                log.warning("OBS's level meters are not heard: %s", error)
                return
            except ObsError as error:
                log.debug("OBS's level meters: %s", error)
            except Exception:
                # A level that is not understood must not end the thread for good, nor fill the log.
                log.exception("OBS's level meters could not be read")
                return
            finally:
                with self._lock:
                    self._up_since_s = None
            self._closed.wait(RETRY_S)

    def _listen(self) -> None:
        link = ObsLink(self._url, self._password, timeout_s=TIMEOUT_S, events=METERS)
        try:
            with self._lock:
                self._up_since_s = self._clock()
            while not self._closed.is_set():
                name, told = link.event()
                if name == "InputVolumeMeters":
                    self._keep(readings(told, self._clock()))
        finally:
            link.close()

    def _keep(self, told: dict[str, Reading]) -> None:
        with self._lock:
            for name, kept in self._kept.items():
                if name in told:
                    kept.append(told[name])
                while kept and kept[-1].at_s - kept[0].at_s > KEPT_S:
                    kept.popleft()
