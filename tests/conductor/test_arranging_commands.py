"""`conductor harmonise` and `conductor accompany` as a user types them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from symusic import Note as MidiNote
from symusic import Score, Tempo, Track

from model.midi import write_midi
from model.notes import Note, Piece
from tests.conductor.refusals import refusal

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
