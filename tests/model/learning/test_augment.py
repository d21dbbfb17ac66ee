"""Training music heard otherwise stays music."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.instruments import BY_NAME, INSTRUMENTS
from model.language.tokenizer import decode, encode_body, from_text, to_text
from model.language.vocabulary import VOCABULARY
from model.learning.augment import change_volume, stretch, transpose
from model.notes import Note, Piece, TempoMark
from tests.model.making import tune

DRUM = Note(0.3, 36, "drums", 0.1, 80)


@pytest.fixture(name="tokens")
def _tokens() -> NDArray[np.int64]:
    tempi = (TempoMark(0.0, 120.0), TempoMark(5.0, 100.0))
    return np.array(encode_body(Piece(tuple(sorted((*tune(12.0).notes, DRUM))), tempi)))


def ticks_of(tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.cumsum(VOCABULARY.wait_ticks[tokens])


@pytest.mark.parametrize("semitones", [-5, -1, 1, 4])
def test_transposition_moves_beginnings_and_ends_alike_and_leaves_drums(
    tokens: NDArray[np.int64], semitones: int
) -> None:
    moved, by = transpose(tokens, semitones)
    assert by == semitones
    before, after = decode(tokens.tolist()).notes, decode(moved.tolist()).notes
    assert len(before) == len(after)
    there = sorted((n.onset_s, n.instrument, n.pitch + by * BY_NAME[n.instrument].sustains, n.duration_s, n.velocity)
                   for n in before)  # fmt: skip
    assert there == sorted((n.onset_s, n.instrument, n.pitch, n.duration_s, n.velocity) for n in after)


@pytest.mark.parametrize(("note", "semitones"), [("piano:v80:C8", 1), ("piano:v80:A0", -1), ("violin:v80:C3", -2)])
def test_transposition_out_of_an_instruments_range_moves_nothing(note: str, semitones: int) -> None:
    tokens = np.array(from_text(f"{note} piano:v80:C4 wait:10"))
    moved, by = transpose(tokens, semitones)
    assert by == 0
    assert to_text(moved.tolist()) == f"{note} piano:v80:C4 wait:10"


@pytest.mark.parametrize("steps", [-40, -1, 0, 1, 40])
def test_louder_and_softer_stay_among_the_levels(tokens: NDArray[np.int64], steps: int) -> None:
    changed = change_volume(tokens, np.full(len(INSTRUMENTS), steps))
    struck = 0
    for old, new in zip(tokens, changed, strict=True):
        was, now = VOCABULARY.notes[old], VOCABULARY.notes[new]
        if was is None or was.velocity == 0:
            assert old == new
            continue
        assert now is not None
        assert (now.instrument, now.pitch) == (was.instrument, was.pitch)
        levels = BY_NAME[was.instrument].levels
        expected = np.clip(levels.index(was.velocity) + steps, 0, len(levels) - 1)
        assert now.velocity == levels[int(expected)]
        struck += 1
    assert struck > 40


def test_each_instruments_volume_changes_by_itself() -> None:
    steps = np.zeros(len(INSTRUMENTS), np.int64)
    steps[[i.name for i in INSTRUMENTS].index("violin")] = 1
    changed = change_volume(np.array(from_text("piano:v72:C4 violin:v80:C4")), steps)
    assert to_text(changed.tolist()) == "piano:v72:C4 violin:v112:C4"


@pytest.mark.parametrize("factor", [0.5, 0.93, 1.0, 1.08, 1.7])
def test_stretching_keeps_the_notes_and_their_order(tokens: NDArray[np.int64], factor: float) -> None:
    slower, ticks = stretch(tokens, ticks_of(tokens), factor)
    notes = VOCABULARY.instrument_of[tokens] >= 0
    np.testing.assert_array_equal(slower[notes], tokens[notes])
    waits = VOCABULARY.wait_ticks[slower]
    np.testing.assert_array_equal(waits > 0, VOCABULARY.wait_ticks[tokens] > 0)
    assert waits.max() <= 128
    assert np.all(np.diff(ticks) >= 0)
    np.testing.assert_allclose(ticks, ticks_of(tokens) * factor, atol=0.5)


@pytest.mark.parametrize("factor", [0.93, 1.08])
def test_waits_add_up_to_the_stretched_time(factor: float) -> None:
    # Sixteenths of 13 ticks and rests of 7: no wait is so short that it cannot shrink.
    piece = Piece(tuple(Note(n * 0.2, 60 + n % 5, "piano", 0.13, 80) for n in range(100)))
    tokens = np.array(encode_body(piece))
    slower, ticks = stretch(tokens, ticks_of(tokens), factor)
    np.testing.assert_array_equal(np.cumsum(VOCABULARY.wait_ticks[slower]), ticks)


def test_a_slower_piece_says_slower_tempi() -> None:
    tokens = np.array(from_text("tempo120 piano:v80:C4 wait:100 tempo60 wait:10"))
    slower, _ = stretch(tokens, ticks_of(tokens), 1.2)
    assert to_text(slower.tolist()) == "tempo100 piano:v80:C4 wait:120 tempo50 wait:12"


def test_waits_stay_in_the_vocabulary_however_much_is_stretched() -> None:
    tokens = np.array(from_text("piano:v80:C4 wait:128 piano:v0:C4 wait:1 piano:v80:C4"))
    slower, _ = stretch(tokens, ticks_of(tokens), 3.0)
    assert to_text(slower.tolist()).split()[1::2] == ["wait:128", "wait:3"]
    faster, _ = stretch(tokens, ticks_of(tokens), 0.1)
    assert to_text(faster.tolist()).split()[3] == "wait:1"
