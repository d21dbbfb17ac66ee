"""How exactly notes reach a MIDI device: against the clock of the sound, through a real JACK server.

    python -m tests.bench.midi_jitter [--seconds 60] [--period 32] [--load 0]

Player, feed and sender run as in a show; a device on a JACK server without a sound card writes down when
each message came. Beside it: what JACK adds itself, by messages sent at known times, and how late the machine
wakes a thread that only sleeps. Then: what telling of the notes costs the player. Needs jackd (apt install
jackd2). Prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import tempfile
import threading
import time
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conductor import wire
from model.notes import Piece, TempoMark
from streaming.midi.clock import PULSE
from streaming.midi.out import CHANNELS, MidiRoute
from streaming.midi.ports import SystemPorts
from streaming.midi.sender import hurry
from streaming.notetape import Kind, NoteTape
from streaming.ring import Ring
from streaming.timeline import SAMPLE_RATE
from tests.air.band import band, wait_for
from tests.air.jack import Jack, Synth
from tests.bench.bench_render import dense
from tests.bench.hardware import green

TESTS = ("tests/streaming/midi/test_midiout.py",)
BPM = 120.0
LEFT_OUT_MS = 150.0


def spread(off_ms: NDArray[np.float64]) -> dict[str, float]:
    """Return how far times lie from their own middle: what no latency setting can put right."""
    apart = np.abs(off_ms - np.median(off_ms))
    p50, p99, p999 = (float(np.percentile(apart, p)) for p in (50, 99, 99.9))
    return {"count": len(off_ms), "offset": float(np.median(off_ms)), "p50": p50, "p99": p99, "p99.9": p999,
            "max": float(apart.max())}  # fmt: skip


def machine(count: int = 4000) -> dict[str, float]:
    """Return how late a thread wakes that does nothing but sleep: what no program on this machine can better."""
    late: list[float] = []

    def sleep() -> None:
        hurry()
        due = time.monotonic_ns()
        for _ in range(count):
            due += 5_000_000
            time.sleep(max(0.0, (due - time.monotonic_ns()) / 1e9))
            late.append((time.monotonic_ns() - due) / 1e6)

    thread = threading.Thread(target=sleep)
    thread.start()
    thread.join()
    return spread(np.array(late))


def loopback(synth: Synth, count: int = 1000) -> dict[str, float]:
    """Send messages at known times and return when they came: what JACK itself adds."""
    port = SystemPorts()
    name = next(name for name in port.names() if "synth" in name)
    out = port.open(name)
    time.sleep(0.5)
    rng = random.Random(1)
    first, sent = len(synth.heard), []
    for _ in range(count):
        time.sleep(rng.uniform(0.002, 0.008))
        sent.append(time.monotonic_ns())
        out.send(bytes((0x90, 60, 64)))
        synth.listen()
    time.sleep(0.5)
    came = [at for at, _ in synth.heard[first:]]
    assert len(came) == count, f"{len(came)} of {count} messages came"
    out.close()
    port.close()
    return spread((np.array(came) - np.array(sent)) / 1e6)


async def on_air(run: Path, synth: Synth, seconds: float) -> dict[str, dict[str, float]]:
    """Play a dense piece and return how far notes and pulses were from the moment their sample was on air."""
    piece = Piece(dense(seconds).notes, tempi=(TempoMark(0.0, BPM),))
    async with band(run, MidiRoute("synth", CHANNELS, clock=True)) as played:
        await played.until(wire.PortNews, lambda news: news.there)
        tape, ring = NoteTape.join(run / "programme.notes"), Ring.open(run / "programme.ring")
        await wait_for(lambda: ring.air_ns != 0, "picture from the feed")
        played.give(1, piece)
        played.crew.send("player", wire.Go(1))
        began = await played.until(wire.Started, lambda m: m.number == 1)
        # The clock of the sound as it was when each note was on air.
        clock: list[tuple[int, int]] = []
        records, seen = [], 0
        while not any(isinstance(m, wire.Ended) and m.number == 1 for m in played.told):
            clock.append((time.monotonic_ns(), ring.air_ns))
            records += tape.read(seen)
            seen = tape.count
            synth.listen()
            await asyncio.sleep(0.013)
        await asyncio.sleep(1.0)
        ring.close()
        tape.close()
    changes, airs = np.array([at for at, _ in clock]), np.array([air for _, air in clock])

    def due_ns(sample: int) -> int:
        index = int(np.searchsorted(changes, airs[-1] + sample * 1_000_000_000 // SAMPLE_RATE, "right")) - 1
        return int(airs[max(0, index)]) + sample * 1_000_000_000 // SAMPLE_RATE

    wanted: dict[tuple[int, int], deque[int]] = defaultdict(deque)
    for record in sorted((r for r in records if r.kind is Kind.NOTE), key=lambda r: r.sample):
        wanted[CHANNELS[record.instrument] - 1, record.pitch].append(record.sample)
    notes = sum(map(len, wanted.values()))
    assert notes == len(piece.notes), f"{notes} of {len(piece.notes)} notes on the tape"
    off: list[float] = []
    pulses: list[float] = []
    for at, message in synth.heard:
        if message[0] & 0xF0 == 0x90:
            due = wanted[message[0] & 0x0F, message[1]]
            # On a machine that stood still, the sender has left out what was too late.
            while due and at - due_ns(due[0]) > LEFT_OUT_MS * 1e6:
                due.popleft()
            if not due:
                raise SystemExit("the programme itself stood still: measure again on a quieter machine")
            off.append((at - due_ns(due.popleft())) / 1e6)
        elif message == PULSE:
            sample = began.sample + round(len(pulses) * 60.0 / BPM / 24 * SAMPLE_RATE)
            pulses.append((at - due_ns(sample)) / 1e6)
    assert not synth.down, f"keys that hang: {synth.down}"
    steps = np.abs(np.diff(airs)) / 1e6
    return {"notes": {**spread(np.array(off)), "left out": notes - len(off)}, "clock pulses": spread(np.array(pulses)),
            "steps of the sound's clock": {"count": int((steps > 0.01).sum()), "max": float(steps.max())}}  # fmt: skip


def player_cost(seconds: float = 20.0) -> dict[str, float]:
    """Return what a block takes with and without the tape, in turn, and what telling of one note takes."""
    from streaming.playing.playout import Playout
    from streaming.timeline import to_samples, whole_blocks

    piece = dense(seconds)
    found: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        tape = NoteTape.join(Path(folder) / "notes")
        for with_tape in (False, True, False, True):
            playout = Playout(bed=False)
            playout.tape = tape if with_tape else None
            playout.load(1, piece.notes, seconds)
            playout.go(1)
            for _ in range(whole_blocks(to_samples(seconds))):
                before = time.perf_counter()
                playout.step()
                found[with_tape].append((time.perf_counter() - before) * 1e3)
        before = time.perf_counter()
        for n in range(20_000):
            tape.struck(n, 4800, piece.notes[n % len(piece.notes)], 1)
        struck_us = (time.perf_counter() - before) / 20_000 * 1e6
        tape.close()
    rows = {f"{name} {'with' if tape_ else 'without'}": float(np.percentile(times, p))
            for tape_, times in found.items() for name, p in (("p50", 50), ("p99", 99))}  # fmt: skip
    return {**rows, "a note, us": struck_us}


def _burn() -> None:
    while True:
        pass


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of music (60)")
    parser.add_argument("--period", type=int, default=32, help="of JACK, in samples; it adds its own jitter (32)")
    parser.add_argument("--load", type=int, default=0, help="processes that keep a core busy meanwhile (0)")
    options = parser.parse_args()
    if not green(TESTS):
        raise SystemExit(f"{' '.join(TESTS)} is red: nothing to report")
    busy = [multiprocessing.get_context("fork").Process(target=_burn, daemon=True) for _ in range(options.load)]
    with tempfile.TemporaryDirectory(prefix="midi") as folder:
        jack = Jack(Path(folder) / "jackd.log", options.period)
        synth = Synth()
        try:
            for process in busy:
                process.start()
            result: dict[str, Any] = {"a thread that only sleeps": machine(), "JACK alone": loopback(synth)}
            synth.forget()
            result |= asyncio.run(on_air(Path(folder), synth, options.seconds))
        finally:
            for process in busy:
                process.terminate()
            synth.unplug()
            jack.close()
    result["player, ms a block"] = player_cost()
    for name, figures in result.items():
        print(f"{name:<28}" + "  ".join(f"{key} {value:.3f}" for key, value in figures.items()))
    facts = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "period": options.period, "busy": options.load}
    print(json.dumps({"bench": "midi_jitter", **facts, **result}))


if __name__ == "__main__":
    main()
