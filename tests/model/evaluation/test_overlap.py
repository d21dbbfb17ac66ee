"""Overlap with real music, beside what real music reaches itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.evaluation.overlap import compare, draw, draws_of, mean_ratio, shared_area


def normal(seed: int, count: int, mean: float = 0.0, spread: float = 1.0, bins: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, spread, (count, bins))


def measured(ours: np.ndarray, real: np.ndarray, count: int = 60) -> tuple[float, float, float]:
    names = [str(n) for n in range(len(real))]
    found = compare(ours, real, draws_of(["a"] * len(ours), ["a"] * len(real), names, 0, count)[None])
    assert found is not None
    return found.ours.mean, found.ceiling.mean, found.ratio.mean


class TestSharedArea:
    @given(st.lists(st.floats(0, 100), min_size=1, max_size=50), st.lists(st.floats(0, 100), min_size=1, max_size=50))
    @settings(max_examples=100, deadline=None)
    def test_it_is_a_share_the_same_from_either_side(self, own: list[float], across: list[float]) -> None:
        a, b = np.array(own), np.array(across)
        assert 0.0 <= shared_area(a, b) <= 1.0 + 1e-9
        assert shared_area(a, b) == pytest.approx(shared_area(b, a))
        assert shared_area(a, a) == pytest.approx(1.0)

    def test_it_is_that_of_the_densities(self) -> None:
        # Two uniform densities of width 2 that share half of it, blurred by their kernels.
        rng = np.random.default_rng(0)
        assert shared_area(rng.uniform(1, 3, 5000), rng.uniform(2, 4, 5000)) == pytest.approx(0.5, abs=0.05)

    def test_what_lies_apart_shares_nothing(self) -> None:
        assert shared_area(np.full(50, 1.0), np.full(50, 100.0)) < 0.01

    def test_where_all_is_equal_nothing_is_apart(self) -> None:
        assert shared_area(np.zeros(5), np.zeros(5)) == 1.0


class TestCompare:
    def test_a_set_of_the_same_kind_reaches_the_ceiling(self) -> None:
        ours, ceiling, ratio = measured(normal(1, 40), normal(2, 120))
        assert ceiling > 0.85
        assert ours == pytest.approx(ceiling, abs=0.05)
        assert ratio == pytest.approx(1.0, abs=0.05)

    def test_the_farther_away_the_less(self) -> None:
        real = normal(2, 120)
        ratios = [measured(normal(1, 40, mean=mean), real)[2] for mean in (0.0, 1.5, 3.0, 8.0)]
        assert ratios == sorted(ratios, reverse=True)
        assert ratios[-1] < 0.2

    def test_a_set_that_is_always_the_same_is_no_real_music(self) -> None:
        assert measured(np.full((40, 1), 0.0), normal(2, 120))[2] < 0.9

    def test_histograms_are_compared_as_points(self) -> None:
        real = normal(2, 120, bins=12)
        assert measured(normal(1, 40, bins=12), real)[2] == pytest.approx(1.0, abs=0.1)
        assert measured(normal(1, 40, mean=2.0, bins=12), real)[2] < 0.3

    def test_few_excerpts_have_a_lower_ceiling(self) -> None:
        real = normal(2, 120)
        assert measured(normal(1, 3), real)[1] < measured(normal(1, 40), real)[1]

    def test_what_makes_no_sense_is_left_out(self) -> None:
        ours, real = normal(1, 40), normal(2, 120)
        ours[::2] = np.nan
        real[::3] = np.nan
        assert measured(ours, real)[2] == pytest.approx(1.0, abs=0.1)

    def test_too_little_music_is_not_compared(self) -> None:
        draws = draws_of(["a"], ["a"] * 9, [str(n) for n in range(9)], 0, 5)
        assert compare(normal(1, 1), normal(2, 9), draws[None]) is None
        nothing = np.full((40, 1), np.nan)
        draws = draws_of(["a"] * 40, ["a"] * 9, [str(n) for n in range(9)], 0, 5)
        assert compare(nothing, normal(2, 9), draws[None]) is None


class TestDraw:
    def test_halves_share_no_piece_and_all_are_as_many(self) -> None:
        pieces = np.repeat(np.arange(10), 3)
        for seed in range(20):
            drawn = draw(np.random.default_rng(seed), {"a": np.arange(7)}, {"a": np.arange(30)}, pieces)
            assert len(drawn.ours) == len(drawn.half) == len(drawn.other) == 7
            assert not set(pieces[drawn.half]) & set(pieces[drawn.other])

    def test_each_style_weighs_as_in_the_set(self) -> None:
        real = {"a": np.arange(20), "b": np.arange(20, 40)}
        ours = {"a": np.arange(6), "b": np.arange(6, 8)}
        drawn = draw(np.random.default_rng(0), ours, real, np.arange(40))
        assert (drawn.half < 20).sum() == (drawn.other < 20).sum() == 6
        assert len(drawn.half) == 8

    def test_a_style_without_real_music_is_left_out(self) -> None:
        drawn = draw(np.random.default_rng(0), {"a": np.arange(6)}, {}, np.arange(40))
        assert [len(rows) for rows in drawn] == [0, 0, 0]

    def test_the_same_seed_draws_the_same(self) -> None:
        words = (["a"] * 8, ["a"] * 30, [str(n) for n in range(30)])
        first, again, other = (draws_of(*words, seed, 3)[None] for seed in (1, 1, 2))
        assert all(np.array_equal(x, y) for a, b in zip(first, again, strict=True) for x, y in zip(a, b, strict=True))
        assert any(
            not np.array_equal(x, y) for a, b in zip(first, other, strict=True) for x, y in zip(a, b, strict=True)
        )


def test_the_mean_ratio_passes_over_what_was_not_compared() -> None:
    draws = draws_of(["a"] * 20, ["a"] * 60, [str(n) for n in range(60)], 0, 10)[None]
    found = compare(normal(1, 20), normal(2, 60), draws)
    assert found is not None
    assert mean_ratio([found, None]) == found.ratio.mean
    assert np.isnan(mean_ratio([None]))
