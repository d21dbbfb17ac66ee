"""What systemd runs when the conductor is gone: `python -m conductor.observing.afterwards --data DIR`.

A conductor that crashed, or hung and was killed, leaves workers that play on: the next one takes them over, and nobody
hears anything of it. Wherever else a show has ended, nothing of it may go on.

Source: systemd.exec(5), SERVICE_RESULT.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from conductor.show.crew import MIDI_OUT, NAMES
from conductor.show.stage import run_folder_of
from conductor.workers.strays import end_strays

# Results after which the show is to go on.
CRASHED = frozenset({"signal", "core-dump", "watchdog"})


def end_what_is_left(data: Path, environment: Mapping[str, str]) -> list[int]:
    """End the workers of a show whose conductor is gone, unless it crashed.

    Args:
        data: folder of the show.
        environment: as systemd gives it.

    Returns:
        The ids of the processes that were ended.
    """
    if environment.get("SERVICE_RESULT", "") in CRASHED:
        return []
    run = run_folder_of(data)
    # First who makes, last who sends.
    return [pid for name in (*reversed(NAMES), MIDI_OUT) for pid in end_strays(name, run)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Do it; return the exit status."""
    parser = argparse.ArgumentParser(prog="conductor.observing.afterwards", description="End what a show has left.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the show")
    ended = end_what_is_left(parser.parse_args(arguments).data, os.environ)
    if ended:
        print(f"ended what was left of the show: {', '.join(map(str, ended))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
