"""Names beside dots, none over another."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.styles.labels import GAP, Box, fit, place_labels

SHEET = Box(50, 50, 950, 650)


def dot(point: NDArray[np.float64], radius: float) -> Box:
    return Box(point[0] - radius, point[1] - radius, point[0] + radius, point[1] + radius)


@given(seed=st.integers(0, 1000), count=st.integers(1, 50), crowd=st.floats(0.05, 1.0))
@example(seed=187, count=25, crowd=0.5)
@settings(max_examples=8, deadline=None)
def test_nothing_lies_over_another(seed: int, count: int, crowd: float) -> None:
    rng = np.random.default_rng(seed)
    radii = rng.uniform(5, 20, count).tolist()
    # Most in a crowd, some far away.
    points = rng.normal(size=(count, 2)) * np.where(rng.random(count) < 0.7, crowd, 1.0)[:, None]
    placed = fit(points, radii, SHEET)
    assert all(50 - 1e-6 <= x <= 950 + 1e-6 and 50 - 1e-6 <= y <= 650 + 1e-6 for x, y in placed)
    for a, b in combinations(range(count), 2):
        assert np.linalg.norm(placed[a] - placed[b]) > radii[a] + radii[b] + GAP - 0.5
    labels = place_labels(placed, radii, [(60.0, 16.0)] * count, (1000, 700))
    assert len(labels) == count
    for box in labels:
        assert box.within(1000, 700)
    hidden = sum(a.overlap(b) for a, b in combinations(labels, 2))
    for n, box in enumerate(labels):
        hidden += sum(box.overlap(dot(placed[m], radii[m])) for m in range(count) if m != n)
        assert box.distance(*placed[n]) >= radii[n]
    # A crowd of fifty may leave no room for one of them.
    assert hidden <= (0.0 if count <= 30 else 0.02 * count * 60 * 16)


def test_a_name_stands_right_of_a_dot_that_is_alone() -> None:
    (box,) = place_labels(np.array([[100.0, 100.0]]), [10.0], [(60.0, 16.0)], (500, 500))
    assert box == Box(113.0, 92.0, 173.0, 108.0)


def test_the_longest_way_lies_across_and_fills_the_sheet() -> None:
    points = np.array([[0.0, y] for y in np.linspace(-1, 1, 9)])
    placed = fit(points, [1.0] * 9, SHEET)
    assert sorted(placed[:, 0])[0] == pytest.approx(50)
    assert sorted(placed[:, 0])[-1] == pytest.approx(950)
    np.testing.assert_allclose(placed[:, 1], 350)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_are_placed_too(count: int) -> None:
    points = fit(np.arange(2.0 * count).reshape(count, 2), [5.0] * count, SHEET)
    assert points.shape == (count, 2)
    assert len(place_labels(points, [5.0] * count, [(40.0, 16.0)] * count, (1000, 700))) == count
