"""What a command says when it refuses."""

from __future__ import annotations

import pytest

from conductor.cli import main

Printed = pytest.CaptureFixture[str]


def refusal(printed: Printed, words: list[str]) -> str:
    """Run a command that must be refused; return the one line that says why."""
    printed.readouterr()
    assert main(words) == 2
    _, err = printed.readouterr()
    assert err.startswith("conductor: ")
    assert err.count("\n") == 1
    assert "unexpected" not in err
    return err
