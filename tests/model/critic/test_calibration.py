"""Scores to chances: areas, Platt's scaling, and how far said chances are from what comes true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.critic.calibration import (
    area,
    auc,
    auc_by_group,
    calibration_error,
    fit_platt,
    log_loss,
    reliability,
    sigmoid,
)


def test_the_area_is_the_chance_that_real_scores_above_other() -> None:
    real, other = np.array([1.0, 2.0, 2.0]), np.array([0.0, 2.0])
    wins = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a in real for b in other)
    assert auc(real, other) == wins / 6
    assert auc(other, real) == pytest.approx(1 - wins / 6)
    assert np.isnan(auc(real, other[:0]))


def test_its_interval_holds_it_and_is_wider_where_groups_are_few() -> None:
    rng = np.random.default_rng(0)
    real, other = rng.normal(1.0, 1.0, 200), rng.normal(0.0, 1.0, 200)
    many = area(real, other, np.arange(200), np.arange(200))
    assert many.low < many.auc < many.high
    assert (many.real, many.other) == (200, 200)
    # 200 excerpts of five pieces that are alike within a piece tell less.
    shift = np.repeat(rng.normal(0, 1.5, 5), 40)
    few = area(real + shift, other, np.repeat(np.arange(5), 40), np.repeat(np.arange(5), 40))
    assert few.high - few.low > 1.5 * (many.high - many.low)


def test_within_a_group_it_does_not_matter_how_groups_differ() -> None:
    groups = np.repeat(np.arange(10), 5)
    hard = np.repeat(np.linspace(-50.0, 50.0, 10), 5)
    rng = np.random.default_rng(0)
    real, other = hard + rng.normal(2.0, 0.1, 50), hard + rng.normal(0.0, 0.1, 50)
    assert auc_by_group(real, other, groups, groups) == 1.0
    assert auc(real, other) < 0.7
    assert np.isnan(auc_by_group(real, other, groups, groups + 100))


@given(st.floats(0.2, 5.0), st.floats(-2.0, 2.0), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_platt_finds_what_made_the_labels(slope: float, intercept: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(-intercept / slope, 2.0 / slope, 6000)
    real = rng.random(6000) < sigmoid(slope * scores + intercept)
    found = fit_platt(scores, real)
    assert found[0] == pytest.approx(slope, rel=0.25)
    # The fit is for even chances, whatever the share of real music in the set.
    assert found[1] == pytest.approx(intercept - np.log(real.mean() / (1 - real.mean())), abs=0.5)


def test_calibration_makes_an_overconfident_critic_say_less() -> None:
    rng = np.random.default_rng(1)
    real = rng.random(4000) < 0.5
    scores = 6.0 * (rng.normal(0, 1, 4000) + 0.7 * (real - 0.5))
    slope, intercept = fit_platt(scores[:2000], real[:2000])
    said = slope * scores[2000:] + intercept
    assert log_loss(said, real[2000:]) < 0.5 * log_loss(scores[2000:], real[2000:])
    assert calibration_error(sigmoid(said), real[2000:]) < 0.05
    assert calibration_error(sigmoid(scores[2000:]), real[2000:]) > 0.2


def test_a_clean_separation_gives_no_infinite_slope_and_a_bad_critic_is_not_turned_round() -> None:
    scores, real = np.array([-2.0, -1.0, 1.0, 2.0] * 5), np.array([False, False, True, True] * 5)
    assert 0.5 < fit_platt(scores, real)[0] < 20
    assert fit_platt(scores, ~real)[0] > 0


def test_reliability_counts_every_chance_once() -> None:
    chances = np.linspace(0, 1, 101)
    bins = reliability(chances, chances > 0.5)
    assert sum(count for _, _, count in bins) == 101
    assert [share for _, share, _ in bins][:5] == [0.0] * 5


def test_log_loss_of_huge_odds_is_finite() -> None:
    assert np.isfinite(log_loss(np.array([1e4, -1e4]), np.array([True, False])))
    assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]
