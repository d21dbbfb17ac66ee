import pytest

from streaming import overlay


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
