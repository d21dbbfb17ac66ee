"""The folder of a show that feeds of the programme's tests are started in."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from streaming.ring import Ring
from tests.fakes_feed import RingPlayer


@pytest.fixture
def run() -> Iterator[Path]:
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="feed") as folder:
        ring = Ring.create(Path(folder) / "programme.ring")
        with RingPlayer(ring):
            yield Path(folder)
        ring.close()
