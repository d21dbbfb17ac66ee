"""`conductor quality`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conductor import cli
from model.gate.gate import SHIPPED_INDEX, index_of
from model.gate.index import CopyIndex
from model.midi import write_midi
from tests.model.gate.planting import loop
from tests.model.making import tune, write_corpus


@pytest.fixture(name="good")
def _good(tmp_path: Path) -> Path:
    write_midi(tune(40.0), tmp_path / "good.mid")
    return tmp_path / "good.mid"


@pytest.fixture(name="bad")
def _bad(tmp_path: Path) -> Path:
    write_midi(loop(tune(40.0), 2.0, 12), tmp_path / "bad.mid")
    return tmp_path / "bad.mid"


def test_a_good_piece_may_be_played(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["quality", str(good)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{good}: may be played"
    assert "40.0 s" in lines[1]
    assert "notes of 28 allowed" in lines[3]


def test_one_refused_piece_of_several_is_status_1(good: Path, bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["quality", str(bad), str(good)]) == 1
    out = capsys.readouterr().out
    assert f"{bad}: refused\n  loop: repeats 2.0 s of music 12 times" in out
    assert f"{good}: may be played" in out


def test_json_is_a_line_a_file(good: Path, bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["quality", "--json", "--length", "60", str(good), str(bad)]) == 1
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert [r["kind"] for r in first["refusals"]] == ["too short"]
    assert [r["kind"] for r in second["refusals"]] == ["loop"]
    assert first["measures"]["seconds"] == pytest.approx(40.0, abs=0.1)
    assert [run["line"] for run in first["runs"]] == ["top line", "all onsets"]


@pytest.mark.parametrize("built", [True, False])
def test_the_index_of_a_corpus_finds_its_pieces(
    built: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from model.learning.corpus import build

    folder = write_corpus(tmp_path / "midi", seconds=60.0)
    learned = next(folder.rglob("tune*.mid"))
    if built:
        build(folder, tmp_path / "built", processes=1)
        folder = tmp_path / "built"
    weights = tmp_path / "own.safetensors"
    assert cli.main(["quality", "--index", "--corpus", str(folder), "-o", str(index_of(weights))]) == 0
    assert "shingles of" in capsys.readouterr().out
    assert cli.main(["quality", "--checkpoint", str(weights), str(learned)]) == 1
    assert "copying: copies " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no files to examine"),
        (["--index"], "--index needs --corpus DIR and -o FILE.npz"),
        (["--index", "--corpus", "nowhere", "-o", "x.npz"], "nowhere: no such folder"),
        (["--corpus", "nowhere", "x.mid"], "--corpus and -o go with --index"),
        (["--length", "nan", "x.mid"], "--length nan: it needs 1 s at least"),
        (["--checkpoint", "nowhere.safetensors", "x.mid"], "nowhere-music.npz: no index beside the weights"),
        (["nowhere.mid"], "nowhere.mid"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_2(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["quality", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("conductor: ")
    assert said in line


def test_it_needs_no_torch(good: Path) -> None:
    program = "import sys; from conductor import cli; cli.main(['quality', sys.argv[1]]); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, str(good)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_the_shipped_index_is_small_and_names_no_folder_of_its_maker() -> None:
    index = CopyIndex.load(SHIPPED_INDEX)
    assert SHIPPED_INDEX.stat().st_size < 4e6
    assert len(index.keys) > 500_000
    assert len(index.names) > 5000
    assert not [name for name in index.names if name.startswith(("/", ".")) or name.count("/") != 1]
