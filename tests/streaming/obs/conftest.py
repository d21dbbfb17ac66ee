"""An OBS that is none, and time that goes as a test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.fakes_obs import FakeObs


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def go(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
async def obs() -> AsyncIterator[FakeObs]:
    fake = FakeObs()
    await fake.start()
    yield fake
    await fake.stop()
