"""Pairs of real and other music: alike in everything but who made it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.critic.corruptions import CORRUPTIONS
from model.critic.examples import Examples
from model.critic.excerpts import Pieces, Place, draw_own, vary
from model.critic.spans import Row, excerpt_of, rows_of
from model.errors import CorpusError
from model.language.vocabulary import VOCABULARY
from model.learning.corpus import Corpus
from tests.model.critic.making import excerpts, made_up


def learned(tunes: Corpus) -> Examples:
    return Examples(tunes, made_up(tunes), "train")


def test_half_of_a_batch_is_real_and_the_same_step_is_the_same_batch(tunes: Corpus) -> None:
    examples = learned(tunes)
    rows, labels = examples.batch(0, 3, 8)
    assert (len(rows), sum(labels)) == (8, 4)
    again, _ = examples.batch(0, 3, 8)
    other, _ = examples.batch(0, 4, 8)
    tokens = [[row.tokens.tolist() for row in each] for each in (rows, again, other)]
    assert tokens[0] == tokens[1]
    assert tokens[0] != tokens[2]


def test_real_and_other_rows_lie_alike(tunes: Corpus) -> None:
    """With pitches hidden nothing that is told of place or header tells real from composed."""
    examples = learned(tunes)
    told: dict[bool, list[tuple[float, ...]]] = {True: [], False: []}

    def facts(row: Row) -> tuple[float, ...]:
        context = row.context
        head = int(np.flatnonzero(row.tokens == VOCABULARY.start)[0])
        ends = VOCABULARY.end in row.tokens
        return float(ends), context.ticks[-1] / 100, context.ticks[0], context.part[0], head, context.countdown.max()

    for step in range(80):
        rows, labels = examples.batch(1, step, 4)
        for row, label in zip(rows[:2], labels[:2], strict=True):
            told[label].append(facts(row))
    real: NDArray[np.float64] = np.array(told[True], float)
    other: NDArray[np.float64] = np.array(told[False], float)
    for column in range(real.shape[1]):
        spread = np.concatenate([real[:, column], other[:, column]]).std()
        # Three standard errors of a difference of two means of 80.
        assert abs(real[:, column].mean() - other[:, column].mean()) <= 3 * spread * (2 / 80) ** 0.5 + 1e-9
    assert 0.2 < real[:, 0].mean() < 0.9, "some end their piece and some do not"


@given(st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_a_real_excerpt_lies_as_it_is_asked_to(tunes: Corpus, seed: int) -> None:
    rng = np.random.default_rng(seed)
    generation = made_up(tunes)[seed % len(tunes.rows)]
    drawn = draw_own(generation.span, rng)
    assert drawn is not None
    place, composed = drawn
    source = tunes.rows[generation.source]
    real = Pieces(tunes, ["train", "valid", "test"]).draw(place, source, rng)
    # Of the longest tune there is no part in a tune that is a little shorter.
    assume(real is not None)
    assert real is not None
    assert real.ends == composed.ends == (place.kind in ("ending", "whole"))
    assert real.header.style == source.style
    assert real.header.groups == source.groups
    if place.kind != "whole":
        # Times are brought to a tempo of the vocabulary: a tick or so is rounded off.
        assert real.length_ticks == pytest.approx(composed.length_ticks, abs=4)
    assert real.length_ticks >= 1490


def test_what_is_varied_is_the_same_music(tunes: Corpus) -> None:
    seen = Counter[str]()
    for n, whole in enumerate(excerpts(tunes)):
        found = vary(whole, np.random.default_rng(n))
        assert len(found.music) == len(whole.music)
        factor = found.length_ticks / whole.length_ticks
        assert 0.9 < factor < 1.1
        assert found.beat_ticks / whole.beat_ticks == pytest.approx(factor, rel=0.01)
        steps = set((found.music.pitches - whole.music.pitches).tolist())
        assert len(steps) == 1
        seen["moved"] += steps != {0}
        seen["stretched"] += factor != 1.0
        seen["nameless"] += found.header.style is None
    assert min(seen.values()) > 2


def test_held_out_examples_are_always_the_same_and_of_their_split(tunes: Corpus) -> None:
    examples = Examples(tunes, made_up(tunes), "test")
    found, again = examples.held_out(), examples.held_out()
    assert [e.rows[0].tokens.tolist() for e in found] == [e.rows[0].tokens.tolist() for e in again]
    assert {tunes.rows[e.group].split for e in found} == {"test"}
    kinds = Counter(e.kind for e in found)
    assert kinds["real"] == kinds["own"] > 5
    assert set(kinds) == {"real", "own", *CORRUPTIONS}
    assert {e.length for e in found} == {"15 s", "whole"}, "the tunes are of 24 s"
    assert all(e.ends for e in found if e.kind == "cut")
    assert len(examples.held_out(most=3)) < len(found)


def test_two_critics_can_learn_from_different_music(tunes: Corpus) -> None:
    everyone = learned(tunes)
    halves = [Examples(tunes, made_up(tunes), "train", half=half) for half in (0, 1)]
    sources = [{g.source for g in examples.own} for examples in (everyone, *halves)]
    assert sources[0] == sources[1] | sources[2]
    assert not sources[1] & sources[2]
    assert sources[1]
    assert sources[2]
    place = Place("opening", 1000)
    fitting = [{row.path for row in examples.pieces.fitting(place, tunes.rows[0])} for examples in halves]
    assert fitting[0] or fitting[1]
    assert not fitting[0] & fitting[1]


def test_a_split_for_which_nothing_was_composed_is_said(tunes: Corpus) -> None:
    only = [g for g in made_up(tunes) if tunes.rows[g.source].split == "train"]
    with pytest.raises(CorpusError, match="nothing was composed yet for the valid split"):
        Examples(tunes, only, "valid")


def test_no_real_piece_like_what_was_composed_is_said(tunes: Corpus) -> None:
    examples = learned(tunes)
    examples.pieces = Pieces(tunes, [])
    with pytest.raises(CorpusError, match="no real piece of the same style and length"):
        examples.batch(0, 0, 4)


def test_a_piece_is_no_longer_than_it_is(tunes: Corpus) -> None:
    assert Pieces(tunes, ["train"]).fitting(Place("opening", 100_000), tunes.rows[0]) == []


def test_a_corrupted_row_differs_from_real_music_and_has_as_much_of_it(tunes: Corpus) -> None:
    for e in Examples(tunes, made_up(tunes), "valid").held_out():
        assert all(row.scored.any() for row in e.rows)
        assert sum(len(row.tokens) for row in e.rows) > 40
    assert rows_of(excerpt_of(made_up(tunes)[0].span))
