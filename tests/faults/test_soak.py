"""Hours of radio in simulated time, with faults at random: the short form of `python -m tests.bench.soak`."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.faults import simulated
from tests.faults.judging import complaints

SEED = 3
HOURS = 1.5


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Iterator[simulated.Result]:
    logger = logging.getLogger("conductor")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    with pytest.MonkeyPatch.context() as patch:
        # Something every two minutes: what days bring, in an hour.
        patch.setattr(simulated, "FAULT_EVERY_S", 120.0)
        yield simulated.soak(tmp_path_factory.mktemp("soak"), HOURS, SEED)
    logger.setLevel(level)


def test_whatever_happens_nothing_is_lost_or_played_twice_or_silent_and_nothing_grows(result: simulated.Result) -> None:
    print(result.story, result.said[-3000:], sep="\n")
    assert [text for text in complaints(result) if "the bed" not in text] == []
    # Not vacuously: it played, and much went wrong.
    assert len(result.began) > 15
    assert sum(result.faults.values()) > 20
    assert result.conductors > 1


def test_a_composer_that_is_slow_leaves_nobody_with_the_bed(result: simulated.Result) -> None:
    assert [text for text in complaints(result) if "the bed" in text] == []
