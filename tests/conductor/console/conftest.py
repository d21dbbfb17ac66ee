"""Logins that do not take a quarter of a second each."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def quick_passwords(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "real_cost" not in request.fixturenames:
        monkeypatch.setattr("conductor.console.operators._COST", 2**6)


@pytest.fixture
def real_cost() -> None:
    """Passwords cost what they do in a show."""
