"""The sampler: several candidates grow side by side, one token each a step.

Shapes: N candidates, T tokens, V vocabulary.

The model looks back over a bounded context. When it is full, every candidate
goes on from its header and its latest music, the header then saying where in
the piece that music stands, just as training windows are made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from model.composing.candidate import Candidate
from model.composing.drawing import draw
from model.composing.grammar import Grammar
from model.composing.guidance import Guidance
from model.errors import ComposingCancelledError
from model.language.context import Clock, Context, Place
from model.language.header import Header
from model.language.vocabulary import TICKS_PER_SECOND, VOCABULARY
from model.network.decoding import Reading, reader
from model.network.transformer import Transformer

# Tokens kept when a full context slides on, as a part of it.
KEPT = 0.6
IS_TEMPO = np.array([VOCABULARY.tempo_of(token) is not None for token in range(len(VOCABULARY))])


@dataclass(frozen=True, slots=True)
class Settings:
    """How to draw.

    Attributes:
        length_s: length of the piece.
        instruments: names that may play.
        header: what is said of the piece; where it says no tempo, every candidate takes one of its own.
        wanted: groups of names, each of which shall be heard; see `model.composing.guidance`.
        opening: tokens it goes on from, without header and end.
        candidates: how many.
        seed: candidate n of a seed is the same however many there are beside it.
        temperature, top_p: see `model.composing.prompt.Prompt`.
    """

    length_s: float
    instruments: tuple[str, ...]
    header: Header
    wanted: tuple[tuple[str, ...], ...] = ()
    opening: tuple[int, ...] = ()
    candidates: int = 4
    seed: int = 0
    temperature: float = 1.0
    top_p: float = 0.98


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

    def draw(
        self,
        settings: Settings,
        *,
        progress: Callable[[float, float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Candidate]:
        """Compose candidates.

        Args:
            settings: what and how.
            progress: told (fraction done, seconds of music in all), now and then.
            cancelled: asked at every step.

        Raises:
            ComposingCancelledError: `cancelled` said so.
        """
        length = round(settings.length_s * TICKS_PER_SECOND)
        everyone = [
            Candidate(
                settings.header.tokens(),
                Grammar(settings.instruments, length),
                Clock(length, bpm=settings.header.tempo_bpm or 120.0),
                n,
                Guidance(settings.wanted, in_time=settings.header.performed is not True),
            )
            for n in range(settings.candidates)
        ]
        growth = _Growth(self, settings, everyone, progress, cancelled)
        groups = [everyone[n :: self.threads] for n in range(min(self.threads, len(everyone)))]
        # A few rows have little to share out: torch takes longer on several threads than on one.
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            if len(groups) == 1:
                growth.grow(everyone)
            else:
                with ThreadPoolExecutor(len(groups)) as pool:
                    list(pool.map(growth.grow, groups))
        finally:
            torch.set_num_threads(before)
        return everyone


class _Growth:
    """One drawing: what its groups of candidates have in common."""

    def __init__(
        self,
        sampler: Sampler,
        settings: Settings,
        everyone: list[Candidate],
        progress: Callable[[float, float], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self.sampler, self.settings, self.everyone = sampler, settings, everyone
        self.progress, self.cancelled = progress, cancelled
        self._telling = threading.Lock()
        self._failed = threading.Event()

    def grow(self, group: list[Candidate]) -> None:
        """Let a group of candidates grow to their ends."""
        try:
            if self.settings.header.tempo_bpm is None:
                self._take_tempi(group)
            for candidate in group:
                for token in self.settings.opening:
                    candidate.take(token)
            self._grow(list(group))
        except BaseException:
            # The other groups need not go on.
            self._failed.set()
            raise

    def _grow(self, growing: list[Candidate]) -> None:
        logits_NV, reading = self._read(growing)
        steps = 0
        while growing:
            self._check()
            allowed = np.stack([c.grammar.mask() for c in growing])
            for candidate, (token, log_probability) in zip(
                growing, self._draw(logits_NV, allowed, growing, 1 + steps), strict=True
            ):
                candidate.take(token)
                candidate.log_probability += log_probability
                candidate.composed += 1
            alive = [n for n, c in enumerate(growing) if not c.grammar.ended]
            if len(alive) < len(growing):
                growing = [growing[n] for n in alive]
                reading.keep(alive)
            if not growing:
                break
            if reading.length + 1 > self.sampler.context:
                logits_NV, reading = self._read(growing)
            else:
                tokens = np.array([[c.tokens[-1]] for c in growing])
                logits_NV = reading.read(tokens, _columns([[c.places[-1]] for c in growing]))
            steps += 1
            if steps % 50 == 0:
                self._tell()

    def _draw(
        self, logits_NV: NDArray[np.float32], allowed_NV: NDArray[np.bool_], growing: list[Candidate], step: int
    ) -> list[tuple[int, float]]:
        asked = self.settings
        return draw(
            logits_NV, allowed_NV, growing, seed=asked.seed, step=step, temperature=asked.temperature, top_p=asked.top_p
        )

    def _check(self) -> None:
        with self._telling:
            if self._failed.is_set() or (self.cancelled is not None and self.cancelled()):
                raise ComposingCancelledError("composing was cancelled")

    def _tell(self) -> None:
        if self.progress is None:
            return
        with self._telling:
            done = sum(c.grammar.tick for c in self.everyone)
            length = self.everyone[0].clock.length_ticks
            self.progress(done / (length * len(self.everyone)), done / TICKS_PER_SECOND)

    def _take_tempi(self, group: list[Candidate]) -> None:
        """Draw the last word of each header, its tempo."""
        logits_NV, _ = self._read(group)
        allowed = np.tile(IS_TEMPO, (len(group), 1))
        for candidate, (token, _) in zip(group, self._draw(logits_NV, allowed, group, 0), strict=True):
            candidate.head.append(token)
            candidate.clock.bpm = float(VOCABULARY.tempo_of(token) or candidate.clock.bpm)

    def _read(self, growing: list[Candidate]) -> tuple[NDArray[np.float32], Reading]:
        """Read headers and latest music anew; return the next logits and the reading to go on with."""
        context = self.sampler.context
        most = context - len(growing[0].head)
        kept = min(len(growing[0].tokens), int(most * KEPT) if len(growing[0].tokens) >= most else most)
        tokens: list[list[int]] = []
        places: list[list[Place]] = []
        for candidate in growing:
            body, where = candidate.tokens[-kept:] if kept else [], candidate.places[-kept:] if kept else []
            # The header stands where its music begins, as in training.
            passed = candidate.places[: len(candidate.places) - kept]
            first = passed[-1] if passed else Clock(candidate.clock.length_ticks).step(VOCABULARY.start)
            tokens.append(candidate.head + body)
            places.append([(first[0], first[1], 0, *first[3:])] * len(candidate.head) + where)
        reading = self.sampler.read_by(len(growing), context)
        return reading.read(np.array(tokens), _columns(places)), reading


def _columns(places: list[list[Place]]) -> Context:
    """Return places of candidates as arrays [N, T], none of them given."""
    ticks, beats, chord, part, countdown = (
        np.array([[place[field] for place in row] for row in places]) for field in range(5)
    )
    sounding = np.array([[place[5] for place in row] for row in places])
    return Context(ticks, beats.astype(np.float32), chord, part, countdown, np.zeros_like(ticks), sounding)
