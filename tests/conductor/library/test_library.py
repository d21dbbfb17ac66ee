"""The show's memory survives, says what it cannot do, and finds who may stand in."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conductor.errors import LibraryError
from conductor.library import Library

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def keep(library: Library, title: str, style: str | None) -> int:
    midi = library.pieces / f"{title}.mid"
    midi.write_bytes(b"MThd")
    return library.keep(
        cue_id=title, title=title, style=style, midi=midi, duration_s=60.0, notes=100, at=NOON, composing_s=9.0,
        provenance={"seed": 1, "scores": [0.5]},
    )  # fmt: skip


def test_a_piece_is_found_again_with_its_provenance_also_when_the_folder_has_moved(tmp_path: Path) -> None:
    library = Library(tmp_path / "a")
    piece_id = keep(library, "Dawn", "chopin")
    library.close()
    (tmp_path / "a").rename(tmp_path / "b")
    moved = Library(tmp_path / "b")
    piece = moved.piece(piece_id)
    moved.close()
    assert piece is not None
    assert piece.midi == tmp_path / "b" / "pieces" / "Dawn.mid"
    assert piece.midi.exists()
    assert piece.provenance == {"seed": 1, "scores": [0.5]}


def test_the_same_style_stands_in_first_and_the_least_aired_of_it(tmp_path: Path) -> None:
    library = Library(tmp_path)
    heard, other, fresh = keep(library, "heard", "bach"), keep(library, "other", "jazz"), keep(library, "fresh", "bach")
    library.log("live", at=NOON, sample=48_000, piece_id=heard)
    found = [piece.id for piece in library.substitutes("bach")]
    library.close()
    assert found == [fresh, heard, other]


def test_a_piece_that_was_left_for_its_silence_stands_in_for_nothing(tmp_path: Path) -> None:
    library = Library(tmp_path)
    silent, sound = keep(library, "silent", "bach"), keep(library, "sound", "jazz")
    library.log("silence", at=NOON, sample=48_000)
    assert [piece.id for piece in library.substitutes("bach")] == [silent, sound]
    library.log("silence", at=NOON, sample=48_000, piece_id=silent)
    found = [piece.id for piece in library.substitutes("bach")]
    library.close()
    assert found == [sound]


def test_the_as_run_log_keeps_time_and_sample_in_order(tmp_path: Path) -> None:
    library = Library(tmp_path)
    for n in range(5):
        library.log("live", at=NOON, sample=n * 480, cue_id=f"c{n}", title=f"Cue {n}")
    lines = library.as_run(3)
    library.close()
    assert [(line.cue_id, line.sample) for line in lines] == [("c2", 960), ("c3", 1440), ("c4", 1920)]
    assert lines[0].wall == "2026-01-01T12:00:00.000+00:00"


def test_what_was_remembered_is_recalled_by_the_next(tmp_path: Path) -> None:
    first = Library(tmp_path)
    first.remember("show", {"held": True})
    first.remember("show", {"held": False})
    # Not closed: as after a kill.
    second = Library(tmp_path)
    assert second.recall("show") == {"held": False}
    assert second.recall("nothing") is None
    first.close()
    second.close()


def test_a_folder_that_cannot_be_made_is_one_line_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LibraryError, match=r"choose another folder with --data") as caught:
        Library(tmp_path / "file" / "show")
    assert "\n" not in str(caught.value)


def test_tables_are_strict(tmp_path: Path) -> None:
    Library(tmp_path).close()
    database = sqlite3.connect(tmp_path / "show.db")
    with pytest.raises(sqlite3.IntegrityError, match="cannot store TEXT"):
        database.execute(
            "INSERT INTO pieces VALUES (NULL, 'a', 't', NULL, 'm', 'long', 1, 'x', 1.0, 0, '{}', NULL, '')"
        )
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()
