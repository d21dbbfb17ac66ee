"""`python -m tests.faults.theatre run SETLIST ...`: the command `conductor`, with what can only be harmed from within.

The folder that the variable FAULTS names holds the harm: `wall`, by how many seconds the machine's time of day is
wrong. The composer is `tests.faults.muse`, but where there is a file `real-composer`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from conductor import clock, workers


def _wall(folder: Path) -> float:
    with contextlib.suppress(OSError, ValueError):
        return float((folder / "wall").read_text())
    return 0.0


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    folder = Path(os.environ["FAULTS"])
    real_command, real_wall = workers.command, clock.SystemClock.wall

    def command(name: str, run: Path, *options: str) -> list[str]:
        line = real_command(name, run, *options)
        if name == "composer" and not (folder / "real-composer").exists():
            line[line.index("conductor.composer")] = "tests.faults.muse"
        return line

    def wall(self: clock.SystemClock) -> datetime:
        return real_wall(self) + timedelta(seconds=_wall(folder))

    workers.command = command
    clock.SystemClock.wall = wall  # type: ignore[method-assign]
    from conductor.show import crew

    # Whoever renames it learns here that no fault would be injected any more.
    assert getattr(crew, "command") is command  # noqa: B009
    from conductor.cli import main as cli

    return cli(list(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
