"""Controls: density, energy and key are steered towards what was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from model.composing.controls import MEASURED_S, MOST_STEER, OUTSIDE, Controls
from model.composing.course import Course
from model.language.vocabulary import VOCABULARY

STROKE = VOCABULARY.id("piano:v80:C4")


def constant(value: float) -> Course:
    return Course(((0.0, value),))


def played(controls: Controls, notes_per_second: float, until_tick: int = 1000) -> Controls:
    for tick in np.arange(0, until_tick, 100 / notes_per_second):
        controls.feed(STROKE, int(tick))
    return controls


def nats(controls: Controls, token: str, tick: int = 1000) -> float:
    found = controls.nudges(tick)
    return 0.0 if found is None else float(found[VOCABULARY.id(token)])


def test_nothing_asked_for_changes_nothing() -> None:
    assert played(Controls(), 9).nudges(1000) is None


def test_notes_outside_the_scale_cost_for_every_instrument_that_has_pitches() -> None:
    controls = Controls(key="D_minor")
    assert nats(controls, "piano:v80:D4") > nats(controls, "flute:v48:C#5") == nats(controls, "piano:v80:G4") == 0
    assert nats(controls, "piano:v80:D#4") == nats(controls, "bass:v80:G#2") == -OUTSIDE
    assert nats(controls, "drums:v80:D#2") == nats(controls, "piano:v0:D#4") == nats(controls, "wait:12") == 0


def test_music_too_thin_gets_more_notes_and_shorter_waits_and_the_other_way_round() -> None:
    thin, thick = played(Controls(density=constant(8)), 2), played(Controls(density=constant(2)), 8)
    assert nats(thin, "piano:v80:C4") > 1
    assert nats(thin, "wait:4") > nats(thin, "wait:12") == 0 > nats(thin, "wait:100")
    assert nats(thick, "piano:v80:C4") < -1
    assert nats(thick, "wait:4") < 0 < nats(thick, "wait:100")
    assert abs(nats(played(Controls(density=constant(5)), 5), "piano:v80:C4")) <= 0.21


def test_steering_has_a_bound() -> None:
    assert nats(played(Controls(density=constant(30)), 0.5), "piano:v80:C4") == MOST_STEER
    assert nats(played(Controls(density=constant(0.5)), 30), "piano:v80:C4") == -MOST_STEER


def test_a_first_chord_is_no_density() -> None:
    controls = Controls(density=constant(5))
    for _ in range(4):
        controls.feed(STROKE, 0)
    assert abs(nats(controls, "piano:v80:C4", 0)) < 1


def test_only_the_last_seconds_count() -> None:
    controls = played(Controls(density=constant(5)), 20, 500)
    assert nats(controls, "piano:v80:C4", 500) < -1
    assert nats(controls, "piano:v80:C4", 500 + round(MEASURED_S * 100) + 1) == MOST_STEER


@pytest.mark.parametrize(("energy", "likeliest"), [(20, 16), (50, 48), (85, 80), (127, 112)])
def test_volumes_near_the_energy_are_preferred_whatever_levels_an_instrument_has(energy: int, likeliest: int) -> None:
    controls = Controls(energy=constant(energy))
    costs = {level: nats(controls, f"violin:v{level}:C4") for level in (16, 48, 80, 112)}
    assert max(costs, key=lambda level: costs[level]) == likeliest
    assert costs[likeliest] == 0
    assert all(cost < 0 for level, cost in costs.items() if level != likeliest)


def test_what_is_asked_for_may_change_over_time() -> None:
    controls = Controls(energy=Course(((0.0, 40.0), (60.0, 110.0))))
    assert nats(controls, "piano:v112:C4", 0) < nats(controls, "piano:v40:C4", 0)
    assert nats(controls, "piano:v112:C4", 6000) > nats(controls, "piano:v40:C4", 6000)


def test_a_copy_goes_on_by_itself() -> None:
    controls = played(Controls(density=constant(5)), 5)
    before = nats(controls, "piano:v80:C4")
    played(controls.copy(), 50)
    assert nats(controls, "piano:v80:C4") == before
