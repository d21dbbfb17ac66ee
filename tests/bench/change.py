"""How soon a piece on air is changed: `python -m tests.bench.change`. A table, then one line of JSON.

A show with the real composer and the real player plays a piece while the next is composed beside it.
Again and again it is asked to go on otherwise. `answer`: until the player has the new notes, by the wall clock.
`heard`: from the request to the bar line where they sound, in seconds of the programme and in bars.
Refused when the tests of changes are red.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from conductor import cues as c
from conductor.cues import wish_of
from conductor.errors import ConductorError
from conductor.library import AsRun, Library
from conductor.logs import Terminal
from conductor.setlist import load_setlist
from conductor.show.crew import commands_of
from conductor.show.show import Show
from conductor.show.stage import RunFolder, ShowOptions
from model.network.checkpoint import SHIPPED
from streaming.timeline import SAMPLE_RATE
from tests.bench.bench_compose import processor

TESTS = ("tests/conductor/test_changing.py", "tests/conductor/test_changing_composer.py")
WISHES: tuple[dict[str, object], ...] = (
    {"style": "jazz"},
    {"instruments": ["piano", "bass", "drums"]},
    {"energy": "high", "density": "high"},
    {"style": "bach", "instruments": ["organ"], "energy": "low"},
    {"style": "chopin", "instruments": ["piano"]},
)
PATIENCE_S = 300.0
POLL_S = 0.005


def replaced(library: Library) -> list[AsRun]:
    return [line for line in library.as_run(10_000) if line.event == "replaced"]


async def until(holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> bool:
    """Wait until something holds; return whether it did in time."""
    end_s = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > end_s:
            return False
        await asyncio.sleep(POLL_S)
    return True


async def measured(show: Show, library: Library, changes: int, patience_s: float) -> list[dict[str, float]]:
    """Ask for changes of what is on air; return what became of each."""
    rng = random.Random(1)
    rows: list[dict[str, float]] = []
    while len(rows) < changes:
        live = show.state.live
        if live is None or show.crew.heard.levels is None:
            await asyncio.sleep(POLL_S)
            continue
        wish = {**WISHES[len(rows) % len(WISHES)], "duration_s": round(show.crew.heard.levels.position_s + 240.0)}
        known, asked_s, sample = len(replaced(library)), time.monotonic(), show.crew.heard.levels.sample
        lead_s = show.state.lead_s
        try:
            show.obey(c.Change(wish_of(wish)))
        except c.RefusalError as error:
            print(f"refused: {error}", file=sys.stderr)
            await asyncio.sleep(1.0)
            continue
        came = await until(lambda known=known: len(replaced(library)) > known, patience_s)  # type: ignore[misc]
        answer_s = time.monotonic() - asked_s
        if not came:
            rows.append({"answer_s": float("inf"), "heard_s": float("inf"), "bars": float("inf"), "late": 1.0})
            continue
        line = replaced(library)[-1]
        heard_s = (line.sample - sample) / SAMPLE_RATE
        take = show.commissions.takes[live.cue.id]
        bar_s = float(np.median(np.diff([at_s for _, at_s in take.bars])))
        late = float("later than it was to be" in line.detail)
        rows.append({"answer_s": answer_s, "heard_s": heard_s, "bars": heard_s / bar_s, "bar_s": bar_s, "late": late})
        print(
            f"{len(rows):>4}{lead_s:>9.2f}{answer_s:>11.2f}{heard_s:>10.2f}{bar_s:>8.2f}{rows[-1]['bars']:>7.2f}"
            f"{'  late' if late else ''}",
            flush=True,
        )
        await asyncio.sleep(rng.uniform(2.0, 6.0))
    return rows


async def bench(checkpoint: Path, changes: int, patience_s: float, *, beside: bool) -> list[dict[str, float]]:
    """Run a show and change what is on air."""
    with tempfile.TemporaryDirectory(prefix="change") as folder:
        setlist = Path(folder) / "show.yaml"
        cues = "{id: one, style: chopin, instruments: [piano], duration: 60s, candidates: 1}"
        cues += ", {id: two, style: bach, duration: 20m, candidates: 8}" if beside else ""
        setlist.write_text(f"version: 1\nshow: {{title: Changes}}\ncues: [{cues}]\n")
        options = ShowOptions(data=Path(folder) / "data", port=0, nut_port=0, obs_url="", checkpoint=checkpoint)
        run, library = RunFolder(options.data), Library(options.data)
        real = commands_of(options, run)

        def commands(name: str) -> Sequence[str]:
            # Nobody looks: the feed is a stand-in.
            words = [sys.executable, "-m", "tests.fakes", "feed", "--run", str(run.path)]
            return words if name == "feed" else real(name)

        show = Show(load_setlist(setlist), options, library, run, Terminal(io.StringIO()), commands=commands)
        task = asyncio.create_task(show.run())
        try:
            if not await until(lambda: task.done() or show.state.live is not None) or task.done():
                raise ConductorError("the show did not begin")
            return await measured(show, library, changes, patience_s)
        finally:
            show.end()
            show.end()
            await asyncio.gather(task, return_exceptions=True)
            library.close()
            run.close()


def quantiles(rows: list[dict[str, float]], name: str) -> dict[str, float]:
    """Return how a figure is distributed."""
    values = [row[name] for row in rows]
    return {str(q): round(float(np.quantile(values, q / 100, method="higher")), 2) for q in (10, 50, 90, 100)}


def main() -> int:
    """Print the table and the JSON line; 1 when the tests are red or the show does not begin."""
    parser = argparse.ArgumentParser(prog="tests.bench.change", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=SHIPPED, help="weights (the shipped ones)")
    parser.add_argument("--changes", type=int, default=20, help="how many (20)")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds after which a change has failed (60)")
    parser.add_argument("--alone", action="store_true", help="nothing is composed beside")
    args = parser.parse_args()
    if subprocess.run([sys.executable, "-m", "pytest", "-q", *TESTS], capture_output=True, check=False).returncode:
        print("the tests of changes are red: nothing is reported")
        return 1
    print(f"{'':>4}{'lead s':>9}{'answer s':>11}{'heard s':>10}{'bar s':>8}{'bars':>7}")
    try:
        rows = asyncio.run(bench(args.checkpoint, args.changes, args.patience, beside=not args.alone))
    except ConductorError as error:
        print(f"change: {error}", file=sys.stderr)
        return 1
    facts = {
        "bench": "change",
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "changes": len(rows),
        "beside": not args.alone,
        **{name: quantiles(rows, name) for name in ("answer_s", "heard_s", "bars")},
        "within_two_bars": round(float(np.mean([row["bars"] <= 2.0 for row in rows])), 3),
        "late": round(float(np.mean([row["late"] for row in rows])), 3),
    }
    print(json.dumps(facts))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
