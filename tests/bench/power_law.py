"""How loss falls with weights and tokens, and what more seconds would buy.

    L(N, D) = floor + a / N^alpha + b / D^beta

N are the weights, D the tokens seen. Fitted to the logarithm of the losses of
finished runs, each with its learning rate fallen to nothing, by least squares
that mind outliers little (Huber). How sure it is: fitted again to runs drawn
with replacement, 95 % of the answers lie in the interval.

Source: Hoffmann et al. (2022), Training Compute-Optimal Large Language Models,
their third approach.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]
HUBER = 0.01
# Beyond so many passes over the same music, a token seen again teaches less and the law says too much
# (Muennighoff et al. 2023, Scaling Data-Constrained Language Models).
EPOCHS = 4.0
FEWEST = 6


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run.

    Attributes:
        size: its name.
        weights: number of them.
        tokens: seen in training.
        seconds: of training.
        loss: held-out, bits per note.
    """

    size: str
    weights: int
    tokens: int
    seconds: float
    loss: float


@dataclass(frozen=True, slots=True)
class Law:
    """The fitted law; `error` is the root mean square of what it misses, as a fraction of the loss."""

    floor: float
    a: float
    alpha: float
    b: float
    beta: float
    error: float

    def loss(self, weights: float, tokens: float) -> float:
        """Return the loss of so many weights after so many tokens."""
        return float(self.floor + self.a * (weights / 1e6) ** -self.alpha + self.b * (tokens / 1e6) ** -self.beta)


def _fitted(weights_R: Tensor, tokens_R: Tensor, loss_R: Tensor, start: Tensor) -> tuple[float, Tensor]:
    """Return what a fit from one start misses, and its parameters: logs of floor, a, alpha, b, beta."""
    found = start.clone().requires_grad_()
    solver = torch.optim.LBFGS([found], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-10)

    def missed() -> Tensor:
        floor, a, alpha, b, beta = found.exp()
        said = floor + a * weights_R**-alpha + b * tokens_R**-beta
        off = said.log() - loss_R.log()
        return torch.nn.functional.huber_loss(off, torch.zeros_like(off), delta=HUBER, reduction="sum")

    def closure() -> Tensor:
        solver.zero_grad()
        loss = missed()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    solver.step(closure)  # type: ignore[no-untyped-call]
    value = float(missed().detach())
    return (value if math.isfinite(value) else math.inf), found.detach()


def fit(runs: Sequence[Run], starts: int = 24, seed: int = 0, near: Law | None = None) -> Law:
    """Return the law that fits some runs best, of many starts.

    Args:
        runs: at least `FEWEST`, of at least two sizes and two numbers of tokens.
        starts: how many.
        seed: of the starts.
        near: a law to start from too.

    Raises:
        ValueError: there are too few runs to tell five parameters from.
    """
    if len(runs) < FEWEST or len({r.weights for r in runs}) < 2:
        raise ValueError(f"{len(runs)} runs of {len({r.weights for r in runs})} sizes; it takes {FEWEST}, of 2")
    # Millions, so that all parameters are of about the same size.
    weights_R, tokens_R = (torch.tensor([getattr(r, k) / 1e6 for r in runs]).double() for k in ("weights", "tokens"))
    loss_R = torch.tensor([r.loss for r in runs]).double()
    rng = np.random.default_rng(seed)
    lowest = float(loss_R.min())
    tries = []
    if near is not None:
        # A parameter that vanished would never come back.
        known = torch.tensor([near.floor, near.a, near.alpha, near.b, near.beta]).double().clamp(min=1e-3)
        tries.append(_fitted(weights_R, tokens_R, loss_R, known.log()))
    for _ in range(starts):
        start = [lowest * rng.uniform(0.3, 0.98), lowest * rng.uniform(0.05, 1), rng.uniform(0.1, 1)]
        start += [lowest * rng.uniform(0.05, 1), rng.uniform(0.1, 1)]
        tries.append(_fitted(weights_R, tokens_R, loss_R, torch.tensor(start).double().log()))
    best = min(tries, key=lambda pair: pair[0])[1].exp()
    floor, a, alpha, b, beta = best.tolist()
    said = floor + a * weights_R**-alpha + b * tokens_R**-beta
    error = float((said / loss_R - 1).square().mean().sqrt())
    return Law(floor, a, alpha, b, beta, error)


def resampled(runs: Sequence[Run], law: Law, count: int, seed: int = 0) -> list[Law]:
    """Return laws fitted to runs drawn with replacement; a draw that says too little is drawn again.

    Args:
        runs: to draw from.
        law: fitted to all of them, where each fit starts.
        count: how many.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    laws: list[Law] = []
    tried = 0
    while len(laws) < count and tried < 10 * count:
        tried += 1
        drawn = [runs[n] for n in rng.integers(0, len(runs), len(runs))]
        if len({(r.weights, r.tokens) for r in drawn}) < 5 or len({r.weights for r in drawn}) < 2:
            continue
        laws.append(fit(drawn, starts=2, seed=tried, near=law))
    return laws


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a size is expected to reach.

    Attributes:
        size: its name.
        tokens: it would see.
        epochs: passes over the training music that is.
        loss: expected, bits per note.
        low, high: 95 % of the refitted laws lie between.
        chance: share of the refitted laws by which it is the best size.
    """

    size: str
    tokens: float
    epochs: float
    loss: float
    low: float
    high: float
    chance: float


def outlook(law: Law, others: Sequence[Law], runs: Sequence[Run], seconds: float, corpus_tokens: int) -> list[Outlook]:
    """Return what each size would reach in so many seconds of the machine that the runs ran on.

    Args:
        law: fitted to all runs.
        others: refitted, see `resampled`.
        runs: whose speed is taken, the longest of each size.
        seconds: how long it would train.
        corpus_tokens: tokens of the training split.
    """
    longest = {r.size: r for r in sorted(runs, key=lambda r: r.seconds)}
    sizes = sorted(longest.values(), key=lambda r: r.weights)
    tokens = [run.tokens / run.seconds * seconds for run in sizes]
    said = np.array([[o.loss(r.weights, t) for r, t in zip(sizes, tokens, strict=True)] for o in others or [law]])
    best = said.argmin(axis=1)
    low, high = np.percentile(said, (2.5, 97.5), axis=0)
    return [
        Outlook(
            r.size,
            t,
            t / corpus_tokens,
            law.loss(r.weights, t),
            float(low[n]),
            float(high[n]),
            float(np.mean(best == n)),
        )
        for n, (r, t) in enumerate(zip(sizes, tokens, strict=True))
    ]
