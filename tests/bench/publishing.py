"""What publishing takes: the feed's processor time, the way of a sample to a reader, and recovery from faults.

    python -m tests.bench.publishing [--size 1280x720] [--seconds 20] [--destinations 0 1 3]

The feed runs as in a show and publishes by RTMP to nginx on this machine. For the latency a reader plays the stream
from nginx, decodes it, and reads from each picture which sample it belongs to; the ring tells when that was on air.
Prints tables and one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil

from conductor import publication, wire
from streaming.picture.stamp import read_stamp
from streaming.publishing.destination import Destination, KeySource
from streaming.ring import Ring
from streaming.timeline import SAMPLE_RATE
from tests.air.ingest import Ingest
from tests.bench.hardware import described, facts, green
from tests.fakes_feed import RingPlayer

TESTS = ("tests/streaming/publishing/test_rtmp.py", "tests/streaming/publishing/test_faults.py")
FPS = 30
SETTLE_S = 4.0
MARKS = 1 << 16


class House:
    """A feed that publishes to an ingest, and the link to it."""

    def __init__(self, folder: Path, size: str) -> None:
        self._folder, self._size = folder, size
        self.ingest = Ingest(folder / "ingest")
        self.key = folder / "key.txt"
        self.key.write_text("bench")
        self.status: wire.FeedStatus | None = None

    async def __aenter__(self) -> House:
        self.ring = Ring.create(self._folder / "programme.ring")
        self.player = RingPlayer(self.ring)
        command = [sys.executable, "-m", "conductor.feed", "--run", str(self._folder), "--size", self._size, "--stamp"]
        environment = {**os.environ, "OMP_NUM_THREADS": "2"}
        with (self._folder / "feed.log").open("w") as log:
            self._process = await asyncio.create_subprocess_exec(*command, stderr=log, env=environment)
        while not (self._folder / "feed.sock").exists():
            await asyncio.sleep(0.05)
        self.link = await wire.connect(self._folder / "feed.sock")
        self._hearing = asyncio.create_task(self._hear())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.link.send(wire.Quit())
        await self._process.wait()
        self._hearing.cancel()
        await self.link.close()
        self.player.stop()
        self.ring.close()
        self.ingest.close()

    async def _hear(self) -> None:
        async for message in self.link.messages():
            if isinstance(message, wire.FeedStatus):
                self.status = message

    def states(self) -> list[str]:
        return [each.state for each in self.status.destinations] if self.status else ["?"]

    async def until(self, condition: Callable[[], bool], seconds: float = 90.0) -> float:
        """Wait for a condition; return how long it took."""
        begun_s = time.monotonic()
        while not condition():
            assert time.monotonic() - begun_s < seconds, self.status
            await asyncio.sleep(0.01)
        return time.monotonic() - begun_s

    @property
    def pid(self) -> int:
        return self._process.pid


def cpu_s(processes: list[psutil.Process]) -> float:
    """Return the processor time that processes have used."""
    times = [process.cpu_times() for process in processes]
    return float(sum(time.user + time.system for time in times))


async def costs(house: House, counts: list[int], seconds: float) -> list[dict[str, float]]:
    """Return the shares of a core that the feed and its publishers take, by the number of destinations."""
    rows = []
    for count in counts:
        urls = [Destination(f"d{n}", f"{house.ingest.url}/bench{n}") for n in range(count)]
        house.link.send(publication.message(urls))
        await house.until(lambda count=count: house.states() == ["live"] * count)  # type: ignore[misc]
        await asyncio.sleep(SETTLE_S)
        feed = psutil.Process(house.pid)
        children = feed.children(recursive=True)
        assert len(children) == count
        before, begun_s = (cpu_s([feed]), cpu_s(children)), time.monotonic()
        dropped = house.status.dropped if house.status else 0
        await asyncio.sleep(seconds)
        spent_s = time.monotonic() - begun_s
        rows.append(
            {
                "destinations": count,
                "feed": (cpu_s([feed]) - before[0]) / spent_s,
                "each": (cpu_s(children) - before[1]) / spent_s / max(1, count),
                "each_mb": sum(child.memory_info().rss for child in children) / 1e6 / max(1, count),
                "pictures_late": (house.status.dropped if house.status else 0) - dropped,
                "lost": sum(each.dropped for each in house.status.destinations) if house.status else 0,
            }
        )
    return rows


def read_latencies(url: str, ring: Ring, seconds: float) -> list[float]:
    """Return, for the pictures that a reader gets and decodes, how long ago their first sample was on air, in ms."""
    options = {"fflags": "nobuffer", "flags": "low_delay", "probesize": "100000"}
    found: list[float] = []
    with av.open(url, options=options, timeout=20.0) as container:
        begun_s = time.monotonic()
        for frame in container.decode(video=0):
            now_ns = time.monotonic_ns()
            luma = frame.to_ndarray(format="gray").astype(np.uint8, copy=False)
            if now_ns / 1e9 - begun_s > seconds:
                break
            index = read_stamp(luma)
            newest = ring.read_index * FPS // SAMPLE_RATE
            index += (newest - index) // MARKS * MARKS
            on_air_ns = ring.air_ns + index * 1_000_000_000 // FPS
            # At first it is given what the ingest held.
            if now_ns / 1e9 - begun_s > 3.0:
                found.append((now_ns - on_air_ns) / 1e6)
    return found


async def faults(house: House) -> dict[str, float]:
    """Return how long it takes to notice a fault of the ingest, and to be on air when it is mended, in seconds."""
    found: dict[str, float] = {}
    house.link.send(publication.message([Destination("d0", house.ingest.url, KeySource(file=str(house.key)))]))
    await house.until(lambda: house.states() == ["live"])
    await asyncio.sleep(3)
    for name, harm, mend in (
        ("frozen", house.ingest.freeze, house.ingest.thaw),
        ("killed", house.ingest.kill, house.ingest.start),
    ):
        harm()
        found[f"{name}_noticed_s"] = await house.until(lambda: house.states() == ["retrying"])
        await asyncio.sleep(3)
        mend()
        found[f"{name}_back_s"] = await house.until(lambda: house.states() == ["live"])
        await asyncio.sleep(3)
    return found


async def run(size: str, seconds: float, counts: list[int]) -> dict[str, Any]:
    """Return all figures."""
    with tempfile.TemporaryDirectory(prefix="pub", ignore_cleanup_errors=True) as folder:
        async with House(Path(folder), size) as house:
            rows = await costs(house, counts, seconds)
            house.link.send(publication.message([Destination("d0", f"{house.ingest.url}/seen")]))
            await house.until(lambda: house.states() == ["live"])
            latencies = await asyncio.to_thread(read_latencies, f"{house.ingest.url}/seen", house.ring, 12.0)
            recovery = await faults(house)
    return {"rows": rows, "latency_ms": np.percentile(latencies, [50, 95]).round(1).tolist(), **recovery}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--destinations", type=int, nargs="+", default=[0, 1, 3])
    args = parser.parse_args()
    if not green(TESTS):
        raise SystemExit("the tests of publishing fail: no figures")
    print(described(1))
    found = asyncio.run(run(args.size, args.seconds, args.destinations))
    print(f"{'destinations':>12}  {'feed':>6}  {'each':>6}  {'each MB':>7}  {'late':>5}  {'lost':>5}")
    for row in found["rows"]:
        print(
            f"{row['destinations']:>12}  {row['feed']:>6.1%}  {row['each']:>6.1%}  {row['each_mb']:>7.1f}  "
            f"{row['pictures_late']:>5}  {row['lost']:>5}"
        )
    print(f"audio index to a reader of the ingest: {found['latency_ms'][0]} ms, 95 %: {found['latency_ms'][1]} ms")
    for name in ("frozen", "killed"):
        noticed_s, back_s = found[f"{name}_noticed_s"], found[f"{name}_back_s"]
        print(f"ingest {name}: noticed after {noticed_s:.2f} s, on air {back_s:.2f} s after it was mended")
    print(json.dumps({"bench": "publishing", "size": args.size, **found, **facts(1)}))


if __name__ == "__main__":
    main()
