"""What an hour of soak in real time is judged by."""

from __future__ import annotations

import pytest

from tests.faults.judging import FILLS_MIB, real_complaints
from tests.faults.real import WARM_S, Outcome, Suffered


def hour(name: str, mib_per_hour: float, *, lasts_s: float = 3600.0) -> Outcome:
    """Return an hour in which a process grew evenly, after what it took in the beginning."""
    times = [5.0 * n for n in range(int(lasts_s / 5.0))]
    memory = [(at_s, 7, 100.0 + 50.0 * (at_s >= WARM_S) + mib_per_hour * at_s / 3600) for at_s in times]
    return Outcome(seconds=lasts_s, memory={name: memory})


@pytest.mark.parametrize("name", ["player", "feed", "conductor", "composer"])
def test_a_process_that_grows_without_end_is_told(name: str) -> None:
    assert real_complaints(hour(name, 90.0)) == [f"the {name} grows by 90.0 MiB an hour"]
    assert real_complaints(hour(name, 10.0)) == []


def test_a_cache_that_fills_and_a_program_of_others_are_not() -> None:
    assert real_complaints(hour("feed", FILLS_MIB["feed"])) == []
    assert real_complaints(hour("player", FILLS_MIB["feed"])) != []
    assert real_complaints(hour("obs", 90.0)) == []


def test_what_did_not_come_back_and_a_long_silence_are_told() -> None:
    gone = Suffered(10.0, "feed SIGKILL", 100, 100, None)
    away = Suffered(20.0, "player SIGKILL (was away)", 0, 0, None)
    outcome = Outcome(seconds=60.0, suffered=[gone, away], longest_gap=5000)
    assert len(real_complaints(outcome)) == 2
