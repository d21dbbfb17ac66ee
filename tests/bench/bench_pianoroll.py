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
from streaming.picture.scene import NOTHING, Coming, Origin
from streaming.picture.themefile import read_theme, theme_names
from streaming.programme.encoder import SAMPLE_RATE, Encoder

SECONDS = 12
# What a picture of 1280x720 may cost on one core.
MOST_MS = 2.5


def music(notes_per_s: float, instruments: int, *, seconds: float = 60.0) -> Scene:
    """Random music, the same every time."""
    dice = random.Random(1)
    names = [i.name for i in INSTRUMENTS][:instruments]
    notes = []
    for i in range(int(notes_per_s * seconds)):
        notes.append(
            Note(
                i / notes_per_s, dice.randint(36, 96), dice.choice(names), dice.uniform(0.1, 1.2), dice.randint(40, 127)
            )
        )
    tempi, shares = (TempoMark(0, 120),), ((0.0, (("bach", 1.0),)), (seconds, (("jazz", 1.0),)))
    return Scene(
        1, "Benchmark", "random notes", tuple(notes), tempi, seconds, styles=shares, origin=Origin(time.time() - 41)
    )


def frame_costs(
    roll: PianoRoll, scene: Scene | None, *, fps: int, first_s: float = 0.0, coming: Coming = NOTHING
) -> NDArray[np.float64]:
    """Milliseconds of processor time of each frame."""
    dice = np.random.default_rng(0)
    sound = dice.uniform(-0.3, 0.3, (64, SAMPLE_RATE // fps, 2)).astype(np.float32)
    costs = []
    for frame in range(fps * SECONDS):
        start = time.thread_time()
        position_s = first_s + frame / fps
        roll.draw(scene, position_s, coming=coming, level_db=-20 + frame % 9, sound=sound[frame % 64])
        costs.append(1000 * (time.thread_time() - start))
    return np.array(costs)


def encode_share(roll: PianoRoll, scene: Scene, fps: int) -> float:
    """Processor seconds that encoding picture and sound takes for a second of programme."""
    encoder = Encoder(roll.width, roll.height, fps, on_packet=lambda *_: None)
    pictures = [roll.draw(scene, frame / fps) for frame in range(fps * 4)]
    sound = np.random.default_rng(0).uniform(-0.1, 0.1, (SAMPLE_RATE // fps, 2)).astype(np.float32)
    # x264 works in threads of its own: the whole process is counted.
    start = time.process_time()
    for frame, picture in enumerate(pictures):
        encoder.video(picture, frame)
        encoder.audio(sound, frame * len(sound))
    return (time.process_time() - start) / 4


def main() -> int:
    """Print the table and the JSON line; 1 when the tests are red."""
    tests = [sys.executable, "-m", "pytest", "-q", "tests/streaming/picture"]
    if subprocess.run(tests, capture_output=True, check=False).returncode:
        print("the picture's tests are red: nothing is reported")
        return 1
    waiting = Coming("Lamplight", 1.0)
    # Name, scene, where it begins.
    scenes: list[tuple[str, Scene | None, float]] = [
        ("slate", None, 0.0),
        ("quiet (4 notes/s)", music(4, 1), 8.0),
        ("and its card", music(4, 1), 0.0),
        ("busy (20 notes/s)", music(20, 5), 8.0),
        ("storm (80 notes/s)", music(80, 13), 8.0),
    ]
    sizes = [(1280, 720, 30), (1280, 720, 60), (720, 1280, 30), (640, 360, 30), (1920, 1080, 30)]
    plan = [("dark", size, each) for size in sizes for each in scenes]
    plan += [(theme, sizes[0], scenes[3]) for theme in theme_names() if theme != "dark"]
    rows = []
    print(f"{'picture':<22}{'theme':<10}{'size':>10}{'fps':>4}{'mean ms':>9}{'p99 ms':>8}{'max ms':>8}{'encode':>8}")
    for theme, (width, height, fps), (name, scene, first_s) in plan:
        roll = PianoRoll(width, height, fps=fps, theme=read_theme(theme))
        if scene is not None:
            roll.prepare(scene, first_s)
        roll.draw(scene, first_s, coming=waiting)
        costs = frame_costs(roll, scene, fps=fps, first_s=first_s, coming=waiting)
        encode = encode_share(roll, scene, fps) if scene is not None and name == "busy (20 notes/s)" else None
        p99, most = (round(float(value), 2) for value in (np.percentile(costs, 99), costs.max()))
        row = {"picture": name, "theme": theme, "size": f"{width}x{height}", "fps": fps}
        rows.append(row | {"mean_ms": round(float(costs.mean()), 2), "p99_ms": p99, "max_ms": most, "encode": encode})
        shown = "" if encode is None else f"{encode:8.0%}"
        print(f"{name:<22}{theme:<10}{row['size']:>10}{fps:>4}{costs.mean():9.2f}{p99:8.2f}{most:8.2f}{shown}")
    machine = {"machine": platform.machine(), "cores": os.cpu_count()}
    print(json.dumps({"bench": "pianoroll", **machine, "most_ms": MOST_MS, "rows": rows}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
