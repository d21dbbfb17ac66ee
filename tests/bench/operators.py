"""From an operator's word to its effect, and many consoles at once.

    python -m tests.bench.operators [--consoles 50] [--seconds 20]

A show with stand-ins for its workers runs in this process, its console beside it; clients are another process. Told
are the time from a request over HTTP to its answer (the verb is carried out by then), orders a second through the
dispatcher alone, and, with many consoles open, the time from a change to its delta at each console and what of a
processor the conductor takes.
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
from tests.bench.hardware import described, facts, green
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


def main() -> None:
    """Measure, and print a table and a JSON line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--consoles", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--watch", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.watch:
        asyncio.run(watch(args.watch, args.consoles, args.seconds))
        return
    if not green(["tests/conductor/console/test_stream.py", "tests/conductor/console/test_deltas.py"]):
        sys.exit("the tests of what is measured here fail; no figures")
    print(described(1))
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measured(Path(folder), args.consoles, args.seconds))
    print(f"orders a second through the dispatcher: {found['dispatcher_per_s']}")
    print(f"{'consoles':>8}  {'answer p50/p99 ms':>18}  {'delta p50/p99 ms':>17}  {'last p50/p99 ms':>16}  cpu")
    for many in (1, args.consoles):
        row = found[f"consoles_{many}"]
        cells = ["{p50_ms:.1f}/{p99_ms:.1f}".format(**row[name]) for name in ("answer", "delta", "delta_at_the_last")]
        print(f"{many:>8}  {cells[0]:>18}  {cells[1]:>17}  {cells[2]:>16}  {row['conductor_cpu']:.1%}")
    print(json.dumps({"bench": "operators", **found, "hardware": facts(1)}))


if __name__ == "__main__":
    main()
