"""How near each piece comes to the programme's loudness, by somebody else's meter.

    python -m tests.bench.programme_loudness FILE.mid... [--lufs -14] [--room hall] [--seconds 240]

Plays each file as `conductor render` would, one after the other, and measures it with
FFmpeg's `ebur128`. Prints a table, the whole programme in one, and one line of JSON.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from model.midi import read_midi
from model.notes import Piece
from streaming.playing.playout import Playout
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples, whole_blocks


class Ebur128:
    """FFmpeg's meter, fed block by block."""

    def __init__(self) -> None:
        self._graph = av.filter.Graph()
        source = self._graph.add_abuffer(
            sample_rate=SAMPLE_RATE, format="flt", layout="stereo", time_base=Fraction(1, SAMPLE_RATE)
        )
        meter = self._graph.add("ebur128", "metadata=1:peak=true")
        sink = self._graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(sink)
        self._graph.configure()
        self._pts = 0
        self.lufs, self.peak = -120.0, 0.0

    def push(self, sound: NDArray[np.float32]) -> None:
        """Take in sound, float32 [frames, 2]."""
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound).reshape(1, -1), format="flt", layout="stereo")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = self._pts
        self._pts += len(sound)
        self._graph.push(frame)
        self._pull()

    def _pull(self) -> None:
        while True:
            try:
                metadata = self._graph.pull().metadata
            except (av.EOFError, av.BlockingIOError):
                return
            if "lavfi.r128.I" in metadata:
                self.lufs = float(metadata["lavfi.r128.I"])
                self.peak = max(self.peak, *(float(metadata[f"lavfi.r128.true_peaks_ch{c}"]) for c in (0, 1)))

    def done(self) -> tuple[float, float]:
        """Return integrated loudness (LUFS) and true peak (dBTP)."""
        self._graph.push(None)
        self._pull()
        return self.lufs, 20 * float(np.log10(max(self.peak, 1e-6)))


@dataclass(frozen=True, slots=True)
class Measured:
    """One piece, played."""

    lufs: float
    dbtp: float
    forecast_db: float
    trim_db: float
    fastest_db_s: float
    limiter_db: float


def measure(playout: Playout, piece: Piece, room: str, programme: Ebur128, number: int) -> Measured:
    """Play a piece from silence to silence and return what was measured."""
    playout.load(number, piece.notes, piece.duration_s, room=room, controls=piece.controls)
    playout.go(number)
    playout.step()
    meter = Ebur128()
    trims, limits = [], []
    error_db = 0.0
    waiting: list[NDArray[np.float32]] = []
    for index in range(whole_blocks(to_samples(piece.duration_s + 4.0))):
        waiting.append(playout.step())
        deck = playout.decks.live
        if deck is not None and deck.steering is not None:
            trims.append(deck.trim_db)
            error_db = deck.steering.error_db
        limits.append(playout.master.reduction_db)
        if index % 64 == 63:
            sound = np.concatenate(waiting)
            waiting.clear()
            meter.push(sound)
            programme.push(sound)
    if waiting:
        meter.push(np.concatenate(waiting))
        programme.push(np.concatenate(waiting))
    playout.drop([number])
    playout.take_news()
    lufs, dbtp = meter.done()
    second = SAMPLE_RATE // BLOCK_SAMPLES
    moves = np.abs(np.asarray(trims[second:]) - np.asarray(trims[:-second])) if len(trims) > second else np.zeros(1)
    return Measured(lufs, dbtp, error_db, trims[-1] if trims else 0.0, float(moves.max()), min(limits))


def main() -> None:
    """Print the table and the line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("midi", nargs="+", type=Path)
    parser.add_argument("--lufs", type=float, default=-14.0)
    parser.add_argument("--room", default="hall")
    parser.add_argument("--seconds", type=float, default=240.0)
    options = parser.parse_args()
    playout, programme = Playout(bed=False, lufs=options.lufs), Ebur128()
    rows = []
    print(f"{'piece':40} {'s':>5} {'LUFS':>7} {'dBTP':>6} {'forecast':>9} {'trim':>6} {'dB/s':>5} {'limiter':>8}")
    for number, path in enumerate(options.midi, start=1):
        piece = read_midi(path, pedal=True, controls=True).piece
        if piece.duration_s > options.seconds:
            piece = replace(piece, notes=tuple(n for n in piece.notes if n.offset_s < options.seconds))
        found = measure(playout, piece, options.room, programme, number)
        rows.append(found)
        print(
            f"{path.parent.name + '/' + path.stem:40.40} {piece.duration_s:5.0f} {found.lufs:7.1f} {found.dbtp:6.2f} "
            f"{found.forecast_db:9.2f} {found.trim_db:6.2f} {found.fastest_db_s:5.2f} {found.limiter_db:8.1f}",
            flush=True,
        )
    lufs, dbtp = programme.done()
    off = [abs(r.lufs - options.lufs) for r in rows]
    print(f"all in one: {lufs:.1f} LUFS, {dbtp:.2f} dBTP; furthest from {options.lufs}: {max(off):.2f} LU")
    summary = {
        "bench": "programme_loudness", "pieces": len(rows), "target": options.lufs, "programme_lufs": round(lufs, 2),
        "dbtp": round(dbtp, 2), "furthest_lu": round(max(off), 2), "within_half_lu": sum(o <= 0.5 for o in off),
        "fastest_db_s": round(max(r.fastest_db_s for r in rows), 2),
    }  # fmt: skip
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
