"""How a worker is, on a virtual clock: when it is late, troubled or too heavy, and when only we were late."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from conductor.workers import Limits, limits_of
from conductor.workers.forwarding import Forwarding
from conductor.workers.health import OWN_LAG_S, PING_EVERY_S, TROUBLED_ANSWERS, Health


def ended_at(health: Health, *, until_s: float, answers_until_s: float, step_s: float = 0.25) -> float | None:
    """Return when a worker is to be ended that answers at once, up to a time."""
    now_s = 0.0
    while now_s < until_s:
        number = health.ask(now_s)
        if number is not None and now_s < answers_until_s:
            health.answered(number)
        if health.look(now_s):
            return now_s
        now_s += step_s
    return None


def test_one_that_answers_is_let_be_and_one_that_ceases_to_is_ended_within_its_time() -> None:
    assert ended_at(Health(Limits(4.0), 0.0), until_s=60.0, answers_until_s=60.0) is None
    at_s = ended_at(Health(Limits(4.0), 0.0), until_s=60.0, answers_until_s=10.0)
    assert at_s is not None
    assert 10.0 + 4.0 <= at_s <= 10.0 + 4.0 + PING_EVERY_S + 0.5


def test_one_that_is_never_asked_is_never_late() -> None:
    health = Health(Limits(None), 0.0)
    assert health.ask(100.0) is None
    assert ended_at(health, until_s=60.0, answers_until_s=0.0) is None


def test_whoever_stood_still_itself_waits_for_the_answer_anew() -> None:
    health = Health(Limits(4.0), 0.0)
    number = health.ask(0.0)
    assert number is not None
    assert not health.look(0.25)
    # This process was stopped for a minute; the answer lies in the socket.
    assert not health.look(60.0)
    health.answered(number)
    assert not health.look(60.0 + OWN_LAG_S / 2)


def test_one_whose_work_for_the_audience_stands_still_is_ended_though_it_answers() -> None:
    health = Health(Limits(None, still_s=2.0), 0.0)
    # Where the one before it stopped, while this one gets ready.
    for n in range(40):
        health.reached(48_000, n / 4)
        assert not health.look(n / 4)
    for n in range(8):
        health.reached(48_001 + n, 11.0 + n / 4)
        assert not health.look(11.0 + n / 4)
    assert not any(health.look(12.75 + n / 4) for n in range(1, 9))
    assert health.look(15.0) == "nothing has come from it for 2 s"


def test_whoever_stood_still_itself_does_not_blame_it_on_the_other_one() -> None:
    health = Health(Limits(None, still_s=2.0), 0.0)
    for n in range(3):
        health.reached(n, n / 4)
        assert not health.look(n / 4)
    assert not health.look(60.0)
    health.reached(9, 60.25)
    assert not health.look(62.0)


def test_an_answer_that_tells_of_trouble_counts_when_it_is_told_again() -> None:
    health = Health(Limits(4.0), 0.0)
    for number in range(1, TROUBLED_ANSWERS + 1):
        assert not health.look(float(number))
        health.answered(number, "it has made no picture for 6 s")
    assert health.look(3.0) == "it has made no picture for 6 s"
    health.answered(9)
    assert not health.look(3.1)


@pytest.mark.parametrize(
    ("held_mb", "at_once", "now", "calmly"),
    [(90.0, False, False, False), (120.0, False, False, True), (160.0, False, True, True), (120.0, True, True, True)],
)
def test_too_much_memory_waits_for_a_calm_moment_and_far_too_much_does_not(
    held_mb: float, at_once: bool, now: bool, calmly: bool
) -> None:
    health = Health(Limits(4.0, 100.0, at_once), 0.0)
    health.weigh(held_mb)
    assert bool(health.look(0.1)) is now
    assert bool(health.heavy) is calmly
    health.weigh(50.0)
    assert not health.look(0.2)
    assert not health.heavy


def test_a_player_may_hold_its_soundfonts_besides(tmp_path: Path) -> None:
    bank = tmp_path / "piano.sf2"
    bank.write_bytes(b"\0" * 1_000_000)
    more_mb = limits_of("player", banks=[str(bank), "/nowhere.sf2"]).memory_mb - limits_of("player").memory_mb
    assert more_mb == pytest.approx(2.0)
    assert limits_of("player", fast=True).answer_s is None


def test_what_a_worker_writes_is_passed_on_at_its_level(caplog: pytest.LogCaptureFixture) -> None:
    said = Forwarding(logging.getLogger("player"))
    with caplog.at_level(logging.INFO, logger="player"):
        for line in (
            "2026-01-01 10:00:00,000 player INFO ready\n",
            "2026-01-01 10:00:01,000 player ERROR Load\n",
            "Traceback (most recent call last):\n",
            '  File "x.py", line 1\n',
            "\n",
            "2026-01-01 10:00:02,000 player INFO on\n",
            "plain words\n",
        ):
            said.line(line.encode())
    levels = [(record.levelname, record.message) for record in caplog.records]
    assert levels[:2] == [("INFO", "ready"), ("ERROR", "Load")]
    assert [level for level, _ in levels[2:4]] == ["ERROR", "ERROR"], "a traceback belongs to its error"
    assert levels[4:] == [("INFO", "on"), ("INFO", "plain words")]
    assert said.last_words == "plain words"
