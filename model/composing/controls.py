"""Controls: how dense, how loud and in which key a growing piece goes on.

Words of the header ask the model for it; a small model obeys them by and by.
So besides, tokens are made likelier or less likely while it grows: notes
outside the scale of the key cost, of the volumes those near the energy asked
for are preferred, and the density of the last seconds is steered towards the
one asked for, as a regulator does: what is too dense makes notes dearer and
long waits cheaper, in proportion to how far it is off.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from model.composing.course import Course
from model.instruments import INSTRUMENTS
from model.language.vocabulary import MAX_WAIT_TICKS, PITCH_CLASSES, TICKS_PER_SECOND, VOCABULARY

Nats = NDArray[np.float32]

# What a note outside the scale costs; the leading note of a minor key is inside. The steps of the triad gain a little.
OUTSIDE, TRIAD = 3.0, {0: 0.5, 7: 0.3, 3: 0.2, 4: 0.2}
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10, 11)
# Velocities so far from the energy asked for are e^-0.5 times as likely; and what the farthest cost at most.
SPREAD, MOST_QUIET = 20.0, 4.0
# Density is that of so long a time; nats for each factor e it is off, steps in which it is followed, and the most.
MEASURED_S, GAIN, STEP, MOST_STEER = 4.0, 3.0, 0.1, 4.0
# Of the steering, waits take this part: longer ones by the logarithm of their length.
LENGTHEN = 0.5

_DRUMS = len(INSTRUMENTS) - 1
_ONSETS = VOCABULARY.velocity_of > 0
_LONGER = np.zeros(len(VOCABULARY), np.float32)
_LONGER[VOCABULARY.first_wait : VOCABULARY.first_note] = np.log(np.arange(1, MAX_WAIT_TICKS + 1) / 12)


@dataclass(slots=True)
class Controls:
    """What is asked of a growing piece over time.

    Attributes:
        key: such as `D_minor`; None: any.
        density: notes a second over time; None: any.
        energy: mean velocity over time; None: any.
    """

    key: str | None = None
    density: Course | None = None
    energy: Course | None = None
    _struck: deque[int] = field(default_factory=deque)
    _began: int | None = None
    # The sum of all nudges, and for what it holds.
    _made: tuple[tuple[float, float], Nats] | None = None

    def feed(self, token: int, tick: int) -> None:
        """Take the token that came at a time."""
        if self.density is None:
            return
        if self._began is None:
            self._began = tick
        if VOCABULARY.said[token][3] > 0:
            self._struck.append(tick)

    def nudges(self, tick: int) -> Nats | None:
        """Return the nats to add to the logits at a time, shape [vocabulary]; None for none."""
        if self.key is None and self.density is None and self.energy is None:
            return None
        now = self._steer(tick), self._loudness(tick)
        if self._made is None or self._made[0] != now:
            self._made = now, self._sum(*now)
        return self._made[1]

    def louder(self, then_s: float, now_s: float) -> float:
        """Return by how much music of one time is to be louder at another, in steps of velocity."""
        return 0.0 if self.energy is None else self.energy.at(now_s) - self.energy.at(then_s)

    def copy(self) -> Controls:
        """Return the same, free to go on otherwise."""
        return replace(self, _struck=self._struck.copy())

    def _loudness(self, tick: int) -> float:
        return 0.0 if self.energy is None else round(self.energy.at(tick / TICKS_PER_SECOND))

    def _steer(self, tick: int) -> float:
        """Return by how many nats notes shall be likelier."""
        if self.density is None or self._began is None:
            return 0.0
        window = round(MEASURED_S * TICKS_PER_SECOND)
        while self._struck and self._struck[0] <= tick - window:
            self._struck.popleft()
        # In the first moments one chord says nothing of the density: what was asked for is taken to have been so far.
        seconds = min(tick - self._began, window) / TICKS_PER_SECOND
        wanted = self.density.at(tick / TICKS_PER_SECOND)
        notes = len(self._struck) + wanted * (MEASURED_S - seconds)
        off = math.log((wanted * MEASURED_S + 0.5) / (notes + 0.5))
        return round(min(max(GAIN * off, -MOST_STEER), MOST_STEER) / STEP) * STEP

    def _sum(self, steer: float, loudness: float) -> Nats:
        nats = np.zeros(len(VOCABULARY), np.float32)
        if self.key is not None:
            nats += _in_key(self.key)
        if loudness:
            nats += _quiet(loudness)
        if steer:
            nats[_ONSETS] += steer
            nats -= LENGTHEN * steer * _LONGER
        return nats


@cache
def _in_key(key: str) -> Nats:
    """Return what notes gain or lose by their step in a key."""
    name, mode = key.split("_")
    tuned = _ONSETS & (VOCABULARY.instrument_of != _DRUMS)
    step = (VOCABULARY.pitch_of - PITCH_CLASSES.index(name)) % 12
    scale = MAJOR if mode == "major" else MINOR
    gain = np.array([TRIAD.get(n, 0.0) if n in scale else -OUTSIDE for n in range(12)])
    return np.where(tuned, gain[step], 0.0).astype(np.float32)


@cache
def _quiet(velocity: float) -> Nats:
    """Return what volumes cost that are not the one asked for; of each instrument its nearest level costs nothing."""
    away = np.abs(VOCABULARY.velocity_of - velocity)
    nearest = np.zeros(len(VOCABULARY))
    for row, instrument in enumerate(INSTRUMENTS):
        nearest[VOCABULARY.instrument_of == row] = min(abs(level - velocity) for level in instrument.levels)
    cost = np.minimum((away**2 - nearest**2) / (2 * SPREAD**2), MOST_QUIET)
    return np.where(_ONSETS, -cost, 0.0).astype(np.float32)
