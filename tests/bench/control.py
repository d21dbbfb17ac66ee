"""Whether a composer does as it is told, `python -m tests.bench.control`.

Pieces of many styles, ensembles and lengths are composed, each by a form and
again freely, and measured: is the length met, does it end as pieces end, is
everybody heard who was asked for, does the opening come back. Then density,
energy, key and tempo, each asked for and measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from model.composing.blend import main_style
from model.composing.composer import Composer
from model.composing.controls import MAJOR, MINOR
from model.composing.prompt import Prompt
from model.composing.quality import LEAST_PRESENCE
from model.evaluation.endings import find_ending
from model.evaluation.structure import theme_recall
from model.instruments import members
from model.language.header import find_key
from model.language.vocabulary import PITCH_CLASSES
from model.midi import write_midi
from model.network.checkpoint import SHIPPED
from model.notes import Piece
from tests.bench import ready
from tests.bench.best_of_n import CUES
from tests.bench.hardware import described, facts

TESTS = ("tests/model/composing/test_composer.py", "tests/model/composing/test_growing.py")
LENGTHS_S = (30.0, 60.0, 100.0, 150.0, 240.0)
WINDOW_S = 30.0


def prompts(count: int, candidates: int) -> list[Prompt]:
    """Return prompts of many kinds."""
    found = []
    for n in range(count):
        style, instruments = CUES[n % len(CUES)].split(":")
        length_s = LENGTHS_S[(n // len(CUES) + n) % len(LENGTHS_S)]
        found.append(
            Prompt.of(
                {
                    "style": style,
                    "instruments": tuple(instruments.split(",")),
                    "duration_s": length_s,
                    "candidates": candidates,
                    "seed": 1000 + n,
                }
            )
        )
    return found


def presence(piece: Piece, names: Sequence[str]) -> tuple[float, float]:
    """Return the share of those asked for that play 1 % of the notes, and of the half-minutes they are heard in."""
    heard, windows = [], []
    for name in names:
        mine = [n.onset_s for n in piece.notes if n.instrument in members(name)]
        heard.append(len(mine) >= LEAST_PRESENCE * len(piece.notes))
        counts, _ = np.histogram(mine, np.arange(0, max(piece.duration_s, WINDOW_S) + 1e-6, WINDOW_S))
        windows += (counts > 0).tolist()
    return float(np.mean(heard)), float(np.mean(windows))


def measured(pieces: Sequence[tuple[Prompt, Piece]]) -> dict[str, float]:
    """Return what a set of pieces is like."""
    errors = np.array([abs(piece.duration_s / prompt.duration_s - 1) for prompt, piece in pieces])
    endings = [ending for _, piece in pieces if (ending := find_ending(piece)) is not None]
    heard = np.array([presence(piece, prompt.instruments) for prompt, piece in pieces])
    recalled = np.array([theme_recall(piece) for _, piece in pieces])
    return {
        "pieces": len(pieces),
        "length_error_mean": float(errors.mean()),
        "length_error_most": float(errors.max()),
        "within_2_percent": float((errors <= 0.02).mean()),
        "proper_endings": float(np.mean([e.proper for e in endings])),
        "on_the_tonic": float(np.mean([e.tonic for e in endings])),
        "asked_for_and_heard": float(heard[:, 0].mean()),
        "heard_in_half_minutes": float(heard[:, 1].mean()),
        "theme_recall": float(np.nanmean(recalled)),
    }


def controlled(composer: Composer, base: Prompt) -> dict[str, dict[str, float]]:
    """Return what was asked for and what came, control by control."""
    found: dict[str, dict[str, float]] = {"density": {}, "energy": {}, "tempo": {}}
    for word in ("low", "mid", "high"):
        dense = composer.compose(replace(base, density=Prompt.of({"density": word}).density)).piece
        found["density"][word] = len(dense.notes) / dense.duration_s
        loud = composer.compose(replace(base, energy=Prompt.of({"energy": word}).energy)).piece
        found["energy"][word] = float(np.mean([n.velocity for n in loud.notes]))
    rising = composer.compose(replace(base, energy=Prompt.of({"energy": {"0s": "low", "60s": "high"}}).energy)).piece
    for label, first, last in (("first 15 s of a rise", 0, 15), ("last 15 s", 45, 60)):
        found["energy"][label] = float(np.mean([n.velocity for n in rising.notes if first <= n.onset_s < last]))
    keys = ("D_minor", "E_major", "A#_major", "F#_minor")
    came = [composer.compose(replace(base, key=key)).piece for key in keys]
    pairs = list(zip(came, keys, strict=True))
    inside = [_in_scale(n.pitch, k) for p, k in pairs for n in p.notes if n.instrument != "drums"]
    found["key"] = {
        "found as asked for": float(np.mean([_key(p) == k for p, k in pairs])),
        "share of notes in the scale": float(np.mean(inside)),
    }
    for bpm in (70.0, 140.0):
        found["tempo"][f"{bpm:g}"] = composer.compose(replace(base, tempo_bpm=bpm)).piece.tempi[0].bpm
    return found


def _in_scale(pitch: int, key: str) -> bool:
    name, mode = key.split("_")
    return (pitch - PITCH_CLASSES.index(name)) % 12 in (MAJOR if mode == "major" else MINOR)


def _key(piece: Piece) -> str | None:
    weights = np.zeros(12)
    for note in piece.notes:
        if note.instrument != "drums":
            weights[note.pitch % 12] += note.duration_s
    return find_key(weights)


def main() -> int:
    """Print tables and a JSON line; 1 when the tests are red, 2 without a checkpoint."""
    parser = argparse.ArgumentParser(prog="tests.bench.control", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=SHIPPED, help="weights (the shipped ones)")
    parser.add_argument("--pieces", type=int, default=100, help="how many prompts (100)")
    parser.add_argument("--candidates", type=int, default=3, help="of each (3)")
    parser.add_argument("--controls", type=int, default=5, help="prompts that each control is tried on (5)")
    parser.add_argument("--threads", type=int, default=2, help="processor cores (2)")
    parser.add_argument("--save", type=Path, metavar="DIR", help="keep the pieces as MIDI")
    args = parser.parse_args()
    composer = ready.composer(args.checkpoint, TESTS, args.threads)
    planned, free = [], []
    for n, prompt in enumerate(tqdm(prompts(args.pieces, args.candidates), unit="piece", disable=None)):
        planned.append((prompt, composer.compose(prompt).piece))
        free.append((prompt, composer.compose(replace(prompt, form="free")).piece))
        if args.save is not None:
            args.save.mkdir(parents=True, exist_ok=True)
            write_midi(planned[-1][1], args.save / f"{n:03d}-{main_style(prompt.style)}.mid")
    tables = {"by a form": measured(planned), "freely": measured(free)}
    print(described(args.threads))
    print(f"{'':28}{'by a form':>12}{'freely':>12}")
    for name in tables["freely"]:
        print(f"{name.replace('_', ' '):28}{tables['by a form'][name]:12.3f}{tables['freely'][name]:12.3f}")
    controls: dict[str, dict[str, list[float]]] = {}
    for prompt in tqdm(prompts(args.controls, args.candidates), unit="prompt", disable=None):
        for control, values in controlled(composer, replace(prompt, duration_s=60.0)).items():
            for asked, came in values.items():
                controls.setdefault(control, {}).setdefault(asked, []).append(came)
    means = {c: {asked: float(np.mean(came)) for asked, came in v.items()} for c, v in controls.items()}
    for control, values in means.items():
        print(f"{control}: " + ", ".join(f"{asked} {came:.2f}" for asked, came in values.items()))
    print(json.dumps({**facts(args.threads), "tables": tables, "controls": means}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
