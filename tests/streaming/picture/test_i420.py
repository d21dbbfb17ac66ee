import numpy as np
import pytest

from streaming.picture.i420 import Planes, from_rgba, to_rgb, yuv
from streaming.picture.theme import Rgb
from streaming.picture.themefile import read_theme


def rgba(height: int, width: int, colour: Rgb) -> np.ndarray:
    picture = np.full((height, width, 4), 255, np.uint8)
    picture[..., :3] = colour
    return picture


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((0, 0, 0), (16, 128, 128)),
        ((255, 255, 255), (235, 128, 128)),
        ((255, 0, 0), (63, 102, 240)),
        ((0, 0, 255), (32, 240, 118)),
    ],
)
def test_colours_follow_bt709_in_limited_range(colour: Rgb, expected: tuple[int, int, int]) -> None:
    assert yuv(colour) == expected


@pytest.mark.parametrize("colour", read_theme().instruments.values())
def test_converting_a_picture_and_filling_with_a_colour_agree(colour: Rgb) -> None:
    converted, filled = Planes(8, 32), Planes(8, 32)
    from_rgba(rgba(8, 32, colour), converted)
    filled.fill(0, 0, 32, 8, colour)
    assert np.abs(converted.array.astype(int) - filled.array.astype(int)).max() <= 1


@pytest.mark.parametrize("width", [160, 162, 854])
def test_rows_are_written_where_they_belong_and_nowhere_else(width: int) -> None:
    planes = Planes(12, width)
    planes.array[:] = 77
    from_rgba(rgba(4, width, (255, 0, 0)), planes, 6)
    y, u, v = yuv((255, 0, 0))
    assert np.abs(planes.y[6:10].astype(int) - y).max() <= 1
    assert np.abs(planes.u[3:5].astype(int) - u).max() <= 1
    assert np.abs(planes.v[3:5].astype(int) - v).max() <= 1
    assert (planes.y[:6] == 77).all()
    assert (planes.y[10:] == 77).all()
    assert (planes.u[:3] == 77).all()
    assert (planes.v[5:] == 77).all()


def test_planes_lie_one_after_another_as_i420_wants() -> None:
    planes = Planes(4, 8)
    planes.y[:], planes.u[:], planes.v[:] = 1, 2, 3
    assert planes.array.shape == (6, 8)
    assert planes.array.tobytes() == bytes([1] * 32 + [2] * 8 + [3] * 8)


def test_pasting_moves_luma_and_chroma_together() -> None:
    source, target = Planes(8, 8), Planes(16, 8)
    source.array[:] = 1
    source.fill(0, 2, 8, 4, (255, 255, 0))
    target.array[:] = 9
    target.paste(source, 10, 2, 2)
    y, u, v = yuv((255, 255, 0))
    assert (target.y[10:12] == y).all()
    assert (target.u[5] == u).all()
    assert (target.v[5] == v).all()
    assert (target.y[:10] == 9).all()
    assert (target.y[12:] == 9).all()


@pytest.mark.parametrize("colour", read_theme().instruments.values())
def test_a_picture_is_shown_in_the_colours_it_was_drawn_in(colour: Rgb) -> None:
    planes = Planes(8, 32)
    planes.fill(0, 0, 32, 8, colour)
    assert np.abs(to_rgb(planes.array).astype(int) - colour).max() <= 3
