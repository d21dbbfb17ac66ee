"""What the gate lets pass and what it catches, `python -m tests.bench.gate --corpus BUILT`.

Real music that the model was not trained on: how much of it is refused and why,
whole and in excerpts; beside it a sample of training pieces, by which no limit
was chosen (copying left out). Each planted fault by kind and strength, and
stretches of training pieces planted into held-out ones, by their length. How
long runs real pieces share with training pieces. With --composed, the same of a
folder of composed MIDI files: refusals by kind, and the longest runs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model.errors import ModelError
from model.evaluation.excerpts import Sample, excerpts
from model.gate.columns import columns
from model.gate.gate import KINDS, LONGEST_RUN, SHIPPED_INDEX, Gate
from model.gate.index import CopyIndex
from model.gate.shingles import LINES
from model.instruments import BY_NAME
from model.language.tokenizer import decode
from model.learning.corpus import Corpus, Row, tidy
from model.midi import read_midi
from model.notes import Piece
from tests.bench.hardware import described, facts, green
from tests.model.gate.planting import FAULTS, copy

TESTS = ("tests/model/gate",)
LENGTHS_S = (30.0, 60.0, 120.0, 240.0)
# Lengths of planted copies, in notes of all onsets.
COPIES = (24, 36, 48, 60, 72, 96, 144)
PERCENTILES = (50, 90, 95, 98, 99, 99.5, 100)


def piece_of(corpus: Corpus, row: Row) -> Piece:
    """Return a piece of a built corpus."""
    return decode(corpus.tokens[row.offset : row.offset + row.tokens].tolist())


def longer(pieces: Sequence[Piece], length_s: float) -> Iterator[Piece]:
    """Yield excerpts of the pieces that are longer."""
    for piece in pieces:
        if piece.duration_s > 1.05 * length_s:
            yield from (e.piece for e in excerpts(Sample("", "any", piece), length_s))


def refused(gate: Gate, pieces: Sequence[Piece]) -> dict[str, Any]:
    """Return how many pieces are refused, and how many by each kind."""
    found = [{refusal.kind for refusal in gate.refusals(piece)} for piece in pieces]
    kinds = Counter(kind for kinds in found for kind in kinds)
    return {"pieces": len(pieces), "refused": sum(map(bool, found)), **{k: kinds[k] for k in KINDS}}


def planted(gate: Gate, pieces: Sequence[Piece]) -> list[tuple[str, str, int, int]]:
    """Return kind, strength, how often it was caught, and of how many, of every planted fault."""
    rows = []
    for fault in FAULTS:
        caught = [fault.kind in {r.kind for r in gate.refusals(fault.plant(p), length_s=p.duration_s)} for p in pieces]
        rows.append((fault.kind, fault.strength, sum(caught), len(caught)))
    return rows


def copies(gate: Gate, pieces: Sequence[Piece], learned: Sequence[Piece]) -> list[tuple[int, int, int]]:
    """Return the length of a planted copy, how often it was caught, and of how many."""
    rows = []
    for notes in COPIES:
        caught = []
        for n, piece in enumerate(pieces):
            other = learned[n % len(learned)]
            if len(other.notes) < 2 * notes:
                continue
            refusals = gate.refusals(copy(piece, other, notes, by=n % 7 - 3))
            caught.append("copying" in {refusal.kind for refusal in refusals})
        rows.append((notes, sum(caught), len(caught)))
    return rows


def runs(index: CopyIndex, pieces: Sequence[Piece]) -> dict[str, list[float]]:
    """Return percentiles of the longest runs by line, in notes."""
    found = {line: [index.longest_in(columns(p), line).notes for p in pieces] for line in LINES}
    return {line: [round(float(v), 1) for v in np.percentile(found[line], PERCENTILES)] for line in LINES}


def tuned(piece: Piece) -> bool:
    """Return whether anything but drums plays: a fault of harmony needs it."""
    return any(BY_NAME[note.instrument].sustains for note in piece.notes)


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Return refusals as lines for people."""
    lines = [f"{'':26}{'pieces':>8}{'refused':>9}" + "".join(f"{kind:>18}" for kind in KINDS)]
    for name, row in rows.items():
        share = row["refused"] / max(1, row["pieces"])
        lines.append(f"{name:26}{row['pieces']:>8}{share:>9.2%}" + "".join(f"{row[kind]:>18}" for kind in KINDS))
    return "\n".join(lines)


def measured(args: argparse.Namespace) -> dict[str, Any]:
    """Measure, print the tables, and return the figures."""
    began = time.perf_counter()
    index = CopyIndex.load(args.index)
    load_ms = 1000 * (time.perf_counter() - began)
    gate, blind = Gate(index), Gate()
    corpus = Corpus(args.corpus)
    held = [piece_of(corpus, row) for row in corpus.rows if row.split != "train"]
    rng = np.random.default_rng(0)
    rows = corpus.split("train")
    learned = [piece_of(corpus, rows[n]) for n in rng.permutation(len(rows))[: args.learned]]

    real = {"held out, whole": refused(gate, held)}
    real |= {f"held out, {length:.0f} s": refused(gate, list(longer(held, length))) for length in LENGTHS_S}
    real["training, whole"] = refused(blind, learned)
    print(table(real))

    good = [p for length in (60.0, 120.0) for p in longer(held, length) if tuned(p) and not gate.refusals(p)]
    sources = {"held out": [good[n] for n in rng.permutation(len(good))[: args.planted]]}
    made = []
    if args.composed is not None:
        paths = sorted(args.composed.rglob("*.mid"))
        made = [tidy(read_midi(path).piece) for path in paths]
        some = [p for p in made if tuned(p) and p.duration_s >= 30 and not gate.refusals(p)]
        sources["composed"] = some[: args.planted]
    faults = {name: planted(blind, pieces) for name, pieces in sources.items() if pieces}
    for name, found in faults.items():
        print(f"\nplanted into {name}")
        for kind, strength, caught, of in found:
            print(f"  {kind:18}{strength:46}{caught:>5} of {of}")
    found_copies = copies(gate, sources["held out"], learned)
    print("\ncopies of training pieces planted into held out")
    for notes, caught, of in found_copies:
        print(f"  {notes:>4} notes {caught:>5} of {of}")

    shared = {"held out": runs(index, held)}
    result: dict[str, Any] = {"real": real, "planted": faults, "copies": found_copies, "limits": LONGEST_RUN}
    if made:
        shared["composed"] = runs(index, made)
        result["composed"] = {"composed": refused(gate, made)}
        print("\n" + table(result["composed"]))
    print(f"\nlongest runs in notes, percentiles {PERCENTILES}; limits {LONGEST_RUN}")
    for name, lines in shared.items():
        for line, values in lines.items():
            print(f"  {name:10}{line:12}" + "".join(f"{value:>8g}" for value in values))
    four_minutes = next(longer(held, 240.0), None)
    if four_minutes is not None:
        began = time.perf_counter()
        gate.refusals(four_minutes)
        result["piece_ms"] = round(1000 * (time.perf_counter() - began), 1)
    return result | {"runs": shared, "load_ms": round(load_ms, 1), "index_bytes": args.index.stat().st_size}


def main() -> int:
    """Print tables and a line of JSON; 1 when the tests are red, 2 when it cannot be done."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.gate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, required=True, metavar="BUILT", help="a built corpus")
    parser.add_argument("--index", type=Path, default=SHIPPED_INDEX, help="of the training music (the shipped one)")
    parser.add_argument("--composed", type=Path, metavar="DIR", help="composed MIDI files")
    parser.add_argument("--planted", type=int, default=150, help="pieces that each fault is planted into (150)")
    parser.add_argument("--learned", type=int, default=1000, help="training pieces in the sample (1000)")
    args = parser.parse_args()
    if not green(TESTS):
        print(f"tests are red ({', '.join(TESTS)}): nothing is reported")
        return 1
    try:
        result = measured(args)
    except ModelError as error:
        print(f"gate: {error}", file=sys.stderr)
        return 2
    print(described(1))
    print(json.dumps(result | {"machine": facts(1)}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
