"""What the doctor finds: one line each, and what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

# Loading torch for the first time takes its while on a slow disk.
_PROBE_S = 120.0

State = Literal["good", "note", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes:
        name: of the thing.
        state: `good`; `note`: a show does without it; `missing`: no show without it.
        text: what there is, or is not.
        advice: what to do; empty: nothing.
    """

    name: str
    state: State
    text: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the fields as plain values."""
        return asdict(self)


Check = Callable[[], Iterable[Finding]]


def examine(checks: Iterable[tuple[str, Check]]) -> list[Finding]:
    """Return what all checks find; one that breaks is a finding, too.

    Args:
        checks: name and function of each.
    """
    found: list[Finding] = []
    for name, check in checks:
        try:
            found += check()
        except Exception as error:
            text = f"could not be looked at: {type(error).__name__}: {error}"
            found.append(Finding(name, "note", " ".join(text.split())))
    return found


class ProbeError(Exception):
    """What was tried in a process of its own did not work."""


def probe(code: str) -> dict[str, Any]:
    """Run Python in a process of its own, which may die of it, and return the JSON that it prints last.

    Raises:
        ProbeError: it failed; says how in a line.
    """
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=_PROBE_S)
    except subprocess.TimeoutExpired:
        raise ProbeError(f"gave no answer in {_PROBE_S:.0f} s") from None
    if done.returncode < 0:
        raise ProbeError(f"killed by signal {-done.returncode}")
    try:
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        said = done.stderr.strip().splitlines()
        raise ProbeError(said[-1] if said else f"exit status {done.returncode}") from None
    return answer
