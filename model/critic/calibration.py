"""From a score to a chance, and how good both are. Torch-free.

Sources: Platt (1999), probabilities from scores by logistic regression; Guo et
al. (2017), expected calibration error; Hanley and McNeil (1982), the area under
the ROC curve as the chance that a real piece scores above another.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Labels = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Area:
    """An area under a ROC curve.

    Attributes:
        auc: 0.5 is chance, 1 perfect.
        low, high: 95 % interval.
        real, other: how many of each were compared.
    """

    auc: float
    low: float
    high: float
    real: int
    other: int

    def as_dict(self) -> dict[str, float]:
        """Return the fields as plain values."""
        return asdict(self)


def auc(real: Scores, other: Scores) -> float:
    """Return the chance that one of `real` scores above one of `other`, ties by half."""
    if not len(real) or not len(other):
        return float("nan")
    below = np.searchsorted(np.sort(other), real, "left")
    upto = np.searchsorted(np.sort(other), real, "right")
    return float((below + upto).sum() / (2 * len(real) * len(other)))


def auc_by_group(real: Scores, other: Scores, real_groups: NDArray[np.int64], other_groups: NDArray[np.int64]) -> float:
    """Return the mean over groups of the area within a group: what it is worth among candidates of one header."""
    both = np.intersect1d(real_groups, other_groups)
    found = [auc(real[real_groups == g], other[other_groups == g]) for g in both]
    return float(np.mean(found)) if found else float("nan")


def area(
    real: Scores, other: Scores, real_groups: NDArray[np.int64], other_groups: NDArray[np.int64], draws: int = 400
) -> Area:
    """Return the area and its interval, by a bootstrap over groups.

    Args:
        real: scores of real music.
        other: scores of other music.
        real_groups: which piece each is of: excerpts of one piece are drawn together.
        other_groups: likewise.
        draws: of the bootstrap.
    """
    rng = np.random.default_rng(0)
    groups = np.unique(np.concatenate([real_groups, other_groups]))
    found = []
    of_real = [np.flatnonzero(real_groups == g) for g in groups]
    of_other = [np.flatnonzero(other_groups == g) for g in groups]
    for _ in range(draws if len(groups) else 0):
        drawn = rng.integers(0, len(groups), len(groups))
        a = np.concatenate([of_real[n] for n in drawn])
        b = np.concatenate([of_other[n] for n in drawn])
        if len(a) and len(b):
            found.append(auc(real[a], other[b]))
    low, high = np.percentile(found, [2.5, 97.5]) if found else (float("nan"), float("nan"))
    return Area(auc(real, other), float(low), float(high), len(real), len(other))


def sigmoid(x: Scores) -> Scores:
    """Return 1 / (1 + exp(-x)), of any x without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def log_loss(log_odds: Scores, real: Labels) -> float:
    """Return the mean surprise of the labels, nats."""
    return float(np.logaddexp(0.0, np.where(real, -log_odds, log_odds)).mean())


def fit_platt(scores: Scores, real: Labels) -> tuple[float, float]:
    """Return slope and intercept of the log-odds that a score means real, at even chances.

    Args:
        scores: of real and other music.
        real: which is which; both weigh alike, however many there are of each.
    """
    share = np.where(real, 0.5 / max(1, real.sum()), 0.5 / max(1, (~real).sum()))
    # As Platt has it: targets short of 0 and 1, so that a clean separation gives no infinite slope.
    target = np.where(real, (real.sum() + 1) / (real.sum() + 2), 1 / ((~real).sum() + 2))
    inputs = np.stack([scores, np.ones_like(scores)], axis=1)
    weights = np.array([1.0, 0.0])

    def loss(w: Scores) -> float:
        x = inputs @ w
        return float((share * (np.logaddexp(0.0, x) - target * x)).sum())

    for _ in range(100):
        chance = sigmoid(inputs @ weights)
        gradient = inputs.T @ (share * (chance - target))
        curve = (inputs * (share * chance * (1 - chance))[:, None]).T @ inputs + 1e-9 * np.eye(2)
        step = np.linalg.solve(curve, gradient)
        size = 1.0
        while size > 1e-6 and loss(weights - size * step) > loss(weights):
            size /= 2
        weights = weights - size * step
        if np.abs(size * step).max() < 1e-9:
            break
    # A critic that is worse than chance must not be turned round.
    return max(float(weights[0]), 1e-3), float(weights[1])


def reliability(chances: Scores, real: Labels, bins: int = 10) -> list[tuple[float, float, int]]:
    """Return, for each bin of said chances that is not empty: mean said, share real, how many."""
    where = np.minimum((chances * bins).astype(int), bins - 1)
    return [
        (float(chances[where == n].mean()), float(real[where == n].mean()), int((where == n).sum()))
        for n in range(bins)
        if (where == n).any()
    ]


def calibration_error(chances: Scores, real: Labels, bins: int = 10) -> float:
    """Return the expected calibration error: how far said chances are from what comes true, on average."""
    return sum(abs(s - r) * n for s, r, n in reliability(chances, real, bins)) / max(1, len(chances))
