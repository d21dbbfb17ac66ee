"""Phrases are found where a melody breathes, and swell to their peak."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from model.notes import Note
from streaming.performing.phrases import melody_of, phrases_of, skyline, swell


def song() -> list[Note]:
    """Return four phrases of 4 s: rising and falling quavers, a long note, a breath."""
    notes = []
    for phrase in range(4):
        for step, pitch in enumerate((60, 62, 64, 65, 67, 72, 69, 67, 65, 64, 62)):
            notes.append(Note(4.0 * phrase + 0.25 * step, pitch, "flute", 0.25, 80))
        notes.append(Note(4.0 * phrase + 2.75, 60, "flute", 0.9, 80))
    return notes


def test_a_phrase_ends_with_its_long_note() -> None:
    found = phrases_of(song())
    assert [p.start_s for p in found] == [0.0, 4.0, 8.0, 12.0]
    assert [p.end_s for p in found] == [4.0, 8.0, 12.0, pytest.approx(15.65)]
    assert [p.peak_s for p in found] == [1.25, 5.25, 9.25, 13.25]


def test_drums_have_no_phrases_and_nothing_has_none() -> None:
    assert phrases_of([]) == []
    assert phrases_of([Note(0.5 * i, 38, "drums", 0.1, 80) for i in range(30)]) == []


def test_nobody_plays_longer_than_a_breath() -> None:
    found = phrases_of([Note(0.25 * i, 60 + i % 12, "violin", 0.25, 80) for i in range(400)])
    assert max(p.end_s - p.start_s for p in found) <= 12.5
    assert found[0].start_s == 0.0
    assert all(a.end_s == b.start_s for a, b in pairwise(found))


def test_where_all_else_is_alike_a_phrase_begins_with_a_bar() -> None:
    notes = [Note(0.5 * i, 67, "violin", 0.5, 80) for i in range(64)]
    bars_s = [2.0 * i for i in range(16)]
    starts = [p.start_s for p in phrases_of(notes, bars_s)]
    assert len(starts) > 2
    assert set(starts) <= set(bars_s)


def test_the_swell_rises_to_the_peak_and_falls_from_it() -> None:
    found = phrases_of(song())
    curve = swell(found, np.array([0.0, 0.6, 1.25, 2.0, 3.999, 4.0, 5.25]))
    assert curve[[0, 2, 5, 6]] == pytest.approx([-1.0, 1.0, -1.0, 1.0])
    assert curve[0] < curve[1] < curve[2] > curve[3] > curve[4]
    assert np.abs(swell([], np.array([1.0, 2.0]))).max() == 0.0


def test_the_highest_that_sounds_is_the_melody() -> None:
    rows = [(0.0, 72, 2.0), (1.0, 65, 1.0), (1.0, 48, 1.0), (2.0, 60, 1.0), (2.0, 55, 1.0)]
    notes = [Note(at, pitch, "piano", length, 80) for at, pitch, length in rows]
    notes = sorted([*notes, Note(0.5, 90, "flute", 0.2, 80)])
    role = dict(zip(((n.onset_s, n.pitch) for n in notes), melody_of(notes).tolist(), strict=True))
    assert role == {(0.0, 72): 1, (1.0, 65): -1, (1.0, 48): -1, (2.0, 60): 1, (2.0, 55): -1, (0.5, 90): 0}
    assert not melody_of([Note(0.5 * i, 60, "piano", 0.5, 80) for i in range(4)]).any()
    assert skyline([]).shape == (0,)
