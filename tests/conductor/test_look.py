"""The theme of a show: named in its setlist, checked before it begins, and never a reason for a dark picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor.errors import SetlistError
from conductor.feed import _theme
from conductor.setlist import Setlist, load_setlist
from streaming.picture.themefile import read_theme


def read(folder: Path, theme: str) -> Setlist:
    path = folder / "show.yaml"
    path.write_text(f"version: 1\nshow: {theme}\ncues: [{{id: a, style: bach}}]\n", encoding="utf-8")
    return load_setlist(path)


def test_a_show_has_the_default_theme_or_one_by_name_or_a_file_beside_its_setlist(tmp_path: Path) -> None:
    assert read(tmp_path, "{title: A}").theme == "dark"
    assert read(tmp_path, "{theme: neon}").theme == "neon"
    (tmp_path / "own.yaml").write_text("title: Own")
    assert read(tmp_path, "{theme: own.yaml}").theme == str(tmp_path / "own.yaml")


def test_what_is_wrong_with_a_theme_is_told_where_it_is_named_and_where_it_stands(tmp_path: Path) -> None:
    with pytest.raises(SetlistError, match=r'show\.yaml:2:15: there is no theme "neonn" - did you mean "neon"'):
        read(tmp_path, "{theme: neonn}")
    (tmp_path / "own.yaml").write_text("colours:\n  accnt: red\nnotes: {glow: 2}")
    with pytest.raises(SetlistError) as caught:
        read(tmp_path, "{theme: own.yaml}")
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert f'{tmp_path / "own.yaml"}:2:3: "accnt" is not known here - did you mean "accent"?' in lines[0]
    assert f"{tmp_path / 'own.yaml'}:3:15: glow: 2 is out of range" in lines[1]


def test_a_theme_that_is_lost_while_the_show_runs_gives_way_to_the_default_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("extends: paper")
    theme, notice = _theme(str(path))
    assert (theme.colours, notice) == (read_theme("paper").colours, "")
    path.unlink()
    theme, notice = _theme(str(path))
    assert theme == read_theme()
    assert "there is no such file" in notice
    assert "dark" in notice
    assert "\n" not in notice
