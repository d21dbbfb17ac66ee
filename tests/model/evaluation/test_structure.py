"""Form: bars that are alike, openings that come back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.evaluation.structure import bar_similarity, best_match, similarity_by_lag, theme_recall
from model.notes import Note, Piece


def wander(seed: int, seconds: float, at_s: float = 0.0, by: int = 0) -> list[Note]:
    rng = np.random.default_rng(seed)
    onsets = np.cumsum(rng.choice([0.2, 0.3, 0.45, 0.6], int(seconds / 0.3)))
    notes = [
        Note(round(float(t), 2), int(p), "piano", 0.2, 80)
        for t, p in zip(onsets, rng.integers(50, 80, len(onsets)), strict=True)
    ]
    return [Note(n.onset_s + at_s, n.pitch + by, n.instrument, 0.2, 80) for n in notes if n.onset_s < seconds]


def piece(*parts: list[Note]) -> Piece:
    return Piece(tuple(sorted(n for part in parts for n in part)))


class TestThemeRecall:
    @given(st.integers(-12, 12), st.integers(0, 30))
    @settings(max_examples=20, deadline=None)
    def test_a_theme_that_returns_in_any_key_is_recalled_in_full(self, by: int, seed: int) -> None:
        theme = wander(seed, 8.0)
        whole = piece(theme, wander(seed + 100, 15.0, 9.0), [*wander(seed, 8.0, 31.37, by)])
        assert theme_recall(whole) == 1.0

    def test_what_never_returns_is_hardly_recalled(self) -> None:
        assert theme_recall(piece(wander(1, 8.0), wander(2, 40.0, 9.0))) < 0.5

    def test_a_player_may_be_a_little_beside_the_beat(self) -> None:
        rng = np.random.default_rng(0)
        again = [
            Note(n.onset_s + float(rng.uniform(-0.02, 0.02)), n.pitch, "piano", 0.2, 80) for n in wander(3, 8.0, 20.0)
        ]
        assert theme_recall(piece(wander(3, 8.0), again)) > 0.9

    def test_there_is_none_to_recall_in_an_opening_alone(self) -> None:
        assert math.isnan(theme_recall(piece(wander(1, 7.0))))
        assert math.isnan(theme_recall(Piece(())))

    def test_drums_recall_their_pattern_untransposed(self) -> None:
        beat = [Note(n * 0.5, (36, 38)[n % 2], "drums", 0.1, 80) for n in range(64)]
        assert theme_recall(Piece(tuple(beat))) == 1.0


class TestSelfSimilarity:
    def test_a_bar_is_itself_and_the_matrix_mirrors(self) -> None:
        alike = bar_similarity(piece(wander(1, 40.0)))
        assert np.allclose(np.diagonal(alike), 1.0)
        assert np.allclose(alike, alike.T)
        assert alike.min() >= 0.0
        assert alike.max() <= 1.0 + 1e-9

    def test_a_form_of_two_bars_is_most_alike_at_even_lags(self) -> None:
        bars = [[60, 64, 67, 72], [62, 62, 65, 69]]
        notes = [Note(2 * n + 0.5 * i, p, "piano", 0.4, 80) for n in range(16) for i, p in enumerate(bars[n % 2])]
        alike = bar_similarity(Piece(tuple(notes)))
        by_lag = similarity_by_lag(alike, 4)
        assert by_lag[1] == by_lag[3] == pytest.approx(1.0)
        assert by_lag[0] < 0.9
        assert best_match(alike) == pytest.approx(1.0)

    def test_too_few_bars_say_nothing(self) -> None:
        alike = bar_similarity(piece(wander(1, 3.0)))
        assert math.isnan(best_match(alike))
        assert np.isnan(similarity_by_lag(alike, 8)).all()
        assert bar_similarity(Piece(())).shape == (0, 0)
