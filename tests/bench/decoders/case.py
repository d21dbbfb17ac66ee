"""What is decoded, and what a decoder must show to be timed."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Protocol

from model.language.vocabulary import VOCABULARY
from model.network.config import PRESETS, Config

SHAPES: dict[str, Config] = {
    "tiny": PRESETS["tiny"],
    # What is shipped, with room for a whole piece.
    "small": replace(PRESETS["small"], context=4096),
    "25m": Config(layers=8, width=512, heads=8, kv_heads=2, context=4096, window=512, full_every=4, hidden=1408),
}
VOCABULARY_SIZE = len(VOCABULARY)


@dataclass(frozen=True, slots=True)
class Case:
    """What all decode alike.

    Attributes:
        shape: a name in `SHAPES`.
        batch: candidates; they share the prompt and part ways after it.
        context: tokens of the prompt.
        tokens: tokens that each candidate goes on for.
    """

    shape: str
    batch: int
    context: int
    tokens: int

    @property
    def config(self) -> Config:
        """The shape itself."""
        return SHAPES[self.shape]

    @property
    def capacity(self) -> int:
        """Tokens that a cache must hold."""
        return self.context + self.tokens + 1

    @property
    def label(self) -> str:
        """The case for a person."""
        return f"{self.batch} x {self.context}"


def threads() -> int:
    """Return the processor cores that this process was given."""
    return int(os.environ["OMP_NUM_THREADS"])


class Decoder(Protocol):
    """Somebody who has read the prompt of a case."""

    def go(self) -> list[float]:
        """Go on from the prompt, once more.

        Returns:
            Seconds of each step of the whole batch, an entry for each token but the first,
            which a candidate draws from the logits of the prompt.
        """
        ...
