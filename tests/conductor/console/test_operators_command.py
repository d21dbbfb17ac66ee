"""`conductor operators`: who may log in, from the command line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from conductor.cli import main
from conductor.console.operators import matches, read_operators
from tests.conductor.refusals import Printed, refusal

PASSWORD = "correct horse"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CONDUCTOR_PASSWORD", PASSWORD)
    return str(tmp_path / "operators.json")


def test_operators_are_added_listed_changed_and_taken_out(
    file: str, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["operators", "add", "ada", "--role", "edit", "--file", file]) == 0
    assert main(["operators", "add", "guest", "--role", "view", "--file", file]) == 0
    assert capsys.readouterr().out == f"{file}: ada (edit)\n{file}: guest (view)\n"
    assert main(["operators", "list", "--file", file]) == 0
    assert capsys.readouterr().out == "ada    edit\nguest  view\n"
    assert matches(read_operators(Path(file))["ada"], PASSWORD)
    monkeypatch.setenv("CONDUCTOR_PASSWORD", "another battery")
    assert main(["operators", "add", "ada", "--role", "control", "--file", file]) == 0
    assert capsys.readouterr().out == f"{file}: ada (control) has a new password\n"
    assert not matches(read_operators(Path(file))["ada"], PASSWORD)
    assert main(["operators", "remove", "ada", "--file", file]) == 0
    assert main(["operators", "remove", "guest", "--file", file]) == 0
    capsys.readouterr()
    assert main(["operators", "list", "--file", file]) == 0
    assert capsys.readouterr().out == "nobody\n"


def test_what_cannot_be_is_refused_in_a_line_and_nothing_is_written(
    file: str, tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "make it: conductor operators add" in refusal(capsys, ["operators", "list", "--file", file])
    assert "no name for an operator" in refusal(capsys, ["operators", "add", "a b", "--role", "edit", "--file", file])
    monkeypatch.setenv("CONDUCTOR_PASSWORD", "short")
    assert "10 to 256" in refusal(capsys, ["operators", "add", "ada", "--role", "edit", "--file", file])
    assert not Path(file).exists()
    monkeypatch.delenv("CONDUCTOR_PASSWORD")
    # Not at a terminal, and nowhere else to take it from.
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert "CONDUCTOR_PASSWORD" in refusal(capsys, ["operators", "add", "ada", "--role", "edit", "--file", file])
    monkeypatch.setenv("CONDUCTOR_PASSWORD", PASSWORD)
    nowhere = str(tmp_path / "nowhere" / "operators.json")
    assert "cannot be written" in refusal(capsys, ["operators", "add", "ada", "--role", "edit", "--file", nowhere])
    assert main(["operators", "add", "ada", "--role", "edit", "--file", file]) == 0
    assert 'did you mean "ada"' in refusal(capsys, ["operators", "remove", "adda", "--file", file])


def test_help_tells_what_the_roles_are(capsys: Printed) -> None:
    with pytest.raises(SystemExit) as end:
        main(["operators", "--help"])
    assert end.value.code == 0
    assert "view reads, control runs the show" in capsys.readouterr().out
