import numpy as np
import pytest
import skia

from streaming.picture.i420 import Planes, to_rgb
from streaming.picture.sprite import Sheet, Sprite
from streaming.picture.theme import Rgb, ink

BEHIND: Rgb = (40, 60, 90)


def laid(colour: Rgb, alpha: float, opacity: float) -> np.ndarray:
    """A square of a colour, laid over the middle of a picture, as viewers see it."""
    sheet = Sheet(Planes(64, 64))
    sheet.planes.fill(0, 0, 64, 64, BEHIND)
    sprite = Sprite(32, 32, lambda canvas: canvas.clear(ink(colour, alpha)))
    sprite.lay(sheet, 16, 16, opacity)
    return to_rgb(sheet.planes.array)


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (255, 30, 30), (30, 255, 30), (30, 30, 255)])
@pytest.mark.parametrize(("alpha", "opacity"), [(1.0, 1.0), (0.5, 1.0), (1.0, 0.5), (0.9, 0.3), (0.0, 1.0), (1.0, 0.0)])
def test_a_sprite_is_mixed_with_what_lies_behind_it(colour: Rgb, alpha: float, opacity: float) -> None:
    picture = laid(colour, alpha, opacity)
    expected = np.asarray(BEHIND) + (np.asarray(colour) - BEHIND) * alpha * opacity
    # Colours of few bits on the way there and back.
    assert np.abs(picture[32, 32] - expected).max() <= 6
    assert np.abs(picture[8, 8] - np.asarray(BEHIND)).max() <= 3


@pytest.mark.parametrize(("x", "y"), [(0, 0), (-10, 4), (50, 60), (200, 200)])
def test_a_sprite_that_reaches_over_the_edge_is_cut(x: int, y: int) -> None:
    sheet = Sheet(Planes(64, 64))
    sheet.planes.fill(0, 0, 64, 64, BEHIND)
    before = sheet.planes.array.copy()
    Sprite(32, 32, lambda canvas: canvas.clear(0xFFFFFFFF)).lay(sheet, x, y)
    changed = int((sheet.planes.y != before[:64]).sum())
    assert changed == max(0, min(64, x + 32) - max(0, x)) * max(0, min(64, y + 32) - max(0, y))


def test_an_odd_sprite_is_made_even_and_keeps_its_soft_edge() -> None:
    def draw(canvas: skia.Canvas) -> None:
        canvas.drawRect(skia.Rect.MakeWH(8.5, 31), skia.Paint(Color=0xFFFFFFFF, AntiAlias=True))

    sprite = Sprite(9, 31, draw)
    assert (sprite.width, sprite.height) == (10, 32)
    sheet = Sheet(Planes(64, 64))
    sheet.planes.fill(0, 0, 64, 64, (0, 0, 0))
    sprite.lay(sheet, 0, 0)
    row = sheet.planes.y[10, :12].astype(int)
    assert (row[:8] > 230).all()
    assert 100 < row[8] < 150
    assert (row[9:] < 20).all()
