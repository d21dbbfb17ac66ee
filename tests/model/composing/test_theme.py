"""Themes: what returns is found, and brought back note for note."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.composing.candidate import Candidate
from model.composing.grammar import Grammar
from model.composing.theme import bring_back, find_theme
from model.evaluation.structure import theme_recall
from model.language.context import Clock
from model.language.header import Header
from model.language.tokenizer import decode, encode_body, wait_tokens
from model.language.vocabulary import VOCABULARY
from model.notes import Note, Piece, TempoMark
from tests.model.making import tune


def moved(piece: Piece, seconds: float, interval: int = 0) -> tuple[Note, ...]:
    return tuple(replace(n, onset_s=n.onset_s + seconds, pitch=n.pitch + interval) for n in piece.notes)


def test_the_bars_that_return_are_the_theme() -> None:
    # Bars of 2 s at 120: an upbeat bar of its own, then 8 s that come again at 20 s, a third higher.
    theme = tune(8.0, 1)
    first = Piece(tuple(Note(k * 0.25, 90 + k % 3, "piano", 0.2, 80) for k in range(8)))
    rest = tune(6.0, 5)
    notes = (*first.notes, *moved(theme, 2.0), *moved(rest, 10.0), *moved(theme, 20.0, 4))
    piece = Piece(tuple(sorted(notes)), (TempoMark(0.0, 120.0),))
    assert find_theme(piece, 0.0, 30.0) == (2.0, 10.0)


def test_without_any_return_it_is_the_beginning() -> None:
    begin, end = find_theme(tune(30.0, 2), 0.0, 30.0) or (-1.0, -1.0)
    assert begin <= 4.0
    assert 5.0 <= end - begin <= 16.0


def test_too_few_notes_are_no_theme() -> None:
    assert find_theme(Piece((Note(0.0, 60, "piano", 1.0, 80), Note(2.0, 62, "piano", 1.0, 80))), 0.0, 20.0) is None


def grown(piece: Piece, until_tick: int) -> Candidate:
    """Return a candidate that has played a piece up to a bar line."""
    candidate = Candidate(Header(tempo_bpm=120.0).tokens(), Grammar(("piano", "violin"), 6000), Clock(6000, bpm=120.0))
    for token in encode_body(piece)[:-1]:
        candidate.take(token)
    for token in wait_tokens(until_tick - candidate.clock.tick):
        candidate.take(token)
    return candidate


@pytest.mark.parametrize("varied", [False, True])
def test_it_comes_back_note_for_note_on_the_bar_line(varied: bool) -> None:
    piece = tune(20.0, 3)
    candidate = grown(piece, 2400)
    begin, end = find_theme(piece, 0.0, 20.0) or (0.0, 0.0)
    assert bring_back(candidate, 0.0, 20.0, varied=varied)
    lasts = (end - begin) / (2 if varied else 1)
    assert candidate.clock.tick == 2400 + round(100 * lasts)
    again = [n for n in decode(candidate.head + candidate.tokens).notes if n.onset_s >= 24.0 - 0.005]
    own = [n for n in piece.notes if begin <= n.onset_s < begin + lasts]
    assert [(round(n.onset_s - 24.0 + begin, 2), n.pitch, n.instrument) for n in again] == [
        (round(n.onset_s, 2), n.pitch, n.instrument) for n in own
    ]
    # Nothing of it hangs over the place where the composing goes on.
    assert max(n.offset_s for n in again) <= 24.0 + lasts + 0.005
    assert not candidate.grammar.sounding


def test_what_sounded_is_ended_before() -> None:
    candidate = grown(tune(20.0, 3), 2400)
    candidate.take(VOCABULARY.id("violin:v80:C6"))
    assert bring_back(candidate, 0.0, 20.0, varied=False)
    notes = decode(candidate.head + candidate.tokens).notes
    assert all(n.offset_s <= 24.0 for n in notes if (n.pitch, n.onset_s) == (84, 24.0))


def test_a_theme_that_would_not_fit_before_the_end_stays_away() -> None:
    candidate = grown(tune(20.0, 3), 2400)
    candidate.clock.length_ticks = 2600
    before = list(candidate.tokens)
    assert not bring_back(candidate, 0.0, 20.0, varied=False)
    assert candidate.tokens == before


def test_what_is_brought_back_is_recalled() -> None:
    candidate = grown(tune(20.0, 4), 3000)
    before = theme_recall(decode(candidate.head + candidate.tokens))
    assert bring_back(candidate, 0.0, 20.0, varied=False)
    assert theme_recall(decode(candidate.head + candidate.tokens)) > before + 0.3
