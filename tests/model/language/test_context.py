"""Where each token stands: composing counts as training did."""

from __future__ import annotations

import numpy as np
import pytest

from model.language.context import CHORD, COUNTDOWN_S, PARTS, Clock, Context, beats_at, chord_index, place
from model.language.tokenizer import encode_body, from_text
from model.language.vocabulary import VOCABULARY
from model.notes import Note, Piece, TempoMark
from tests.model.making import tune

TEMPI = (TempoMark(0.0, 60.0), TempoMark(4.0, 120.0), TempoMark(10.0, 90.0))


def placed(piece: Piece) -> tuple[list[int], Context]:
    tokens = np.array(encode_body(piece))
    ticks = np.cumsum(VOCABULARY.wait_ticks[tokens])
    return tokens.tolist(), place(tokens, ticks, beats_at(ticks, piece.tempi), int(ticks[-1]))


def test_step_by_step_is_the_same_as_all_at_once() -> None:
    piece = Piece(tune(160.0).notes, TEMPI)
    tokens, whole = placed(piece)
    clock = Clock(int(whole.ticks[-1]), bpm=TEMPI[0].bpm)
    steps = [clock.step(token) for token in tokens]
    ticks, beats, chord, part, countdown, sounding = (np.array(column) for column in zip(*steps, strict=True))
    np.testing.assert_array_equal(ticks, whole.ticks)
    np.testing.assert_allclose(beats, whole.beats, rtol=1e-6, atol=1e-5)
    np.testing.assert_array_equal(chord, whole.chord)
    np.testing.assert_array_equal(part, whole.part)
    np.testing.assert_array_equal(countdown, whole.countdown)
    np.testing.assert_allclose(sounding, whole.sounding, atol=1e-6)


def test_beats_are_counted_through_tempo_changes() -> None:
    seconds = [0.0, 2.0, 4.0, 5.0, 10.0, 12.0]
    found = beats_at(np.array([int(s * 100) for s in seconds]), TEMPI)
    # 4 s at 60 are 4 beats, then 6 s at 120 are 12, then 90 to the minute.
    np.testing.assert_allclose(found, [0, 2, 4, 6, 16, 19])


def test_notes_that_sound_together_share_their_time_and_are_counted() -> None:
    tokens, whole = placed(
        Piece((Note(0, 60, "piano", 1, 80), Note(0, 64, "piano", 1, 80), Note(0, 67, "piano", 1, 80)))
    )
    assert VOCABULARY.texts[tokens[3]] == "wait:100"
    assert whole.ticks.tolist() == [0, 0, 0, 100, 100, 100, 100, 100]
    assert whole.chord.tolist() == [0, 1, 2, 0, 1, 2, 3, 4]


def test_a_chord_is_counted_up_to_its_last_place() -> None:
    tokens = np.full(CHORD + 10, VOCABULARY.id("piano:v80:C4"))
    assert chord_index(tokens).max() == CHORD - 1


def test_parts_and_countdown_run_through_the_whole_piece() -> None:
    _, whole = placed(tune(200.0))
    assert (whole.part[0], whole.part[-1]) == (0, PARTS - 1)
    assert (whole.countdown[0], whole.countdown[-1]) == (COUNTDOWN_S - 1, 0)
    assert np.all(np.diff(whole.part) >= 0)
    assert np.all(np.diff(whole.countdown) <= 0)


@pytest.mark.parametrize("past", [0, 1, 5000])
def test_a_piece_past_its_length_stays_in_its_last_part(past: int) -> None:
    clock = Clock(100, tick=100 + past)
    _, _, _, part, countdown, _ = clock.step(from_text("wait:1")[0])
    assert (part, countdown) == (PARTS - 1, 0)
