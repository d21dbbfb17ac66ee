"""Marks of a piece, such as where its sections begin, are seen in the roll and in the picture of the whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skia
from numpy.typing import NDArray

from model.notes import Mark, Note, Piece, TempoMark
from streaming.picture.pianoroll import PianoRoll
from streaming.picture.scene import Scene
from streaming.picture.scoreimage import draw_score
from streaming.picture.themefile import read_theme

PIECE = Piece((Note(0.0, 60, "piano", 0.5, 80), Note(19.0, 72, "piano", 1.0, 80)), (TempoMark(0.0, 120.0),), "Rain")


def accented(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where a picture has the colour of marks."""
    return np.asarray(np.abs(picture[..., :3].astype(int) - read_theme().colours.accent).max(axis=2) < 24)


def whole(piece: Piece, folder: Path) -> NDArray[np.bool_]:
    draw_score(piece, folder / "piece.png")
    image = skia.Image.open(str(folder / "piece.png"))
    return accented(np.asarray(image.toarray(colorType=skia.kRGBA_8888_ColorType)))


@pytest.mark.parametrize("time_s", [0.0, 5.0, 17.0])
def test_the_picture_of_the_whole_has_a_line_where_a_mark_is(tmp_path: Path, time_s: float) -> None:
    marked = whole(replace(PIECE, marks=(Mark(time_s, "B"),)), tmp_path)
    lines = np.flatnonzero((marked & ~whole(PIECE, tmp_path)).sum(axis=0) > 100)
    # The system lies between 56 pixels at its left and 28 at its right.
    assert len(lines) == 2
    assert lines[0] == pytest.approx(56 + time_s / 20.0 * (1600 - 84), abs=1)


def test_two_marks_close_together_both_have_their_text(tmp_path: Path) -> None:
    near = replace(PIECE, marks=(Mark(9.0, "composed from here"), Mark(9.3, "B")))
    marked = whole(near, tmp_path) & ~whole(PIECE, tmp_path)
    # Above the system stand the lines and the texts: one text at the left of its line, one at its right.
    lines = np.flatnonzero(marked.sum(axis=0) > 100)
    above = marked[78:100]
    assert above[:, lines[0] - 120 : lines[0] - 6].any()
    assert above[:, lines[-1] + 6 : lines[-1] + 20].any()
    assert not above[:, lines[-1] + 40 :].any()


def test_the_roll_has_a_line_that_meets_the_keys_when_the_mark_is_reached() -> None:
    roll = PianoRoll(640, 360)
    bare, shown = Scene.of_piece(PIECE), Scene.of_piece(replace(PIECE, marks=(Mark(10.0, "A'"),)))
    rows: list[int] = []
    for position_s in (8.0, 9.0, 9.5):
        difference = np.abs(roll.draw_rgb(shown, position_s).astype(int) - roll.draw_rgb(bare, position_s)).max(axis=2)
        # All across the picture: the line; only at its right: the text above it.
        across = np.flatnonzero((difference > 30).all(axis=1))
        assert len(across)
        rows.append(int(across[-1]))
        text = difference[across[0] - 14 : across[0] - 2]
        assert (text[:, 500:] > 30).any()
        assert not (text[:, :200] > 30).any()
    assert rows == sorted(rows)
    left_px = (10.0 - 9.5) * roll.layout.pixels_per_s
    assert rows[-1] == pytest.approx(roll.layout.playhead - left_px, abs=3)


def test_texts_of_any_kind_are_drawn(tmp_path: Path) -> None:
    marks = tuple(
        Mark(t, text) for t, text in ((0.0, ""), (1.0, "雨 " * 99), (1.01, "B"), (19.99, "end"), (500.0, "late"))
    )
    piece = replace(PIECE, marks=marks)
    assert whole(piece, tmp_path).any()
    roll = PianoRoll(320, 180)
    assert roll.draw(Scene.of_piece(piece), 0.5).any()
