"""`conductor harmonise` and `conductor accompany` as a user types them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from symusic import Note as MidiNote
from symusic import Score, Tempo, Track

from conductor.cli import main
from model.midi import read_midi, write_midi
from model.notes import Note, Piece
from tests.conductor.refusals import refusal
from tests.model.making import tune

Printed = pytest.CaptureFixture[str]


def notes_of(path: Path) -> list[tuple[int, list[tuple[int, int, int, int]]]]:
    """Tracks as programs and notes (onset, duration, pitch, velocity in ticks)."""
    score: Any = Score.from_file(str(path))
    return [
        (t.program, sorted((n.time, n.duration, n.pitch, n.velocity) for n in t.notes))
        for t in score.tracks
        if len(t.notes)
    ]


@pytest.fixture
def melody(tmp_path: Path) -> Path:
    """A violin and a guitar in a resolution, at times and volumes that no token says."""
    score: Any = Score(97)
    score.tempos.append(Tempo(0, 117.3))
    for program, pitch in ((40, 67), (24, 52)):
        track: Any = Track(program=program)
        for n in range(14):
            track.notes.append(MidiNote(3 + n * 101, 93 - n, pitch + n % 5, 61 + n))
        score.tracks.append(track)
    path = tmp_path / "melody.mid"
    path.write_bytes(score.dumps_midi())
    return path


@pytest.fixture
def asked(tiny_checkpoint: Path, tmp_path: Path) -> list[str]:
    rest = ["--checkpoint", str(tiny_checkpoint), "--threads", "1", "--candidates", "2"]
    return [*rest, "-o", str(tmp_path / "out.mid")]


class TestRefusals:
    def test_instruments_that_the_file_plays_already(self, melody: Path, asked: list[str], capsys: Printed) -> None:
        said = refusal(capsys, ["accompany", str(melody), "--instruments", "bass,guitar", *asked])
        assert "it plays the guitar already" in said
        assert "--tracks (1 violin (14 notes), 2 guitar (14 notes))" in said

    def test_tracks_that_are_not_there(self, melody: Path, asked: list[str], capsys: Printed) -> None:
        said = refusal(capsys, ["accompany", str(melody), "--instruments", "bass", "--tracks", "1,3", *asked])
        assert "no track 3" in said
        said = refusal(capsys, ["accompany", str(melody), "--instruments", "bass", "--tracks", "one", *asked])
        assert "tracks 'one'" in said

    def test_a_file_without_notes(self, tmp_path: Path, asked: list[str], capsys: Printed) -> None:
        path = tmp_path / "silent.mid"
        empty: Any = Score(480)
        path.write_bytes(empty.dumps_midi())
        for command in (["harmonise", str(path)], ["accompany", str(path), "--instruments", "bass"]):
            assert "silent.mid" in refusal(capsys, [*command, *asked])

    def test_an_unknown_style(self, melody: Path, asked: list[str], capsys: Printed) -> None:
        said = refusal(capsys, ["accompany", str(melody), "--instruments", "bass", "--style", "bahc", *asked])
        assert "did you mean bach" in said

    def test_more_voices_than_asked_for(self, melody: Path, asked: list[str], capsys: Printed) -> None:
        said = refusal(capsys, ["harmonise", str(melody), "--voices", "2", *asked])
        assert "2 of its notes sound together; ask for more than 2 voices" in said

    def test_a_file_that_is_too_long(self, tmp_path: Path, asked: list[str], capsys: Printed) -> None:
        write_midi(Piece((Note(0, 60, "violin", 1, 80), Note(2000, 60, "violin", 1, 80))), tmp_path / "long.mid")
        for command in (["harmonise"], ["accompany", "--instruments", "bass"]):
            assert "33 min of music" in refusal(capsys, [*command, str(tmp_path / "long.mid"), *asked])
        assert not (tmp_path / "out.mid").exists()

    def test_a_place_that_cannot_be_written(self, melody: Path, capsys: Printed) -> None:
        said = refusal(capsys, ["accompany", str(melody), "--instruments", "bass", "-o", "none/out.mid"])
        assert "there is no folder none" in said

    def test_drums_alone_have_no_voices(self, tmp_path: Path, asked: list[str], capsys: Printed) -> None:
        write_midi(Piece(tuple(Note(n / 2, 36, "drums", 0.1, 80) for n in range(20))), tmp_path / "beat.mid")
        assert "drums alone have no voices" in refusal(capsys, ["harmonise", str(tmp_path / "beat.mid"), *asked])


class TestArranging:
    def test_given_tracks_come_back_bit_for_bit_with_others_beside_them(
        self, melody: Path, asked: list[str], tmp_path: Path, capsys: Printed
    ) -> None:
        assert main(["accompany", str(melody), "--instruments", "bass,drums", "--style", "folk", *asked]) == 0
        assert "28 given notes as they were" in capsys.readouterr().out
        out = notes_of(tmp_path / "out.mid")
        assert out[:2] == notes_of(melody)
        assert len(out) > 2
        found = read_midi(tmp_path / "out.mid").piece
        assert set(found.instruments) <= {"violin", "guitar", "bass", "drums"}
        assert found.tempi == read_midi(melody).piece.tempi

    def test_tracks_that_do_not_stay_are_composed_anew(self, melody: Path, asked: list[str], tmp_path: Path) -> None:
        assert main(["accompany", str(melody), "--instruments", "guitar", "--tracks", "1", *asked]) == 0
        out = notes_of(tmp_path / "out.mid")
        assert out[0] == notes_of(melody)[0]
        assert notes_of(melody)[1] not in out

    def test_a_melody_is_harmonised_by_as_many_voices_as_asked_for(
        self, melody: Path, asked: list[str], tmp_path: Path
    ) -> None:
        assert main(["harmonise", str(melody), "--tracks", "1", "--voices", "3", "--style", "bach", *asked]) == 0
        out = notes_of(tmp_path / "out.mid")
        assert out[0] == notes_of(melody)[0]
        piece = read_midi(tmp_path / "out.mid").piece
        assert piece.instruments == ("violin",)
        moments = [n.onset_s + 1e-3 for n in piece.notes]
        assert max(sum(n.onset_s <= t < n.offset_s - 2e-2 for n in piece.notes) for t in moments) == 3

    def test_voices_of_one_track_are_told_apart(self, asked: list[str], tmp_path: Path) -> None:
        write_midi(tune(10.0, instruments=("piano", "piano")), tmp_path / "tune.mid")
        words = ["harmonise", str(tmp_path / "tune.mid"), "--given", "top", "--voices", "2"]
        assert main([*words, *asked]) == 0
        top = notes_of(tmp_path / "out.mid")[0][1]
        (whole,) = [notes for _, notes in notes_of(tmp_path / "tune.mid")]
        assert set(top) < set(whole)
