import numpy as np
import pytest
import skia

from streaming.picture import overlay, theme


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-3, "0:00"), (0, "0:00"), (59.99, "0:59"), (60, "1:00"), (3599, "59:59"), (3600, "1:00:00"), (90061, "25:01:01")],
)
def test_times_are_written_as_a_clock_shows_them(seconds: float, shown: str) -> None:
    assert overlay.clock(seconds) == shown


def test_the_level_strip_rises_with_the_level_and_stays_within_its_steps() -> None:
    steps = [overlay.level_steps(db) for db in (-200, -48, -40, -24, -12, -3, 0, 12)]
    assert steps == sorted(steps)
    assert steps[0] == steps[1] == 0
    assert steps[3] == overlay.LEVEL_STEPS // 2
    assert steps[-1] == steps[-2] == overlay.LEVEL_STEPS


@pytest.mark.parametrize("level_db", [None, float("nan"), float("-inf")])
def test_no_level_leaves_the_strip_dark(level_db: float | None) -> None:
    assert overlay.level_steps(level_db) == 0


def test_the_last_decibels_are_red_and_unlit_steps_are_dim() -> None:
    full = [overlay.level_colour(step, overlay.LEVEL_STEPS) for step in range(overlay.LEVEL_STEPS)]
    red, green, _ = full[-1]
    assert red > 2 * green
    red, green, _ = full[0]
    assert green > red
    assert max(overlay.level_colour(3, 0)) < max(full[3]) / 2


@pytest.mark.parametrize(("width", "height"), [(1920, 52), (1280, 34), (640, 18), (640, 16)])
def test_the_legend_has_room_for_every_instrument(width: int, height: int) -> None:
    pixels = np.zeros((height, width, 4), np.uint8)
    canvas = skia.Canvas(pixels, colorType=skia.kRGBA_8888_ColorType)
    names = tuple(theme.INSTRUMENT_COLOURS)
    overlay.draw_legend(canvas, skia.Rect.MakeWH(width, height), names)
    firsts = []
    for name in names:
        found = np.abs(pixels[..., :3].astype(int) - theme.instrument_colour(name)).max(axis=2) <= 2
        assert found.any(), name
        firsts.append(int(np.flatnonzero(found.any(axis=0))[0]))
    assert firsts == sorted(firsts)
