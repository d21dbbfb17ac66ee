"""Hours of radio in simulated time, with faults at random: the short form of `python -m tests.bench.soak`."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.faults import simulated
from tests.faults.judging import complaints

SEED = 3
HOURS = 3.0


def test_radio_goes_on_whatever_happens_and_nothing_is_lost_or_played_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, logger="conductor")
    # Something every three minutes: what days bring, in hours.
    monkeypatch.setattr(simulated, "FAULT_EVERY_S", 180.0)
    result = simulated.soak(tmp_path, HOURS, SEED)
    print(result.said[-4000:])
    print(result.story)
    assert complaints(result) == []
    # Not vacuously: it played, and much went wrong.
    assert len(result.began) > 20
    assert sum(result.faults.values()) > 30
    assert result.conductors > 1
