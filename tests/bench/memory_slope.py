"""Whether the feed's and the composer's memory grows: hours of a show in minutes, each in one process.

    python -m tests.bench.memory_slope feed [--hours 6] [--size 1280x720] [--fps 30]
    python -m tests.bench.memory_slope composer [--pieces 40] [--duration 20] [--threads 1]

The feed's part is the programme as the process has it (ring, picture, encoder, recording, a viewer), as fast as it
goes, one piece after the other; fewer pictures a second make more hours of it. The composer's is one piece after the
other of other styles and lengths. Told are what the process holds (RSS), and of it what the allocator has given out
and what it keeps free. The first third, in which caches fill, does not count. Prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from av.packet import Packet

from model.instruments import INSTRUMENTS
from model.notes import Note, TempoMark
from tests.bench.hardware import described, facts

MIB = 2**20
_PAGE = 4096
_PIECE_S = 120.0
_NOTES_A_SECOND = 12.0


class _Mallinfo(ctypes.Structure):
    _names = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    _fields_ = tuple((name, ctypes.c_size_t) for name in _names)


@dataclass(frozen=True, slots=True)
class Moment:
    """What a process holds: `at` in hours or pieces, the rest in MiB."""

    at: float
    rss: float
    given_out: float
    kept_free: float
    mapped: float


def moment(at: float) -> Moment:
    """Return what this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    libc = ctypes.CDLL("libc.so.6")
    libc.mallinfo2.restype = _Mallinfo
    found = libc.mallinfo2()
    values = pages * _PAGE, found.uordblks, found.fordblks, found.hblkhd
    return Moment(at, *(round(value / MIB, 2) for value in values))


def slope(moments: list[Moment]) -> tuple[float, float]:
    """Return by how much the process grew for each unit of `at`, after the first third, and the standard error."""
    at, rss = np.array([(m.at, m.rss) for m in moments[len(moments) // 3 :]]).T
    (found, _), spread = np.polyfit(at, rss, 1, cov=True)
    return float(found), float(np.sqrt(spread[0, 0]))


# --- the feed --------------------------------------------------------------------------


class _Viewer:
    """An audience of one that takes every packet."""

    def __init__(self) -> None:
        self.bytes = 0

    def __len__(self) -> int:
        return 1

    def packet(self, kind: Literal["audio", "video"], packet: Packet[Any]) -> None:
        """Take it."""
        del kind
        self.bytes += packet.size


def piece(number: int) -> tuple[list[tuple[float, int, str, float, int]], float]:
    """Return the rows of a piece of its own range and instruments, and its length."""
    rng = np.random.default_rng(number)
    length_s = float(rng.uniform(0.5, 1.5)) * _PIECE_S
    names = [i.name for i in rng.choice(np.array(INSTRUMENTS, object), int(rng.integers(1, 8)), replace=False)]
    low = int(rng.integers(30, 55))
    high = low + int(rng.integers(20, 50))
    rows = []
    for at_s in np.sort(rng.uniform(0.0, length_s - 1.0, int(length_s * _NOTES_A_SECOND))):
        name = str(names[int(rng.integers(len(names)))])
        rows.append(
            (float(at_s), int(rng.integers(low, high)), name, float(rng.exponential(0.5)), int(rng.integers(30, 120)))
        )
    return rows, length_s


def feed(hours: float, size: tuple[int, int], fps: int, *, record: bool) -> Iterator[Moment]:
    """Yield what the process holds, some hundred times on the way."""
    from streaming.picture.pianoroll import PianoRoll
    from streaming.picture.scene import Coming, Scene
    from streaming.programme.broadcast import Broadcast
    from streaming.programme.program import Program
    from streaming.ring import Ring
    from streaming.timeline import SAMPLE_RATE

    with tempfile.TemporaryDirectory(prefix="slope") as folder, Ring.create(Path(folder) / "ring", 2.0) as ring:
        roll, viewer = PianoRoll(*size, fps=fps), _Viewer()
        broadcast = Broadcast(*size, fps, audience=viewer, on_fault=print)
        program = Program(ring, roll, [broadcast], fps=fps, fast=True)
        if record:
            program.call(lambda: broadcast.record("/dev/null"))
        thread = threading.Thread(target=program.run, name="programme")
        thread.start()
        layout = ThreadPoolExecutor(4)
        noise = (0.1 * np.random.default_rng(0).standard_normal((SAMPLE_RATE, 2))).astype(np.float32)
        end, number, following, written = int(hours * 3600 * SAMPLE_RATE), 0, 0, 0
        every = max(SAMPLE_RATE, end // 300)
        told = 0
        try:
            while written < end:
                if written >= following:
                    number += 1
                    rows, length_s = piece(number)
                    # As the process does it: rows of a message become a scene, which is laid out beside the programme.
                    notes = tuple(sorted(Note(*row) for row in json.loads(json.dumps(rows))))
                    scene = Scene(number, f"Piece {number}", "made", notes, (TempoMark(0.0, 100.0),), length_s)
                    layout.submit(roll.prepare, scene)
                    program.announce(scene)
                    program.announce_next(Coming(f"Piece {number + 1}", 1.0), number)
                    ring.mark(number, written)
                    following = written + int((length_s + 1.0) * SAMPLE_RATE)
                while ring.room < SAMPLE_RATE // 4:
                    time.sleep(0.002)
                ring.write(noise[: SAMPLE_RATE // 4])
                written += SAMPLE_RATE // 4
                if written - told >= every:
                    told = written
                    yield moment(written / SAMPLE_RATE / 3600)
            if viewer.bytes < 1000 * hours:
                raise SystemExit("no picture came out: no figures")
        finally:
            program.stop()
            thread.join()
            broadcast.record("")
            layout.shutdown()


# --- the composer ----------------------------------------------------------------------


def composer(pieces: int, duration_s: float, threads: int, candidates: int, *, given_back: bool) -> Iterator[Moment]:
    """Yield what the process holds after each piece."""
    import torch

    from conductor.memory import give_back
    from model.composing.composer import Composer
    from model.composing.prompt import Prompt

    torch.set_num_threads(threads)
    made = Composer()
    rng = np.random.default_rng(0)
    pool = ThreadPoolExecutor(1)
    for number in range(pieces):
        style = str(rng.choice(sorted(made.styles)))
        prompt = Prompt(
            style=style, duration_s=float(rng.uniform(0.5, 1.5)) * duration_s, candidates=candidates, seed=number
        )
        try:
            pool.submit(made.compose, prompt).result()
        except Exception as error:
            print(f"piece {number + 1} ({style}): {error}")
        if given_back:
            give_back()
        yield moment(number + 1)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("feed", "composer"))
    parser.add_argument("--hours", type=float, default=6.0, help="of the programme")
    parser.add_argument("--size", type=_size, default=(1280, 720))
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--no-recording", action="store_true")
    parser.add_argument("--pieces", type=int, default=40)
    parser.add_argument("--duration", type=float, default=20.0, help="seconds of a piece, in the middle")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="give nothing back to the machine between two pieces")
    parser.add_argument("--candidates", type=int, default=2)
    got = parser.parse_args()
    print(described(got.threads), flush=True)
    if got.what == "feed":
        coming = feed(got.hours, got.size, got.fps, record=not got.no_recording)
    else:
        coming = composer(got.pieces, got.duration, got.threads, got.candidates, given_back=not got.keep)
    unit = "hour" if got.what == "feed" else "piece"
    moments: list[Moment] = []
    print(f"{unit:>7} {'RSS':>8} {'given out':>10} {'kept free':>10} {'mapped':>8}   MiB")
    for found in coming:
        moments.append(found)
        if got.what == "composer" or len(moments) % 10 == 1:
            print(
                f"{found.at:>7.2f} {found.rss:>8.1f} {found.given_out:>10.1f} {found.kept_free:>10.1f} "
                f"{found.mapped:>8.1f}",
                flush=True,
            )
    gc.collect()
    grows, error = slope(moments)
    print(f"grows by {grows:.3f} +- {error:.3f} MiB a {unit}, after the first third")
    row = {"what": got.what, "unit": unit, "mib": round(grows, 3), "error": round(error, 3), "last": moments[-1].rss}
    print(json.dumps({"bench": "memory_slope", **row, "most": max(m.rss for m in moments), **facts(got.threads)}))


if __name__ == "__main__":
    main()
