"""Measures of an excerpt."""

from __future__ import annotations

import math

import numpy as np
import pytest

from model.evaluation.measures import FEATURES, features, groove_consistency
from model.notes import Note, Piece, TempoMark
from tests.model.making import tune


def row(pitches: list[int], step_s: float = 0.5, instrument: str = "piano") -> Piece:
    return Piece(tuple(Note(n * step_s, p, instrument, step_s, 80) for n, p in enumerate(pitches)))


def test_every_measure_has_its_shape_and_is_a_number() -> None:
    found = features(tune(30.0), opening=True)
    assert found.keys() == {f.key for f in FEATURES}
    for feature in FEATURES:
        assert found[feature.key].shape == (max(1, len(feature.bins)),)
        assert np.isfinite(found[feature.key]).all(), feature.key


def test_histograms_are_shares() -> None:
    found = features(tune(30.0), opening=True)
    for key in ("inter_onset", "durations", "groups"):
        assert found[key].sum() == pytest.approx(1.0)


def test_form_is_measured_of_openings_only() -> None:
    found = features(tune(30.0), opening=False)
    for feature in FEATURES:
        assert np.isnan(found[feature.key]).all() == feature.structure


def test_a_diatonic_tune_lies_in_a_scale_and_a_chromatic_one_does_not() -> None:
    c_major = [60, 62, 64, 65, 67, 69, 71] * 4
    assert features(row(c_major), opening=False)["scale_consistency"][0] == 1.0
    moved = features(row([p + 5 for p in c_major]), opening=False)["scale_consistency"][0]
    assert moved == 1.0, "any tonic"
    chromatic = features(row(list(range(60, 72))), opening=False)
    assert chromatic["scale_consistency"][0] == pytest.approx(7 / 12)
    assert chromatic["pitch_class_entropy"][0] == pytest.approx(math.log2(12))


def test_drums_have_neither_key_nor_lengths() -> None:
    found = features(row([36, 38, 42] * 10, instrument="drums"), opening=False)
    for key in ("pitch_class_entropy", "scale_consistency", "durations"):
        assert np.isnan(found[key]).all()
    assert found["density"][0] > 0


def test_the_same_bar_over_and_over_is_all_groove() -> None:
    steady = row([60] * 64)
    assert groove_consistency(steady) == 1.0
    odd = Piece(tuple(n for i, n in enumerate(steady.notes) if i % 16 < 8))
    assert groove_consistency(odd) < 0.9, "bars of four strokes and empty bars"
    assert math.isnan(groove_consistency(row([60, 62])))


def test_groove_follows_the_tempo() -> None:
    slow = Piece(row([60] * 64, 1.0).notes, (TempoMark(0.0, 60.0),))
    assert groove_consistency(slow) == 1.0


def test_intervals_fall_into_their_half_octaves() -> None:
    found = features(row([60, 62, 64, 65] * 8, 0.16), opening=False)["inter_onset"]
    feature = next(f for f in FEATURES if f.key == "inter_onset")
    assert found[feature.bins.index("160 ms")] == pytest.approx(1.0)
