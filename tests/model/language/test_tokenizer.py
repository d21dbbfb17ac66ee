"""Pieces to tokens and back, in MuseNet's language."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import TokenError
from model.instruments import BY_NAME, INSTRUMENTS
from model.language.header import Header
from model.language.tokenizer import (
    decode,
    encode,
    encode_body,
    from_text,
    header_of,
    level_velocity,
    to_text,
    wait_tokens,
)
from model.language.vocabulary import VOCABULARY
from model.notes import Note, Piece, TempoMark

# Published in OpenAI's MuseNet post (2019).
SAMPLE = (
    "bach piano_strings start tempo90 piano:v72:G1 piano:v72:G2 piano:v72:B4 piano:v72:D4 violin:v80:G4 piano:v72:G4 "
    "piano:v72:B5 piano:v72:D5 wait:12 piano:v0:B5 wait:5 piano:v72:D5 wait:12 piano:v0:D5 wait:4 piano:v0:G1 "
    "piano:v0:G2 piano:v0:B4 piano:v0:D4 violin:v0:G4 piano:v0:G4 wait:1 piano:v72:G5 wait:12 piano:v0:G5 wait:5 "
    "piano:v72:D5 wait:12 piano:v0:D5 wait:5 piano:v72:B5 wait:12"
)
# Half a tick, and what is lost in adding floats.
HALF_TICK_S = 0.005 + 1e-9


def words(piece: Piece) -> list[str]:
    return [VOCABULARY.texts[t] for t in encode_body(piece)]


class TestThePublishedSample:
    def test_is_printed_as_it_was_read(self) -> None:
        assert to_text(from_text(SAMPLE)) == SAMPLE

    def test_has_a_token_for_every_word_but_two_for_the_set_of_instruments(self) -> None:
        assert len(from_text(SAMPLE)) == len(SAMPLE.split()) + 1

    def test_is_understood(self) -> None:
        piece = decode(from_text(SAMPLE))
        assert piece.style == "bach"
        assert piece.tempi == (TempoMark(0.0, 90.0),)
        assert set(piece.instruments) == {"piano", "violin"}
        # The first chord: eight notes, the violin's among them.
        chord = [n for n in piece.notes if n.onset_s == 0.0]
        assert {(n.instrument, n.pitch, n.velocity) for n in chord} == {
            ("piano", 31, 72), ("piano", 43, 72), ("piano", 83, 72), ("piano", 74, 72), ("violin", 67, 80),
            ("piano", 67, 72), ("piano", 71, 72), ("piano", 62, 72),
        }  # fmt: skip
        # The top melody in sixteenths of 170 ms; D5, struck twice before it ends, is paired first-in-first-out.
        melody = [(n.onset_s, n.pitch, round(n.duration_s, 2)) for n in piece.notes if n.pitch > 72]
        assert melody == [
            (0.0, 74, 0.29), (0.0, 83, 0.12), (0.17, 74, 0.46), (0.34, 79, 0.12), (0.51, 74, 0.29), (0.68, 83, 0.12),
        ]  # fmt: skip


@st.composite
def notes(draw: st.DrawFn) -> Note:
    instrument = draw(st.sampled_from(INSTRUMENTS))
    return Note(
        onset_s=draw(st.floats(0, 20)),
        # Few pitches, so that notes meet.
        pitch=draw(st.integers(instrument.low, min(instrument.high, instrument.low + 3))),
        instrument=instrument.name,
        duration_s=draw(st.one_of(st.just(0.0), st.floats(0, 5))),
        velocity=draw(st.integers(1, 127)),
    )


pieces = st.builds(lambda drawn: Piece(tuple(sorted(drawn))), st.lists(notes(), max_size=25))


class TestARoundTrip:
    @given(pieces)
    def test_keeps_onsets_and_ends_to_5_ms_and_velocities_to_half_a_level(self, piece: Piece) -> None:
        before, after = by_key(piece), by_key(decode(encode(piece)))
        assert before.keys() == after.keys()
        for (name, _), there in before.items():
            back = after[name, there[0].pitch]
            assert len(back) == len(there)
            for old, new in zip(there, back, strict=True):
                assert abs(old.onset_s - new.onset_s) <= HALF_TICK_S
            if BY_NAME[name].sustains:
                ends = sorted(n.offset_s for n in there), sorted(n.offset_s for n in back)
                assert all(abs(old - new) <= HALF_TICK_S for old, new in zip(*ends, strict=True))
            at: defaultdict[int, list[int]] = defaultdict(list)
            for note in there:
                at[round(note.onset_s * 100)].append(level_velocity(name, note.velocity))
            for tick, velocities in at.items():
                assert sorted(velocities) == sorted(n.velocity for n in back if round(n.onset_s * 100) == tick)

    @given(pieces)
    def test_of_what_came_back_changes_nothing(self, piece: Piece) -> None:
        once = encode(decode(encode(piece)))
        assert encode(decode(once)) == once

    @given(pieces)
    def test_through_text_changes_nothing(self, piece: Piece) -> None:
        tokens = encode(piece)
        assert from_text(to_text(tokens)) == tokens

    def test_keeps_style_bar_and_tempo_marks(self) -> None:
        note = Note(0.0, 60, "piano", 9.0, 80)
        marks = (TempoMark(0.0, 90.0), TempoMark(2.503, 121.4), TempoMark(7.0, 60.0))
        piece = Piece((note,), marks, style="chopin", beats_per_bar=3.0)
        header = Header(style="chopin", groups=("piano",), beats_per_bar=3.0, tempo_bpm=90.0)
        back = decode(encode(piece, header))
        assert (back.style, back.beats_per_bar) == ("chopin", 3.0)
        assert back.tempi == (TempoMark(0.0, 90.0), TempoMark(2.5, 122.0), TempoMark(7.0, 60.0))

    def test_keeps_a_style_that_shares_a_groups_name(self) -> None:
        piece = Piece((Note(0.0, 36, "drums", 0.1, 80),), style="drums")
        assert decode(from_text(to_text(encode(piece)))).style == "drums"


def by_key(piece: Piece) -> dict[tuple[str, int], list[Note]]:
    keys: dict[tuple[str, int], list[Note]] = {}
    for note in sorted(piece.notes):
        keys.setdefault((note.instrument, note.pitch), []).append(note)
    return keys


@pytest.mark.parametrize("velocity", range(1, 128))
@pytest.mark.parametrize("instrument", ["piano", "violin"])
def test_a_velocity_between_the_levels_is_at_most_half_a_level_off(instrument: str, velocity: int) -> None:
    levels = BY_NAME[instrument].levels
    off = abs(level_velocity(instrument, velocity) - velocity)
    assert off <= (levels[1] - levels[0]) / 2 or velocity < levels[0]


def test_overlapping_unisons_end_first_in_first_out() -> None:
    piece = Piece((Note(0.0, 60, "piano", 2.0, 40), Note(1.0, 60, "piano", 0.5, 80)))
    assert decode(encode(piece)).notes == (Note(0.0, 60, "piano", 1.5, 40), Note(1.0, 60, "piano", 1.0, 80))


def test_a_note_of_no_length_begins_and_ends_at_once_before_another_begins() -> None:
    piece = Piece((Note(0.0, 60, "piano", 0.0, 80), Note(0.5, 60, "piano", 0.5, 80)))
    assert words(piece)[:2] == ["piano:v80:C4", "piano:v0:C4"]
    assert decode(encode(piece)).notes == piece.notes


def test_drums_are_struck_and_never_ended() -> None:
    piece = Piece((Note(0.0, 36, "drums", 0.4, 80), Note(0.5, 38, "drums", 0.1, 112)))
    assert words(piece) == ["drums:v80:C2", "wait:50", "drums:v112:D2", "end"]


def test_at_one_instant_what_sounded_ends_before_what_is_new_begins() -> None:
    piece = Piece((Note(0.0, 64, "violin", 1.0, 80), Note(1.0, 60, "piano", 1.0, 80), Note(1.0, 48, "piano", 1.0, 80)))
    assert words(piece)[:6] == [
        "violin:v80:E4", "wait:100", "violin:v0:E4", "piano:v80:C3", "piano:v80:C4", "wait:100",
    ]  # fmt: skip


def test_a_long_pause_is_several_waits() -> None:
    assert [VOCABULARY.texts[t] for t in wait_tokens(300)] == ["wait:128", "wait:128", "wait:44"]
    assert wait_tokens(0) == []


def test_times_do_not_drift_however_many_waits() -> None:
    piece = Piece(tuple(Note(n / 3, 60, "piano", 0.1, 80) for n in range(600)))
    worst = max(abs(n / 3 - note.onset_s) for n, note in enumerate(decode(encode(piece)).notes))
    assert worst <= HALF_TICK_S


def test_notes_that_still_sound_at_the_end_end_there() -> None:
    assert decode(from_text("start piano:v80:C4 wait:50")).notes == (Note(0.0, 60, "piano", 0.5, 80),)


def test_the_end_of_what_does_not_sound_is_passed_over() -> None:
    assert decode(from_text("start piano:v0:C4 wait:50 end")).notes == ()


def test_a_piece_that_says_no_tempo_has_the_usual_one() -> None:
    assert decode(from_text("start wait:50 tempo90")).tempi == (TempoMark(0.0, 120.0), TempoMark(0.5, 90.0))


def test_a_note_out_of_range_is_refused_with_its_time() -> None:
    with pytest.raises(TokenError, match=r"violin cannot play C1 \(at 1\.50 s\)"):
        encode_body(Piece((Note(1.5, 24, "violin", 1.0, 80),)))


def test_a_pieces_own_header_says_style_groups_and_tempo() -> None:
    piece = Piece((Note(0, 60, "violin", 1, 80), Note(0, 60, "piano", 1, 80)), (TempoMark(0, 77.0),), style="bach")
    assert header_of(piece) == Header(style="bach", groups=("piano", "strings"), tempo_bpm=77.0)
    assert to_text(encode(piece)).startswith("bach piano_strings start tempo76 piano:v80:C4 violin:v80:C4 ")


class TestTextThatIsNotTheLanguage:
    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("bach start\n piano:v80:H4", "line 2, column 2: unknown token 'piano:v80:H4'"),
            ("start wait:129", "line 1, column 7: unknown token 'wait:129'"),
            ("wait:1 wait:11 wait:1111", "line 1, column 16: unknown token 'wait:1111'"),
            ("piano_kazoo start", "line 1, column 1: unknown token 'piano_kazoo'"),
        ],
    )
    def test_is_refused_with_line_and_column(self, text: str, line: str) -> None:
        with pytest.raises(TokenError) as caught:
            from_text(text)
        assert str(caught.value).startswith(line)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(("word", "near"), [("chopan", "chopin"), ("pano:v8:C4", "piano:v8:C4")])
    def test_is_answered_with_near_words(self, word: str, near: str) -> None:
        with pytest.raises(TokenError, match=rf"did you mean .*\b{near}\b"):
            from_text(word)

    @pytest.mark.parametrize("token", [-1, len(VOCABULARY)])
    def test_ids_outside_the_vocabulary_are_refused(self, token: int) -> None:
        with pytest.raises(TokenError, match="outside the vocabulary"):
            decode([token])
        with pytest.raises(TokenError, match="outside the vocabulary"):
            to_text([token])
