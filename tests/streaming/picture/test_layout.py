import pytest

from streaming.errors import StreamingError
from streaming.picture.layout import Layout
from streaming.picture.themefile import read_theme, theme_names

SIZES = [
    (640, 360), (854, 480), (960, 540), (1280, 720), (1600, 900), (1920, 1080),
    (360, 640), (480, 854), (540, 960), (720, 1280), (1080, 1920), (720, 720), (1024, 768),
]  # fmt: skip


@pytest.mark.parametrize("name", theme_names())
@pytest.mark.parametrize("fps", [30, 60])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_size_has_room_for_all_parts_on_even_pixels(name: str, fps: int, width: int, height: int) -> None:
    layout = Layout.of(width, height, fps, read_theme(name).measures)
    assert layout.upright == (height > width)
    parts = (layout.header, layout.playhead - layout.header, layout.keyboard, layout.footer)
    assert sum(parts) == height
    assert all(part > 0 and part % 2 == 0 for part in parts)
    assert parts[1] > height * 0.45
    assert layout.header < layout.zone < layout.playhead


@pytest.mark.parametrize("fps", [24, 25, 30, 50, 60])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_notes_are_seen_coming_for_about_as_long_at_every_size_and_rate(fps: int, width: int, height: int) -> None:
    layout = Layout.of(width, height, fps, read_theme().measures)
    assert layout.step % 2 == 0
    seen_s = (layout.playhead - layout.header) / layout.pixels_per_s
    assert 2.4 <= seen_s <= 8.0


@pytest.mark.parametrize(
    ("width", "height", "near"), [(1279, 720, "1280x720"), (1280, 721, "1280x720"), (20, 20, "160x90")]
)
def test_an_odd_or_tiny_size_is_refused_with_one_that_would_do(width: int, height: int, near: str) -> None:
    with pytest.raises(StreamingError, match=f"not {width}x{height} - try {near}"):
        Layout.of(width, height, 30, read_theme().measures)
