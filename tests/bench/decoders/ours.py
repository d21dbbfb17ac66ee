"""Ours: the compiled decoder in each of its precisions, and "torch", what composes where there is no compiler.

Shapes: N candidates, T tokens, V vocabulary.
"""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from kernels.native.engine import Precision
from model.language.context import Context
from model.network.decoding import NativeReading, Reader, Reading, native_decoder, torch_reader
from model.network.transformer import Places, Transformer
from tests.bench.decoders.case import SHAPES, Case, threads
from tests.bench.decoders.eager import Greedy, error, model

Variant = Precision | Literal["torch"]
VARIANTS: tuple[Variant, ...] = ("int8", "float32", "torch")


class Ours:
    """A reader as `tests.bench.decoders.eager.Decoding`; each thread has its share of the candidates."""

    def __init__(self, network: Transformer, candidates: int, capacity: int, variant: Variant) -> None:
        self.begin, self.capacity = _reader(network, variant), capacity
        parts = min(threads(), candidates)
        # As the sampler has it: each thread on its own.
        torch.set_num_threads(1)
        self.rows = [slice(a, b) for a, b in pairwise(candidates * n // parts for n in range(parts + 1))]
        self.pool = ThreadPoolExecutor(parts)
        self.readings: list[Reading] = []
        self.prompt: tuple[Tensor, Places] | None = None

    def prefill(self, tokens_T: Tensor, places: Places) -> Tensor:
        """Read the prompt of all candidates; return the logits after it."""
        rows = self.rows[-1].stop
        self.prompt = tokens_T.expand(rows, -1), Places(*(x.expand(rows, *x.shape[1:]) for x in places))
        return self._read_prompt()[0]

    def rewind(self) -> None:
        """Forget all that came after the prompt: it is read again."""
        self._read_prompt()

    def _read_prompt(self) -> Tensor:
        assert self.prompt is not None
        self.readings = [self.begin(r.stop - r.start, self.capacity) for r in self.rows]
        return self.step(*self.prompt)

    def step(self, tokens_N: Tensor, places: Places) -> Tensor:
        """Return the logits after one token more of each candidate."""
        tokens_NT = tokens_N.numpy().reshape(len(tokens_N), -1)
        fields: list[Any] = [field.numpy() for field in places]

        def read(reading: Reading, rows: slice) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
            return reading.read(tokens_NT[rows], Context(*(field[rows] for field in fields)))

        if len(self.rows) == 1:
            return torch.from_numpy(read(self.readings[0], self.rows[0]))
        return torch.from_numpy(np.concatenate(list(self.pool.map(read, self.readings, self.rows))))


def _reader(network: Transformer, variant: Variant) -> Reader:
    if variant == "torch":
        return torch_reader(copy.deepcopy(network).to(torch.bfloat16))
    decoder = native_decoder(network, variant)
    if decoder is None:
        raise RuntimeError("there is no compiled decoder on this machine, or not of this shape")
    return partial(NativeReading, decoder)


def make(case: Case, variant: Variant) -> Greedy:
    """Return the decoder of a case in one of its variants."""
    return Greedy(case, Ours(model(case.config), case.batch, case.capacity, variant))


def check(shape: str, variant: Variant) -> float:
    """Return how far the logits are from those of the whole network."""
    return error(SHAPES[shape], lambda network, rows, capacity: Ours(network, rows, capacity, variant))
