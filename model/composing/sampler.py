"""The sampler: several candidates grow side by side, one token each a step.

Shapes: N candidates, V vocabulary.

The model looks back over a bounded context. When it is full, and wherever
something else is to be said of the music, every candidate goes on from its
header and its latest music (`model.composing.rows`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from model.composing.candidate import Candidate
from model.composing.controls import Controls
from model.composing.drawing import draw
from model.composing.grammar import Grammar
from model.composing.guidance import Guidance
from model.composing.rows import Rows
from model.composing.settings import Settings
from model.composing.telling import GivenClock
from model.errors import ComposingCancelledError
from model.language.context import Clock
from model.language.vocabulary import TICKS_PER_SECOND, VOCABULARY
from model.network.decoding import reader
from model.network.transformer import Transformer

# Each stage of growing has draws of its own.
STEPS_A_STAGE = 1 << 20
IS_TEMPO = np.array([VOCABULARY.tempo_of(token) is not None for token in range(len(VOCABULARY))])


class _OneThreadEach:
    """Lets torch compute on one thread while anybody composes: a few rows have little to share out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = 1

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = torch.get_num_threads()
            self._inside += 1
            torch.set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                torch.set_num_threads(self._before)


_ONE_EACH = _OneThreadEach()


@dataclass(slots=True)
class Watch:
    """Who looks on while candidates grow.

    Attributes:
        progress: told (fraction done, seconds of music in all), now and then.
        cancelled: asked at every step: whether to stop at once.
        finish: asked at every step: whether to end all pieces as soon as they can close.
        everyone: the candidates, for the progress.
    """

    progress: Callable[[float, float], None] | None = None
    cancelled: Callable[[], bool] | None = None
    finish: Callable[[], bool] | None = None
    everyone: Sequence[Candidate] = ()
    _telling: threading.Lock = field(default_factory=threading.Lock)
    _failed: threading.Event = field(default_factory=threading.Event)

    def fail(self) -> None:
        """Let the other groups stop, too."""
        self._failed.set()

    def check(self) -> None:
        """Stop where that is wished.

        Raises:
            ComposingCancelledError: it is.
        """
        with self._telling:
            if self._failed.is_set() or (self.cancelled is not None and self.cancelled()):
                raise ComposingCancelledError("composing was cancelled")

    @property
    def finishing(self) -> bool:
        """Whether all pieces shall end soon."""
        with self._telling:
            return self.finish is not None and self.finish()

    def tell(self) -> None:
        """Tell how far everyone has come."""
        if self.progress is None or not self.everyone:
            return
        with self._telling:
            done = sum(c.grammar.tick for c in self.everyone)
            length = sum(c.clock.length_ticks for c in self.everyone)
            self.progress(min(1.0, done / length), done / TICKS_PER_SECOND)


class Sampler:
    """Draws candidates from a model.

    Args:
        model: in float32, or in bfloat16 to be fast (see `model.network.decoding.reader`).
        context: tokens it looks back over; None for what it was made for.
        threads: groups of candidates that grow side by side; None for as many as torch has threads.
    """

    def __init__(self, model: Transformer, context: int | None = None, threads: int | None = None) -> None:
        self.context = context or model.config.context
        self.read_by = reader(model)
        self.threads = threads or torch.get_num_threads()

    def draw(self, settings: Settings, watch: Watch | None = None) -> list[Candidate]:
        """Compose candidates to their ends.

        Args:
            settings: what and how.
            watch: who looks on.

        Raises:
            ComposingCancelledError: it was cancelled.
        """
        everyone = self.begin(settings)
        watch = watch or Watch()
        watch.everyone = everyone
        self.grow(everyone, settings, watch=watch)
        return everyone

    def begin(self, settings: Settings) -> list[Candidate]:
        """Return candidates that know their tempo and have heard the opening."""
        length = round(settings.length_s * TICKS_PER_SECOND)
        header = settings.said(settings.header.style, 0)
        everyone = [
            Candidate(
                header.tokens(),
                Grammar(settings.instruments, length, round(settings.silence_s * TICKS_PER_SECOND)),
                _clock(settings, length, header.tempo_bpm or 120.0),
                n,
                Guidance(settings.wanted, header.performed is not True, settings.telling is not None),
                Controls(settings.key, settings.density, settings.energy),
                header.beats_per_bar or 4.0,
                settings.closes,
            )
            for n in range(settings.candidates)
        ]
        if header.tempo_bpm is None:
            self._by_groups(everyone, lambda group: self._take_tempi(group, settings))
        for candidate in everyone:
            candidate.plan_end()
            for token in settings.opening:
                candidate.take(token)
            # An opening may have brought another tempo.
            candidate.plan_end()
            candidate.opening = len(candidate.tokens)
        return everyone

    def grow(
        self,
        candidates: Sequence[Candidate],
        settings: Settings,
        until: Callable[[Candidate], int] | None = None,
        *,
        stage: int = 0,
        watch: Watch | None = None,
    ) -> None:
        """Let candidates grow.

        Args:
            candidates: as `begin` made them, or this.
            settings: what and how.
            until: of each, at which tick it pauses; None: at its end.
            stage: counts the calls for one piece, from 0.
            watch: who looks on.

        Raises:
            ComposingCancelledError: it was cancelled; candidates may have grown unequally.
        """
        growing = [c for c in candidates if not c.grammar.ended and (until is None or c.clock.tick < until(c))]
        watch = watch or Watch()
        self._by_groups(growing, lambda group: _Growth(self, settings, watch, until, stage).grow(group))

    def rows(self, settings: Settings, group: Sequence[Candidate]) -> Rows:
        """Return what is read of some candidates from now on."""
        return Rows(self.read_by, self.looking_back(settings), settings, group)

    def looking_back(self, settings: Settings) -> int:
        """Return how many tokens are looked back over."""
        return min(self.context, settings.context or self.context)

    def _by_groups(self, everyone: Sequence[Candidate], work: Callable[[list[Candidate]], None]) -> None:
        groups = [list(everyone[n :: self.threads]) for n in range(min(self.threads, len(everyone)))]
        with _ONE_EACH:
            if len(groups) == 1:
                work(groups[0])
            elif groups:
                with ThreadPoolExecutor(len(groups)) as pool:
                    list(pool.map(work, groups))

    def _take_tempi(self, group: list[Candidate], settings: Settings) -> None:
        """Draw the last word of each header, its tempo."""
        reading = self.rows(settings, group)
        allowed = np.tile(IS_TEMPO, (len(group), 1))
        for candidate, (token, _) in zip(group, _drawn(reading.logits(), allowed, group, settings, 0), strict=True):
            candidate.head.append(token)
            candidate.clock.bpm = float(VOCABULARY.tempo_of(token) or candidate.clock.bpm)


class _Growth:
    """A group of candidates as it grows."""

    def __init__(
        self,
        sampler: Sampler,
        settings: Settings,
        watch: Watch,
        until: Callable[[Candidate], int] | None,
        stage: int,
    ) -> None:
        self.sampler, self.settings, self.watch = sampler, settings, watch
        self.until, self.first_step = until, 1 + stage * STEPS_A_STAGE
        self._finishing = False

    def grow(self, group: list[Candidate]) -> None:
        """Let them grow to where they pause."""
        try:
            self._grow(group)
        except BaseException:
            # The other groups need not go on.
            self.watch.fail()
            raise

    def _grow(self, growing: list[Candidate]) -> None:
        rows, context = self.sampler.rows(self.settings, growing), self.sampler.looking_back(self.settings)
        steps = 0
        while True:
            self.watch.check()
            if not self._finishing and self.watch.finishing:
                self._finishing = True
                for candidate in growing:
                    candidate.end_soon()
            allowed = np.stack([c.mask() for c in growing])
            drawn = _drawn(rows.logits(), allowed, growing, self.settings, self.first_step + steps)
            for candidate, (token, log_probability) in zip(growing, drawn, strict=True):
                candidate.go_on(token, log_probability)
            alive = [n for n, c in enumerate(growing) if not self._pauses(c)]
            if not alive:
                return
            if len(alive) < len(growing):
                growing = [growing[n] for n in alive]
                rows.keep(alive)
            if rows.length + 1 > context:
                rows = self.sampler.rows(self.settings, growing)
            else:
                rows.read_on()
            steps += 1
            if steps % 50 == 0:
                self.watch.tell()

    def _pauses(self, candidate: Candidate) -> bool:
        if candidate.grammar.ended:
            return True
        return not self._finishing and self.until is not None and candidate.clock.tick >= self.until(candidate)


def _clock(settings: Settings, length_ticks: int, bpm: float) -> Clock:
    if settings.telling is None:
        return Clock(length_ticks, bpm=bpm)
    return GivenClock(length_ticks, bpm=bpm, telling=settings.telling.fork())


def _drawn(
    logits_NV: NDArray[np.float32],
    allowed_NV: NDArray[np.bool_],
    growing: Sequence[Candidate],
    asked: Settings,
    step: int,
) -> list[tuple[int, float]]:
    return draw(
        logits_NV,
        allowed_NV,
        growing,
        seed=asked.seed,
        step=step,
        temperature=asked.temperature,
        top_p=asked.top_p,
        anti_p=asked.anti_p,
        anti_chance=asked.anti_chance,
    )
