import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.picture.i420 import Planes, yuv
from streaming.picture.layout import Layout
from streaming.picture.lettering import Lettering
from streaming.picture.meters import BANDS, LEVEL_STEPS, Meters, Spectrum, level_colour, level_steps
from streaming.picture.overlay import Look
from streaming.picture.themefile import read_theme

THEME = read_theme()
RATE = 48_000


def tone(hz: float, seconds: float = 0.2, gain: float = 0.3) -> NDArray[np.float32]:
    wave = gain * np.sin(2 * np.pi * hz * np.arange(round(RATE * seconds)) / RATE)
    return np.repeat(wave.astype(np.float32)[:, None], 2, axis=1)


def test_the_level_strip_rises_with_the_level_and_stays_within_its_steps() -> None:
    steps = [level_steps(db) for db in (-200, -48, -40, -24, -12, -3, 0, 12)]
    assert steps == sorted(steps)
    assert steps[0] == steps[1] == 0
    assert steps[3] == LEVEL_STEPS // 2
    assert steps[-1] == steps[-2] == LEVEL_STEPS


@pytest.mark.parametrize("level_db", [None, float("nan"), float("-inf")])
def test_no_level_leaves_the_strip_dark(level_db: float | None) -> None:
    assert level_steps(level_db) == 0


def test_the_last_decibels_are_red_and_unlit_steps_are_dim() -> None:
    colours = THEME.colours
    full = [level_colour(colours, step, LEVEL_STEPS) for step in range(LEVEL_STEPS)]
    red, green, _ = full[-1]
    assert red > 2 * green
    red, green, _ = full[0]
    assert green > red
    assert max(level_colour(colours, 3, 0)) < max(full[3]) / 2


def test_a_higher_tone_stands_further_right_in_the_spectrum() -> None:
    peaks = [int(np.argmax(Spectrum(30).hear(tone(hz)))) for hz in (60, 110, 220, 440, 880, 1760, 3520, 7040)]
    assert peaks == sorted(set(peaks))
    assert 0 <= peaks[0] < peaks[-1] < BANDS


def test_a_louder_tone_stands_higher() -> None:
    heights = [float(Spectrum(30).hear(tone(440, gain=gain)).max()) for gain in (0.001, 0.01, 0.1)]
    assert heights[0] < heights[1] < heights[2] <= 1.0


@pytest.mark.parametrize("fps", [30, 60])
def test_bars_rise_at_once_and_fall_in_their_time(fps: int) -> None:
    spectrum = Spectrum(fps)
    block = RATE // fps
    top = float(spectrum.hear(tone(440)).max())
    frames = 0
    while spectrum.hear(np.zeros((block, 2), np.float32)).max() > 0:
        frames += 1
    assert frames / fps == pytest.approx(top / 1.6, abs=0.15)


@pytest.mark.parametrize("sound", [None, np.full((1600, 2), np.nan, np.float32), np.zeros((0, 2), np.float32)])
def test_silence_and_nonsense_leave_the_spectrum_empty(sound: NDArray[np.float32] | None) -> None:
    spectrum = Spectrum(30)
    assert (spectrum.hear(sound) == 0).all()
    assert spectrum.hear(tone(440)).max() > 0.5


@pytest.mark.parametrize(
    ("width", "height"), [(1920, 1080), (1280, 720), (640, 360), (720, 1280), (360, 640), (160, 90)]
)
def test_meters_are_drawn_within_the_footer_and_leave_no_trace(width: int, height: int) -> None:
    layout = Layout.of(width, height, 30, THEME.measures)
    planes, fresh = Planes(height, width), Planes(height, width)
    planes.array[:] = fresh.array[:] = 7
    meters = Meters(Look(THEME, Lettering(), layout))
    meters.draw(planes, 0.0, np.ones(BANDS))
    drawn = np.argwhere(planes.y != 7)
    if width > 160:
        assert drawn[:, 0].min() >= height - layout.footer
        bands = planes.y[meters.top : meters.top + meters.height, meters.left : meters.right]
        assert (bands == yuv(THEME.colours.accent)[0]).any()
    meters.draw(planes, None, np.zeros(BANDS))
    Meters(Look(THEME, Lettering(), layout)).draw(fresh, None, np.zeros(BANDS))
    assert (planes.array == fresh.array).all()
