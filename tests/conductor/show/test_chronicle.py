"""The as-run log, while its disk is full and after."""

from __future__ import annotations

import io
import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from conductor.clock import Clock
from conductor.errors import LibraryError
from conductor.logs import Terminal
from conductor.show.chronicle import UNWRITTEN, Chronicle


class Log:
    """A library whose disk may be full."""

    def __init__(self) -> None:
        self.full = False
        self.rows: list[dict[str, Any]] = []

    def log(self, event: str, **row: Any) -> None:
        if self.full:
            raise LibraryError("no space left on device")
        self.rows.append({"event": event, **row})


class Wall(Clock):
    """A clock that is a second later each time."""

    def __init__(self) -> None:
        self.seconds = 0

    def wall(self) -> datetime:
        self.seconds += 1
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic_s(self) -> float:
        return float(self.seconds)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def chronicle(log: Log) -> Chronicle:
    return Chronicle(log, Wall(), Terminal(io.StringIO()), lambda: 480)  # type: ignore[arg-type]


def test_what_could_not_be_written_is_written_in_its_order_with_its_time(
    chronicle: Chronicle, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    chronicle.log("start")
    log.full = True
    for event in ("live", "aired", "fault"):
        chronicle.log(event)
    chronicle.catch_up()
    assert [row["event"] for row in log.rows] == ["start"]
    log.full = False
    chronicle.catch_up()
    chronicle.catch_up()
    assert [row["event"] for row in log.rows] == ["start", "live", "aired", "fault"]
    assert [row["at"].second for row in log.rows] == [1, 2, 3, 4]
    assert errors(caplog) == ["no space left on device"], "told once, when it began"


def test_what_waits_is_bounded_and_the_oldest_goes(chronicle: Chronicle, log: Log) -> None:
    log.full = True
    for number in range(UNWRITTEN + 7):
        chronicle.log("live", detail=str(number))
    log.full = False
    chronicle.log("end")
    assert len(log.rows) == UNWRITTEN
    assert log.rows[0]["detail"] == "8"
    assert log.rows[-1]["event"] == "end"


def test_an_error_is_told_again_when_it_comes_again(
    chronicle: Chronicle, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    for full in (True, True, False, True):
        log.full = full
        chronicle.log("live")
    assert errors(caplog) == ["no space left on device"] * 2
