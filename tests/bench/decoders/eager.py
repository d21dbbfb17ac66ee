"""Our own network in eager PyTorch, as the composer calls it where nothing faster is at hand.

Shapes: N candidates, T tokens, V vocabulary.
"""

from __future__ import annotations

import functools
import time
from typing import Protocol

import torch
from torch import Tensor

from model.language.context import CHORD, COUNTDOWN_S, PARTS
from model.language.sounding import SOUNDING
from model.network.cache import Cache
from model.network.config import Config
from model.network.transformer import Places, Transformer
from tests.bench.decoders.case import SHAPES, VOCABULARY_SIZE, Case
from tests.model.making import lively

VARIANTS = ("bfloat16", "float32")
DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}


class Decoding(Protocol):
    """Candidates that go on from one prompt."""

    def prefill(self, tokens_T: Tensor, places: Places) -> Tensor:
        """Read the prompt of all candidates.

        Args:
            tokens_T: ids, shape [T].
            places: the context of each, shapes [1, T].

        Returns:
            Logits after the prompt, shape [V], float32.
        """
        ...

    def rewind(self) -> None:
        """Forget all that came after the prompt."""
        ...

    def step(self, tokens_N: Tensor, places: Places) -> Tensor:
        """Read one token more for each candidate.

        Args:
            tokens_N: ids, shape [N].
            places: the context of each, shapes [N, 1].

        Returns:
            Logits of each, shape [N, V], float32.
        """
        ...


@functools.lru_cache(maxsize=1)
def model(config: Config) -> Transformer:
    """Return a model of a shape whose every weight matters."""
    return lively(config).eval()


def music(rows: int, tokens: int, seed: int = 0) -> tuple[Tensor, Places]:
    """Return random ids and places, shapes [rows, tokens]; time passes as in a piece."""
    random = torch.Generator().manual_seed(seed)

    def below(most: int) -> Tensor:
        return torch.randint(most, (rows, tokens), generator=random)

    ticks = below(8).cumsum(1)
    heard = torch.rand(rows, tokens, SOUNDING, generator=random) * (below(4) == 0)[..., None]
    places = Places(ticks, ticks / 50, below(CHORD), below(PARTS), below(COUNTDOWN_S), torch.zeros_like(ticks), heard)
    return below(VOCABULARY_SIZE), places


def cut(places: Places, start: int, end: int) -> Places:
    """Return the places of some tokens."""
    return Places(*(field[:, start:end] for field in places))


class Eager:
    """Candidates decoded by `Transformer.step`, each with a cache of its own."""

    def __init__(self, network: Transformer, candidates: int, capacity: int, variant: str) -> None:
        self.dtype = DTYPES[variant]
        self.network = Transformer(network.config).to(self.dtype).eval()
        self.network.load_state_dict(network.state_dict())
        self.candidates, self.capacity = candidates, capacity
        with torch.inference_mode():
            self.table_VC = self.network.table()
        self.cache = Cache(network.config, 1, capacity, self.dtype)

    def prefill(self, tokens_T: Tensor, places: Places) -> Tensor:
        """Read the prompt once and copy what came of it; return the logits after it."""
        self.cache = Cache(self.network.config, 1, self.capacity, self.dtype)
        with torch.inference_mode():
            logits_1V = self.network.step(tokens_T[None], places, self.cache, self.table_VC)
            self.cache.keep_rows(torch.zeros(self.candidates, dtype=torch.long))
        self.read = self.cache.length
        return logits_1V[0]

    def rewind(self) -> None:
        """Forget all that came after the prompt."""
        self.cache.length = self.read

    def step(self, tokens_N: Tensor, places: Places) -> Tensor:
        """Return the logits after one token more of each candidate."""
        with torch.inference_mode():
            return self.network.step(tokens_N[:, None], places, self.cache, self.table_VC)


class Greedy:
    """Goes on from the prompt of a case with the likeliest tokens."""

    def __init__(self, case: Case, decoding: Decoding) -> None:
        self.case, self.decoding = case, decoding
        tokens_1T, places = music(1, case.context)
        self.first = decoding.prefill(tokens_1T[0], places)
        _, after = music(case.batch, case.tokens, seed=1)
        # Where tokens stand is the grammar's business; here it is known before the clock runs.
        self.places = [cut(after, step, step + 1) for step in range(case.tokens)]
        self.tokens: list[Tensor] = []

    def go(self) -> list[float]:
        """Go on from the prompt; return the seconds of each step."""
        self.decoding.rewind()
        tokens_N = self.first.argmax().repeat(self.case.batch)
        self.tokens, seconds = [tokens_N], []
        for places in self.places:
            began = time.perf_counter()
            tokens_N = self.decoding.step(tokens_N, places).argmax(-1)
            seconds.append(time.perf_counter() - began)
            self.tokens.append(tokens_N)
        return seconds


def make(case: Case, variant: str) -> Greedy:
    """Return the decoder of a case in one of its variants."""
    return Greedy(case, Eager(model(case.config), case.batch, case.capacity, variant))


def check(shape: str, variant: str) -> float:
    """Return how far the logits are from those of the whole network, see `error`."""
    config = SHAPES[shape]
    return error(config, lambda network, rows, capacity: Eager(network, rows, capacity, variant))


class Maker(Protocol):
    """Makes what decodes."""

    def __call__(self, network: Transformer, candidates: int, capacity: int) -> Decoding:
        """Return candidates that have read nothing."""
        ...


def error(config: Config, make_decoding: Maker, rows: int = 3, steps: int = 6) -> float:
    """Return how far logits of steps are from those of reading whole rows at once in float32.

    The prompt is longer than the windows; candidates go on with tokens that differ, twice.

    Args:
        config: shape of the network.
        make_decoding: of what is checked.
        rows: candidates.
        steps: tokens that each goes on for.

    Returns:
        Root of the mean squared difference over all logits, as a part of their standard deviation.
    """
    network = model(config)
    context = (config.window or 64) + 45
    head_1T, head_places = music(1, context)
    tail_NT, tail_places = music(rows, steps, seed=1)
    decoding = make_decoding(network, rows, context + steps + 1)
    logits = [decoding.prefill(head_1T[0], head_places).expand(rows, -1)]
    for _ in range(2):
        decoding.rewind()
        del logits[1:]
        logits += [decoding.step(tail_NT[:, t], cut(tail_places, t, t + 1)) for t in range(steps)]
    with torch.inference_mode():
        whole = Places(
            *(torch.cat([a.expand(rows, *a.shape[1:]), b], 1) for a, b in zip(head_places, tail_places, strict=True))
        )
        right = network(torch.cat([head_1T.expand(rows, -1), tail_NT], 1), whole)[:, context - 1 :]
    wrong = torch.stack(logits, 1).float() - right
    return float(wrong.square().mean().sqrt() / right.std())
