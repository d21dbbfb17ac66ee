"""`conductor radio` needs no file; what it prints is what it would play, and mistakes are one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conductor.cli import main
from conductor.errors import UsageError
from conductor.radio.station import STYLES, Station, weights_of
from conductor.setlist import load_setlist


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["radio", *words]) == 0
    return capsys.readouterr().out


def test_the_night_is_printed_without_a_file_and_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    told = said(capsys, "--plan", "24h", "--seed", "7", "--from", "20:00")
    assert said(capsys, "--plan", "24h", "--seed", "7", "--from", "20:00") == told
    assert said(capsys, "--plan", "24h", "--seed", "8", "--from", "20:00") != told
    head, columns, *rows, shares = told.splitlines()
    assert head == f"Endless Radio: {len(rows)} pieces of 4:00, seed 7 (--seed 7 again)"
    assert columns.split() == ["on", "air", "no.", "style", "instruments", "key", "bpm", "energy", "starts", "card"]
    assert 360 < len(rows) < 380
    assert rows[0].startswith("20:00 ")
    assert all(re.match(r"\d\d:\d\d +(\w\w\w \d\d +)?E\d+ ", row) for row in rows)
    assert all(name in shares for name, _ in STYLES)
    assert list(tmp_path.iterdir()) == []


def test_styles_and_lengths_are_those_that_were_asked_for(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    told = said(
        capsys, "--plan", "2h", "--styles", "bach=2,jazz", "--minutes", "10", "--join", "gap", "--data", str(tmp_path)
    )
    assert re.search(r"12 pieces of 10:00", told)
    assert set(re.findall(r"bach|jazz|chopin", told)) == {"bach", "jazz"}


@pytest.mark.parametrize("minutes", [0.25, 0.5, 4.0, 20.0])
@pytest.mark.parametrize("join", [None, "gap", "morph"])
def test_every_station_that_can_be_wished_for_is_a_right_setlist(
    tmp_path: Path, minutes: float, join: str | None
) -> None:
    station = Station('The "Night": #1', (("bach", 2.0), ("jazz", 0.5)), minutes, 7, join)
    (tmp_path / "radio.yaml").write_text(station.setlist, encoding="utf-8")
    setlist = load_setlist(tmp_path / "radio.yaml")
    assert setlist.title == station.title
    assert setlist.endless is not None
    assert (setlist.endless.styles, setlist.endless.seed) == (station.styles, 7)
    assert setlist.endless.duration_s == minutes * 60
    assert setlist.endless.radio.ident is not None
    assert setlist.endless.radio.ident.text == f"You are listening to {station.title}"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--styles", "shopin=1"], 'the style "shopin" is unknown; nearest: chopin'),
        (["--styles", "chopin=x"], "'x' is no weight; write such as chopin=3,jazz=1"),
        (["--seed", "-1"], "--seed -1: 0 to"),
        (["--hours", "0"], "--hours 0: above 0"),
        (["--plan", "soon"], "--plan soon: should be a time such as"),
        (["--plan", "1h", "--from", "8"], "--from 8: write a time of the day such as 22:00"),
        (["--from", "08:00"], "--from is for --plan"),
        (["own.yaml", "--styles", "jazz"], "--styles is for a radio without a file"),
        (["own.yaml", "--plan", "1h"], "has no endless: part"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text("version: 1\ncues: [{style: bach}]\n")
    assert main(["radio", *words]) == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert line in told


def test_weights_are_one_unless_they_are_said() -> None:
    assert weights_of("chopin=3, jazz") == (("chopin", 3.0), ("jazz", 1.0))
    with pytest.raises(UsageError):
        weights_of("=3")
