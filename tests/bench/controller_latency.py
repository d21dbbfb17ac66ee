"""From a key to the show: how long a press is on its way, through a real JACK server, and what listening costs.

    python -m tests.bench.controller_latency [--presses 500] [--period 64]

A controller in a process of its own presses keys and writes down when; the show's side hears them as in a show
and hands them to its loop, where the dispatcher would take them. Then: the processor time of the thread that
listens, at rest and under ten thousand messages a second. Needs jackd (apt install jackd2). Prints a table and
one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import multiprocessing.connection
import os
import random
import tempfile
import time
from pathlib import Path

import numpy as np

from conductor.controllers.reading import read_map
from conductor.controllers.station import Answered, Station
from conductor.controllers.surface import Press
from conductor.controllers.table import VERBS
from tests.air.box import Box
from tests.air.jack import Jack
from tests.bench.hardware import green

TESTS = ("tests/conductor/controllers",)
KEYS = 12
NOISE_A_SECOND = 10_000


def play(presses: int, told: multiprocessing.connection.Connection) -> None:
    """Be the controller: press keys when told to, then make noise until told to end."""
    box = Box()
    told.send("ready")
    told.recv()
    rng, sent = random.Random(1), list[float]()
    for n in range(presses):
        time.sleep(rng.uniform(0.03, 0.06))
        sent.append(time.monotonic())
        box.press(n % KEYS)
    told.send(sent)
    told.recv()
    began_s, count = time.monotonic(), 0
    while not told.poll():
        box.press(count // 2 % KEYS)
        count += 2
        time.sleep(max(0.0, began_s + count / NOISE_A_SECOND - time.monotonic()))
    told.send(count / (time.monotonic() - began_s))
    box.unplug()


async def measure(folder: Path, presses: int) -> dict[str, float]:
    """Return the figures."""
    path = folder / "box.yaml"
    keys = "".join(f"  - {{note: {n}, does: {{standby: {{cue: '{n}'}}}}}}\n" for n in range(KEYS))
    path.write_text(f"version: 1\nport: box\nlights: none\ncontrols:\n{keys}")
    loop = asyncio.get_running_loop()
    heard, dispatched = list[float](), list[float]()
    there = asyncio.Event()

    def dispatch(press: Press, answered: Answered) -> None:
        dispatched.append(time.monotonic())
        heard.append(press.at_s)
        answered("")

    def give(press: Press, who: str, answered: Answered) -> None:
        assert who == "box"
        loop.call_soon_threadsafe(dispatch, press, answered)

    def say(good: bool, text: str) -> None:
        assert good, text
        loop.call_soon_threadsafe(there.set)

    station = Station([read_map(path, VERBS)], give, say)
    here, across = multiprocessing.Pipe()
    controller = multiprocessing.get_context("spawn").Process(target=play, args=(presses, across))
    controller.start()
    try:
        await asyncio.to_thread(here.recv)
        station.start()
        await asyncio.wait_for(there.wait(), 20.0)
        await asyncio.sleep(1.0)
        rest = await load(3.0)
        here.send("go")
        sent = await asyncio.to_thread(here.recv)
        await asyncio.sleep(0.5)
        assert len(dispatched) == presses, f"{len(dispatched)} of {presses} presses came"
        way_ms = (np.array(dispatched) - np.array(sent)) * 1e3
        inside_ms = (np.array(dispatched) - np.array(heard)) * 1e3
        here.send("noise")
        await asyncio.sleep(1.0)
        before = len(dispatched)
        noisy = await load(3.0)
        given = len(dispatched) - before
        here.send("end")
        rate = await asyncio.to_thread(here.recv)
    finally:
        station.close()
        controller.join(10.0)
        if controller.is_alive():
            controller.kill()
    figures = {f"{name}_ms": float(np.percentile(way_ms, p)) for name, p in (("p50", 50), ("p99", 99), ("max", 100))}
    figures |= {f"inside_{name}_ms": float(np.percentile(inside_ms, p)) for name, p in (("p50", 50), ("p99", 99))}
    return {**figures, "cpu_at_rest": rest, "cpu_in_noise": noisy, "noise_a_second": rate, "orders_in_noise": given}


async def load(seconds: float) -> float:
    """Return which part of a core this process takes meanwhile, 0 to 1."""
    cpu_s, now_s = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    return (time.process_time() - cpu_s) / (time.monotonic() - now_s)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presses", type=int, default=500)
    parser.add_argument("--period", type=int, default=64, help="of JACK, samples at 48 kHz")
    args = parser.parse_args()
    green(*TESTS)
    with tempfile.TemporaryDirectory(prefix="box") as name:
        jack = Jack(Path(name) / "jackd.log", args.period)
        try:
            figures = asyncio.run(measure(Path(name), args.presses))
        finally:
            jack.close()
    print(f"{args.presses} presses, JACK's period {args.period / 48:.1f} ms, {os.cpu_count()} cores")
    for name, value in figures.items():
        print(f"  {name:<16} {value:10.3f}")
    print(json.dumps({"bench": "controller_latency", "period": args.period, "load": os.getloadavg()[0], **figures}))


if __name__ == "__main__":
    main()
