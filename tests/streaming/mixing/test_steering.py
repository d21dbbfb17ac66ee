"""Steering: the whole of a piece comes to its loudness, and nobody hears how."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.mixing.levels import MOMENT_S, gain_db_to, gated, integrated_lufs, windows
from streaming.mixing.loudness import to_lufs
from streaming.mixing.steering import RATE_DB_S, Steering, moved

Array = NDArray[np.float64]
TARGET = -14.0


def music(seconds: float, lufs: float, seed: int = 1) -> Array:
    """The powers of a piece that swells, with pauses."""
    rng = np.random.default_rng(seed)
    count = int(seconds / MOMENT_S)
    swell_db = 5 * np.sin(np.arange(count) / 37) + rng.normal(size=count)
    power = 10 ** (swell_db / 10)
    power[count // 3 : count // 3 + 30] = 1e-9
    return np.asarray(power * 10 ** ((lufs - integrated_lufs(power)) / 10))


def played(forecast: Array, truth: Array) -> tuple[Array, list[float]]:
    """What goes out when a forecast is steered and the truth is another; and the fader at each moment."""
    steering, gain_db, out, gains = Steering(forecast, TARGET), 0.0, [], []
    for power in truth:
        heard = power * 10 ** (gain_db / 10)
        out.append(heard)
        steering.hear(heard, gain_db)
        if steering.moves:
            gain_db = moved(gain_db, steering.wanted_db, MOMENT_S)
        gains.append(gain_db)
    return np.array(out), gains


@pytest.mark.parametrize(
    ("error_db", "seconds"), [(-2.5, 40.0), (-1.0, 15.0), (0.0, 10.0), (2.5, 40.0), (-5.0, 180.0), (5.0, 180.0)]
)
def test_a_forecast_that_is_wrong_is_made_good(error_db: float, seconds: float) -> None:
    forecast = music(seconds, TARGET)
    out, _ = played(forecast, forecast * 10 ** (error_db / 10))
    assert integrated_lufs(out) == pytest.approx(TARGET, abs=0.4)


def test_a_right_forecast_leaves_the_fader_and_the_dynamics_alone() -> None:
    forecast = music(120.0, TARGET)
    _, gains = played(forecast, forecast)
    assert np.abs(gains).max() < 0.05


def test_the_fader_is_slow_and_rests_in_pauses() -> None:
    forecast = music(60.0, TARGET)
    _, gains = played(forecast, forecast * 10**0.5)
    steps = np.abs(np.diff(gains))
    assert 0 < steps.max() <= RATE_DB_S * MOMENT_S + 1e-12
    assert RATE_DB_S <= 0.5
    pause = len(forecast) // 3
    assert not steps[pause + 1 : pause + 29].any()


def test_nothing_is_learned_while_another_piece_sounds() -> None:
    steering = Steering(music(30.0, TARGET), TARGET)
    for _ in range(60):
        steering.hear(1.0, 0.0, alone=False)
        assert not steering.moves
    assert steering.error_db == 0.0


def test_what_was_heard_before_a_change_of_the_piece_still_counts() -> None:
    forecast, truth = music(120.0, TARGET), music(120.0, TARGET + 3.0)
    steering, gain_db, out = Steering(forecast, TARGET), 0.0, []
    for index, power in enumerate(truth):
        if index == len(truth) // 2:
            steering.revise(np.concatenate([forecast, np.zeros(5)]))
        out.append(power * 10 ** (gain_db / 10))
        steering.hear(out[-1], gain_db)
        gain_db = moved(gain_db, steering.wanted_db, MOMENT_S)
    assert integrated_lufs(np.array(out)) == pytest.approx(TARGET, abs=0.4)


def test_a_piece_of_nothing_and_one_that_goes_on_too_long_are_left_alone() -> None:
    steering = Steering(np.zeros(10), TARGET)
    for _ in range(40):
        steering.hear(0.1, 0.0)
    assert steering.wanted_db == 0.0
    assert not steering.moves


def test_windows_and_gates_are_those_of_the_standard() -> None:
    loud, soft, silent = 1.0, 10**-1.5, 1e-9
    course = np.array([loud] * 20 + [soft] * 20 + [silent] * 20)
    counts = gated(course)
    # Windows that reach into the loud part count; the soft ones are 15 LU under it.
    assert counts[:20].all()
    assert not counts[20:].any()
    assert integrated_lufs(course) == pytest.approx(to_lufs(float(windows(course)[counts].mean())))
    assert integrated_lufs(np.zeros(30)) == -120.0


def test_a_last_chord_that_the_limiter_cuts_does_not_leave_the_rest_too_soft() -> None:
    cap = 10 ** ((-8.5 + 0.691) / 10)
    quiet = music(60.0, TARGET)
    quiet[-25:] *= 60.0
    forecast = quiet * 10 ** (gain_db_to(quiet, TARGET, cap) / 10)
    assert integrated_lufs(forecast) > TARGET + 1.0
    steering, gain_db, out = Steering(forecast, TARGET, cap), 0.0, []
    for power in forecast:
        out.append(min(cap, power * 10 ** (gain_db / 10)))
        steering.hear(out[-1], gain_db)
        gain_db = moved(gain_db, steering.wanted_db, MOMENT_S)
    assert integrated_lufs(np.array(out)) == pytest.approx(TARGET, abs=0.3)
    assert abs(gain_db) < 1.0
