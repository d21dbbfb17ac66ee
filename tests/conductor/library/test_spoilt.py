"""A database that is spoilt costs no show: it is set aside with a word, and begun anew with all that is still there."""

import random
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conductor.library import Library

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUBBISH = bytes(range(256)) * 16


def filled(folder: Path, pieces: int = 3, lines: int = 200) -> Path:
    """Return the database of a show with pieces, a long log and a state."""
    library = Library(folder)
    for n in range(pieces):
        midi = library.pieces / f"p{n}.mid"
        midi.write_bytes(b"MThd")
        library.keep(
            cue_id=f"c{n}", title=f"Piece {n}", style="bach", midi=midi, duration_s=60.0, notes=9, at=NOON,
            composing_s=20.0, provenance={"seed": n}, refused="it loops" if n == 1 else "",
        )  # fmt: skip
    for n in range(lines):
        library.log("live", at=NOON, sample=n, title="x" * 100)
    library.remember("show", {"held": True})
    library.close()
    return folder / "show.db"


def told(library: Library) -> list[str]:
    lines: list[str] = []
    library.heard_by(lines.append)
    return lines


@pytest.mark.parametrize("sides", [True, False], ids=["with its log", "alone"])
def test_rubbish_is_set_aside_and_the_pieces_are_found_by_what_lies_beside_them(tmp_path: Path, sides: bool) -> None:
    path = filled(tmp_path)
    for end in ("", "-wal", "-shm") if sides else ("",):
        Path(f"{path}{end}").write_bytes(RUBBISH)
    library = Library(tmp_path)
    (line,) = told(library)
    assert "show.db: file is not a database - a new one is begun" in line
    assert "3 pieces more are found" in line
    assert "\n" not in line
    # What was refused is not played now.
    assert [(kept.title, kept.provenance) for kept in library.substitutes("bach")] == [
        ("Piece 0", {"seed": 0}), ("Piece 2", {"seed": 2}),
    ]  # fmt: skip
    library.remember("show", 1)
    library.close()
    (aside,) = [each for each in tmp_path.glob("show.db.spoilt-*") if each.name[-1].isdigit()]
    assert aside.read_bytes() == RUBBISH


def test_of_a_database_spoilt_in_the_middle_all_that_can_be_read_is_taken_over(tmp_path: Path) -> None:
    path = filled(tmp_path, lines=2000)
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 4096 // 2 * 4096
    raw[middle : middle + 4096] = random.Random(1).randbytes(4096)
    path.write_bytes(raw)
    library = Library(tmp_path)
    (line,) = told(library)
    assert "taken over: 3 pieces" in line
    samples = [each.sample for each in library.as_run(5000)]
    assert samples[0] == 0
    assert samples[-1] == 1999
    assert 1800 < len(samples) < 2000
    assert library.recall("show") == {"held": True}
    library.close()


def test_spoilt_while_the_show_runs_it_is_begun_anew_and_what_was_to_be_written_is_written(tmp_path: Path) -> None:
    filled(tmp_path)
    library = Library(tmp_path)
    lines = told(library)
    for end in ("", "-wal"):
        with Path(f"{tmp_path / 'show.db'}{end}").open("r+b") as file:
            file.truncate(0)
            file.write(RUBBISH * 40)
    library.log("live", at=NOON, sample=7)
    library.remember("show", {"held": False})
    assert library.as_run(1)[0].sample == 7
    assert len(library.substitutes(None)) == 2
    library.close()
    assert any("a new one is begun" in line for line in lines)
    again = Library(tmp_path)
    assert again.recall("show") == {"held": False}
    again.close()


def test_a_part_of_the_state_that_cannot_be_read_is_kept_beside_it_and_told(tmp_path: Path) -> None:
    db = sqlite3.connect(filled(tmp_path))
    db.execute("UPDATE state SET value = '{\"held\": tr'")
    db.commit()
    library = Library(tmp_path)
    lines = told(library)
    assert library.recall("show") is None
    (line,) = lines
    assert "the state 'show' cannot be read" in line
    library.close()
    assert db.execute("SELECT key, value FROM state").fetchall() == [("show that could not be read", '{"held": tr')]
    db.close()


def test_knowledge_that_means_nothing_is_no_piece(tmp_path: Path) -> None:
    path = filled(tmp_path)
    (tmp_path / "pieces" / "p0.json").write_text('{"id": "one"}')
    (tmp_path / "pieces" / "p1.mid").unlink()
    path.write_bytes(RUBBISH)
    library = Library(tmp_path)
    assert [kept.title for kept in library.latest()] == ["Piece 2"]
    library.close()
