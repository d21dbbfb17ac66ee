"""All processes of a show are killed at every moment of writing: the next conductor goes on, and nothing is spoilt."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.table import Row, add


def killed(folder: Path, step: int) -> dict[str, object]:
    line = [sys.executable, "-m", "tests.faults.every_write", str(folder), str(step)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=600)
    print(done.stdout, done.stderr)
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.faults
@pytest.mark.timeout(700)
def test_killed_at_every_write_the_show_goes_on_and_plays_every_cue(folder: Path) -> None:
    began_s = time.monotonic()
    found = killed(folder, 1)
    took_s = time.monotonic() - began_s
    count = found["killed"]
    assert isinstance(count, int)
    add(
        Row(
            "SIGKILL of everything at each moment of writing, simulated", "silence until it is started again", None,
            f"taking up the show where it broke off ({count} times)", took_s / max(1, count),
        )
    )  # fmt: skip
    assert found["wrong"] == {}
    assert count > 50


def test_killed_at_some_writes_the_show_goes_on_and_plays_every_cue(folder: Path) -> None:
    found = killed(folder, 23)
    assert found["wrong"] == {}
    assert found["killed"]
