"""Training batches: pure functions of seed and step, their headers and weights where they belong."""

from __future__ import annotations

import numpy as np
import pytest

from model.errors import CorpusError
from model.language.sounding import PITCHES, SOUNDING
from model.language.vocabulary import VOCABULARY
from model.learning.corpus import Corpus
from model.learning.windows import PLAIN, Batch, Recipe, Windows

LENGTH = 256
HEADER = set(range(VOCABULARY.first_wait)) - {
    VOCABULARY.pad, VOCABULARY.end, *(VOCABULARY.ids[f"tempo{b}"] for b in range(20, 252, 2)),
}  # fmt: skip


def windows(corpus: Corpus, *, seed: int = 0, recipe: Recipe | None = None, rows: int = 4) -> Windows:
    return Windows(corpus, "train", tokens=LENGTH, rows=rows, seed=seed, recipe=recipe or Recipe())


def alike(one: Batch, other: Batch) -> bool:
    arrays = [(b.tokens, b.targets, b.weights, *b.context) for b in (one, other)]
    return all(np.array_equal(a, b) for a, b in zip(*arrays, strict=True))


@pytest.fixture(name="batch", params=[PLAIN, Recipe(given=0)], ids=["plain", "varied"])
def _batch(corpus: Corpus, request: pytest.FixtureRequest) -> Batch:
    return windows(corpus, recipe=request.param, rows=16).batch(3)


def test_a_batch_is_the_same_whoever_asks_and_whatever_was_asked_before(corpus: Corpus) -> None:
    first, second = windows(corpus), windows(corpus)
    second.batch(0)
    assert alike(first.batch(7), second.batch(7))


def test_another_step_or_seed_is_another_batch(corpus: Corpus) -> None:
    batch = windows(corpus).batch(7)
    assert not alike(batch, windows(corpus).batch(8))
    assert not alike(batch, windows(corpus, seed=1).batch(7))


def test_all_arrays_are_of_one_shape_and_in_the_ranges_of_their_tables(batch: Batch) -> None:
    for array in (batch.tokens, batch.targets, batch.weights, *batch.context):
        assert array.shape[:2] == (16, LENGTH)
    assert batch.context.sounding.shape == (16, LENGTH, SOUNDING)
    assert batch.context.given.shape == (16, LENGTH)
    assert 0 <= batch.tokens.min() <= batch.tokens.max() < len(VOCABULARY)
    for field, below in ((batch.context.chord, 32), (batch.context.part, 128), (batch.context.countdown, 128)):
        assert 0 <= field.min() <= field.max() < below


def test_targets_are_the_tokens_that_follow(batch: Batch) -> None:
    np.testing.assert_array_equal(batch.tokens[:, 1:], batch.targets[:, :-1])


def test_every_window_begins_with_a_header_and_a_row_holds_several(batch: Batch) -> None:
    starts = (batch.tokens == VOCABULARY.start).sum(axis=1)
    assert starts.min() >= 1
    assert np.isin(batch.tokens[:, 0], list(HEADER)).all()


def test_music_and_its_tempo_count_headers_and_padding_do_not(batch: Batch) -> None:
    silent = np.isin(batch.targets, [*HEADER, VOCABULARY.pad])
    np.testing.assert_array_equal(batch.weights, np.where(silent, 0.0, 1.0))
    assert silent.any()


def test_padding_is_only_at_the_end_and_short(corpus: Corpus) -> None:
    for step in range(8):
        for row in windows(corpus).batch(step).tokens:
            padded = np.flatnonzero(row == VOCABULARY.pad)
            assert len(padded) < 48
            assert len(padded) == 0 or padded[0] == LENGTH - len(padded)


def test_a_header_stands_where_its_music_begins(corpus: Corpus) -> None:
    batch = windows(corpus, recipe=PLAIN, rows=16).batch(0)
    late = 0
    for n, row in enumerate(batch.tokens):
        after = int(np.flatnonzero(row == VOCABULARY.start)[0]) + 1
        # A plain header says the tempo after `start`.
        assert VOCABULARY.tempo_of(int(row[after])) == 120
        body = after + 1
        for field in (batch.context.ticks, batch.context.beats, batch.context.part, batch.context.countdown):
            assert len(set(field[n, :body].tolist())) == 1
        began = batch.context.ticks[n, body] - VOCABULARY.wait_ticks[row[body]]
        assert batch.context.ticks[n, 0] == began
        assert set(batch.context.chord[n, :body].tolist()) == {0}
        # Nothing is told of the first note before it is said.
        if VOCABULARY.velocity_of[row[body]] > 0:
            pitch = VOCABULARY.pitch_of[row[body]]
            assert batch.context.sounding[n, body, pitch] == 1.0
            assert batch.context.sounding[n, body - 1, PITCHES + pitch] < 1.0
        late += int(began > 0)
    assert late, "no window began in the midst of a piece"


def test_time_passes_by_the_waits_and_beats_with_it(corpus: Corpus) -> None:
    batch = windows(corpus, recipe=PLAIN, rows=8).batch(0)
    for n, row in enumerate(batch.tokens):
        # One window: from its first music to the next header, or the end of the row.
        starts = np.flatnonzero(row == VOCABULARY.start)
        ends = np.flatnonzero(np.isin(row, [VOCABULARY.end, VOCABULARY.pad]))
        body = slice(int(starts[0]) + 2, int(ends[0]) if len(ends) else LENGTH)
        ticks, beats = batch.context.ticks[n, body], batch.context.beats[n, body]
        assert len(ticks) > 20
        np.testing.assert_array_equal(np.diff(ticks), VOCABULARY.wait_ticks[row[body]][1:])
        np.testing.assert_allclose(beats, ticks / 50, rtol=1e-5)


def test_windows_of_a_plain_batch_are_stretches_of_the_corpus(corpus: Corpus) -> None:
    everything = "," + ",".join(map(str, corpus.tokens)) + ","
    for row in windows(corpus, recipe=PLAIN).batch(5).tokens:
        for start in np.flatnonzero(row == VOCABULARY.start).tolist():
            music = row[start + 2 : start + 22]
            assert "," + ",".join(map(str, music)) + "," in everything


def test_words_of_the_header_are_left_out_by_chance(corpus: Corpus) -> None:
    styles = [VOCABULARY.id("bach"), VOCABULARY.id("folk")]
    told = [bool(np.isin(row, styles).any()) for step in range(10) for row in windows(corpus).batch(step).tokens]
    assert any(told)
    assert not all(told)
    always = windows(corpus, recipe=PLAIN).batch(0).tokens
    assert np.isin(always, styles).any(axis=1).all()


def test_styles_with_little_music_are_heard_more_than_their_share(corpus: Corpus) -> None:
    even = Windows(corpus, "train", tokens=LENGTH, rows=1, seed=0, recipe=Recipe(balance=0.0))
    np.testing.assert_allclose(np.diff(even.share, prepend=0.0), 0.5)


def test_a_split_without_pieces_is_refused(corpus: Corpus) -> None:
    corpus.split("train")
    with pytest.raises(CorpusError, match="no pieces in its nowhere split"):
        Windows(corpus, "nowhere", tokens=LENGTH, rows=1, seed=0, recipe=PLAIN)
