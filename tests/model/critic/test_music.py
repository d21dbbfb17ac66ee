"""Music as columns: the same music as tokens say, brought to the form that composed music has."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from model.composing.grammar import MOST_AT_ONCE, MOST_SOUNDING, Grammar
from model.critic.music import Music, blur, music_of, ring_out, tame
from model.instruments import BY_NAME
from model.language.tokenizer import encode_body
from model.language.vocabulary import VOCABULARY
from model.learning.corpus import tidy
from model.notes import Piece
from tests.model.critic.making import random_piece
from tests.model.making import tune

SEEDS = st.integers(0, 10_000)


def read(piece: Piece) -> Music:
    return music_of(np.array(encode_body(piece), np.int64))


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_tokens_come_back_as_they_were(seed: int) -> None:
    tokens = np.array(encode_body(tidy(random_piece(seed))), np.int64)
    music = music_of(tokens)
    assert music.tokens(int(music.offsets.max()), ends=True).tolist() == tokens.tolist()


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_tame_music_is_what_the_composers_grammar_allows(seed: int) -> None:
    music = ring_out(tame(read(random_piece(seed, 12.0)), 50.0))
    music = music.moved(-int(music.onsets[0]))
    length = int(music.offsets.max())
    grammar = Grammar(tuple(BY_NAME), length)
    ends_late = 0
    for token in music.tokens(length, ends=True):
        # The grammar ends what is too old before anything else; here it is ended in the order of pitch.
        if not grammar.mask()[token]:
            assert VOCABULARY.velocity_of[token] == 0
            ends_late += 1
        grammar.feed(int(token))
    assert grammar.ended
    assert len(music) > 20
    assert ends_late < len(music) / 4


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_taming_twice_is_taming_once(seed: int) -> None:
    once = tame(read(random_piece(seed)), 50.0)
    twice = tame(once, 50.0)
    assert once.tokens(10_000, ends=False).tolist() == twice.tokens(10_000, ends=False).tolist()


def test_only_so_many_notes_sound_and_begin_at_once() -> None:
    many = np.arange(40)
    notes = Music(np.zeros(40, np.int64), np.full(40, 400), np.zeros(40, np.int64), np.full(40, 8), 40 + many)
    assert len(tame(notes, 50.0)) == MOST_SOUNDING
    drums = Music(
        np.zeros(30, np.int64), np.zeros(30, np.int64), np.full(30, len(BY_NAME) - 1), np.full(30, 2), 35 + many[:30]
    )
    assert len(tame(drums, 50.0)) == MOST_AT_ONCE


def test_of_a_long_silence_whole_beats_are_left_out() -> None:
    music = read(tune(8.0))
    late = music.take(music.onsets >= 400).moved(1000)
    early = music.take(music.onsets < 400)
    columns = zip(
        (early.onsets, early.offsets, early.instruments, early.levels, early.pitches),
        (late.onsets, late.offsets, late.instruments, late.levels, late.pitches),
        strict=True,
    )
    found = tame(Music(*(np.concatenate(pair) for pair in columns)), 50.0)
    gap = int(found.onsets[len(early)] - found.offsets[: len(early)].max())
    assert 150 <= gap <= 200
    assert (int(found.onsets[len(early)]) - int(late.onsets[0])) % 50 == 0
    assert len(found) == len(music)


def test_the_last_notes_ring_as_long_as_a_composers_must() -> None:
    music = read(tune(8.0))
    found = ring_out(music)
    assert found.offsets.max() >= found.onsets[-1] + 80
    assert (found.onsets == music.onsets).all()


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_blurred_music_is_the_same_a_tick_or_so_beside_and_always_the_same_way(seed: int) -> None:
    music = tame(read(tune(20.0, seed)), 50.0)
    found = blur(music)
    assert found.tokens(2000, ends=False).tolist() == blur(music).tokens(2000, ends=False).tolist()
    assert len(found) == len(music)
    assert found.onsets[0] == 0
    assert 0.2 < np.abs(found.onsets - music.onsets).mean() < 2
    # Chords stay chords.
    assert len(np.unique(found.onsets)) <= len(np.unique(music.onsets))
    prompted = blur(music, 500)
    assert (prompted.onsets <= 500).sum() == (music.onsets <= 500).sum()
