"""Samples, seconds and beats agree."""

from __future__ import annotations

import pytest

from model.notes import Note, Piece, TempoMark
from streaming.timeline import TempoMap, Timeline, to_samples, to_seconds, whole_blocks


def test_samples_and_seconds_are_inverse() -> None:
    assert to_samples(1.5) == 72_000
    assert to_seconds(to_samples(0.123)) == pytest.approx(0.123, abs=1 / 48_000)
    assert [whole_blocks(n) for n in (0, 1, 256, 257)] == [0, 1, 1, 2]


def test_beats_follow_every_tempo() -> None:
    tempo = TempoMap((TempoMark(0.0, 120.0), TempoMark(2.0, 60.0), TempoMark(5.0, 240.0)))
    assert [tempo.to_beats(t) for t in (0.0, 1.0, 2.0, 3.0, 5.0, 6.0)] == [0.0, 2.0, 4.0, 5.0, 7.0, 11.0]
    for beat in (0.0, 0.5, 4.0, 6.9, 7.0, 30.0):
        assert tempo.to_beats(tempo.to_seconds(beat)) == pytest.approx(beat)


def test_events_are_taken_once_in_the_order_of_their_samples() -> None:
    notes = (Note(0.0, 60, "piano", 1.0, 80), Note(0.5, 64, "piano", 0.0, 80), Note(0.5, 62, "flute", 0.5, 80))
    line = Timeline.of(Piece(notes))
    assert [e.note.pitch for e in line.take(24_000)] == [60]
    assert [(e.sample, e.end_sample) for e in line.take(24_001)] == [(24_000, 48_000), (24_000, 24_001)]
    assert not line.take(10**9)
    assert line.end_sample == 48_000
    line.rewind()
    assert len(line.take(10**9)) == 3
