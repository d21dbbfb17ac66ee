"""How to train: how long, on how much at a time, how fast, and what learns which way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train.

    Attributes:
        steps: optimiser steps in all.
        rows, tokens: size of a batch.
        muon_rate, adam_rate: highest learning rates.
        warmup: steps over which the rate rises.
        fall: last part of the steps over which it falls to 0, as a fraction.
        settle: last part of the steps over which transposition ends, as a fraction,
            so that instruments keep to their ranges; there is none in its last half.
        check_every: steps between validations and saves.
        recompute: keep less in memory and compute it again (`Transformer.recompute`).
        seed: of initial weights and batches.
    """

    steps: int = 2000
    rows: int = 8
    tokens: int = 1024
    muon_rate: float = 0.02
    adam_rate: float = 3e-3
    warmup: int = 50
    fall: float = 0.4
    settle: float = 0.2
    check_every: int = 200
    recompute: bool = False
    seed: int = 0

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, as a part of the highest."""
        rise = min(1.0, (step + 1) / self.warmup)
        left = (self.steps - step) / max(1.0, self.steps * self.fall)
        return min(rise, left, 1.0)

    def transposed(self, step: int) -> float:
        """Return how far music is transposed in a step, as a part of the furthest."""
        left = (self.steps - step) / max(1.0, self.steps * self.settle)
        return min(1.0, max(0.0, 2.0 * left - 1.0))


def mixup_share(seed: int, step: int, chance: float) -> Tensor | None:
    """Return how much of each row is its own in a step with mixup, or None in a step without."""
    rng = np.random.default_rng((seed, step, 1))
    if rng.random() >= chance:
        return None
    return torch.tensor(max(float(share := rng.beta(0.4, 0.4)), 1 - share))


def learned_by_muon(name: str, weight: Tensor) -> bool:
    """Return whether Muon trains a weight: the matrices of the blocks; AdamW trains all else."""
    return weight.dim() == 2 and name.startswith("blocks")
