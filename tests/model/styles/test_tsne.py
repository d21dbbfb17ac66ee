"""t-SNE keeps neighbours together and gives the same map for the same distances."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.styles.tsne import _slope, affinities, divergence, tsne


def clusters(count: int = 3, members: int = 12, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return squared distances of points around far centres of ten dimensions, and whose they are."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(count), members)
    points = rng.normal(size=(count, 10))[label] * 4 + rng.normal(size=(count * members, 10)) * 0.3
    return squares(points), label


def squares(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(((points[:, None] - points[None]) ** 2).sum(-1))


def test_what_lies_together_is_drawn_together() -> None:
    distances, label = clusters()
    points = tsne(distances)
    apart = squares(points)
    np.fill_diagonal(apart, np.inf)
    for n in range(len(label)):
        assert (label[apart[n].argsort()[:6]] == label[n]).all()


def test_the_map_is_centred_and_as_large_as_said() -> None:
    points = tsne(clusters()[0])
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-9)
    assert np.linalg.norm(points, axis=1).max() == pytest.approx(1.0)


def test_the_same_distances_give_the_same_map() -> None:
    distances, _ = clusters()
    np.testing.assert_array_equal(tsne(distances), tsne(distances))


def test_each_point_has_as_many_neighbours_as_asked_for() -> None:
    distances, _ = clusters()
    near = affinities(distances, 5.0)
    assert near.sum() == pytest.approx(1.0)
    np.testing.assert_array_equal(near, near.T)
    assert (np.diag(near) == 0).all()
    # Of points in general position every row has, before it is made symmetric, an entropy of log 5.
    far = squares(np.eye(2)[[0, 1]])
    assert affinities(far, 1.0)[0, 1] == pytest.approx(0.5)


def test_the_slope_is_that_of_the_divergence() -> None:
    wanted = affinities(clusters()[0], 5.0)
    points = np.random.default_rng(0).normal(size=(len(wanted), 2))
    slope = _slope(points, wanted)
    for n, axis in ((0, 0), (7, 1), (30, 0)):
        aside = points.copy()
        aside[n, axis] += 1e-5
        measured = (divergence(wanted, aside) - divergence(wanted, points)) / 1e-5
        assert slope[n, axis] == pytest.approx(measured, rel=1e-3, abs=1e-7)


def test_descent_comes_far_below_the_principal_coordinates() -> None:
    rng = np.random.default_rng(3)
    distances = squares(rng.normal(size=(40, 20)))
    wanted = affinities(distances, 8.0)
    start, end = (tsne(distances, rounds=rounds) for rounds in (0, 1000))
    scales = np.geomspace(0.01, 100, 60)
    assert min(divergence(wanted, end * s) for s in scales) < 0.7 * min(divergence(wanted, start * s) for s in scales)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_few_points_are_drawn_too(count: int) -> None:
    points = tsne(squares(np.eye(max(1, count))[:count]))
    assert points.shape == (count, 2)
    assert np.isfinite(points).all()


def test_points_that_coincide_are_set_apart() -> None:
    points = tsne(np.zeros((9, 9)))
    assert np.isfinite(points).all()
    assert len(np.unique(points.round(6), axis=0)) == 9
