"""Openings: as much of the music as was asked for, note for note, and the rest left open."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from model.composing.opening import Opening, opening_of
from model.composing.prompt import MOST_INSTRUMENTS, Prompt, key_of
from model.errors import ModelError, PromptError
from model.instruments import INSTRUMENTS
from model.language.header import Header
from model.language.tokenizer import decode, encode, to_text, to_ticks
from model.language.vocabulary import VOCABULARY
from model.midi import read_midi, write_midi
from model.notes import Note, Piece, TempoMark
from model.openings.shelf import shipped
from tests.model.making import tune


@pytest.fixture
def midi(tmp_path: Path) -> Path:
    """Twenty seconds of violin over held piano chords in C major."""
    write_midi(replace(tune(20.0), beats_per_bar=3.0), tmp_path / "tune.mid")
    return tmp_path / "tune.mid"


def found(**wishes: object) -> Opening:
    opening = opening_of(Prompt.of(wishes))
    assert opening is not None
    return opening


def ticks(tokens: tuple[int, ...]) -> int:
    return sum(int(VOCABULARY.wait_ticks[t]) for t in tokens)


def struck(piece: Piece) -> list[tuple[int, int, str]]:
    return sorted((to_ticks(n.onset_s), n.pitch, n.instrument) for n in piece.notes)


def test_a_prompt_without_an_opening_has_none() -> None:
    assert opening_of(Prompt()) is None


def test_reading_openings_needs_no_torch() -> None:
    program = (
        "import sys; from model.composing.opening import opening_of; from model.composing.prompt import Prompt; "
        "opening_of(Prompt(opening='air')); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"


def test_the_first_notes_are_those_of_the_file_and_the_last_sounds_on(midi: Path) -> None:
    opening = found(opening=str(midi), opening_notes=11, duration_s=30)
    assert struck(opening.piece) == sorted(struck(read_midi(midi).piece))[:11]
    assert struck(decode(opening.tokens)) == struck(opening.piece)
    assert ticks(opening.tokens) == to_ticks(opening.seconds) == to_ticks(opening.piece.notes[-1].onset_s)
    # The chord of two seconds and the last melody note have no end yet.
    open_now = [t for t in opening.tokens if VOCABULARY.velocity_of[t] > 0]
    ended = [t for t in opening.tokens if VOCABULARY.velocity_of[t] == 0]
    assert len(open_now) - len(ended) == 4


@pytest.mark.parametrize("seconds", [0.37, 2.0, 7.99])
def test_the_first_seconds_end_to_the_tick(midi: Path, seconds: float) -> None:
    opening = found(opening=str(midi), opening_s=seconds, duration_s=30)
    assert ticks(opening.tokens) == to_ticks(seconds) == to_ticks(opening.seconds)
    wanted = [row for row in struck(read_midi(midi).piece) if row[0] < to_ticks(seconds)]
    assert struck(decode(opening.tokens)) == struck(opening.piece) == wanted
    assert opening.piece.duration_s <= seconds + 1e-9


def test_nothing_said_takes_all_that_fits_into_half_the_length(midi: Path) -> None:
    assert found(opening=str(midi), duration_s=24).seconds == 12.0
    assert found(opening=str(midi), duration_s=200).seconds == pytest.approx(19.99)
    assert found(opening="gymnopedie", duration_s=200).seconds == 18.0


def test_more_than_there_is_is_all_there_is(midi: Path) -> None:
    assert found(opening=str(midi), opening_notes=9999, duration_s=60).seconds == pytest.approx(19.75)
    assert found(opening=str(midi), opening_s=50, duration_s=60).seconds == pytest.approx(19.99)


def test_what_ends_with_the_file_need_not_end_there_in_the_piece(midi: Path) -> None:
    tokens = found(opening=str(midi), duration_s=200).tokens
    held = [t for t in tokens if VOCABULARY.velocity_of[t] > 0]
    ended = [t for t in tokens if VOCABULARY.velocity_of[t] == 0]
    assert len(held) > len(ended)


def test_a_piece_goes_on_at_a_time_of_its_own_clock(tmp_path: Path) -> None:
    late = replace(tune(20.0), notes=tuple(replace(n, onset_s=n.onset_s + 1.5) for n in tune(20.0).notes))
    write_midi(late, tmp_path / "late.mid")
    opening = found(continue_from=str(tmp_path / "late.mid"), at_s=9.5, duration_s=30)
    assert ticks(opening.tokens) == 950
    assert struck(opening.piece) == [row for row in struck(late) if row[0] < 950]
    assert struck(decode(opening.tokens)) == struck(opening.piece)
    # What ended at that very moment has ended: nothing hangs over.
    ends = [t for t in opening.tokens if VOCABULARY.velocity_of[t] == 0]
    assert len(ends) == len(opening.piece.notes)


def test_what_nobody_asked_for_ends_where_composing_begins(midi: Path) -> None:
    opening = found(opening=str(midi), opening_s=3.0, duration_s=30, instruments=["violin", "flute"])
    assert {n.instrument for n in opening.piece.notes} == {"piano", "violin"}
    sounding: set[tuple[int, int]] = set()
    for token in opening.tokens:
        _, instrument, pitch, velocity = VOCABULARY.said[token]
        if instrument >= 0:
            (sounding.add if velocity else sounding.discard)((instrument, pitch))
    assert all(instrument == 1 for instrument, _ in sounding)


def test_tempo_and_key_are_those_of_the_opening() -> None:
    opening = found(opening="lullaby", duration_s=60)
    assert (round(opening.tempo_bpm), opening.key, opening.words.style) == (75, "D#_major", "brahms")
    prompt = opening.prompted(Prompt(opening="lullaby"))
    assert (prompt.key, prompt.style, prompt.instruments) == ("D#_major", "brahms", ("piano", "choir"))
    said = opening.announce(Header(style="brahms"))
    assert (said.key, round(said.tempo_bpm or 0), said.beats_per_bar) == ("D#_major", 75, 3.0)
    assert said.groups == ("piano", "choir")


def test_a_great_orchestra_is_left_to_the_model(tmp_path: Path) -> None:
    everybody = Piece(tuple(Note(0.1 * n, i.low + 12, i.name, 0.5, 80) for n, i in enumerate(INSTRUMENTS)))
    write_midi(everybody, tmp_path / "tutti.mid")
    wishes = {"opening": str(tmp_path / "tutti.mid"), "duration_s": 30}
    assert len(found(**wishes).piece.instruments) > MOST_INSTRUMENTS
    assert found(**wishes).prompted(Prompt()).instruments == ()


def test_what_the_prompt_says_itself_comes_first() -> None:
    wishes = {"opening": "lullaby", "duration_s": 60, "style": "jazz", "key": "d minor", "tempo_bpm": 120}
    wishes["instruments"] = ["strings", "choir"]
    opening = found(**wishes)
    prompt = opening.prompted(Prompt.of(wishes))
    assert (prompt.key, prompt.style, prompt.instruments) == ("D_minor", "jazz", ("strings", "choir"))
    said = opening.announce(Header(style="jazz", groups=("guitar",), key="D_minor"))
    assert (said.groups, said.key) == (("guitar",), "D_minor")
    # The opening is in its own tempo; the one that is asked for begins after it.
    assert round(opening.announce(Header()).tempo_bpm or 0) == 75
    assert VOCABULARY.tempo_of(opening.tokens[-1]) == 120


@pytest.mark.parametrize("name", ["brandenburg", "dies-irae", "greensleeves", "soldiers-joy", "waltz-in-a-flat"])
def test_the_key_of_a_file_is_found(name: str) -> None:
    one = shipped()[name]
    assert found(opening=str(one.path), duration_s=60).key == key_of(one.key)


def test_drums_have_no_key() -> None:
    assert found(opening="rock-drums", duration_s=60).key is None


def test_tempo_changes_within_the_opening_are_kept(tmp_path: Path) -> None:
    write_midi(replace(tune(20.0), tempi=(TempoMark(0.0, 120.0), TempoMark(8.0, 60.0))), tmp_path / "slower.mid")
    opening = found(opening=str(tmp_path / "slower.mid"), opening_s=12.0, duration_s=60)
    assert [VOCABULARY.tempo_of(t) for t in opening.tokens if VOCABULARY.tempo_of(t)] == [60]
    assert opening.tempo_bpm == pytest.approx(120)


def test_tokens_are_heard_and_their_header_obeyed() -> None:
    piece = replace(tune(5.0, instruments=("piano", "guitar")), style="bach", beats_per_bar=3.0)
    header = Header("bach", ("piano", "guitar"), "folk", True, "D_minor", 3.0, 3.0, 80.0, 96.0)
    text = to_text(encode(piece, header))
    opening = found(opening_tokens=text, duration_s=60)
    assert struck(decode(opening.tokens)) == struck(piece)
    assert opening.key == "D_minor"
    prompt = opening.prompted(Prompt(opening_tokens=text))
    assert (prompt.style, prompt.key, set(prompt.instruments)) == ("bach", "D_minor", {"piano", "guitar"})
    said = opening.announce(Header("bach", header.groups, key="D_minor"))
    assert said.tokens() == header.tokens()


def test_tokens_need_no_header() -> None:
    opening = found(opening_tokens="piano:v80:C4 wait:50 piano:v80:E4 wait:50", duration_s=10)
    assert [n.pitch for n in opening.piece.notes] == [60, 64]
    assert opening.words == Header()


@pytest.mark.parametrize(
    ("wishes", "line"),
    [
        ({"opening": "luluby"}, "opening 'luluby' is unknown; did you mean lullaby?"),
        ({"opening": "nowhere.mid"}, "nowhere.mid: no such file; give the path of a MIDI file or the name"),
        (
            {"opening": "air", "duration_s": 10, "opening_notes": 200},
            "air: its first 135 notes last 20 s and the piece",
        ),
        (
            {"opening": "air", "duration_s": 10, "opening_s": 9.5},
            "air: 9.5 s of it leave nothing to compose of a piece",
        ),
        (
            {"opening": "air", "instruments": ["organ"]},
            "air: it plays guitar, flute, none of the instruments asked for",
        ),
        ({"opening_tokens": "start piano:v80:H4"}, "opening tokens: line 1, column 7: unknown token 'piano:v80:H4'"),
        ({"opening_tokens": "bach start wait:10 end"}, "opening tokens: there are no notes in it"),
        ({"opening_tokens": "given start piano:v80:C4"}, "opening tokens: 'given' cannot stand in their header"),
        ({"continue_from": "FILE", "at_s": 25.0}, "FILE: it ends after 20.0 s and cannot go on at 25 s"),
        ({"continue_from": "QUIET", "at_s": 2.0}, "QUIET: there are no notes before 2 s to go on from"),
        ({"opening": "EMPTY"}, "EMPTY: no notes in it; choose another file"),
        ({"opening": "BROKEN"}, "BROKEN: not a MIDI file"),
    ],
)
def test_what_cannot_be_gone_on_from_is_refused_in_a_line(
    midi: Path, tmp_path: Path, wishes: dict[str, object], line: str
) -> None:
    write_midi(Piece((Note(5.0, 60, "piano", 1.0, 80),)), tmp_path / "quiet.mid")
    write_midi(Piece(()), tmp_path / "empty.mid")
    (tmp_path / "broken.mid").write_text("What is music?")
    files = {"FILE": midi, **{name: tmp_path / f"{name.lower()}.mid" for name in ("QUIET", "EMPTY", "BROKEN")}}
    for name, path in files.items():
        wishes = {key: str(path) if value == name else value for key, value in wishes.items()}
        line = line.replace(name, str(path))
    with pytest.raises(ModelError) as caught:
        opening_of(Prompt.of({"duration_s": 60, **wishes}))
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_a_refusal_of_the_prompt_is_one(midi: Path) -> None:
    with pytest.raises(PromptError):
        opening_of(Prompt(opening=str(midi), instruments=("organ",)))
