"""The setlist's loudness and room reach the player."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from conductor.setlist import load_setlist
from conductor.show.crew import commands_of
from conductor.show.stage import RunFolder, ShowOptions
from conductor.show.take import Take


def setlist(folder: Path, loudness: str) -> Path:
    path = folder / "show.yaml"
    path.write_text(f"version: 1\nshow: {{title: T{loudness}}}\ncues: [{{style: bach}}]\n")
    return path


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("", ("--lufs=-14", "--dbtp=-1")),
        (", loudness: {lufs: -23}", ("--lufs=-23", "--dbtp=-1")),
        (", loudness: {lufs: -9.5, dbtp: -2}", ("--lufs=-9.5", "--dbtp=-2")),
    ],
)
def test_the_player_is_started_with_the_loudness_of_the_setlist(
    tmp_path: Path, written: str, told: tuple[str, str]
) -> None:
    show = load_setlist(setlist(tmp_path, written))
    options = ShowOptions(data=tmp_path / "data")
    with closing(RunFolder(options.data)) as run:
        words = commands_of(options, run, show.loudness)("player")
    assert tuple(words[-2:]) == told


@pytest.mark.parametrize(("style", "room"), [("rock", "small"), ("chopin", "hall"), (None, "hall")])
def test_a_piece_is_loaded_into_the_room_of_its_style(style: str | None, room: str) -> None:
    take = Take("t", "c", [], [(0.0, 120.0)], 1.0, Path("x.mid"), style)
    assert take.load(3).room == room
