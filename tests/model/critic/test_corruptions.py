"""Corruptions: each breaks what it says it breaks and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.composing.quality import measure
from model.critic.corruptions import CORRUPTIONS, cut_ending, detune, jitter, loop, shuffle_bars
from model.critic.music import Music, music_of
from model.critic.spans import Excerpt, settled
from model.language.header import Header
from model.language.tokenizer import decode, encode_body
from model.learning.corpus import Corpus, tidy
from model.notes import Note, Piece
from tests.model.critic.making import excerpts, random_piece
from tests.model.making import tune

SEEDS = st.integers(0, 10_000)


def excerpt(piece: Piece, *, prompt: int = 0, ends: bool = True) -> Excerpt:
    music = music_of(np.array(encode_body(tidy(piece)), np.int64))
    header = Header(beats_per_bar=4.0, tempo_bpm=120.0)
    return settled(Excerpt(music, header, int(music.offsets.max()), prompt, ends))


def kinds(music: Music) -> Counter[tuple[int, int, int]]:
    return Counter(zip(music.instruments.tolist(), music.levels.tolist(), music.pitches.tolist(), strict=True))


@pytest.mark.parametrize("name", CORRUPTIONS)
@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_the_prompt_is_never_touched_and_something_else_is(name: str, seed: int) -> None:
    whole = excerpt(tune(20.0, seed), prompt=600)
    broken = CORRUPTIONS[name](whole, np.random.default_rng(seed))
    assert broken is not None

    def onsets(of: Excerpt, given_: bool) -> list[tuple[int, ...]]:
        here = (of.music.onsets <= 600) == given_
        some = of.music.take(here)
        return sorted(zip(some.onsets.tolist(), some.instruments.tolist(), some.pitches.tolist(), strict=True))

    assert onsets(broken, True) == onsets(whole, True)
    assert onsets(broken, False) != onsets(whole, False)
    assert broken.prompt_ticks == 600
    assert (broken.music.onsets >= 0).all()
    assert (np.diff(broken.music.onsets) >= 0).all()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_seed_breaks_the_same_way(name: str) -> None:
    whole = excerpt(tune(20.0))
    first, again, other = (CORRUPTIONS[name](whole, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first is not None
    assert again is not None
    assert other is not None
    tokens = [each.music.tokens(5000, ends=False).tolist() for each in (first, again, other)]
    assert tokens[0] == tokens[1]
    assert tokens[0] != tokens[2]


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_shuffled_bars_have_the_same_notes_elsewhere_in_their_bars(seed: int) -> None:
    whole = excerpt(random_piece(seed))
    broken = shuffle_bars(whole, np.random.default_rng(seed))
    assert broken is not None
    assert kinds(broken.music) == kinds(whole.music)
    assert sorted((broken.music.onsets % 200).tolist()) == sorted((whole.music.onsets % 200).tolist())
    assert broken.length_ticks == whole.length_ticks


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_a_loop_is_heard_as_one(seed: int) -> None:
    whole = excerpt(tune(24.0, seed))
    broken = loop(whole, np.random.default_rng(seed))
    assert broken is not None
    # Bars of the made-up tune's accompaniment are of one to three notes: not every lag is seen.
    looped = [measure(decode(e.music.tokens(e.length_ticks, ends=True))).looped for e in (whole, broken)]
    assert looped[0] < 0.2
    assert looped[1] > 0.4


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_one_instrument_of_two_is_out_of_tune(seed: int) -> None:
    whole = excerpt(tune(20.0, seed))
    broken = detune(whole, np.random.default_rng(seed))
    assert broken is not None
    moves = set()
    for row in np.unique(whole.music.instruments):
        before = np.sort(whole.music.pitches[whole.music.instruments == row])
        after = np.sort(broken.music.pitches[broken.music.instruments == row])
        assert len(set((after - before).tolist())) == 1
        moves.add(abs(int(after[0] - before[0])))
    assert moves in ({0, 1}, {0, 2})


def test_of_one_instrument_the_upper_or_lower_half_is() -> None:
    whole = excerpt(tune(20.0, 0, ("piano",)))
    broken = detune(whole, np.random.default_rng(0))
    assert broken is not None
    moved = (np.sort(broken.music.pitches) != np.sort(whole.music.pitches)).mean()
    assert 0.1 < moved < 0.9


def test_drums_cannot_be_out_of_tune() -> None:
    beat = Piece(tuple(Note(0.5 * n, 36 + n % 3, "drums", 0.1, 96) for n in range(60)))
    assert detune(excerpt(beat), np.random.default_rng(0)) is None


@given(SEEDS, st.booleans())
@settings(max_examples=20, deadline=None)
def test_a_cut_piece_is_called_finished_where_it_is_not(seed: int, ends: bool) -> None:
    whole = excerpt(tune(20.0, seed), ends=ends)
    broken = cut_ending(whole, np.random.default_rng(seed))
    assert broken is not None
    assert broken.ends
    assert (broken.music.offsets <= broken.length_ticks).all()
    assert broken.length_ticks <= whole.length_ticks * (0.9 if ends else 1.0) + 1


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_jittered_notes_are_the_same_and_only_a_little_beside(seed: int) -> None:
    whole = excerpt(tune(20.0, seed))
    broken = jitter(whole, np.random.default_rng(seed))
    assert broken is not None
    assert kinds(broken.music) == kinds(whole.music)
    beside = np.abs(np.sort(broken.music.onsets) - np.sort(whole.music.onsets))
    assert 0.5 < beside.mean() < 15


def test_what_is_too_short_is_left_alone(tunes: Corpus) -> None:
    whole = next(excerpts(tunes))
    short = replace(whole, music=whole.music.take(whole.music.onsets < 80), length_ticks=80)
    assert [corruption(short, np.random.default_rng(0)) for corruption in CORRUPTIONS.values()] == [None] * 5
