"""Composing to given notes: they come back as they were, what is composed stands beside them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.composing.arrangement import announce, arrangement, length_of, merge, others
from model.composing.prompt import Prompt
from model.errors import PromptError
from model.language.header import Header
from model.notes import Note, Piece, TempoMark
from tests.model.making import tune


def given(late_s: float = 0.0) -> Piece:
    """Notes at times that no grid has."""
    notes = tuple(Note(late_s + n * 0.5128205, 60 + n, "violin", 0.4987, 33 + n) for n in range(20))
    return Piece(notes, (TempoMark(0.0, 117.0),), "melody", None, 3.0)


def test_given_notes_come_back_bit_for_bit() -> None:
    melody = given(1.234567)
    piece = merge(tune(8.0, instruments=("piano", "guitar")), melody)
    assert set(melody.notes) <= set(piece.notes)
    assert len(piece.notes) == len(melody.notes) + len(tune(8.0).notes)
    assert (piece.tempi, piece.beats_per_bar) == (melody.tempi, melody.beats_per_bar)
    assert list(piece.notes) == sorted(piece.notes)


def test_what_was_composed_is_what_was_not_given() -> None:
    melody = given()
    # The very same note twice: one of them is the given one.
    composed = Piece((melody.notes[0], Note(1.0, 40, "bass", 0.5, 80)))
    assert others(merge(composed, melody), melody).notes == (
        melody.notes[0],
        Note(1.0, 40, "bass", 0.5, 80),
    )


def test_what_is_struck_together_sounds_together() -> None:
    melody = given(2.0)
    composed = Piece((Note(0.51, 40, "bass", 0.5, 80), Note(0.7, 45, "bass", 0.1, 80)))
    first, second = others(merge(composed, melody), melody).notes
    assert first.onset_s == melody.notes[1].onset_s
    assert first.offset_s == pytest.approx(melody.notes[1].offset_s)
    assert second.onset_s == pytest.approx(2.7)


def test_a_strokes_length_is_its_own() -> None:
    melody = given()
    (stroke,) = others(merge(Piece((Note(0.51, 36, "drums", 0.1, 80),)), melody), melody).notes
    assert stroke == Note(melody.notes[1].onset_s, 36, "drums", 0.1, 80)


def test_the_music_is_counted_from_the_first_given_note() -> None:
    early, late = (arrangement(given(seconds), Prompt()) for seconds in (0.0, 17.0))
    assert early.music.told == late.music.told
    assert early.due(0) is not None
    assert length_of(given(17.0)) == pytest.approx(length_of(given()))


def test_the_last_given_note_has_room_for_others_beside_it() -> None:
    melody = given()
    assert length_of(melody) >= melody.notes[-1].onset_s + 1.0
    assert length_of(replace(melody, notes=(*melody.notes, Note(9.0, 50, "cello", 8.0, 60)))) == 17.0


@pytest.mark.parametrize(
    ("piece", "voices", "line"),
    [
        (Piece(()), None, "melody.mid: there are no notes in it"),
        (Piece((Note(0, 60, "violin", 1, 80), Note(1900, 60, "violin", 1, 80))), None, "32 min of music; it can be 30"),
        (tune(8.0), 4, "4 of its notes sound together; ask for more than 4 voices"),
    ],
)
def test_what_cannot_be_arranged_is_refused_in_a_line(piece: Piece, voices: int | None, line: str) -> None:
    with pytest.raises(PromptError, match=line) as refused:
        arrangement(piece, Prompt(given="melody.mid"), voices)
    assert "\n" not in str(refused.value)


def test_voices_asked_for_count_those_that_are_given() -> None:
    assert arrangement(given(), Prompt(), 4).others == 3
    assert arrangement(given(), Prompt()).others is None


def test_a_single_line_is_the_highest_voice_or_the_lowest_and_chords_are_neither() -> None:
    low = replace(given(), notes=tuple(replace(n, pitch=n.pitch - 24, instrument="cello") for n in given().notes))
    assert arrangement(given(), Prompt(), 4).outer == "top"
    assert arrangement(low, Prompt(), 4).outer == "bottom"
    assert arrangement(given(), Prompt()).outer is None
    assert arrangement(tune(8.0), Prompt(), 6).outer is None


def test_the_header_tells_of_all_instruments_and_of_the_given_tempo_and_metre() -> None:
    header = announce(Header("bach", ("bass",), tempo_bpm=80.0), given(), Prompt(instruments=("bass", "drums")))
    assert header == Header("bach", ("strings", "bass", "drums"), beats_per_bar=3.0, tempo_bpm=117.0, given=True)
    assert announce(Header(), given(), Prompt()).groups == ()
