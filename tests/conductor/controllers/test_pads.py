"""A key counts once each time it goes down, however its contacts bounce."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor.controllers.flood import CALM_S, Flood
from conductor.controllers.pads import DEBOUNCE_S, STUCK_S, Edge, Pad


def edges(pad: Pad, *heard: tuple[float, int]) -> list[Edge]:
    """Return what came of (seconds, value) pairs."""
    return [pad.hear(value, at_s) for at_s, value in heard]


def presses(pad: Pad, *heard: tuple[float, int]) -> list[float]:
    """Return when it counted."""
    return [at_s for at_s, value in heard if pad.hear(value, at_s) is Edge.PRESS]


def test_a_note_counts_when_it_is_struck_and_not_when_it_is_let_go() -> None:
    assert edges(Pad(), (0.0, 100), (0.2, 0), (1.0, 1), (1.2, 0)) == [Edge.PRESS, Edge.UP, Edge.PRESS, Edge.UP]


def test_the_first_contact_counts_at_once_and_what_bounces_after_it_does_not() -> None:
    bouncing = [(0.000, 100), (0.004, 0), (0.007, 100), (0.012, 0), (0.015, 100)]
    assert presses(Pad(), *bouncing) == [0.0]


def test_a_bounce_when_it_is_let_go_does_not_count() -> None:
    assert presses(Pad(), (0.0, 100), (0.5, 0), (0.503, 90), (0.509, 0), (1.0, 90)) == [0.0, 1.0]


def test_a_tap_shorter_than_the_bouncing_does_not_swallow_the_next_press() -> None:
    assert presses(Pad(), (0.0, 100), (0.02, 0), (0.08, 100)) == [0.0, 0.08]


def test_a_second_note_without_an_end_between_does_not_count_until_it_must_have_been_lost() -> None:
    assert presses(Pad(), (0.0, 100), (1.0, 100), (2.0, 100)) == [0.0]
    pad = Pad()
    assert presses(pad, (0.0, 100), (STUCK_S, 100)) == [0.0, STUCK_S]
    assert pad.held(STUCK_S)


def test_a_key_that_was_unplugged_while_it_was_down_is_up_when_it_is_back() -> None:
    pad = Pad()
    assert presses(pad, (0.0, 100)) == [0.0]
    assert pad.held(0.1)
    pad.let_go()
    assert not pad.held(0.1)
    assert presses(pad, (1.0, 100)) == [1.0]


def test_a_pedal_counts_above_its_threshold_and_again_only_once_it_was_well_below() -> None:
    pad = Pad(64, 48)
    places = [(0.0, 30), (0.1, 63), (0.2, 64), (0.3, 60), (0.4, 70), (0.5, 48), (0.6, 90), (0.7, 47), (0.8, 64)]
    assert presses(pad, *places) == [0.2, 0.8]


def test_a_pedal_that_stays_where_it_is_put_counts_at_every_turn() -> None:
    assert presses(Pad(64, 48, latching=True), (0.0, 127), (1.0, 0), (1.01, 127), (3.0, 0)) == [0.0, 1.0, 3.0]


def test_a_program_counts_each_time_it_is_called_though_it_never_ends() -> None:
    pad = Pad(returns=False)
    assert presses(pad, (0.0, 127), (0.01, 127), (0.5, 127), (1.0, 127)) == [0.0, 0.5, 1.0]
    assert not pad.held(1.0)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(0, 127)), min_size=1, max_size=60),
    st.booleans(),
)
def test_whatever_comes_presses_are_apart_by_the_debounce_and_each_had_quiet_before_it(
    heard: list[tuple[int, int]], latching: bool
) -> None:
    pad, now_ms, down, turned_ms, counted = Pad(64, 48, latching=latching), 0, False, -1000, list[int]()
    for step_ms, value in heard:
        now_ms += step_ms
        was = down
        down = value >= 64 if not 48 <= value < 64 else down
        edge = pad.hear(value, now_ms / 1000)
        if edge is Edge.PRESS:
            assert down != was or step_ms >= STUCK_S * 1000
            assert now_ms - turned_ms >= DEBOUNCE_S * 1000 - 1e-6
            counted.append(now_ms)
        if down != was:
            turned_ms = now_ms
    assert all(after - before >= DEBOUNCE_S * 1000 - 1e-6 for before, after in pairwise(counted))


@settings(deadline=None)
@given(st.lists(st.integers(60, 5000), min_size=1, max_size=30), st.lists(st.integers(1, 9), max_size=8))
def test_no_press_of_a_hand_is_lost_however_it_bounces(gaps_ms: list[int], bounces_ms: list[int]) -> None:
    """Each press and each release bounces an even number of times and is then quiet for 60 ms at least."""
    pad, now_s, counted = Pad(), 0.0, 0
    for index, gap_ms in enumerate(gaps_ms):
        down = index % 2 == 0
        counted += pad.hear(100 if down else 0, now_s) is Edge.PRESS
        for number, bounce_ms in enumerate(bounces_ms[: len(bounces_ms) // 2 * 2]):
            now_s += bounce_ms / 1000
            counted += pad.hear(0 if down == (number % 2 == 0) else 100, now_s) is Edge.PRESS
        now_s += gap_ms / 1000
    assert counted == (len(gaps_ms) + 1) // 2


@pytest.mark.parametrize(("keys", "gap_s"), [(10, 0.3), (1, 0.06), (6, 0.2)])
def test_hands_are_no_flood(keys: int, gap_s: float) -> None:
    """Keys are struck together and let go half a gap later, over and over."""
    flood = Flood()
    for n in range(200):
        flood.hear(keys, n * gap_s / 2)
    assert not flood.muted


def test_keys_that_turn_faster_than_hands_are_muted_before_they_do_anything_and_obeyed_when_it_is_calm() -> None:
    flood = Flood()
    assert flood.hear(20, 0.0), "told once"
    assert flood.muted
    for n in range(1, 100):
        assert not flood.hear(20, n * 0.002)
    assert not flood.hear(0, 0.198 + CALM_S / 2)
    assert flood.muted
    assert flood.hear(1, 0.198 + CALM_S)
    assert not flood.muted
