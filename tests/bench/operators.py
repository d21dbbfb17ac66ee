"""From an operator's word to its effect, and many consoles at once.

    python -m tests.bench.operators [--consoles 50] [--seconds 12] [--rounds 12]

A show with stand-ins for its workers runs in this process, its console beside it; clients are another process. Told
are the time from a request over HTTP to its answer (the verb is carried out by then), orders a second through the
dispatcher alone, and, with many consoles open, the time from a change to its delta at each console and what of a
processor the conductor takes. With the real player (`verb_to_air`): the time until the first sample that is another
lies in the ring, which goes on air 0.25 s later; of a change, too, how far ahead the bar line is from which it counts.
At last: how long a browser takes to load the page and to show the show.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import ClientSession

from conductor.operating.order import Order
from tests.bench import verb_to_air
from tests.bench.hardware import described, facts, green
from tests.conductor.console.browsing import CHROMIUM, page_of
from tests.conductor.console.stage import consoled


def percentiles(values_s: list[float]) -> dict[str, float]:
    """Return p50 and p99 in ms."""
    p50, p99 = np.percentile(np.array(values_s) * 1000, [50, 99])
    return {"p50_ms": round(float(p50), 2), "p99_ms": round(float(p99), 2)}


async def watch(url: str, consoles: int, seconds: float) -> None:
    """Be many consoles, and one that gives orders; print what was measured."""
    arrivals: dict[int, list[float]] = {}
    async with ClientSession() as browser:

        async def console() -> None:
            async with browser.ws_connect(f"{url}/api/events", max_msg_size=0) as socket:
                async for message in socket:
                    now_s = time.perf_counter()
                    said = json.loads(message.data)
                    if said["kind"] == "delta":
                        for each in said["patch"]:
                            if each["path"] == "/revision":
                                arrivals.setdefault(each["value"], []).append(now_s - given.get(each["value"], now_s))

        given: dict[int, float] = {}
        tasks = [asyncio.create_task(console()) for _ in range(consoles)]
        await asyncio.sleep(3.0)
        answers: list[float] = []
        end_s = time.perf_counter() + seconds
        revision, held = 0, False
        async with browser.get(f"{url}/api/cues") as answer:
            revision = (await answer.json())["revision"]
        while time.perf_counter() < end_s:
            began_s = time.perf_counter()
            given[revision + 1] = began_s
            async with browser.post(f"{url}/api/{'release' if held else 'hold'}", json={}) as answer:
                revision = (await answer.json())["revision"]
            answers.append(time.perf_counter() - began_s)
            held = not held
            await asyncio.sleep(0.15)
        await asyncio.sleep(1.0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    whole = [times for number, times in arrivals.items() if number in given]
    told = {
        "orders": len(answers),
        "answer": percentiles(answers),
        "delta": percentiles([each for times in whole for each in times]) if whole else {},
        "delta_at_the_last": percentiles([max(times) for times in whole]) if whole else {},
        "deltas": sum(map(len, whole)),
    }
    print(json.dumps(told))


async def measured(folder: Path, consoles: int, seconds: float) -> dict[str, Any]:
    """Return what was measured."""
    async with consoled(folder, player="--speed 1") as it:
        await asyncio.sleep(3.0)
        count, began_s = 3000, time.perf_counter()
        for number in range(count):
            answer = it.show.dispatcher.give(Order("release" if number % 2 else "hold", who="bench", via="bench"))
            assert answer.ok, answer.reason
        through = count / (time.perf_counter() - began_s)
        found: dict[str, Any] = {"dispatcher_per_s": round(through)}
        for many in (1, consoles):
            await asyncio.sleep(1.0)
            own_s, wall_s = time.process_time(), time.perf_counter()
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.bench.operators", "--watch", it.url, "--consoles", str(many),
                "--seconds", str(seconds), stdout=subprocess.PIPE,
            )  # fmt: skip
            out, _ = await process.communicate()
            used = (time.process_time() - own_s) / (time.perf_counter() - wall_s)
            found[f"consoles_{many}"] = {**json.loads(out), "conductor_cpu": round(used, 3)}
        return found


async def loaded(folder: Path, times: int = 7) -> dict[str, dict[str, float]]:
    """Return how long the page takes to load, and to show the first state, in a browser that is open already."""
    document, shown = [], []
    async with consoled(folder) as it, page_of(it) as page:
        for _ in range(times):
            await page.reload()
            await page.wait_for_function("document.getElementById('title').textContent === 'Trial'", polling="raf")
            shown.append(await page.evaluate("performance.now()") / 1000)
            entry = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
            document.append(await page.evaluate(entry) / 1000)
    return {"dom_content_loaded": percentiles(document), "first_state": percentiles(shown)}


def main() -> None:
    """Measure, and print a table and a JSON line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--consoles", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--rounds", type=int, default=12, help="of GO, change, skip, GO, fade")
    parser.add_argument("--watch", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.watch:
        asyncio.run(watch(args.watch, args.consoles, args.seconds))
        return
    if not green(["tests/conductor/console/test_stream.py", "tests/conductor/console/test_deltas.py"]):
        sys.exit("the tests of what is measured here fail; no figures")
    print(described(1))
    with tempfile.TemporaryDirectory() as folder:
        for name in ("many", "air", "page"):
            (Path(folder) / name).mkdir()
        found = asyncio.run(measured(Path(folder) / "many", args.consoles, args.seconds))
        air = asyncio.run(verb_to_air.measured(Path(folder) / "air", args.rounds))
        found["first_difference_samples"] = verb_to_air.first_difference()
        found["written"] = {
            verb: {**percentiles([each / 1000 for each in values]), "n": len(values)} for verb, values in air.items()
        }
        found["page"] = asyncio.run(loaded(Path(folder) / "page")) if CHROMIUM.exists() else {}
    print(f"orders a second through the dispatcher: {found['dispatcher_per_s']}")
    print(f"{'consoles':>8}  {'answer p50/p99 ms':>18}  {'delta p50/p99 ms':>17}  {'last p50/p99 ms':>16}  cpu")
    for many in (1, args.consoles):
        row = found[f"consoles_{many}"]
        cells = ["{p50_ms:.1f}/{p99_ms:.1f}".format(**row[name]) for name in ("answer", "delta", "delta_at_the_last")]
        print(f"{many:>8}  {cells[0]:>18}  {cells[1]:>17}  {cells[2]:>16}  {row['conductor_cpu']:.1%}")
    print(f"{'order':>14}  {'in the ring p50/p99 ms':>22}  {'on air p50/p99 ms':>18}  n")
    for verb, row in found["written"].items():
        ahead_ms = 0.0 if verb == "change_at_bar" else verb_to_air.AHEAD_MS
        on_air = f"{row['p50_ms'] + ahead_ms:.0f}/{row['p99_ms'] + ahead_ms:.0f}"
        written = f"{row['p50_ms']:.1f}/{row['p99_ms']:.1f}"
        print(f"{verb:>14}  {written:>22}  {on_air:>18}  {row['n']}")
    print(f"first sample that differs, in the first block and after: {found['first_difference_samples']}")
    for name, row in found["page"].items():
        print(f"{name:>18}  {row['p50_ms']:.0f}/{row['p99_ms']:.0f} ms")
    print(json.dumps({"bench": "operators", **found, "hardware": facts(1)}))


if __name__ == "__main__":
    main()
