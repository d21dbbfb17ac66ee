"""Each process is killed and stopped in the middle of a piece: what is missed, and how soon it is back."""

from __future__ import annotations

import signal
import time

import pytest

from tests.faults.house import House

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

# What physics asks: the feed notices a player that is gone when its own buffer is empty.
BRIDGED = 1
# Nobody can hear a feed that is not there; one that hangs is given two seconds at first.
A_FEEDS_START_S = {signal.SIGKILL: 4.0, signal.SIGSTOP: 8.0}


def blocks(seconds: float) -> float:
    return seconds * 48_000 / 256


@pytest.mark.parametrize(("number", "said"), [(signal.SIGKILL, "killed by SIGKILL"), (signal.SIGSTOP, "")])
def test_a_player_that_is_gone_is_bridged(house: House, number: signal.Signals, said: str) -> None:
    row, _ = house.suffer(
        f"player {number.name}", lambda: house.signal("player", number),
        hears="the last second, fading into the bed; then the next piece", says=f"the player is gone.*{said}",
        healed=lambda mark: house.says(r"the player is back[\s\S]*live  ", mark) and house.ear.peak_db() > -60,
    )  # fmt: skip
    assert row.gap is not None
    assert row.gap <= BRIDGED


@pytest.mark.parametrize(("number", "said"), [(signal.SIGKILL, "killed by SIGKILL"), (signal.SIGSTOP, "")])
def test_a_feed_that_is_gone_is_missed_until_it_is_back(house: House, number: signal.Signals, said: str) -> None:
    row, _ = house.suffer(
        f"feed {number.name}", lambda: house.signal("feed", number),
        hears="what the receiver has buffered, then nothing",
        says=f"the feed is gone.*{said}",
        healed=lambda mark: house.says(r"the feed is back", mark) and house.ear.peak_db(0.2) > -60,
    )  # fmt: skip
    assert row.gap is not None
    assert row.gap <= blocks(A_FEEDS_START_S[number])


def test_a_conductor_that_is_killed_is_not_heard(house: House) -> None:
    def harm() -> None:
        house.show.kill("conductor")
        time.sleep(3.0)
        house.show.start()

    row, _ = house.suffer(
        "conductor SIGKILL, started again after 3 s", harm, hears="all plays on", says="taking up the show",
        healed=lambda mark: house.says(r"taking up the show[\s\S]*(ready|armed|live)  ", mark), patience_s=90.0,
    )  # fmt: skip
    assert row.gap is not None
    assert row.gap <= BRIDGED


def test_a_conductor_that_stands_still_is_not_heard(house: House) -> None:
    def harm() -> None:
        house.signal("conductor", signal.SIGSTOP)
        time.sleep(10.0)
        house.signal("conductor", signal.SIGCONT)

    row, _ = house.suffer(
        "conductor SIGSTOP for 10 s", harm, hears="all plays on", says="",
        healed=lambda mark: house.says(r"(ready|armed|live|composing)  ", mark),
    )  # fmt: skip
    assert row.gap is not None
    assert row.gap <= BRIDGED


def test_at_the_end_no_cue_was_on_air_twice_without_a_word(house: House) -> None:
    # What a player took with it when it died is on air once more, and said to be.
    live = [cue for event, cue, _ in house.as_run() if event == "live"]
    assert live
    assert len(live) == len(set(live)), live
