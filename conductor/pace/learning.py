"""How long composing takes, learned from how long it took: for pieces alike in style, length and effort.

Where little is known of the like, what is known of others is scaled: by length, and by what an effort costs. What is
longer ago counts less, so that a machine that has become slow, or quick again, is known after a few pieces.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conductor.pace.effort import Effort

# Pieces that are remembered.
REMEMBERED = 96
# Pieces alike that weigh so much together are enough to leave others out of account.
ENOUGH = 1.2
# Half as long to twice as long is alike.
ALIKE = 2.0
# The latest piece weighs 1, each before it so much of the one after it: after some twenty it is forgotten.
FADES = 0.5 ** (1 / 3)
# Each time nothing is composed for want of time, it is believed to take so much of what it took.
HOPE = 0.8
# The unluckiest of a few is no hundredth part: the fewer, the more is added to it.
UNSURE = 0.5

# A value, and how much it weighs.
Weighed = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """A piece that was composed, or was being composed for so long when it was given up.

    Attributes:
        style: of the vocabulary; empty: any.
        duration_s: of the music, above 0.
        effort: that was made.
        seconds: that it took, above 0.
    """

    style: str
    duration_s: float
    effort: Effort
    seconds: float

    @property
    def unit_s(self) -> float:
        """Seconds for a second of music by a candidate alone."""
        return self.seconds / (self.duration_s * self.effort.cost)

    @property
    def plain(self) -> list[Any]:
        """The sample as plain values."""
        return [self.style, self.duration_s, self.effort.candidates, self.effort.context, self.seconds]

    @classmethod
    def of(cls, plain: Sequence[Any]) -> Sample:
        """Return the sample that plain values say.

        Raises:
            ValueError: they say none.
        """
        try:
            style, duration_s, candidates, context, seconds = plain
            found = cls(str(style), float(duration_s), Effort(int(candidates), int(context)), float(seconds))
        except TypeError as error:
            raise ValueError(str(error)) from None
        if not (0 < found.duration_s < math.inf and 0 < found.seconds < math.inf and found.effort.candidates >= 1):
            raise ValueError(f"no time of composing: {plain}")
        return found


@dataclass(frozen=True, slots=True)
class Expected:
    """How long composing will take, in seconds: as often shorter as longer, and longer once in a hundred times."""

    p50_s: float
    p99_s: float

    def times(self, factor: float) -> Expected:
        """Return it so many times as long."""
        return Expected(self.p50_s * factor, self.p99_s * factor)


@dataclass(frozen=True, slots=True)
class Pace:
    """What is known of how long composing takes.

    Attributes:
        samples: the latest last.
    """

    samples: tuple[Sample, ...] = ()

    def learn(self, *samples: Sample) -> Pace:
        """Return it with samples more."""
        return Pace((*self.samples, *samples)[-REMEMBERED:])

    def hope(self) -> Pace:
        """Return it a little better than it was: who never tries does not learn that composing is quick again."""
        return Pace(tuple(replace(sample, seconds=max(0.01, sample.seconds * HOPE)) for sample in self.samples))

    def expected(self, style: str, duration_s: float, effort: Effort) -> Expected | None:
        """Return how long a piece will take; None: nothing is known.

        Args:
            style: of the vocabulary; empty: any.
            duration_s: of the music.
            effort: that is to be made.
        """
        if not self.samples:
            return None
        alike = self._alike(style, duration_s, effort)
        scale = duration_s * effort.cost
        margin = 1.0 + UNSURE / math.sqrt(len(alike))
        return Expected(_quantile(alike, 0.5) * scale, _quantile(alike, 0.99) * margin * scale)

    def _alike(self, style: str, duration_s: float, effort: Effort) -> list[Weighed]:
        """Return what says most of a piece, as little as is enough: times for a second of music, and their weights."""
        alike = [(sample, FADES**age) for age, sample in enumerate(reversed(self.samples))]
        latest = alike[0]
        likenesses: tuple[Callable[[Sample], bool], ...] = (
            lambda sample: sample.effort == effort,
            lambda sample: duration_s / ALIKE <= sample.duration_s <= duration_s * ALIKE,
            lambda sample: sample.style == style,
        )
        for like in likenesses:
            fewer = [each for each in alike if like(each[0])]
            alike = fewer if sum(weight for _, weight in fewer) >= ENOUGH else alike
        # What has happened lately is true of all of them.
        alike = alike if alike[0] is latest else [latest, *alike]
        return [(sample.unit_s, weight) for sample, weight in alike]

    @property
    def plain(self) -> list[list[Any]]:
        """What is known as plain values."""
        return [sample.plain for sample in self.samples]

    @classmethod
    def of(cls, plain: Iterable[Sequence[Any]]) -> Pace:
        """Return what plain values say; what is none of them is left out."""
        samples = []
        for each in plain:
            try:
                samples.append(Sample.of(each))
            except ValueError:
                continue
        return cls().learn(*samples)


def _quantile(values: Sequence[Weighed], part: float) -> float:
    """Return the smallest value that a part of all, by weight, does not exceed."""
    weighed = sorted(values)
    left = part * sum(weight for _, weight in weighed)
    for value, weight in weighed:
        left -= weight
        if left <= 0.0:
            return value
    return weighed[-1][0]
