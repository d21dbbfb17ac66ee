"""The loss curve: every line whole, whatever the disk does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.learning.curve import Curve
from tests.model.network.test_checkpoint import disk_full_after


def steps(curve: Curve) -> list[float]:
    return [json.loads(line)["step"] for line in curve.path.read_text().splitlines()]


def entry(step: int) -> dict[str, float]:
    return {"step": step, "tokens": step * 1000, "train": 5.0}


def test_what_a_full_disk_refuses_is_written_with_the_next(tmp_path: Path) -> None:
    curve = Curve(tmp_path)
    curve.note(entry(1))
    # Room for some of a line.
    with disk_full_after(curve.path.stat().st_size + 10):
        curve.note(entry(2))
        curve.note(entry(3))
        assert steps(curve) == [1]
    curve.note(entry(4))
    assert steps(curve) == [1, 2, 3, 4]


def test_what_came_after_a_step_is_forgotten_half_lines_too(tmp_path: Path) -> None:
    curve = Curve(tmp_path)
    curve.forget_after(1)
    for step in range(1, 5):
        curve.note(entry(step))
    with curve.path.open("a") as file:
        file.write('{"step": 5, "tok')
    curve.forget_after(2)
    assert steps(curve) == [1, 2]


def test_it_is_drawn_also_of_nothing(tmp_path: Path) -> None:
    curve = Curve(tmp_path)
    curve.draw()
    empty = (tmp_path / "losses.png").read_bytes()
    assert empty.startswith(b"\x89PNG")
    for step in range(1, 4):
        curve.note(entry(step))
    curve.draw()
    assert (tmp_path / "losses.png").read_bytes() != empty


def test_a_drawing_that_fails_keeps_the_old_one(tmp_path: Path) -> None:
    curve = Curve(tmp_path)
    curve.note(entry(1))
    curve.draw()
    kept = (tmp_path / "losses.png").read_bytes()
    with disk_full_after(1000), pytest.raises(OSError, match="File too large"):
        curve.draw()
    assert (tmp_path / "losses.png").read_bytes() == kept
    assert {path.name for path in tmp_path.iterdir()} == {"losses.jsonl", "losses.png"}
