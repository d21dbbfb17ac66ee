"""A corpus counted as its files are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from symusic import Note as MidiNote
from symusic import Score, Track

from model.errors import MidiError
from model.evaluation.census import FAMILIES, count_file, take_census
from model.learning.corpus import gather
from tests.model.making import write_corpus


def write(path: Path, *tracks: tuple[int, bool, list[tuple[int, int, int]]]) -> Path:
    score: Any = Score(480)
    for program, is_drum, notes in tracks:
        track: Any = Track(program=program, is_drum=is_drum)
        for time, duration, pitch in notes:
            track.notes.append(MidiNote(time, duration, pitch, 80))
        score.tracks.append(track)
    path.write_bytes(score.dumps_midi())
    return path


def test_every_program_has_one_family() -> None:
    assert sorted(p for _, programs in FAMILIES for p in programs) == list(range(128))


def test_a_note_is_a_note_and_a_token_more_for_each_time_something_happens(tmp_path: Path) -> None:
    # At 120 bpm 480 ticks are half a second; the two notes of the chord share their times.
    path = write(tmp_path / "a.mid", (0, False, [(480, 480, 60), (480, 480, 64), (960, 240, 67)]))
    count = count_file(path)
    assert (count.files, count.notes) == (1, 3)
    assert count.tokens == 2 * 3 + len({480, 960, 1200})
    assert count.seconds == pytest.approx(0.75, abs=1e-3)


def test_instruments_are_counted_as_general_midi_families(tmp_path: Path) -> None:
    notes = [(0, 480, 60), (480, 480, 62)]
    path = write(tmp_path / "a.mid", (47, False, notes), (46, False, notes[:1]), (0, True, notes), (1, False, notes))
    assert count_file(path).families == {"timpani": 2, "harp": 1, "drums": 2, "piano": 2}


def test_what_is_no_music_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "broken.mid").write_bytes(b"broken")
    silent = write(tmp_path / "silent.mid", (0, False, []))
    for path, says in ((tmp_path / "broken.mid", "broken.mid"), (silent, "no notes"), (tmp_path / "none.mid", "read")):
        with pytest.raises(MidiError, match=says) as refused:
            count_file(path)
        assert "\n" not in str(refused.value)


def test_the_parts_of_a_corpus_add_up_to_it(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path, 6)
    (folder / "bach" / "broken.mid").write_bytes(b"broken")
    census = take_census(gather(folder))
    assert census.total.files == 6
    assert len(census.unreadable) == 1
    for parts in (census.splits, census.styles, census.genres):
        assert sum(c.notes for c in parts.values()) == census.total.notes > 0
        assert sum(c.tokens for c in parts.values()) == census.total.tokens
    assert census.total.families.total() == census.total.notes
    assert census.styles.keys() == {"bach", "folk"}
    figures = census.as_dict()
    assert sum(figures["styles"]["bach"]["split"].values()) == 3
    assert sum(f["share"] for f in figures["families"].values()) == pytest.approx(1)
