"""A fader takes a value over where it is, and never makes it jump."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor.controllers.takeover import NEAR, Encoder, Encoding, Fader, Scale, turns

ENERGY = Scale(20, 110, whole=True)
PLACES = st.lists(st.integers(0, 127), min_size=1, max_size=80)


def test_a_fader_nobody_knows_a_value_of_takes_it_with_the_first_move() -> None:
    fader = Fader(ENERGY)
    assert fader.value is None
    assert fader.moved(127) == 110
    assert fader.moved(0) == 20


def test_a_fader_that_is_elsewhere_is_not_heard_until_it_comes_by() -> None:
    fader = Fader(ENERGY, start=65)
    assert [fader.moved(place) for place in (0, 10, 40)] == [None, None, None]
    assert fader.value == 65
    assert fader.moved(62) == pytest.approx(64, abs=1)
    assert fader.moved(0) == 20


def test_a_fader_that_is_swept_past_the_value_takes_it_though_it_never_stood_on_it() -> None:
    fader = Fader(ENERGY, start=65)
    assert fader.moved(10) is None
    assert fader.moved(120) == ENERGY.value(120 / 127)


def test_when_somebody_else_sets_the_value_it_has_to_be_picked_up_again() -> None:
    fader = Fader(ENERGY)
    fader.moved(0)
    fader.put(100)
    assert fader.moved(5) is None
    assert fader.value == 100
    assert fader.moved(127) == 110
    fader.put(109)
    assert fader.moved(120) is not None, "it is there already"


def test_the_same_value_set_again_changes_nothing() -> None:
    fader = Fader(ENERGY)
    fader.moved(64)
    fader.put(ENERGY.value(64 / 127))
    assert fader.moved(0) == 20


def test_unplugged_it_may_have_been_moved_and_is_picked_up_anew() -> None:
    fader = Fader(ENERGY)
    fader.moved(127)
    fader.lost()
    assert fader.moved(0) is None
    assert fader.value == 110


def test_one_that_is_to_jump_jumps() -> None:
    assert Fader(ENERGY, start=110, soft=False).moved(0) == 20


def test_a_scale_may_be_turned_round() -> None:
    fader = Fader(Scale(10.0, 1.0), start=10.0)
    assert fader.moved(0) == 10.0
    assert fader.moved(127) == 1.0


@settings(deadline=None)
@given(start=st.integers(20, 110), places=PLACES)
def test_it_is_silent_until_it_is_near_or_has_come_past_and_has_it_from_then_on(start: int, places: list[int]) -> None:
    fader, target, last, has = Fader(ENERGY, start=start), ENERGY.place(start), None, False
    for at in places:
        place = at / 127
        near = abs(place - target) <= NEAR
        past = last is not None and min(last, place) <= target <= max(last, place)
        has = has or near or past
        last = place
        assert fader.moved(at) == (ENERGY.value(place) if has else None)
        assert fader.value == (ENERGY.value(place) if has else start)


@settings(deadline=None)
@given(places=PLACES, put=st.integers(20, 110))
def test_a_whole_sweep_always_picks_it_up(places: list[int], put: int) -> None:
    fader = Fader(ENERGY)
    for place in places:
        fader.moved(place)
    fader.put(put)
    fader.moved(0)
    assert fader.moved(127) == 110


@pytest.mark.parametrize(
    ("encoding", "right", "left"),
    [("twos_complement", (1, 3), (127, 125)), ("sign_bit", (1, 3), (65, 67)), ("offset", (65, 67), (63, 61))],
)
def test_encoders_say_their_steps_in_three_ways(
    encoding: Encoding, right: tuple[int, int], left: tuple[int, int]
) -> None:
    assert [turns(value, encoding) for value in right] == [1, 3]
    assert [turns(value, encoding) for value in left] == [-1, -3]


@settings(deadline=None)
@given(st.lists(st.integers(-20, 20), max_size=60))
def test_an_encoder_goes_by_steps_and_stays_within_its_ends(steps: list[int]) -> None:
    encoder, value = Encoder(ENERGY, 2, "twos_complement"), 65.0
    for step in steps:
        value = min(110, max(20, value + 2 * step))
        turned = encoder.turned(step % 128)
        assert turned == (value if step else None)
    assert encoder.value == value
