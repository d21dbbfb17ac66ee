"""How the memory of a show's processes grows on air, a slope for each in MiB an hour, and what they cost.

    python -m tests.bench.air_memory [--minutes 30] [--size 640x360] [--candidates 4]

A show is run by the command, with one RTMP destination and one WebRTC viewer; a piece of four minutes is composed while
the one before it plays. What a process has for itself alone (USS) is read every ten seconds; the first minutes, in
which caches fill, do not count. Cost is processor time, in per cent of one core. Prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from tests.air.ingest import Ingest
from tests.air.processes import free_port, wait_for
from tests.air.show import Show
from tests.bench.hardware import described, facts

EVERY_S = 10.0
SETTLE_S = 300.0
SETLIST = """\
version: 1
show: {title: Memory, ahead: 1}
defaults: {candidates: CANDIDATES}
cues: [{style: bach, duration: 20s}]
endless: {styles: {bach: 1, chopin: 1, mozart: 1, folk: 1}, duration: 4m}
"""
MIB = 2**20


def processes(show: Show) -> dict[str, psutil.Process]:
    """Return all that run for a show, by name."""
    found = {"conductor": psutil.Process(show.conductor.pid), **show.workers()}
    for child in found["feed"].children():
        found["publisher"] = child
    return found


Row = tuple[float, float, int, float]


def sampled(show: Show, seconds: float) -> dict[str, list[Row]]:
    """Return (time in s, MiB, process id, processor seconds) of each process, every `EVERY_S`."""
    rows: dict[str, list[Row]] = {}
    begun_s = time.monotonic()
    while (now_s := time.monotonic() - begun_s) < seconds:
        show.conductor.check()
        for name, process in processes(show).items():
            cpu = process.cpu_times()
            row = now_s, process.memory_full_info().uss / MIB, process.pid, cpu.user + cpu.system
            rows.setdefault(name, []).append(row)
        time.sleep(EVERY_S)
    return rows


def slopes(rows: dict[str, list[Row]], settle_s: float) -> list[dict[str, object]]:
    """Return for each process its memory and how it grows, by least squares, with the standard error."""
    table: list[dict[str, object]] = []
    for name, all_of_it in rows.items():
        at, mib, pids, cpu_s = np.array([row for row in all_of_it if row[0] >= settle_s]).T
        hours = at / 3600
        (slope, _), spread = np.polyfit(hours, mib, 1, cov=True)
        table.append(
            {
                "process": name,
                "mib_first": round(float(mib[0]), 1),
                "mib_last": round(float(mib[-1]), 1),
                "mib_most": round(float(mib.max()), 1),
                "mib_per_hour": round(float(slope), 2),
                "error": round(float(np.sqrt(spread[0, 0])), 2),
                "processes": len(set(pids)),
                "core_percent": round(100 * float((cpu_s[-1] - cpu_s[0]) / (at[-1] - at[0])), 1),
            }
        )
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--candidates", type=int, default=1)
    got = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mem", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        ingest = Ingest(folder / "ingest", record=False)
        port = free_port()
        setlist = SETLIST.replace("CANDIDATES", str(got.candidates))
        options = ["--port", str(port), "--nut", "0", "--obs", "", "--size", got.size]
        options += ["--publish", ingest.url]
        show = Show(folder / "show", *options, setlist=setlist, env={"STREAM_KEY": "memory"})
        try:
            show.on_air()
            wait_for(lambda: show.says("is on air"), "stream", 60.0)
            watch = [sys.executable, "-m", "tests.bench.viewers", "--watch", f"http://127.0.0.1:{port}", "1"]
            with subprocess.Popen(watch, stdin=subprocess.PIPE) as viewer:
                rows = sampled(show, got.minutes * 60)
                assert viewer.poll() is None, "the viewer went away"
                viewer.kill()
        finally:
            show.close()
            ingest.close()
    table = slopes(rows, min(SETTLE_S, got.minutes * 12))
    print(described(1))
    print(f"{'process':<10} {'MiB':>7} {'at last':>8} {'at most':>8} {'MiB/h':>8} {'+-':>6} {'core %':>7}")
    for row in table:
        print(
            f"{row['process']:<10} {row['mib_first']:>7} {row['mib_last']:>8} {row['mib_most']:>8} "
            f"{row['mib_per_hour']:>8} {row['error']:>6} {row['core_percent']:>7}"
        )
    print(json.dumps({"bench": "air_memory", "minutes": got.minutes, "size": got.size, "rows": table, **facts(1)}))


if __name__ == "__main__":
    main()
