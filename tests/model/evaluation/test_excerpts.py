"""Excerpts of equal length."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.errors import CorpusError
from model.evaluation.excerpts import ANY, Sample, choose_rows, cut, excerpts, style_lengths
from model.learning.corpus import Corpus
from model.notes import Note, Piece, TempoMark
from tests.model.making import tune


def test_a_cut_keeps_what_begins_in_it_and_ends_it_there() -> None:
    notes = (Note(0.0, 60, "piano", 3.0, 80), Note(1.0, 62, "piano", 9.0, 80), Note(2.5, 64, "piano", 0.5, 80))
    marks = (TempoMark(0.0, 90.0), TempoMark(0.5, 100.0), TempoMark(2.0, 110.0), TempoMark(9.0, 60.0))
    part = cut(Piece(notes, marks), 1.0, 1.5)
    assert part.notes == (Note(0.0, 62, "piano", 1.5, 80),)
    assert part.tempi == (TempoMark(0.0, 100.0), TempoMark(1.0, 110.0))


def test_excerpts_do_not_overlap_and_reach_from_the_opening_to_the_ending() -> None:
    sample = Sample("tune", "bach", tune(61.0))
    found = excerpts(sample, 20.0)
    assert [(e.opening, e.closing) for e in found] == [(True, False), (False, False), (False, True)]
    assert sum(len(e.piece.notes) for e in found) <= len(sample.piece.notes)
    assert all(e.piece.duration_s <= 20.0 + 1e-9 for e in found)


def test_a_shorter_piece_is_its_own_excerpt() -> None:
    sample = Sample("tune", "bach", tune(12.0))
    (whole,) = excerpts(sample, 20.0)
    assert whole.opening
    assert whole.closing
    assert whole.piece.notes == sample.piece.notes


def test_a_style_of_short_pieces_is_compared_by_shorter_excerpts(corpus: Corpus) -> None:
    rows = [replace(row, ticks=1500 if row.style == "bach" else 9000) for row in corpus.rows]
    assert style_lengths(rows, ["bach", "folk"], 60.0) == {"bach": 15.0, "folk": 60.0}
    assert style_lengths(rows, [ANY], 60.0)[ANY] in (15.0, 52.0, 60.0)
    with pytest.raises(CorpusError, match="no music of style 'jazz' in the corpus; it has bach, folk"):
        style_lengths(rows, ["jazz"], 60.0)


def test_held_out_pieces_come_first_and_training_pieces_fill_up(corpus: Corpus) -> None:
    rows = [replace(row, split="valid" if n < 3 else "train", style="bach") for n, row in enumerate(corpus.rows)]
    drawn = choose_rows(rows, "bach", 10.0, 5, "valid", np.random.default_rng(0))
    assert [row.split for row in drawn] == ["valid"] * 3 + ["train"] * 2
    assert len({row.path for row in drawn}) == 5
    assert choose_rows(rows, "bach", 1000.0, 5, "valid", np.random.default_rng(0)) == []
