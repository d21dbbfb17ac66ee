"""The sampler: several candidates grow side by side, one token each a step.

Shapes: N candidates, T tokens, V vocabulary.

The model looks back over a bounded context. When it is full, every candidate
goes on from its header and its latest music, the header then saying where in
the piece that music stands, just as training windows are made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.composing.grammar import Grammar
from model.composing.guidance import OFF_BEAT, Guidance
from model.errors import ComposingCancelledError
from model.language.context import Clock, Place
from model.language.header import Header
from model.language.vocabulary import TICKS_PER_SECOND, VOCABULARY
from model.network.cache import Cache
from model.network.transformer import Places, Transformer

# Tokens kept when a full context slides on, as a part of it.
KEPT = 0.6
# Tokens considered at a step; the rest of the vocabulary is never within top-p.
CONSIDERED = 256


@dataclass(slots=True)
class Candidate:
    """A piece as it grows.

    Attributes:
        head: its header, start and tempo.
        grammar: the rules it keeps.
        guidance: what it should have less of, and more of.
        clock: where it stands.
        tokens: its music, without the header.
        log_probability: sum over its own tokens, nats.
        composed: tokens of its own, the opening not counted.
    """

    head: list[int]
    grammar: Grammar
    clock: Clock
    rng: np.random.Generator
    guidance: Guidance = field(default_factory=Guidance)
    tokens: list[int] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    log_probability: float = 0.0
    composed: int = 0

    def take(self, token: int) -> None:
        """Add a token."""
        self.grammar.feed(token)
        self.guidance.feed(token, self.clock.tick)
        self.tokens.append(token)
        self.places.append(self.clock.step(token))


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
    """Draws candidates from a model."""

    def __init__(self, model: Transformer, context: int | None = None) -> None:
        self.model = model
        self.context = context or model.config.context
        self.dtype = next(model.parameters()).dtype
        with torch.no_grad():
            self.table_VC = model.table().to(self.dtype)

    @torch.inference_mode()
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
                np.random.default_rng((settings.seed, n)),
                Guidance(settings.wanted, in_time=settings.header.performed is not True),
            )
            for n in range(settings.candidates)
        ]
        if settings.header.tempo_bpm is None:
            self._take_tempi(everyone, settings)
        for candidate in everyone:
            for token in settings.opening:
                candidate.take(token)
        growing = list(everyone)
        logits_NV, cache = self._read(growing)
        steps = 0
        while growing:
            if cancelled is not None and cancelled():
                raise ComposingCancelledError("composing was cancelled")
            allowed = np.stack([c.grammar.mask() for c in growing])
            drawn = self._draw(logits_NV, allowed, growing, settings)
            for candidate, (token, log_probability) in zip(growing, drawn, strict=True):
                candidate.take(token)
                candidate.log_probability += log_probability
                candidate.composed += 1
            alive = [n for n, c in enumerate(growing) if not c.grammar.ended]
            if len(alive) < len(growing):
                growing = [growing[n] for n in alive]
                cache.keep_rows(torch.tensor(alive, dtype=torch.long))
            if not growing:
                break
            if cache.length + 1 > cache.capacity:
                logits_NV, cache = self._read(growing)
            else:
                tokens = torch.tensor([[c.tokens[-1]] for c in growing])
                logits_NV = self.model.step(tokens, _columns([[c.places[-1]] for c in growing]), cache, self.table_VC)
            steps += 1
            if progress is not None and steps % 50 == 0:
                done = sum(c.grammar.tick for c in everyone)
                progress(done / (length * len(everyone)), done / TICKS_PER_SECOND)
        return everyone

    def _take_tempi(self, everyone: list[Candidate], settings: Settings) -> None:
        """Draw the last word of each header, its tempo."""
        logits_NV, _ = self._read(everyone)
        allowed = np.tile(
            [VOCABULARY.tempo_of(token) is not None for token in range(len(VOCABULARY))], (len(everyone), 1)
        )
        for candidate, (token, _) in zip(everyone, self._draw(logits_NV, allowed, everyone, settings), strict=True):
            candidate.head.append(token)
            candidate.clock.bpm = float(VOCABULARY.tempo_of(token) or candidate.clock.bpm)

    def _read(self, growing: list[Candidate]) -> tuple[Tensor, Cache]:
        """Read headers and latest music into a new cache; return the next logits."""
        most = self.context - len(growing[0].head)
        kept = min(len(growing[0].tokens), int(most * KEPT) if len(growing[0].tokens) >= most else most)
        cache = Cache(self.model.config, len(growing), self.context, self.dtype)
        tokens: list[list[int]] = []
        places: list[list[Place]] = []
        for candidate in growing:
            body, where = candidate.tokens[-kept:] if kept else [], candidate.places[-kept:] if kept else []
            # The header stands where its music begins, as in training.
            passed = candidate.places[: len(candidate.places) - kept]
            first = passed[-1] if passed else Clock(candidate.clock.length_ticks).step(VOCABULARY.start)
            tokens.append(candidate.head + body)
            places.append([(first[0], first[1], 0, *first[3:])] * len(candidate.head) + where)
        logits = self.model.step(torch.tensor(tokens), _columns(places), cache, self.table_VC)
        return logits, cache

    @staticmethod
    def _draw(
        logits_NV: Tensor, allowed_NV: NDArray[np.bool_], growing: list[Candidate], settings: Settings
    ) -> list[tuple[int, float]]:
        """Draw a token for each candidate among those allowed; return it and its log-probability."""
        logits_NV = logits_NV.masked_fill(~torch.from_numpy(allowed_NV), float("-inf"))
        own = torch.log_softmax(logits_NV, dim=-1)
        for n, candidate in enumerate(growing):
            for nudged, nats in candidate.guidance.nudges(candidate.clock.tick):
                logits_NV[n, torch.from_numpy(nudged)] += nats
            beside = candidate.guidance.beside_the_beat(candidate.clock)
            if beside is not None:
                _keep_time(logits_NV[n, VOCABULARY.first_wait : VOCABULARY.first_note], torch.from_numpy(beside))
        best, ids = torch.topk(logits_NV / settings.temperature, min(CONSIDERED, logits_NV.shape[1]), dim=-1)
        chances = torch.softmax(best, dim=-1).double().numpy()
        tokens: NDArray[np.int64] = ids.numpy()
        drawn: list[tuple[int, float]] = []
        for n, candidate in enumerate(growing):
            below = np.cumsum(chances[n])
            # The nucleus ends with the token that reaches top-p.
            kept = int(np.searchsorted(below, settings.top_p * below[-1])) + 1
            place = int(
                np.searchsorted(below[:kept], candidate.rng.random() * below[min(kept, len(below)) - 1], side="right")
            )
            token = int(tokens[n, min(place, kept - 1, len(below) - 1)])
            drawn.append((token, float(own[n, token])))
        return drawn


def _keep_time(waits: Tensor, beside: Tensor) -> None:
    """Let waits that end beside the beat cost, in place; the chance of all waits together stays."""
    before = waits.logsumexp(0)
    if torch.isfinite(before):
        waits -= OFF_BEAT * beside
        waits += before - waits.logsumexp(0)


def _columns(places: list[list[Place]]) -> Places:
    """Return places of candidates as tensors [N, T], none of them given."""
    ticks, beats, chord, part, countdown = (
        torch.tensor([[place[field] for place in row] for row in places]) for field in range(5)
    )
    sounding = torch.from_numpy(np.array([[place[5] for place in row] for row in places]))
    return Places(ticks, beats.float(), chord, part, countdown, torch.zeros_like(ticks), sounding)
