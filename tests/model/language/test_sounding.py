"""What sounds, told to the model: what a note-off may end, and how long it has lasted."""

from __future__ import annotations

import numpy as np

from model.instruments import INSTRUMENTS
from model.language.sounding import PITCHES, SHORT_TICKS, SOUNDING, Features, Sounding, sounding
from model.language.tokenizer import encode_body, from_text
from model.language.vocabulary import VOCABULARY
from tests.model.making import tune


def heard(text: str) -> Features:
    tokens = np.array(from_text(text))
    return sounding(tokens, np.cumsum(VOCABULARY.wait_ticks[tokens]))


def pitches(row: Features) -> list[int]:
    return np.flatnonzero(row[:PITCHES]).tolist()


def test_a_note_sounds_from_its_beginning_until_its_end() -> None:
    rows = heard("piano:v80:C4 wait:10 piano:v80:E4 wait:10 piano:v0:C4 wait:5 piano:v0:E4")
    assert [pitches(row) for row in rows] == [[60], [60], [60, 64], [60, 64], [64], [64], []]


def test_it_grows_older() -> None:
    rows = heard(f"piano:v80:C4 wait:{SHORT_TICKS:.0f} wait:{SHORT_TICKS:.0f}")
    np.testing.assert_allclose(rows[:, PITCHES + 60], [1.0, 0.5, 0.25])
    assert (np.diff(rows[:, 2 * PITCHES + 60]) < 0).all()


def test_a_note_struck_again_is_young_again() -> None:
    rows = heard("piano:v80:C4 wait:50 piano:v80:C4 wait:1 piano:v0:C4")
    assert rows[2, PITCHES + 60] == 1.0
    assert pitches(rows[-1]) == []


def test_of_equal_pitches_the_younger_counts_and_both_instruments_are_counted() -> None:
    rows = heard("piano:v80:C4 wait:50 violin:v80:C4 wait:10 piano:v0:C4")
    assert rows[2, PITCHES + 60] == 1.0
    names = [i.name for i in INSTRUMENTS]
    counts = rows[:, 3 * PITCHES :]
    assert counts.shape == (5, len(INSTRUMENTS))
    assert counts[3, names.index("piano")] == counts[3, names.index("violin")] == 0.25
    assert counts[4, names.index("piano")] == 0.0


def test_drums_do_not_sound_on_and_ends_without_beginning_change_nothing() -> None:
    assert not heard("drums:v80:C2 wait:3 piano:v0:C4").any()


def test_step_by_step_is_the_same_as_all_at_once() -> None:
    tokens = np.array(encode_body(tune(60.0, instruments=("piano", "violin", "drums"))))
    ticks = np.cumsum(VOCABULARY.wait_ticks[tokens])
    tracker = Sounding()
    steps = np.stack([tracker.step(int(token), int(tick)) for token, tick in zip(tokens, ticks, strict=True)])
    whole = sounding(tokens, ticks)
    assert whole.shape == (len(tokens), SOUNDING)
    assert whole.any()
    np.testing.assert_allclose(steps, whole, atol=1e-6)
