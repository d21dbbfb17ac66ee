import pytest

from model.notes import Note, Piece, TempoMark
from streaming.picture.scene import Scene, beats


def test_a_bar_begins_every_beats_per_bar_beats() -> None:
    found = list(beats((TempoMark(0, 120),), 3.0, 3.1))
    assert [b.time_s for b in found] == pytest.approx([0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0])
    assert [b.bar for b in found] == [1, 1, 1, 2, 2, 2, 3]
    assert [b.is_bar for b in found] == [True, False, False, True, False, False, True]


def test_a_tempo_mark_between_two_beats_bends_the_second() -> None:
    # 60 bpm for 1.5 s, then 120: the third beat (beat 2) comes half a beat of 0.5 s after the mark.
    found = list(beats((TempoMark(0, 60), TempoMark(1.5, 120)), 4.0, 3.0))
    assert [b.time_s for b in found] == pytest.approx([0, 1.0, 1.75, 2.25, 2.75])


def test_a_bar_need_not_have_whole_beats() -> None:
    found = list(beats((TempoMark(0, 60),), 1.5, 4.0))
    assert [(b.time_s, b.is_bar) for b in found] == [(0, True), (1, False), (1.5, True), (2.5, False), (3, True)]


def test_no_tempo_or_no_bar_gives_no_beats_rather_than_an_endless_row() -> None:
    assert list(beats((), 4.0, 10)) == []
    assert list(beats((TempoMark(0, 0),), 4.0, 10)) == []
    assert list(beats((TempoMark(0, 120),), 0.0, 10)) == []


def test_the_scene_of_a_piece_says_what_the_piece_is() -> None:
    piece = Piece((Note(0, 60, "harp", 2.0, 80),), title="Rain", style="modern_jazz", beats_per_bar=3.0)
    scene = Scene.of_piece(piece, 7)
    assert (scene.number, scene.title, scene.caption, scene.duration_s) == (7, "Rain", "modern jazz", 2.0)
    assert scene.instruments == ("harp",)
    assert Scene.of_piece(piece, caption="new").caption == "new"
