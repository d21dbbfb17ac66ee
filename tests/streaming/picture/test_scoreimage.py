from pathlib import Path

import numpy as np
import pytest
import skia
from numpy.typing import NDArray

from model.notes import Note, Piece
from streaming.errors import EncodeError
from streaming.picture.pianoroll import draw_score
from streaming.picture.scoreimage import SYSTEM_S
from streaming.picture.themefile import read_theme


def drawn(piece: Piece, folder: Path) -> NDArray[np.uint8]:
    draw_score(piece, folder / "score.png")
    image = skia.Image.open(str(folder / "score.png"))
    return np.asarray(image.toarray(colorType=skia.kRGBA_8888_ColorType))[..., :3]


def rows_of(picture: NDArray[np.uint8], name: str) -> NDArray[np.intp]:
    """Rows below the legend where an instrument's colour is seen."""
    hits = np.abs(picture[90:].astype(int) - read_theme().instrument(name)).max(axis=2) <= 3
    return np.flatnonzero(hits.any(axis=1))


def test_each_instrument_is_seen_in_its_colour_higher_pitches_higher_up(tmp_path: Path) -> None:
    picture = drawn(Piece((Note(0, 48, "cello", 3, 127), Note(1, 72, "flute", 3, 127)), title="Duo"), tmp_path)
    cello, flute = rows_of(picture, "cello"), rows_of(picture, "flute")
    assert len(cello)
    assert len(flute)
    assert flute.max() < cello.min()
    assert not len(rows_of(picture, "organ"))


def test_a_note_is_as_long_as_its_share_of_the_system(tmp_path: Path) -> None:
    picture = drawn(Piece((Note(0, 60, "violin", 5, 127), Note(5, 64, "harp", 5, 127))), tmp_path)
    widths = []
    for name in ("violin", "harp"):
        hits = np.abs(picture[90:].astype(int) - read_theme().instrument(name)).max(axis=2) <= 3
        widths.append(int(hits.any(axis=0).sum()))
    assert widths[0] == pytest.approx(widths[1], abs=4)
    assert widths[0] > 600


def test_a_long_piece_is_laid_out_in_systems_one_under_another(tmp_path: Path) -> None:
    long = Piece(tuple(Note(t, 60, "piano", 0.5, 100) for t in range(int(SYSTEM_S * 4))))
    short = Piece(long.notes[:20])
    assert drawn(long, tmp_path).shape[0] > 2 * drawn(short, tmp_path).shape[0]


def test_a_note_over_the_end_of_a_system_goes_on_in_the_next(tmp_path: Path) -> None:
    piece = Piece(
        (
            Note(0, 60, "piano", 1, 100),
            Note(SYSTEM_S - 5, 60, "trumpet", 10, 127),
            Note(2 * SYSTEM_S - 1, 60, "piano", 1, 100),
        )
    )
    rows = rows_of(drawn(piece, tmp_path), "trumpet")
    assert np.diff(rows).max() > 50


def test_an_empty_piece_and_drums_alone_are_drawn(tmp_path: Path) -> None:
    assert drawn(Piece(()), tmp_path).size > 0
    assert len(rows_of(drawn(Piece((Note(0.5, 38, "drums", 0, 127),)), tmp_path), "drums"))


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncodeError, match=r"nowhere/score\.png"):
        draw_score(Piece(()), tmp_path / "nowhere" / "score.png")
