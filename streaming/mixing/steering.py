"""The hand on a piece's fader: what is left of it is brought to where the whole will have the loudness wanted.

The course of the piece is known from its notes, up to a factor that is learned while it
sounds. So the hand follows the error of the forecast and not the music: a soft passage stays soft.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streaming.mixing.levels import MOMENT_S, gated, windows
from streaming.mixing.loudness import to_lufs
from streaming.timeline import SAMPLE_RATE

Array = NDArray[np.float64]
# Nobody hears a fader that moves by less than half a dB in a second.
RATE_DB_S = 0.4
# The forecast counts as much as so many moments of music that have been heard.
_PRIOR_MOMENTS = 25.0
# So often the way is reckoned anew.
_EVERY = 6
# What is left may be made so much louder or softer than it should be by itself, for what was amiss before.
_MAKE_UP_DB = 3.5
_RANGE_DB = 8.0


class Steering:
    """Steers one piece; see the module.

    Attributes:
        wanted_db: gain at which the fader should be.
        moves: whether the fader may move: not in pauses.

    Args:
        course: float64 [moments], powers of the piece as it would sound without a hand.
        target_lufs: integrated loudness wanted of the whole.
        cap: power of the loudest moment that the limiter lets through.
    """

    def __init__(self, course: Array, target_lufs: float, cap: float = math.inf) -> None:
        self._target = target_lufs
        self._cap = cap
        self._heard = np.zeros(len(course))
        self._at = 0
        self._sum_heard = self._sum_course = 0.0
        self.wanted_db = 0.0
        self.moves = False
        self._take(course)

    def _take(self, course: Array) -> None:
        self._course = course
        heard = np.minimum(self._cap, course)
        counts = gated(heard)
        mean = float(windows(heard)[counts].mean()) if counts.any() else 0.0
        self._gate = 0.1 * mean
        self._prior = _PRIOR_MOMENTS * mean
        # Where the forecast alone would have the fader.
        self._ideal_db = self._target - to_lufs(mean) if mean > 0 else 0.0

    def revise(self, course: Array) -> None:
        """Go on with another course; what has been heard stays."""
        heard = np.zeros(len(course))
        kept = min(self._at, len(course))
        heard[:kept] = self._heard[:kept]
        self._heard = heard
        self._take(course)

    def skip(self, samples: int) -> None:
        """Take what comes before a sample of the piece as heard, as loud as it was to be."""
        self._at = min(len(self._course), round(samples / (MOMENT_S * SAMPLE_RATE)))
        heard = self._course[: self._at] * 10 ** (self._ideal_db / 10)
        self._heard[: self._at] = np.minimum(self._cap, heard)

    def hear(self, power: float, gain_db: float, *, alone: bool = True) -> None:
        """Take in what the meter said of the next moment.

        Args:
            power: K-weighted, both channels added.
            gain_db: where the fader was.
            alone: nothing else sounded; otherwise nothing is learned and the fader stays.
        """
        at, self._at = self._at, self._at + 1
        if at >= len(self._course):
            self.moves = False
            return
        self._heard[at] = power
        expected = self._course[at]
        plain = power / 10 ** (gain_db / 10)
        self.moves = alone and plain > self._gate > 0.0
        # What the limiter has cut says nothing of the rest.
        if expected > self._gate and self.moves and expected < self._cap:
            self._sum_heard += plain
            self._sum_course += expected
        if self._at % _EVERY == 0 and self._sum_course > 0:
            self._aim()

    @property
    def error_db(self) -> float:
        """How much louder the piece is than its notes told."""
        if self._prior + self._sum_course <= 0:
            return 0.0
        return 10 * math.log10((self._sum_heard + self._prior) / (self._sum_course + self._prior))

    def _aim(self) -> None:
        error_db = self.error_db
        even_db = self._ideal_db - error_db
        heard, rest = self._heard[: self._at], self._course[self._at :] * 10 ** (error_db / 10)
        wanted_db = even_db
        for _ in range(3):
            whole = np.concatenate([heard, np.minimum(self._cap, rest * 10 ** (wanted_db / 10))])
            power, counts = windows(whole), gated(whole)
            total = float(power[counts].sum())
            if total <= 0:
                break
            to_come = float(power[self._at :][counts[self._at :]].sum()) / total
            missing_db = self._target - to_lufs(total / int(counts.sum()))
            wanted_db += missing_db / max(0.2, to_come)
            wanted_db = min(even_db + _MAKE_UP_DB, max(even_db - _MAKE_UP_DB, wanted_db))
        self.wanted_db = min(_RANGE_DB, max(-_RANGE_DB, wanted_db))


def moved(now_db: float, wanted_db: float, seconds: float) -> float:
    """Return where a fader is after some seconds on its way."""
    step = RATE_DB_S * seconds
    return now_db + min(step, max(-step, wanted_db - now_db))
