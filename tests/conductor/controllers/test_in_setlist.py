"""A setlist names the maps of the controllers it is led by."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor.cli import main
from conductor.controllers.shelf import shipped
from conductor.errors import SetlistError
from conductor.setlist import load_setlist

CUES = "version: 1\ncues: [{style: bach}]\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "show.yaml"
    path.write_text(CUES + text)
    return path


def test_maps_lie_beside_the_setlist_or_come_with_the_program(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("version: 1\nport: x\ncontrols:\n  - {note: 36, does: go}\n")
    setlist = load_setlist(written(tmp_path, "controllers: [mine.yaml, launchpad]\n"))
    assert setlist.controllers == (tmp_path / "mine.yaml", shipped()["launchpad"])
    assert load_setlist(written(tmp_path, "")).controllers == ()


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("controllers: [lauchpad]\n", "3:15", 'there is no such map - did you mean "launchpad"?'),
        ("controllers: [launchpad, launchpad]\n", "3:26", "launchpad is there already"),
        ("controllers: launchpad\n", "3:14", "should be a list, such as [launchpad]"),
        ("controllers: [3]\n", "3:15", "3: there is no such map"),
        ("controller: [launchpad]\n", "3:1", 'unknown key "controller" - did you mean "controllers"?'),
    ],
)
def test_a_map_that_cannot_be_meant_is_told_with_its_place(tmp_path: Path, text: str, place: str, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SetlistError) as caught:
        load_setlist(path)
    lines = str(caught.value).splitlines()
    assert any(line.startswith(f"{path}:{place}: ") and told in line for line in lines), lines


def test_checking_a_setlist_tells_what_is_wrong_in_its_maps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.yaml").write_text("version: 1\nport: x\ncontrols:\n  - {note: 36, does: hodl}\n")
    assert main(["check", str(written(tmp_path, "controllers: [mine.yaml]\n"))]) == 2
    assert capsys.readouterr().err == (
        f'{tmp_path / "mine.yaml"}:4:22: does: there is no verb "hodl" - did you mean "hold"?\n'
    )
