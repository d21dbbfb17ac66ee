"""How fast the orchestra plays, and how loud its instruments are.

    python -m tests.bench.bench_render [FILE.mid] [--seconds 60] [--levels]

Without a file, a made-up dense piece for ten instruments. Prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.notes import Note, Piece
from streaming.mixing.loudness import Meter, to_db
from streaming.mixing.mixer import Master
from streaming.patches import Patch, library
from streaming.playing.playout import Playout
from streaming.synthesis.synth import Orchestra, Strike
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, Timeline, to_samples, whole_blocks
from tests.bench.phrases import phrase

_PARTS = ("violin", "violin", "cello", "flute", "clarinet", "trumpet", "harp", "choir", "piano", "bass")


def dense(seconds: float) -> Piece:
    """Return ten parts in eighths with a drum kit, some 25 notes a second."""
    rng = np.random.default_rng(11)
    notes = []
    for eighth in range(int(seconds * 4)):
        at_s = eighth * 0.25
        for part, name in enumerate(_PARTS):
            if rng.random() < 0.55:
                low = 36 if name == "bass" else 48 + 2 * part
                notes.append(Note(at_s, low + int(rng.integers(0, 12)), name, float(rng.uniform(0.2, 1.2)), 80))
        notes.append(Note(at_s, 42 if eighth % 2 else 36, "drums", 0.1, 80))
    return Piece(tuple(sorted(notes)))


def speed(piece: Piece, seconds: float) -> dict[str, object]:
    """Play a piece as fast as it goes and return what it cost."""
    began = time.perf_counter()
    playout = Playout(bed=False)
    start_s = time.perf_counter() - began
    notes = [n for n in piece.notes if n.onset_s < seconds]
    playout.load(1, notes, seconds)
    playout.go(1)
    meter = Meter()
    times, voices = [], []
    cpu = time.process_time()
    for _ in range(whole_blocks(to_samples(seconds))):
        before = time.perf_counter()
        block = playout.step()
        times.append(time.perf_counter() - before)
        voices.append(playout.orchestra.voices)
        playout.take_news()
        if len(times) % 8 == 0:
            meter.process(block.astype(np.float64))
    cpu = time.process_time() - cpu
    if not np.isfinite(times).all() or not max(voices):
        raise SystemExit("nothing sounded: no figures")
    return {
        "seconds": seconds,
        "notes": len(notes),
        "times_real_time": round(seconds / cpu, 1),
        "block_median_us": round(float(np.median(times)) * 1e6),
        "block_p99_us": round(float(np.percentile(times, 99)) * 1e6),
        "voices_mean": round(float(np.mean(voices)), 1),
        "voices_most": max(voices),
        "stolen": playout.orchestra.stolen,
        "start_s": round(start_s, 2),
        "lufs": round(playout.master.meter.integrated_lufs, 1),
        "limiter_now_db": round(playout.master.reduction_db, 1),
    }


def sound_of(piece: Piece, orchestra: Orchestra, patch: Patch) -> tuple[NDArray[np.float32], float]:
    """Return a piece on one patch at its own level, with the room, and its loudness."""
    orchestra.reset()
    orchestra.choose(0, variants={patch.name: patch.key})
    master, line = Master(), Timeline.of(piece)
    made = []
    for _ in range(whole_blocks(to_samples(piece.duration_s + 1.5))):
        now = orchestra.sample
        events = line.take(now + BLOCK_SAMPLES)
        strikes = [Strike(e.sample - now, e.end_sample - e.sample, e.note, colour=e.sample) for e in events]
        made.append(master.process(orchestra.process(strikes)))
    return np.concatenate(made), master.meter.integrated_lufs


def levels() -> dict[str, float]:
    """Print each patch's phrase: loudness, peak, centre of its spectrum; return the loudness."""
    orchestra = Orchestra()
    found = {}
    print(f"{'patch':15} {'LUFS':>6} {'peak dB':>8} {'centroid Hz':>12}")
    for patch in library().patches.values():
        sound, lufs = sound_of(phrase(patch.name), orchestra, patch)
        power = np.square(np.abs(np.fft.rfft(sound.mean(axis=1))))
        hz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
        centroid = float(np.sum(power * hz) / power.sum())
        print(f"{patch.key:15} {lufs:6.1f} {to_db(float(np.abs(sound).max())):8.1f} {centroid:12.0f}")
        found[patch.key] = round(lufs, 1)
    return found


def main() -> None:
    """Print the table and the line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("midi", nargs="?", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--levels", action="store_true")
    options = parser.parse_args()
    if options.levels:
        result: dict[str, object] = {"bench": "levels", "lufs": levels()}
    else:
        if options.midi is None:
            piece = dense(options.seconds)
        else:
            from model.midi import read_midi

            piece = read_midi(options.midi).piece
        result = {"bench": "render", **speed(piece, min(options.seconds, piece.duration_s))}
        for name, value in result.items():
            print(f"{name:16} {value}")
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        json.dumps(
            {**result, "memory_mb": memory_mb, "machine": platform.machine(), "python": platform.python_version()}
        )
    )


if __name__ == "__main__":
    main()
