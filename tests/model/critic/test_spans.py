"""Spans: judged by one rule, whoever made the music and wherever it was cut from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from model.composing.candidate import Candidate
from model.composing.sampler import Sampler
from model.composing.settings import Settings
from model.critic.excerpts import of_piece, of_span
from model.critic.music import music_of
from model.critic.spans import Excerpt, Span, excerpt_of, rows_of, settled, span_of, stack
from model.language.context import Context
from model.language.header import Header
from model.language.tokenizer import encode_body
from model.language.vocabulary import TICKS_PER_SECOND, VOCABULARY
from model.learning.corpus import Corpus
from tests.model.making import SHORT_SIGHTED, lively, tune

HEADER = Header("bach", ("piano", "strings"), beats_per_bar=4.0, tempo_bpm=120.0)


def body(seconds: float = 20.0, seed: int = 0) -> NDArray[np.int64]:
    return np.array(encode_body(tune(seconds, seed)), np.int64)


class TestNothingTellsWhereASpanWasCutFrom:
    def test_the_same_bars_at_the_beginning_and_far_on_are_the_same_rows(self) -> None:
        music = music_of(body())
        here = Excerpt(music, HEADER, 2000)
        later = Excerpt(music.moved(43_210), HEADER, 2000 + 43_210)
        (first,), (second,) = rows_of(here), rows_of(later)
        assert first.tokens.tolist() == second.tokens.tolist()
        for field in Context._fields:
            assert np.array_equal(getattr(first.context, field), getattr(second.context, field))

    def test_real_music_and_the_same_music_composed_are_the_same_rows(self, tunes: Corpus) -> None:
        row = tunes.rows[0]
        real = of_piece(tunes, row, 700, 1200)
        whole = settled(of_piece(tunes, row, 0, row.ticks))
        span = Span(whole.music.tokens(whole.length_ticks, ends=True), whole.header, 0, True)
        composed = of_span(span, 700, 1200)
        assert len(real.music) > 20
        assert rows_of(real)[0].tokens.tolist() == rows_of(composed)[0].tokens.tolist()

    def test_the_countdown_is_heard_only_where_the_piece_ends(self) -> None:
        music = music_of(body())
        (on,) = rows_of(Excerpt(music, HEADER, 2000, 0, False))
        (end,) = rows_of(Excerpt(music, HEADER, 2000, 0, True))
        assert (on.context.countdown == 127).all()
        assert end.context.countdown[-1] == 0
        assert VOCABULARY.end in end.tokens
        assert VOCABULARY.end not in on.tokens

    def test_how_a_wait_was_split_and_in_which_order_notes_ended_is_forgotten(self) -> None:
        tokens = body().tolist()
        wait = next(n for n, t in enumerate(tokens) if VOCABULARY.wait_ticks[t] > 10)
        ticks = int(VOCABULARY.wait_ticks[tokens[wait]])
        first = VOCABULARY.first_wait - 1
        otherwise = [*tokens[:wait], first + 4, first + ticks - 4, *tokens[wait + 1 :]]
        rows = [rows_of(excerpt_of(Span(np.array(t), HEADER, 0, True)))[0] for t in (tokens, otherwise)]
        assert rows[0].tokens.tolist() == rows[1].tokens.tolist()

    def test_what_was_wished_for_is_not_told(self) -> None:
        wished = replace(HEADER, key="C_major", notes_per_second=9.0, velocity=100.0, given=True)
        rows = [rows_of(excerpt_of(Span(body(), header, 0, True)))[0] for header in (HEADER, wished)]
        assert rows[0].tokens.tolist() == rows[1].tokens.tolist()

    def test_a_tempo_that_changes_becomes_one_and_beats_keep_their_notes(self, tunes: Corpus) -> None:
        row = tunes.rows[0]
        excerpt = of_piece(tunes, row, 0, row.ticks)
        assert excerpt.header.tempo_bpm == 120.0
        # The tune's melody is in half beats.
        melody = excerpt.music.take(excerpt.music.pitches >= 72)
        assert len(melody) > 10
        assert set((melody.onsets % 25).tolist()) == {0}


class TestWhatIsScored:
    def test_header_prompt_and_padding_are_not(self) -> None:
        tokens = body()
        given = 60
        (row,) = rows_of(excerpt_of(Span(tokens, HEADER, given, True)))
        head = len(HEADER.tokens())
        until = int(np.cumsum(VOCABULARY.wait_ticks[tokens])[given - 1])
        assert not row.scored[:head].any()
        assert row.scored[-1]
        assert (row.context.ticks[row.scored] > until).all()
        # Every note that was given is before, every other after.
        struck = VOCABULARY.velocity_of > 0
        later = tokens[np.cumsum(VOCABULARY.wait_ticks[tokens]) > until]
        assert struck[row.tokens[row.scored]].sum() == struck[later].sum()
        (short,) = rows_of(excerpt_of(Span(body(8.0), HEADER, 0, True)))
        batch = stack([row, short])
        assert batch.tokens.shape == batch.scored.shape
        assert not batch.scored[1, len(short.tokens) :].any()

    def test_a_span_that_is_all_prompt_has_no_rows(self) -> None:
        tokens = body(8.0)
        assert rows_of(excerpt_of(Span(tokens, HEADER, len(tokens), True))) == []
        assert rows_of(excerpt_of(Span(tokens[:0], HEADER))) == []


class TestLongSpans:
    def test_are_rows_that_hold_every_note_once(self) -> None:
        excerpt = settled(excerpt_of(Span(body(60.0), HEADER, 0, True)))
        rows = rows_of(excerpt, 200)
        assert len(rows) > 3
        assert all(len(row.tokens) <= 200 for row in rows)
        struck = sum(int((VOCABULARY.velocity_of[row.tokens] > 0).sum()) for row in rows)
        assert struck == len(excerpt.music)
        assert [VOCABULARY.end in row.tokens for row in rows] == [False] * (len(rows) - 1) + [True]
        assert all(row.context.ticks[0] == 0 for row in rows)

    def test_are_told_their_header_in_every_row(self) -> None:
        head = HEADER.tokens()
        rows = rows_of(excerpt_of(Span(body(60.0), HEADER, 0, True)), 200)
        assert all(row.tokens[: len(head)].tolist() == head for row in rows)


@pytest.fixture(name="drawn", scope="module")
def _drawn() -> tuple[Candidate, Settings]:
    opening = tuple(encode_body(tune(4.0))[:-1])
    settings = Settings(16.0, ("piano", "violin"), HEADER, opening=opening, candidates=1, seed=3)
    return Sampler(lively(SHORT_SIGHTED)).draw(settings)[0], settings


class TestACandidateAsASpan:
    def test_it_is_whole_with_its_opening_as_prompt(self, drawn: tuple[Candidate, Settings]) -> None:
        candidate, settings = drawn
        span = span_of(candidate, settings.header)
        assert span.ends
        assert span.prompt_tokens == len(settings.opening)
        assert span.header == HEADER

    def test_cut_by_time_it_stops_there_and_does_not_end(self, drawn: tuple[Candidate, Settings]) -> None:
        candidate, settings = drawn
        span = span_of(candidate, settings.header, 0.0, 10.0)
        assert VOCABULARY.wait_ticks[span.tokens].sum() <= 10 * TICKS_PER_SECOND
        assert not span.ends
        later = span_of(candidate, settings.header, 8.0)
        assert later.prompt_tokens == 0
        assert later.ends
