"""Streams and recordings begin and end as wanted, are tried again with patience, and roll between pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from streaming.obs.link import ObsLink
from streaming.obs.outputs import BEGINNING_S, ROLL_PATIENCE_S, ROLL_PAUSE_S, STEADY_S, Output, Roll
from tests.fakes_obs import PASSWORD, FakeObs
from tests.streaming.obs.conftest import Time

HOUR_S = 3600.0


@pytest.fixture
async def link(obs: FakeObs) -> AsyncIterator[ObsLink]:
    made = await asyncio.to_thread(ObsLink, obs.url, PASSWORD)
    yield made
    made.close()


async def tries(obs: FakeObs, link: ObsLink, output: Output, clock: Time, seconds: int) -> list[float]:
    """Return when an output that is wanted was begun, looking every second."""
    start_s, at_s = clock(), list[float]()
    for _ in range(seconds):
        obs.requests.clear()
        await asyncio.to_thread(output.apply, link, True)
        if "StartStream" in obs.requests:
            at_s.append(clock() - start_s)
        clock.go(1)
    return at_s


async def test_an_output_that_ends_at_once_is_begun_with_growing_pauses_and_told_of(
    obs: FakeObs, link: ObsLink, clock: Time
) -> None:
    obs.broken = {"Stream"}
    output = Output("Stream", clock)
    assert await tries(obs, link, output, clock, 200) == [0, 5, 10, 20, 40, 80, 140]
    assert "does not stream" in output.alert
    assert "server and key (Settings, Stream)" in output.alert


async def test_an_output_that_begins_after_all_is_no_longer_told_of_and_begun_at_once_the_next_time(
    obs: FakeObs, link: ObsLink, clock: Time
) -> None:
    obs.broken = {"Stream"}
    output = Output("Stream", clock)
    await tries(obs, link, output, clock, 30)
    obs.broken = set()
    await tries(obs, link, output, clock, 40)
    assert obs.streaming
    assert not output.alert
    clock.go(STEADY_S)
    await asyncio.to_thread(output.look, link)
    obs.streaming = False
    assert await tries(obs, link, output, clock, 1) == [0]


async def test_one_failure_is_not_told_of_before_it_had_time_to_begin(obs: FakeObs, link: ObsLink, clock: Time) -> None:
    obs.broken = {"Record"}
    output = Output("Record", clock)
    await asyncio.to_thread(output.apply, link, True)
    assert not output.alert
    clock.go(BEGINNING_S)
    await asyncio.to_thread(output.apply, link, True)
    assert not output.alert
    clock.go(BEGINNING_S)
    assert "Settings, Output, Recording" in output.alert


async def test_an_output_that_is_not_wanted_is_ended_and_begun_anew_without_a_pause(
    obs: FakeObs, link: ObsLink, clock: Time
) -> None:
    output = Output("Stream", clock)
    for wanted in (True, False, True, False):
        await asyncio.to_thread(output.apply, link, wanted)
        assert obs.streaming == wanted


def test_a_broadcast_rolls_at_the_first_seam_past_its_age_and_goes_on_after_a_pause(clock: Time) -> None:
    roll = Roll(47 * HOUR_S, clock)
    assert not roll.watch(True, 0)
    clock.go(46 * HOUR_S)
    roll.seam()
    assert not roll.watch(True, 46 * HOUR_S), "a seam before its time is none"
    clock.go(HOUR_S)
    assert not roll.watch(True, 47 * HOUR_S), "nor does it roll in the middle of a piece"
    roll.seam()
    assert roll.watch(True, 47 * HOUR_S)
    assert roll.rolling
    clock.go(60)
    assert not roll.watch(True, 47 * HOUR_S), "it begins to roll once"
    assert roll.rolling, "a stream that has not ended yet is not begun anew"
    roll.watch(False, 0)
    clock.go(ROLL_PAUSE_S - 0.1)
    roll.watch(False, 0)
    assert roll.rolling
    clock.go(0.1)
    roll.watch(False, 0)
    assert not roll.rolling
    clock.go(47 * HOUR_S - 60)
    roll.watch(True, 47 * HOUR_S - 60)
    roll.seam()
    assert not roll.watch(True, 47 * HOUR_S - 60), "the next broadcast has an age of its own"


def test_a_broadcast_rolls_without_a_seam_before_the_service_ends_it(clock: Time) -> None:
    roll = Roll(HOUR_S, clock)
    roll.watch(True, 0)
    clock.go(HOUR_S + ROLL_PATIENCE_S - 1)
    assert not roll.watch(True, 0)
    clock.go(1)
    assert roll.watch(True, 0)


def test_a_broadcast_that_is_older_than_the_show_is_as_old_as_obs_says(clock: Time) -> None:
    roll = Roll(HOUR_S, clock)
    roll.watch(True, HOUR_S - 10)
    clock.go(11)
    roll.seam()
    assert roll.watch(True, HOUR_S + 1)


def test_two_days_of_radio_roll_once_each_47_hours_and_never_outside_a_seam(clock: Time) -> None:
    roll, on_air, rolled = Roll(47 * HOUR_S, clock), True, list[float]()
    since_s = start_s = clock()
    for second in range(0, 100 * 3600, 5):
        if second % 185 == 0:
            roll.seam()
        if roll.watch(on_air, clock() - since_s if on_air else 0.0):
            rolled.append((clock() - start_s) / HOUR_S)
            assert second % 185 == 0
        if on_air == roll.rolling:
            on_air, since_s = not roll.rolling, clock()
        clock.go(5)
    assert [round(hours) for hours in rolled] == [47, 94]


def test_none_never_rolls(clock: Time) -> None:
    roll = Roll(None, clock)
    roll.watch(True, 0)
    clock.go(1000 * HOUR_S)
    roll.seam()
    assert not roll.watch(True, 0)
