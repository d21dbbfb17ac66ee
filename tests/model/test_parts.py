"""Parts of a MIDI file: taken out and written beside others, they stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from symusic import Note as MidiNote
from symusic import Score, Tempo, TimeSignature, Track

from model.errors import MidiError
from model.midi import read_midi
from model.notes import Note, Piece
from model.parts import Parts, Voices, read_parts, write_beside

PITCHES = {"soprano": 72, "alto": 67, "tenor": 60, "bass": 48}


@pytest.fixture
def choir(tmp_path: Path) -> Path:
    """Four voices at an odd resolution, a tempo that no token says and a change of it."""
    score: Any = Score(97)
    score.tempos.append(Tempo(0, 93.7))
    score.tempos.append(Tempo(300, 61.3))
    score.time_signatures.append(TimeSignature(0, 3, 4))
    for pitch in PITCHES.values():
        track: Any = Track(program=52)
        for n in range(6):
            track.notes.append(MidiNote(n * 89 + pitch % 3, 83, pitch + n % 2, 41 + n))
        score.tracks.append(track)
    path = tmp_path / "choir.mid"
    path.write_bytes(score.dumps_midi())
    return path


def listed(parts: Parts | Path) -> list[tuple[int, list[tuple[int, int, int, int]]]]:
    """Tracks as programs and notes (onset, duration, pitch, velocity in ticks)."""
    score: Any = parts.score if isinstance(parts, Parts) else Score.from_file(str(parts))
    return [
        (t.program, sorted((n.time, n.duration, n.pitch, n.velocity) for n in t.notes))
        for t in score.tracks
        if len(t.notes)
    ]


def test_all_tracks_come_back_bit_for_bit(choir: Path, tmp_path: Path) -> None:
    parts = read_parts(choir)
    parts.write(tmp_path / "again.mid")
    assert listed(tmp_path / "again.mid") == listed(choir)
    assert len(listed(choir)) == 4
    assert read_midi(tmp_path / "again.mid").piece.notes == read_midi(choir).piece.notes


def test_tracks_are_chosen_by_their_numbers(choir: Path) -> None:
    tracks = listed(choir)
    assert listed(read_parts(choir, (4, 1))) == [tracks[3], tracks[0]]


def test_a_track_that_is_not_there_is_refused_with_those_that_are(choir: Path) -> None:
    with pytest.raises(MidiError, match=r"choir.mid: no track 5; it has 1 choir \(6 notes\), 2 choir"):
        read_parts(choir, (5,))


@pytest.mark.parametrize(
    ("voices", "names"),
    [("top", ["soprano"]), ("bottom", ["bass"]), ("outer", ["soprano", "bass"]), ("inner", ["alto", "tenor"])],
)
def test_voices_are_told_apart_by_what_sounds_above_and_below(tmp_path: Path, voices: Voices, names: list[str]) -> None:
    score: Any = Score(480)
    for pitch in PITCHES.values():
        score.tracks.append(Track(program=52))
        score.tracks[-1].notes.append(MidiNote(0, 480, pitch, 80))
        score.tracks[-1].notes.append(MidiNote(480, 480, pitch - 2, 80))
    score.tracks.append(Track(is_drum=True))
    score.tracks[-1].notes.append(MidiNote(0, 10, 36, 80))
    path = tmp_path / "chorale.mid"
    path.write_bytes(score.dumps_midi())
    found = read_parts(path, voices=voices)
    *tuned, drums = listed(found)
    assert [[pitch for _, _, pitch, _ in notes] for _, notes in tuned] == [
        [PITCHES[name], PITCHES[name] - 2] for name in names
    ]
    assert [pitch for _, _, pitch, _ in drums[1]] == [36]


def test_voices_that_no_note_has_are_refused(tmp_path: Path) -> None:
    score: Any = Score(480)
    score.tracks.append(Track(program=0))
    score.tracks[-1].notes.append(MidiNote(0, 480, 60, 80))
    path = tmp_path / "melody.mid"
    path.write_bytes(score.dumps_midi())
    with pytest.raises(MidiError, match="none is of the inner voices"):
        read_parts(path, voices="inner")


def test_composed_notes_stand_beside_a_files_own_which_stay_as_they_are(choir: Path, tmp_path: Path) -> None:
    composed = Piece(
        (Note(0.5, 40, "bass", 0.5, 77), Note(0.5, 36, "drums", 0.1, 90), Note(4.0, 43, "bass", 1.0, 78)),
    )
    write_beside(read_parts(choir, (1, 2)), composed, tmp_path / "out.mid")
    assert listed(tmp_path / "out.mid")[:2] == listed(choir)[:2]
    out = read_midi(tmp_path / "out.mid").piece
    added = [n for n in out.notes if n.instrument in ("bass", "drums")]
    assert [(n.pitch, n.instrument, n.velocity) for n in added] == [
        (n.pitch, n.instrument, n.velocity) for n in sorted(composed.notes)
    ]
    # Times are those of the file's own clock, tempo change and all, to a tick of it.
    for note, asked in zip(added, sorted(composed.notes), strict=True):
        assert note.onset_s == pytest.approx(asked.onset_s, abs=0.011)
        assert note.offset_s == pytest.approx(asked.offset_s, abs=0.011)
    assert out.beats_per_bar == 3.0


def test_a_place_that_cannot_be_written_is_refused(choir: Path, tmp_path: Path) -> None:
    with pytest.raises(MidiError, match="cannot be written"):
        write_beside(read_parts(choir), Piece(()), tmp_path / "none" / "out.mid")
