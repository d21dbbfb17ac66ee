"""What a picture costs: `python -m tests.bench.bench_pianoroll`. A table, then one line of JSON.

Processor time of this thread, not wall time, so that a busy machine does not show;
refused when the picture's tests are red.
"""

from __future__ import annotations

import json
import os
import platform
import random
import subprocess
import sys
import time

import numpy as np
from numpy.typing import NDArray

from model.instruments import INSTRUMENTS
from model.notes import Note, TempoMark
from streaming.picture.pianoroll import PianoRoll, Scene
from streaming.programme.encoder import SAMPLE_RATE, Encoder

FPS = 30
SECONDS = 12


def music(notes_per_s: float, instruments: int) -> Scene:
    """Random music, the same every time."""
    dice = random.Random(1)
    names = [i.name for i in INSTRUMENTS][:instruments]
    notes = []
    for i in range(int(notes_per_s * (SECONDS + 6))):
        notes.append(
            Note(
                i / notes_per_s, dice.randint(36, 96), dice.choice(names), dice.uniform(0.1, 1.2), dice.randint(40, 127)
            )
        )
    return Scene(1, "Benchmark", "random notes", tuple(notes), (TempoMark(0, 120),), SECONDS + 6.0)


def frame_costs(roll: PianoRoll, scene: Scene | None) -> NDArray[np.float64]:
    """Milliseconds of processor time of each frame."""
    costs = []
    for frame in range(FPS * SECONDS):
        start = time.thread_time()
        roll.draw(scene, frame / FPS, level_db=-20 + frame % 9)
        costs.append(1000 * (time.thread_time() - start))
    return np.array(costs)


def encode_share(roll: PianoRoll, scene: Scene) -> float:
    """Processor seconds that encoding picture and sound takes for a second of programme."""
    encoder = Encoder(roll.width, roll.height, FPS, on_packet=lambda *_: None)
    pictures = [roll.draw(scene, frame / FPS) for frame in range(FPS * 4)]
    sound = np.random.default_rng(0).uniform(-0.1, 0.1, (SAMPLE_RATE // FPS, 2)).astype(np.float32)
    # x264 works in threads of its own: the whole process is counted.
    start = time.process_time()
    for frame, picture in enumerate(pictures):
        encoder.video(picture, frame)
        encoder.audio(sound, frame * len(sound))
    return (time.process_time() - start) / 4


def main() -> int:
    """Print the table and the JSON line; 1 when the tests are red."""
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "tests/streaming/picture/test_pianoroll.py",
        "tests/streaming/picture/test_i420.py",
    ]
    if subprocess.run(tests, capture_output=True, check=False).returncode:
        print("the picture's tests are red: nothing is reported")
        return 1
    scenes: dict[str, Scene | None] = {
        "slate": None,
        "quiet (4 notes/s)": music(4, 1),
        "busy (20 notes/s)": music(20, 5),
        "storm (80 notes/s)": music(80, 13),
    }
    rows = []
    print(f"{'picture':<22}{'size':>10}{'mean ms':>9}{'p99 ms':>8}{'max ms':>8}{'encode':>8}")
    for width, height in ((1280, 720), (640, 360)):
        for name, scene in scenes.items():
            roll = PianoRoll(width, height, fps=FPS)
            if scene is not None:
                roll.prepare(scene)
            roll.draw(scene, 0.0)
            costs = frame_costs(roll, scene)
            share = encode_share(roll, scene) if scene is not None else None
            row = {"picture": name, "size": f"{width}x{height}", "mean_ms": round(float(costs.mean()), 2)}
            row |= {"p99_ms": round(float(np.percentile(costs, 99)), 2), "max_ms": round(float(costs.max()), 2)}
            row["encode_cores"] = None if share is None else round(share, 3)
            rows.append(row)
            encode = "" if share is None else f"{share:8.0%}"
            p99 = np.percentile(costs, 99)
            print(f"{name:<22}{row['size']:>10}{costs.mean():9.2f}{p99:8.2f}{costs.max():8.2f}{encode}")
    print(
        json.dumps(
            {"bench": "pianoroll", "machine": platform.machine(), "cores": os.cpu_count(), "fps": FPS, "rows": rows}
        )
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
