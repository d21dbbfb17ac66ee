"""Given notes: told ahead of time, heard on time, never to be guessed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.instruments import INSTRUMENTS
from model.language.context import beats_at
from model.language.given import AHEAD_TICKS, Pairs, Woven, choose, pair, weave
from model.language.sounding import PITCHES
from model.language.tokenizer import encode_body
from model.language.vocabulary import MAX_WAIT_TICKS, VOCABULARY
from model.learning.corpus import Corpus, tidy
from model.learning.windows import PLAIN, Recipe, Windows
from tests.model.making import tune

Row = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
DRUMS = len(INSTRUMENTS) - 1


def row(seed: int) -> Row:
    piece = tidy(tune(24.0, seed, ("piano", "violin")))
    tokens = np.array(encode_body(piece), np.int64)
    ticks = np.cumsum(VOCABULARY.wait_ticks[tokens])
    return tokens, ticks, beats_at(ticks, piece.tempi)


def woven(seed: int, *, before: int = 0, whole: bool = True) -> tuple[Row, Pairs, NDArray[np.bool_], Woven]:
    music = row(seed)
    notes = pair(music[0])
    rng = np.random.default_rng(seed)
    given = choose(rng, music[0], music[1], notes)
    while given.all() or not given.any():
        given = choose(rng, music[0], music[1], notes)
    length = int(music[1][-1])
    return music, notes, given, weave(*music, given, notes, before=before, length_ticks=length, whole=whole)


def struck(tokens: NDArray[np.int64], ticks: NDArray[np.int64]) -> list[tuple[int, int]]:
    return sorted((int(t), int(w)) for t, w in zip(tokens, ticks, strict=True) if VOCABULARY.wait_ticks[t] == 0)


@pytest.mark.parametrize("seed", range(12))
def test_the_music_is_the_same_when_given_notes_are_heard_where_they_belong(seed: int) -> None:
    (tokens, ticks, _), _, _, found = woven(seed)
    assert struck(found.tokens, found.context.ticks) == struck(tokens, ticks)


@pytest.mark.parametrize("seed", range(12))
def test_a_given_note_is_told_four_seconds_ahead_or_at_the_start(seed: int) -> None:
    (tokens, _, _), notes, given, found = woven(seed)
    now = np.cumsum(VOCABULARY.wait_ticks[found.tokens])
    told = found.context.given == 1
    assert np.array_equal(now[~told], found.context.ticks[~told])
    ahead = found.context.ticks[told] - now[told]
    assert np.all((ahead == AHEAD_TICKS) | (now[told] == 0))
    assert np.all(ahead >= 0)
    ended = (notes.off < len(tokens)) & (VOCABULARY.instrument_of[tokens[notes.on]] != DRUMS)
    assert int(told.sum()) == int(given.sum()) + int((given & ended).sum())


@pytest.mark.parametrize("seed", range(12))
def test_what_is_given_is_not_learned_and_what_is_composed_is(seed: int) -> None:
    _, _, _, found = woven(seed)
    told = found.context.given == 1
    assert not found.counts[told].any()
    assert found.counts[~told].all()
    waits = VOCABULARY.wait_ticks[found.tokens] > 0
    assert np.array_equal(found.labels[~waits], found.tokens[~waits])


def test_a_wait_cut_short_by_a_given_note_is_learned_in_full() -> None:
    cut = 0
    for seed in range(12):
        _, _, _, found = woven(seed)
        now = np.cumsum(VOCABULARY.wait_ticks[found.tokens])
        own = now[(found.context.given == 0) & (VOCABULARY.wait_ticks[found.tokens] == 0)]
        for n in np.flatnonzero(VOCABULARY.wait_ticks[found.tokens] > 0):
            since = int(now[n] - VOCABULARY.wait_ticks[found.tokens[n]])
            apart = int(own[own > since].min()) - since
            assert VOCABULARY.wait_ticks[found.labels[n]] == min(MAX_WAIT_TICKS, apart)
            cut += int(found.labels[n] != found.tokens[n])
    assert cut > 50


@pytest.mark.parametrize("seed", range(6))
def test_a_given_note_sounds_from_its_time_on_and_a_composed_one_from_its_token_on(seed: int) -> None:
    (tokens, ticks, _), notes, given, found = woven(seed)
    now = np.cumsum(VOCABULARY.wait_ticks[found.tokens])
    own: set[int] = set()
    for n, token in enumerate(found.tokens.tolist()):
        if found.context.given[n] == 0 and VOCABULARY.pitch_of[token] >= 0:
            key = int(VOCABULARY.instrument_of[token]) * PITCHES + int(VOCABULARY.pitch_of[token])
            (own.add if VOCABULARY.velocity_of[token] > 0 else own.discard)(key)
        heard = {key % PITCHES for key in own}
        for on, off in zip(notes.on[given].tolist(), notes.off[given].tolist(), strict=True):
            if ticks[on] <= now[n] < ticks[off]:
                heard.add(int(VOCABULARY.pitch_of[tokens[on]]))
        assert set(np.flatnonzero(found.context.sounding[n, :PITCHES]).tolist()) == heard


@pytest.mark.parametrize("seed", range(6))
def test_a_window_knows_its_preroll_and_nothing_beyond_its_end(seed: int) -> None:
    (tokens, ticks, _), _, _, found = woven(seed, before=40, whole=False)
    here = found.before
    now = np.cumsum(VOCABULARY.wait_ticks[found.tokens])
    assert struck(found.tokens[:here], found.context.ticks[:here]) == struck(tokens[:40], ticks[:40])
    assert now[-1] <= ticks[-1] - AHEAD_TICKS
    assert found.context.ticks[here:].min() >= ticks[39]
    expected = [pair for pair in struck(tokens[40:], ticks[40:]) if pair[1] <= now[-1]]
    assert [pair for pair in struck(found.tokens[here:], found.context.ticks[here:]) if pair[1] <= now[-1]] == expected


def test_voices_tracks_and_spans_are_all_chosen() -> None:
    tokens, ticks, _ = row(0)
    notes = pair(tokens)
    onsets, instruments = ticks[notes.on], VOCABULARY.instrument_of[tokens[notes.on]]
    tracks = spans = voices = 0
    for seed in range(80):
        given = choose(np.random.default_rng(seed), tokens, ticks, notes)
        if not given.any() or given.all():
            continue
        by_track = {int(i): set(given[instruments == i].tolist()) for i in np.unique(instruments)}
        if all(len(v) == 1 for v in by_track.values()):
            tracks += 1
        elif (
            not given[(onsets < onsets[given].min()) | (onsets > onsets[given].max())].any()
            and given[(onsets >= onsets[given].min()) & (onsets <= onsets[given].max())].all()
        ):
            spans += 1
        else:
            voices += 1
    assert min(tracks, spans, voices) > 3


def test_windows_with_given_notes_say_so_and_the_others_do_not(corpus: Corpus) -> None:
    word = VOCABULARY.id("given")
    always = Windows(corpus, "train", tokens=256, rows=16, seed=0, recipe=Recipe(given=1.0)).batch(0)
    assert (always.tokens == word).any(axis=1).all()
    assert 0.1 < always.context.given.mean() < 0.9
    assert not always.weights[:, :-1][always.context.given[:, 1:] == 1].any()
    never = Windows(corpus, "train", tokens=256, rows=16, seed=0, recipe=PLAIN).batch(0)
    assert not (never.tokens == word).any()
    assert not never.context.given.any()


def test_a_window_too_short_to_lose_its_end_has_nothing_given(corpus: Corpus) -> None:
    short = Windows(corpus, "train", tokens=64, rows=8, seed=0, recipe=Recipe(given=1.0))
    for step in range(12):
        batch = short.batch(step)
        assert (batch.weights.sum(axis=1) > 0).all()
        assert batch.context.sounding.shape[:2] == batch.tokens.shape
