"""Endings, and what is wrong with single notes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.evaluation.endings import common_pitches, find_ending, find_faults
from model.evaluation.excerpts import Sample
from model.instruments import BY_NAME, INSTRUMENTS
from model.learning.corpus import Corpus
from model.notes import Note, Piece
from tests.model.making import tune

SCALE = [60, 62, 64, 65, 67, 69, 71, 72]
BOUNDS = np.array([(i.low, i.high) for i in INSTRUMENTS])


def sung(*last: Note) -> Piece:
    """Return a scale in C major, twice, a note each half second, and what comes last, from 8 s on."""
    notes = [Note(n * 0.5, p, "piano", 0.5, 80) for n, p in enumerate(SCALE * 2)]
    return Piece(tuple(sorted([*notes, *last])))


def chord(*pitches: int, at_s: float = 8.0, seconds: float = 2.0) -> list[Note]:
    return [Note(at_s, p, "piano", seconds, 80) for p in pitches]


def test_a_long_tonic_chord_is_a_proper_ending() -> None:
    ending = find_ending(sung(*chord(48, 60, 64)))
    assert ending is not None
    assert ending.released
    assert ending.whole
    assert ending.longer
    assert ending.tonic
    assert ending.proper


def test_music_that_is_cut_off_does_not_end() -> None:
    ending = find_ending(sung(*chord(50, 65, seconds=0.05)))
    assert ending is not None
    assert not ending.whole
    assert not ending.proper


def test_neither_long_nor_tonic_is_no_ending() -> None:
    ending = find_ending(sung(*chord(50, 65, seconds=0.5)))
    assert ending is not None
    assert ending.whole
    assert not ending.proper


def test_a_short_last_note_on_the_tonic_is_one() -> None:
    ending = find_ending(sung(*chord(48, seconds=0.5)))
    assert ending is not None
    assert not ending.longer
    assert ending.tonic
    assert ending.proper


def test_what_is_left_hanging_is_not_released() -> None:
    ending = find_ending(sung(Note(7.0, 43, "organ", 9.0, 80), *chord(60, 64)))
    assert ending is not None
    assert not ending.released


def test_drums_alone_have_no_ending_to_look_at() -> None:
    assert find_ending(Piece((Note(0.0, 36, "drums", 0.1, 80),))) is None


def test_common_pitches_lie_within_what_instruments_play(corpus: Corpus) -> None:
    bounds = common_pitches(corpus)
    assert bounds.shape == (len(INSTRUMENTS), 2)
    assert (bounds[:, 0] <= bounds[:, 1]).all()
    names = list(BY_NAME)
    # The tunes' violin plays from C4 to B5, their organ never.
    low, high = bounds[names.index("violin")]
    assert 60 <= low < high <= 83
    assert tuple(bounds[names.index("organ")]) == (BY_NAME["organ"].low, BY_NAME["organ"].high)


def test_faults_are_counted() -> None:
    hanging = Note(0.0, 100, "organ", 16.0, 80)
    pieces = [sung(*chord(48, 60)), sung(hanging, *chord(48, at_s=14.5))]
    samples = [Sample(f"{n}", "bach", p, folded=n * 3) for n, p in enumerate(pieces)]
    bounds = BOUNDS.copy()
    bounds[[i.name for i in INSTRUMENTS].index("organ")] = (30, 90)
    faults = find_faults(samples, bounds)
    notes = sum(len(p.notes) for p in pieces)
    assert faults.pieces == 2
    assert faults.hanging == pytest.approx(1000 / notes)
    assert faults.pieces_hanging == 0.5
    assert faults.outside == pytest.approx(3 / notes)
    assert faults.uncommon == pytest.approx(1 / notes)


def test_instruments_asked_for_are_looked_for() -> None:
    played = tune(20.0, instruments=("piano", "violin"))
    asked = [("piano", "strings"), ("piano", "drums"), ()]
    samples = [Sample(f"{n}", "bach", played, wanted=w) for n, w in enumerate(asked)]
    faults = find_faults(samples, BOUNDS)
    assert faults.present == pytest.approx(3 / 4)
    assert faults.missing == {"drums": 1.0}
    assert find_faults([replace(samples[0], wanted=())], BOUNDS).present is None
