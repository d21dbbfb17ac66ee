import numpy as np
import pytest
import skia

from streaming.picture import overlay
from streaming.picture.layout import Layout
from streaming.picture.lettering import Lettering
from streaming.picture.overlay import Look
from streaming.picture.scene import NOTHING, Coming, Scene
from streaming.picture.theme import Rgb
from streaming.picture.themefile import read_theme

THEME = read_theme()
LETTERING = Lettering(THEME.fonts)


def look(width: int = 1280, height: int = 720) -> Look:
    return Look(THEME, LETTERING, Layout.of(width, height, 30, THEME.measures))


def columns(pixels: np.ndarray, colour: Rgb) -> list[int]:
    """Columns in which a colour is seen."""
    found = np.abs(pixels[..., :3].astype(int) - colour).max(axis=2) <= 2
    return [int(x) for x in np.flatnonzero(found.any(axis=0))]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-3, "0:00"), (0, "0:00"), (59.99, "0:59"), (60, "1:00"), (3599, "59:59"), (3600, "1:00:00"), (90061, "25:01:01")],
)
def test_times_are_written_as_a_clock_shows_them(seconds: float, shown: str) -> None:
    assert overlay.clock(seconds) == shown


@pytest.mark.parametrize(
    ("coming", "left_s", "line"),
    [
        (NOTHING, 10.0, ""),
        (Coming("Lamplight", 1.0), 41.0, "Next: Lamplight in 0:42"),
        (Coming("Lamplight", -3.0), 41.0, "Next: Lamplight in 0:38"),
        (Coming("Lamplight", -3.0), 1.0, "Next: Lamplight in 0:00"),
        (Coming("Lamplight (on cue)"), 41.0, "Next: Lamplight (on cue)"),
        (Coming("Lamplight", 1.0), None, "Next: Lamplight"),
        (Coming("Lamplight", 1.0, 0.62), 41.0, "Next: Lamplight · composing 62%"),
        (Coming("Lamplight", 1.0, 0.0), 41.0, "Next: Lamplight"),
        (Coming("", farewell="First Light"), 41.0, ""),
    ],
)
def test_the_next_cue_is_told_with_its_countdown_where_there_is_one(
    coming: Coming, left_s: float | None, line: str
) -> None:
    assert overlay.coming_line(coming, left_s) == line


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1280, 720), (640, 360), (720, 1280), (360, 640)])
def test_the_legend_has_room_for_every_instrument(width: int, height: int) -> None:
    found = look(width, height)
    rows = found.layout.footer // 2 if found.layout.upright else found.layout.footer
    pixels = np.zeros((rows, width, 4), np.uint8)
    canvas = skia.Canvas(pixels, colorType=skia.kRGBA_8888_ColorType)
    names = tuple(THEME.instruments)
    # Beside the level where the picture lies, above it where it stands.
    room = width * (0.96 if found.layout.upright else 0.70)
    overlay.draw_legend(canvas, found, skia.Rect.MakeXYWH(8, 0, room, rows), names)
    firsts = []
    for name in names:
        seen = columns(pixels, THEME.instrument(name))
        assert seen, name
        firsts.append(seen[0])
    # In the order of the piece; where there are two rows, in both.
    rows_of = (firsts[:7], firsts[7:]) if firsts != sorted(firsts) else (firsts,)
    assert all(row == sorted(row) for row in rows_of)


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (720, 1280)])
def test_the_styles_of_a_blend_are_drawn_as_large_as_their_shares(width: int, height: int) -> None:
    found = look(width, height)
    scene = Scene(1, "Rain", "a caption", (), (), 60.0, styles=((0.0, (("bach", 1.0),)), (60.0, (("jazz", 1.0),))))
    widths = []
    for position_s in (15.0, 30.0, 45.0):
        pixels = np.zeros((found.layout.header, width, 4), np.uint8)
        canvas = skia.Canvas(pixels, colorType=skia.kRGBA_8888_ColorType)
        shares = scene.shares(position_s)
        overlay.draw_header(canvas, found, scene=scene, elapsed_s=position_s, coming="", shares=shares)
        widths.append(len(columns(pixels, THEME.colours.accent)))
    assert widths[0] > 1.3 * widths[1] > 1.3 * widths[2] > 0
