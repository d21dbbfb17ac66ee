"""How fast the orchestra plays, how even its blocks are, and whether its memory grows.

    python -m tests.bench.sound_speed [FILE.mid] [--hours 1] [--peers VENV --bank FILE.sf2]

Without a file, one made by seed: four minutes, 3365 notes, ten parts, some 19 voices at a time.
With the folder of a virtual environment that has pyfluidsynth or tinysoundfont, they play the
same notes in the same run. Prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.instruments import BY_NAME
from model.midi import read_midi
from model.notes import Note, Piece
from streaming.playing.playout import Playout
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples, whole_blocks
from tests.bench.hardware import described, facts

BUDGET_US = BLOCK_SAMPLES / SAMPLE_RATE * 1e6
_PARTS = (
    ("piano", 60, 3), ("violin", 72, 1), ("cello", 48, 1), ("bass", 36, 1), ("guitar", 55, 2),
    ("flute", 76, 1), ("clarinet", 64, 1), ("trumpet", 67, 1), ("choir", 60, 3), ("drums", 36, 1),
)  # fmt: skip
_KIT = (36, 42, 38, 42, 36, 42, 38, 46)
NOTES, LENGTH_S = 3365, 240.0


def four_minutes(seed: int = 7) -> Piece:
    """Return a piece of ten parts: 3365 notes in four minutes."""
    rng = np.random.default_rng(seed)
    chords = [rng.choice([0, 2, 4, 5, 7, 9, 11], 3, replace=False) for _ in range(120)]
    notes: list[Note] = []
    for eighth in range(int(LENGTH_S / 0.25)):
        at_s, chord = eighth * 0.25, chords[eighth // 8]
        for name, middle, voices in _PARTS:
            every = {"piano": 2, "choir": 8, "bass": 2, "guitar": 4, "drums": 1}.get(name, 3)
            if eighth % every:
                continue
            for voice in range(voices):
                pitch = _KIT[eighth % 8] if name == "drums" else middle + int(chord[voice % 3])
                lasts_s = 0.25 * every * float(rng.uniform(0.7, 1.1))
                notes.append(Note(at_s, pitch, name, lasts_s, int(rng.integers(50, 110))))
    kept = rng.permutation(len(notes))[:NOTES]
    return Piece(tuple(sorted(notes[i] for i in kept)), title="four minutes")


def crowd(voices: int, seconds: float) -> Piece:
    """Return a piece that keeps so many voices sounding: held chords of all instruments that sustain."""
    names = ("violin", "cello", "organ", "choir", "synth", "flute", "clarinet", "trumpet")
    notes = []
    for bar in range(int(seconds / 2)):
        for voice in range(voices):
            name = names[voice % len(names)]
            low, high = BY_NAME[name].low + 6, BY_NAME[name].high - 6
            pitch = low + (voice // len(names) * 5 + bar) % (high - low)
            notes.append(Note(2.0 * bar + 0.003 * voice, pitch, name, 1.75, 50))
    return Piece(tuple(sorted(notes)))


def played(playout: Playout, piece: Piece, number: int) -> tuple[NDArray[np.float64], NDArray[np.int64], float]:
    """Return microseconds (on the clock, and of the processor) and voices of every block, and processor seconds."""
    playout.load(number, piece.notes, piece.duration_s)
    playout.go(number)
    count = whole_blocks(to_samples(piece.duration_s))
    times, voices = np.zeros((count, 2)), np.zeros(count, np.int64)
    heard = 0.0
    cpu = time.process_time()
    for index in range(count):
        clock, worked = time.perf_counter(), time.thread_time()
        block = playout.step()
        times[index] = time.perf_counter() - clock, time.thread_time() - worked
        voices[index] = playout.orchestra.voices
        if index % 64 == 0:
            heard = max(heard, float(np.abs(block).max()))
            playout.take_news()
    cpu = time.process_time() - cpu
    if heard < 0.05:
        raise SystemExit("nothing sounded: no figures")
    playout.drop([number])
    return times * 1e6, voices, cpu


def rss_mb() -> float:
    """Return the memory this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def endurance(playout: Playout, hours: float) -> dict[str, float]:
    """Play other pieces one after the other and return how the memory went.

    Each piece of a minute is followed by the next as on air; the first ten minutes are not counted.
    """
    samples: list[tuple[float, float]] = []
    number, made = 1000, 0
    per_hour = 3600 * SAMPLE_RATE
    while made < hours * per_hour:
        full = four_minutes(seed=number)
        piece = Piece(tuple(n for n in full.notes if n.onset_s < 58.0))
        playout.load(number, piece.notes, 60.0)
        playout.go(number)
        for _ in range(whole_blocks(to_samples(61.0))):
            playout.step()
            made += BLOCK_SAMPLES
        playout.take_news()
        playout.drop([number])
        number += 1
        samples.append((made / per_hour, rss_mb()))
    counted = np.array([s for s in samples if s[0] > min(1 / 6, hours / 3)])
    slope = float(np.polyfit(counted[:, 0], counted[:, 1], 1)[0]) if len(counted) > 2 else float("nan")
    return {"hours": hours, "rss_mb": round(samples[-1][1]), "rss_slope_mb_per_hour": round(slope, 3)}


def silence(playout: Playout, minutes: float) -> dict[str, float]:
    """Return what a block costs in the silence after music, and in music."""
    times, _, _ = played(playout, crowd(24, 10.0), 900)
    count = int(minutes * 60 * SAMPLE_RATE / BLOCK_SAMPLES)
    cpu = time.process_time()
    for _ in range(count):
        playout.step()
    cpu = time.process_time() - cpu
    return {
        "minutes": minutes,
        "silence_us": round(cpu / count * 1e6),
        "music_us": round(float(np.median(times[:, 0]))),
    }


def peers(piece: Piece, environment: Path, bank: Path) -> dict[str, dict[str, float]]:
    """Return what others need for the same notes; those that are not installed are left out."""
    channels = {name: i if i < 9 else i + 1 for i, name in enumerate(n for n in piece.instruments if n != "drums")}
    channels["drums"] = 9
    events: list[tuple[float, str, int, int, int]] = [
        (0.0, "program", channel, BY_NAME[name].program, 0) for name, channel in channels.items() if name != "drums"
    ]
    for note in piece.notes:
        channel = channels[note.instrument]
        events.append((note.onset_s, "on", channel, note.pitch, note.velocity))
        events.append((note.offset_s, "off", channel, note.pitch, 0))
    events.sort(key=lambda e: (e[0], e[1] == "on"))
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.json"
        path.write_text(json.dumps(events))
        script = Path(__file__).with_name("soundfont_peer.py")
        for name in ("fluidsynth", "tinysoundfont"):
            words = [str(environment / "bin" / "python"), str(script), name, str(path), str(bank)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{name}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
                continue
            cost = json.loads(done.stdout.strip().splitlines()[-1])
            found[name] = {"times_real_time": round(cost["music_s"] / cost["cpu_s"], 1)}
    return found


def main() -> None:
    """Print the table and the line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("midi", nargs="?", type=Path)
    parser.add_argument("--hours", type=float, default=1.0, help="of the programme, for the memory")
    parser.add_argument("--silence", type=float, default=10.0, help="minutes")
    parser.add_argument("--peers", type=Path, help="a virtual environment")
    parser.add_argument("--bank", type=Path, help="a SoundFont for the peers")
    options = parser.parse_args()
    print(described(1))
    piece = read_midi(options.midi).piece if options.midi else four_minutes()
    began = time.perf_counter()
    playout = Playout(bed=False)
    start_s = time.perf_counter() - began
    _, voices, cpu_s = played(playout, piece, 1)
    rows: dict[str, Any] = {
        "notes": len(piece.notes),
        "voices_mean": round(float(voices.mean()), 1),
        "times_real_time": round(piece.duration_s / cpu_s, 1),
        "start_s": round(start_s, 2),
    }
    if options.peers and options.bank:
        for name, cost in peers(piece, options.peers, options.bank).items():
            rows[f"{name}_times_real_time"] = cost["times_real_time"]
    times, voices, _ = played(playout, crowd(64, 40.0), 2)
    full = times[voices >= 60]
    if len(full) < 500:
        raise SystemExit(f"only {len(full)} blocks had 60 voices or more: no figures")
    rows["voices_crowd"] = round(float(voices[voices >= 60].mean()), 1)
    for name, percent in (("p50", 50.0), ("p99", 99.0), ("p99_9", 99.9)):
        # On a machine that others use the clock counts their work, too.
        for kind, column in (("", 0), ("cpu_", 1)):
            found = float(np.percentile(full[:, column], percent))
            rows[f"block_{kind}{name}_percent"] = round(100 * found / BUDGET_US, 1)
    rows.update(silence(playout, options.silence))
    rows.update(endurance(playout, options.hours))
    for name, value in rows.items():
        print(f"{name:28} {value}")
    print(json.dumps({"bench": "sound_speed", **rows, **facts(1)}))


if __name__ == "__main__":
    main()
