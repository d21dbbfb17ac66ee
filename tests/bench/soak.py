"""Days of radio, with faults at random: simulated in minutes, or an hour in real time.

    python -m tests.bench.soak --hours 48 --simulated --seed 1
    python -m tests.bench.soak --real --hours 1 --obs

Simulated: the real show with its rules, library and files, but workers, clock and misfortune of a simulation. Real: the
command `conductor run` at 640x360 with an ingest (and OBS), its processes killed and stopped at random, while somebody
listens. Both end with a table and one line of JSON, and with status 1 where something is not as it must be.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.faults import real, simulated
from tests.faults.judging import complaints, real_complaints


def run_simulated(hours: float, seed: int) -> tuple[dict[str, Any], list[str]]:
    """Run it simulated; return the figures and what is not as it must be."""
    # Errors are injected by the dozen; what matters is asserted.
    logging.getLogger("conductor").setLevel(logging.CRITICAL)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak") as folder:
        result = simulated.soak(Path(folder), hours, seed)
    blocks = result.slope(lambda sample: sample.blocks)
    figures: dict[str, Any] = {
        "simulated_hours": hours,
        "wall_s": round(time.monotonic() - began_s, 1),
        "cues_on_air": len(result.began),
        "on_air_twice": len(result.twice),
        "lost": len(result.unplayed),
        "faults": sum(times for name, times in result.faults.items() if not name.startswith(" ")),
        "conductors": result.conductors,
        "stand_ins": result.stand_ins,
        "hours_by_source": {name: round(s / 3600, 3) for name, s in result.total_s.items()},
        "longest_s": {name: round(s, 1) for name, s in result.longest_s.items()},
        "rss_mb_per_hour": round(result.slope(lambda sample: sample.rss_mb), 3),
        "python_blocks_per_hour": round(blocks, 1),
        "most": {name: max(s.lengths[name] for s in result.samples) for name in result.samples[0].lengths},
        "most_requests": result.most_requests,
    }
    print(f"{'fault':<26} times")
    for name, times in sorted(result.faults.items()):
        print(f"{name:<26} {times}")
    print()
    for name, value in figures.items():
        print(f"{name:<26} {value}")
    return figures, complaints(result)


def run_real(
    hours: float, seed: int, *, obs: bool, every_s: float, log: Path | None
) -> tuple[dict[str, Any], list[str]]:
    """Run it in real time; return the figures and what is not as it must be."""
    outcome = real.soak(hours, seed, obs=obs, every_s=every_s, log=log, tell=lambda text: print(text, flush=True))
    print(f"\n{real.told(outcome)}\n")
    figures = {
        "real_hours": round(outcome.seconds / 3600, 3),
        "obs": obs,
        "faults": len(outcome.suffered),
        "longest_gap_blocks": outcome.longest_gap,
        "missing_blocks": outcome.missing,
        "strays": outcome.strays,
        "memory": outcome.slopes(),
    }
    return figures, real_complaints(outcome)


def main() -> int:
    """Soak, print, and return 0 where all is as it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--simulated", action="store_true", help="in simulated time (the default)")
    kind.add_argument("--real", action="store_true", help="in real time")
    parser.add_argument("--hours", type=float, default=48.0)
    parser.add_argument("--seed", type=int, default=1, help="of all that goes wrong")
    parser.add_argument("--obs", action="store_true", help="with --real: with OBS, which streams")
    parser.add_argument(
        "--every", type=float, default=60.0, metavar="S", help="with --real: between faults (%(default)s)"
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="with --real: where to the show's log is copied")
    got = parser.parse_args()
    if got.real:
        figures, wrong = run_real(got.hours, got.seed, obs=got.obs, every_s=got.every, log=got.log)
    else:
        figures, wrong = run_simulated(got.hours, got.seed)
    for text in wrong:
        print(f"WRONG: {text}")
    machine = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1), "python": sys.version.split()[0]}
    print(json.dumps({"bench": "soak", "seed": got.seed, **figures, "wrong": wrong, **machine}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
