"""What is seen and heard in OBS is judged by outcomes."""

from __future__ import annotations

import pytest

from streaming.obs.meters import SILENCE_DB, Reading, readings
from streaming.obs.vigil import LATENCY_S, REMEDY_AT_MOST_S, STILL_FOR_S, PictureVigil, Remedy, Sound, SoundVigil
from tests.streaming.obs.conftest import Time


def test_a_meter_tells_peaks_before_and_behind_the_fader_of_the_louder_channel() -> None:
    told = {"inputs": [{"inputName": "a", "inputLevelsMul": [[0.1, 0.25, 0.5], [0.2, 0.5, 1.0]]}]}
    reading = readings(told, 7.0)["a"]
    assert reading.at_s == 7.0
    assert reading.arriving_db == pytest.approx(0.0)
    assert reading.leaving_db == pytest.approx(-6.02, abs=0.01)


def test_a_level_that_no_sound_has_counts_as_none() -> None:
    told = {"inputs": [{"inputName": "a", "inputLevelsMul": [[1e28, 1e28, 1e28], [0.1, 0.1, 0.1]]}]}
    assert readings(told, 0.0)["a"].leaving_db == pytest.approx(-20.0)


def test_an_input_without_channels_is_silent() -> None:
    assert readings({"inputs": [{"inputName": "a", "inputLevelsMul": []}]}, 0.0)["a"].leaving_db == SILENCE_DB
    assert readings({}, 0.0) == {}


@pytest.mark.parametrize(
    ("played_db", "arriving_db", "leaving_db", "sound"),
    [
        (-10.0, -10.0, -10.0, Sound.HEARD),
        (-10.0, -10.0, SILENCE_DB, Sound.HELD_BACK),
        (-10.0, SILENCE_DB, SILENCE_DB, Sound.ABSENT),
        (-80.0, SILENCE_DB, SILENCE_DB, Sound.UNKNOWN),
        (-120.0, -55.0, SILENCE_DB, Sound.UNKNOWN),
        (-120.0, -60.0, -60.0, Sound.HEARD),
    ],
)
def test_silence_is_a_fault_only_where_the_programme_sounds(
    clock: Time, played_db: float, arriving_db: float, leaving_db: float, sound: Sound
) -> None:
    vigil = SoundVigil(clock)
    for _ in range(30):
        vigil.played(played_db)
        clock.go(0.1)
    assert vigil.judge([Reading(clock(), arriving_db, leaving_db)]) is sound


def test_what_was_played_a_moment_ago_need_not_be_in_obs_yet(clock: Time) -> None:
    vigil = SoundVigil(clock)
    vigil.played(-10.0)
    clock.go(LATENCY_S / 2)
    assert vigil.judge([]) is Sound.UNKNOWN
    clock.go(LATENCY_S)
    assert vigil.judge([]) is Sound.ABSENT


def test_nothing_is_said_without_meters_or_without_a_word_of_the_player(clock: Time) -> None:
    vigil = SoundVigil(clock)
    assert vigil.judge([]) is Sound.UNKNOWN
    vigil.played(0.0)
    clock.go(2)
    assert vigil.judge(None) is Sound.UNKNOWN


def test_a_picture_whose_time_moved_and_stops_stands_still(clock: Time) -> None:
    vigil = PictureVigil(clock)
    for cursor_ms in range(0, 3000, 1000):
        assert not vigil.stands_still(cursor_ms)
        clock.go(1)
    clock.go(STILL_FOR_S - 1.5)
    assert not vigil.stands_still(2000)
    clock.go(1)
    assert vigil.stands_still(2000)
    assert vigil.stands_still(None), "an input that has ended stands still, too"
    assert not vigil.stands_still(2001)


def test_a_time_that_never_moved_says_nothing(clock: Time) -> None:
    vigil = PictureVigil(clock)
    for _ in range(10):
        assert not vigil.stands_still(0)
        clock.go(5)


def test_a_remedy_comes_at_once_then_ever_more_rarely_until_all_was_well_for_a_while(clock: Time) -> None:
    remedy = Remedy(clock)
    start_s, at_s = clock(), list[float]()
    for _ in range(200):
        if remedy.due():
            at_s.append(clock() - start_s)
        clock.go(1)
    assert at_s == [0, 6, 18, 42, 90, 138, 186]
    clock.go(2 * REMEDY_AT_MOST_S + 1)
    assert remedy.due()
    clock.go(6)
    assert remedy.due(), "another illness is treated as readily as the first"
