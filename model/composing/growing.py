"""Growing a piece by its form: section by section, the weak ones dropped on the way.

All candidates grow to the end of a stretch of at most half a minute. There they
are heard: the weak ones go, and their places are filled from those that are
left, chosen at random among the top few, so that one bad bar does not cost a
whole piece and the pieces do not all become one. Where the plan brings a
section back, every candidate plays its own theme again and goes on from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from model.composing.candidate import Candidate
from model.composing.form import STRETCH_S, Section
from model.composing.sampler import Sampler, Watch
from model.composing.selection import CLOSE, MOST
from model.composing.settings import Settings
from model.composing.theme import bring_back
from model.language.vocabulary import TICKS_PER_SECOND

# What is wanted at once grows in shorter stretches.
FIRST_S, SECOND_S = 8.0, 16.0
# At the end of a stretch this share of the candidates goes at most, and only those so much weaker than the best.
MOST_DROPPED, WEAKER = 0.5, 0.5

# How good each candidate is from a time on, in seconds; higher is better.
Hear = Callable[[Sequence[Candidate], float], list[float]]
# Told a candidate when what it has so far is settled, and until when.
Commit = Callable[[Candidate, float], None]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a section that is grown at once.

    Attributes:
        section: it belongs to.
        start_s, end_s: where it lies.
    """

    section: Section
    start_s: float
    end_s: float

    @property
    def opens(self) -> bool:
        """Whether the section begins with it."""
        return self.start_s == self.section.start_s


def stretches(sections: Sequence[Section], start_s: float = 0.0, *, at_once: bool = False) -> tuple[Stretch, ...]:
    """Return the stretches of a form from a time on.

    Args:
        sections: of the form, those before the time left out.
        start_s: music up to here is there already.
        at_once: the first are short: somebody waits for them.
    """
    found: list[Stretch] = []
    for section in sections:
        now = max(section.start_s, start_s)
        for short_s in (FIRST_S, SECOND_S)[len(found) :] if at_once else ():
            if section.end_s - now > 1.5 * short_s:
                found.append(Stretch(section, now, now + short_s))
                now += short_s
        parts = max(1, round((section.end_s - now) / STRETCH_S))
        edges = np.linspace(now, section.end_s, parts + 1).tolist()
        found += [Stretch(section, *pair) for pair in pairwise(edges)]
    return tuple(found)


class Growing:
    """Grows candidates by a form.

    Args:
        sampler: draws tokens.
        settings: what and how.
        plan: stretches, in order.
        hear: says how good candidates are; None: none is dropped on the way.
        commit: told of the music that is settled, after every stretch; all candidates then go on from it.
    """

    def __init__(
        self,
        sampler: Sampler,
        settings: Settings,
        plan: Sequence[Stretch],
        hear: Hear | None = None,
        commit: Commit | None = None,
    ) -> None:
        self.sampler, self.settings, self.plan = sampler, settings, plan
        self.hear, self.commit = hear, commit
        self._rng = np.random.default_rng((settings.seed, 1 + settings.candidates))

    def grow(self, watch: Watch) -> list[Candidate]:
        """Return the candidates at their ends.

        Raises:
            ComposingCancelledError: it was cancelled.
        """
        everyone = self.sampler.begin(self.settings)
        watch.everyone = everyone
        for stage, stretch in enumerate(self.plan):
            for candidate in everyone:
                self._open(candidate, stretch)
            last = stage + 1 == len(self.plan)
            following = None if last else self.plan[stage + 1]
            edge = round(stretch.end_s * TICKS_PER_SECOND)
            for candidate in everyone:
                returns = following is not None and following.opens and following.section.recalls is not None
                candidate.grammar.stop_tick = candidate.bar_line(edge) if returns else None
            until = None if last else (lambda candidate, edge=edge: candidate.bar_line(edge))
            self.sampler.grow(everyone, self.settings, until, stage=stage, watch=watch)
            if last:
                break
            if watch.finishing:
                for candidate in everyone:
                    candidate.end_soon()
                self.sampler.grow(everyone, self.settings, stage=len(self.plan), watch=watch)
                break
            everyone = watch.everyone = self._choose(everyone, stretch)
        return list(everyone)

    def _open(self, candidate: Candidate, stretch: Stretch) -> None:
        """Let a section begin."""
        if not stretch.opens or candidate.grammar.ended:
            return
        candidate.marks.append((stretch.section.letter, candidate.clock.tick))
        if stretch.section.recalls is not None:
            bring_back(candidate, *stretch.section.recalls, varied=stretch.section.varied)

    def _choose(self, everyone: Sequence[Candidate], stretch: Stretch) -> list[Candidate]:
        """Return the candidates that go on, in place of the weak ones others of the same music."""
        if self.hear is None:
            return list(everyone)
        scores = self.hear(everyone, stretch.start_s) if len(everyone) > 1 else [0.0]
        order = sorted(range(len(everyone)), key=lambda n: -scores[n])
        best = [n for n in order[:MOST] if scores[n] >= scores[order[0]] - CLOSE]
        if self.commit is not None:
            settled = everyone[best[int(self._rng.integers(len(best)))]]
            self.commit(settled, settled.clock.tick / TICKS_PER_SECOND)
            return [settled.fork(n) for n in range(len(everyone))]
        found = list(everyone)
        for n in reversed(order[len(order) - int(MOST_DROPPED * len(order)) :]):
            # No music takes more than half of the places: there shall be something to choose from.
            places = Counter(candidate.lineage for candidate in found)
            able = [k for k in best if 2 * places[everyone[k].lineage] < len(everyone)]
            if able and scores[n] < scores[order[0]] - WEAKER:
                found[n] = everyone[able[int(self._rng.integers(len(able)))]].fork(n)
        return found
