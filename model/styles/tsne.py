"""t-SNE, exact: points of many dimensions drawn in two, neighbours beside neighbours.

For tens of points; each pair is looked at. It starts from the principal
coordinates, so that the same distances give the same map.

Source: van der Maaten and Hinton (2008), Visualizing Data using t-SNE;
Kobak and Berens (2019), on starting from principal components.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EXAGGERATION = 4.0
EXAGGERATED_ROUNDS = 150
_TINY = 1e-12


def tsne(
    distances_NN: NDArray[np.float64], *, perplexity: float = 8.0, rounds: int = 1000, seed: int = 0
) -> NDArray[np.float64]:
    """Return points of the plane, shape [N, 2], centred, the furthest at distance 1.

    Args:
        distances_NN: squared distances, symmetric, 0 on the diagonal.
        perplexity: how many neighbours matter to a point, more or less; at most (N - 1) / 3 is used.
        rounds: steps of gradient descent.
        seed: of the jitter that sets apart points that coincide.
    """
    count = len(distances_NN)
    if count < 3:
        return np.stack([np.linspace(-1.0, 1.0, count) if count > 1 else np.zeros(count), np.zeros(count)], axis=1)
    wanted = affinities(distances_NN, min(perplexity, (count - 1) / 3))
    points = _principal(distances_NN)
    points = points / max(_TINY, points.std()) * 1e-2
    points = points + np.random.default_rng(seed).normal(size=points.shape) * 1e-4
    speed, gains = np.zeros_like(points), np.ones_like(points)
    for turn in range(rounds):
        stretched = wanted * (EXAGGERATION if turn < EXAGGERATED_ROUNDS else 1.0)
        slope = _slope(points, stretched)
        # Van der Maaten's gains: faster where the way goes on, slower where it turns.
        gains = np.maximum(np.where(np.sign(slope) != np.sign(speed), gains + 0.2, gains * 0.8), 0.01)
        speed = (0.5 if turn < EXAGGERATED_ROUNDS else 0.8) * speed - max(10.0, count / EXAGGERATION) * gains * slope
        points = points + speed
        points = points - points.mean(axis=0)
    return np.asarray(points / max(_TINY, float(np.linalg.norm(points, axis=1).max())))


def affinities(distances_NN: NDArray[np.float64], perplexity: float) -> NDArray[np.float64]:
    """Return how near points are to each other, symmetric, summing to 1.

    Each point's own are a Gaussian whose width makes its perplexity, 2 to the entropy, what is asked for.
    """
    count = len(distances_NN)
    near = np.zeros((count, count))
    for n in range(count):
        others = np.delete(distances_NN[n], n)
        others = others - others.min()
        low, high, precision = 0.0, np.inf, 1.0 / max(_TINY, float(others.mean()))
        for _ in range(100):
            weights = np.exp(-others * precision)
            shares = weights / weights.sum()
            entropy = -float((shares * np.log(np.maximum(shares, _TINY))).sum())
            if abs(entropy - np.log(perplexity)) < 1e-6:
                break
            if entropy > np.log(perplexity):
                low = precision
                precision = precision * 2 if np.isinf(high) else (low + high) / 2
            else:
                high = precision
                precision = (low + high) / 2
        near[n, np.arange(count) != n] = shares
    return (near + near.T) / (2 * count)


def divergence(wanted_NN: NDArray[np.float64], points_N2: NDArray[np.float64]) -> float:
    """Return what t-SNE makes small: the divergence of the affinities on the plane from those wanted, nats."""
    _, found = _student(points_N2)
    return float((wanted_NN * np.log(np.maximum(wanted_NN, _TINY) / found)).sum())


def _student(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    squares = ((points[:, None] - points[None]) ** 2).sum(-1)
    heavy = 1.0 / (1.0 + squares)
    np.fill_diagonal(heavy, 0.0)
    return heavy, np.maximum(heavy / heavy.sum(), _TINY)


def _slope(points: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the gradient of the divergence, shape [N, 2]."""
    heavy, found = _student(points)
    pull = (wanted - found) * heavy
    return np.asarray(4 * (pull.sum(1)[:, None] * points - pull @ points))


def _principal(distances_NN: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the first two principal coordinates (classical scaling), shape [N, 2]."""
    count = len(distances_NN)
    centring = np.eye(count) - 1.0 / count
    values, vectors = np.linalg.eigh(-0.5 * centring @ distances_NN @ centring)
    first = vectors[:, [-1, -2]] * np.sqrt(np.maximum(values[[-1, -2]], 0.0))
    # An eigenvector has no sign of its own: its largest entry is made positive.
    return np.asarray(first * np.sign(first[np.abs(first).argmax(axis=0), [0, 1]] + _TINY))
