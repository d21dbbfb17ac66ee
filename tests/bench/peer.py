"""Side by side with a peer at equal compute: `python -m tests.bench.peer --data DIR --seconds 3600 --out DIR`.

Ours, and GPT-2 of HF transformers that reads MidiTok's REMI (`pip install
conductor-live[bench]`), as many weights, the same pieces, the same seconds of
training on this machine; then bits per note on the same excerpts of held-out
pieces, and what each composes from the same openings, compared with real music.
What the peer is given and spared: `tests.bench.gpt2`, `tests.bench.remi`.

Bits of a language that loses more are cheaper, so that what each language keeps
stands beside them. `remi` has MidiTok's own grid of a thirty-second; `remi-fine`
times notes about as finely as ours. Both lie on the beats of the file, which we
do without: where a score says all tempi exactly, REMI's times are few and
cheap. `bare` leaves out what only one of them says or must be told: tempi,
meters and our header. The peer's learning rate is the best of several tried for
an eighth of the seconds each; ours is the one it is shipped with.

The MIDI files that the corpus was built from must be where they were. A table,
then one line of JSON; refused when tests are red, something learned nothing, or
the two have not read the same notes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.learning.corpus import Corpus, Row
from model.learning.trainer import Trainer
from model.network.transformer import Transformer
from tests.bench import composed, gpt2, heldout, kept, options
from tests.bench.hardware import facts
from tests.bench.remi import GRIDS, Remi, read
from tests.bench.runs import run_once
from tests.bench.timed import Budget, Spent, compile_first, train

Ints = NDArray[np.int64]
OURS = "ours"
TESTS = (*options.TESTS, "tests/bench/test_remi.py", "tests/bench/test_gpt2.py", "tests/bench/test_heldout.py")
RATES = (6e-4, 1.2e-3, 2.4e-3)
# Told by one of them alone, or told to ours for nothing.
ASIDE = ("tempo", "meter", "header")


def _encoded(grid: str, row: Row) -> Ints:
    return Remi(grid).encode(read(row)).astype(np.uint16)


def training_pieces(corpus: Corpus, grid: str, out: Path, processes: int) -> list[Ints]:
    """Return the training pieces in REMI, in the order of the corpus; kept in a folder.

    Raises:
        MidiError: a file that the corpus was built from has gone.
    """
    path = out / f"{grid}-{len(corpus.tokens)}.npz"
    rows = corpus.split("train")
    if not path.exists():
        print(f"reading {len(rows)} pieces as {grid} ...", file=sys.stderr, flush=True)
        with ProcessPoolExecutor(processes) as pool:
            pieces = list(pool.map(partial(_encoded, grid), rows, chunksize=32))
        ends = np.cumsum([len(piece) for piece in pieces])
        partial_path = out / f"{grid}-partial.npz"
        np.savez(partial_path, tokens=np.concatenate(pieces), ends=ends)
        partial_path.replace(path)
    with np.load(path) as file:
        return np.split(file["tokens"].astype(np.int64), file["ends"][:-1])


def _figures(spent: Spent, weights: int, found: heldout.Bits) -> dict[str, Any]:
    return {
        "parameters": weights,
        **spent.as_dict(),
        **found.as_dict(),
        "tokens_per_note": round(found.tokens / max(1, found.notes), 3),
        "bits_bare": round(found.per_note(*ASIDE), 4),
    }


class Contest:
    """The two, on the same music.

    Attributes:
        excerpts: the first seconds of held-out pieces.
        openings: pieces to go on from.
    """

    def __init__(self, corpus: Corpus, args: argparse.Namespace, out: Path) -> None:
        self.corpus, self.args, self.out = corpus, args, out
        self.plan, self.config = options.plan(args), options.shape(args)
        self.budget = Budget(seconds=args.seconds, processor=args.processor_clock)
        whole = [read(row) for row in heldout.chosen(corpus, args.split, args.pieces)]
        self.real = [source.piece for source in whole]
        self.excerpts = [source.cut(args.excerpt_s) for source in whole]
        self.span = composed.Span(1.5, 6.0) if args.quick else composed.Span(args.opening_s, args.end_s)
        self.openings = composed.fit(Remi(), whole, self.span, args.compose, self.plan.tokens)

    def run(self, name: str) -> dict[str, Any]:
        """Return the figures of one of them, kept or fresh."""
        settings = {
            "shape": self.config.as_dict(),
            "plan": asdict(self.plan),
            "budget": asdict(self.budget),
            "heldout": [self.args.split, self.args.pieces, self.args.excerpt_s],
            "composed": [self.args.compose, *self.span],
            "threads": self.args.threads,
            "corpus": len(self.corpus.tokens),
            "rates": None if name == OURS else self.args.peer_rates,
        }
        print(f"{name} ...", file=sys.stderr, flush=True)
        return run_once(self.out, name, settings, self._ours if name == OURS else lambda: self._peer(name))

    def _ours(self) -> dict[str, Any]:
        trainer = Trainer(self.corpus, self.config, self.plan, self.out / "trainer", compiled=not self.args.quick)
        compile_s = compile_first(trainer)
        spent = train(trainer, self.budget)
        texts = [heldout.from_piece(source.row, source.piece) for source in self.excerpts]
        batches = heldout.batches(texts, self.plan.tokens)
        found = heldout.bits(trainer.model.eval(), batches, len(texts), autocast=trainer.autocast)
        pieces = composed.ours(trainer.model, self.openings, self.span, self.plan.tokens, self.plan.seed)
        return {
            "shape": self.config.as_dict(),
            "compile_s": round(compile_s, 1),
            **_figures(spent, sum(p.numel() for p in trainer.model.parameters()), found),
            "keeps": kept.summary([kept.ours(source) for source in self.excerpts]),
            "overlap": self._overlap(OURS, pieces),
        }

    def _peer(self, grid: str) -> dict[str, Any]:
        language = Remi(grid)
        pieces = training_pieces(self.corpus, grid, self.out, self.args.threads)
        weights = sum(p.numel() for p in Transformer(self.config).parameters())
        shape = gpt2.shape_of(weights, len(language), self.plan.tokens)
        encoded = [language.encode(source) for source in self.excerpts]

        def trained(rate: float, budget: Budget) -> tuple[gpt2.PeerTrainer, Spent]:
            plan = replace(self.plan, adam_rate=rate)
            trainer = gpt2.PeerTrainer(language, pieces, self.corpus, plan, shape, compiled=not self.args.quick)
            trainer.compile_first()
            return trainer, train(trainer, budget)

        rates: list[float] = self.args.peer_rates
        trials = {}
        for rate in rates if len(rates) > 1 else ():
            trials[rate] = gpt2.bits(
                trained(rate, replace(self.budget, seconds=self.args.seconds / 8))[0], encoded
            ).per_note()
        best = min(trials, key=trials.__getitem__) if trials else rates[0]
        trainer, spent = trained(best, self.budget)
        found = gpt2.bits(trainer, encoded)
        return {
            "shape": asdict(shape),
            "rate": best,
            "trials": {str(rate): round(value, 3) for rate, value in trials.items()},
            **_figures(spent, sum(p.numel() for p in trainer.model.parameters()), found),
            "keeps": kept.summary([kept.remi(language, source) for source in self.excerpts]),
            "overlap": self._overlap(grid, composed.peers(trainer, self.openings, self.span, self.plan.seed)),
        }

    def _overlap(self, name: str, pieces: Sequence[Any]) -> dict[str, Any]:
        composed.write(pieces, self.out / "composed" / name)
        return composed.overlap(pieces, self.real, self.span, self.plan.seed)


def wrong(rows: list[dict[str, Any]]) -> str | None:
    """Return why nothing may be reported, or None."""
    for row in rows:
        if not row["learned"]:
            return f"{row['what']}: the loss did not fall"
        if row["keeps"]["lost"] > 0.01:
            return f"{row['what']}: {row['keeps']['lost']:.1%} of the notes are lost on the way into its language"
    notes = {row["what"]: row["notes"] for row in rows}
    if not min(notes.values()) or max(notes.values()) > 1.01 * min(notes.values()):
        return f"they have not read the same notes: {notes}"
    weights = [row["parameters"] for row in rows]
    if max(weights) > 1.05 * min(weights):
        return f"they have not as many weights: {weights}"
    return None


def table(rows: list[dict[str, Any]]) -> str:
    """Return the figures for a person."""
    lines = [
        f"{'what':<11}{'weights, M':>11}{'tokens/s':>10}{'tok/note':>9}{'bits/note':>10}{'bare':>8}"
        f"{'onset ms':>9}{'length ms':>10}{'volume':>8}{'overlap':>9}"
    ]
    for row in rows:
        keeps = row["keeps"]
        overlap = "-" if row["overlap"]["ratio"] is None else f"{row['overlap']['ratio']:.2f}"
        lines.append(
            f"{row['what']:<11}{row['parameters'] / 1e6:>11.1f}{row['tokens_per_s']:>10.0f}"
            f"{row['tokens_per_note']:>9.2f}{row['bits_per_note']:>10.3f}{row['bits_bare']:>8.3f}{keeps['onset_ms_mean']:>9.1f}"
            f"{keeps['length_ms_mean']:>10.1f}{keeps['velocity_mean']:>8.1f}{overlap:>9}"
        )
    kinds = sorted({kind for row in rows for kind in row["by_kind"]})
    lines += ["", f"{'bits/note':<11}" + "".join(f"{kind:>13}" for kind in kinds)]
    for row in rows:
        lines.append(f"{row['what']:<11}" + "".join(f"{row['by_kind'].get(kind, 0.0):>13.3f}" for kind in kinds))
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Print the table and the JSON line; 1 when nothing may be reported."""
    command = options.parser("peer", __doc__)
    command.add_argument("--seconds", type=float, help="of training, for each (1800)")
    command.add_argument("--processor-clock", action="store_true", help=options.PROCESSOR_CLOCK)
    command.add_argument("--only", default=f"{OURS},remi", help=f"some of {OURS},{','.join(GRIDS)} (ours,remi)")
    command.add_argument("--excerpt-s", type=float, default=60.0, help="of each held-out piece, seconds (60)")
    command.add_argument("--compose", type=int, default=24, help="pieces that each composes (24)")
    command.add_argument("--opening-s", type=float, default=8.0, help="that they go on from, seconds (8)")
    command.add_argument("--end-s", type=float, default=24.0, help="up to which what follows is compared (24)")
    command.add_argument("--peer-rates", default=",".join(map(str, RATES)), help="learning rates the peer tries")
    args = command.parse_args(argv)
    args.peer_rates = [float(rate) for rate in args.peer_rates.split(",")]
    args.seconds = args.seconds or (2.0 if args.quick else 1800.0)
    wanted = args.only.split(",")
    if unknown := [name for name in wanted if name != OURS and name not in GRIDS]:
        command.error(f"--only {','.join(unknown)}: it can be {OURS}, {', '.join(GRIDS)}")
    try:
        import miditok  # noqa: F401, asked for before hours have passed
        import transformers
    except ImportError as error:
        print(f"no peer to compare with ({error}); pip install 'conductor-live[bench]'", file=sys.stderr)
        return 2
    with options.prepared(args, TESTS) as ready:
        if ready is None:
            return 1
        corpus, out = ready
        contest = Contest(corpus, args, out)
        rows = [{"what": name, **contest.run(name)} for name in wanted]
    if reason := wrong(rows):
        print(f"{reason}: nothing is reported")
        return 1
    print(table(rows))
    said = {**asdict(contest.budget), "split": args.split, "pieces": args.pieces, "excerpt_s": args.excerpt_s}
    versions = {"transformers": transformers.__version__, "miditok": version("miditok")}
    print(json.dumps({"bench": "peer", "quick": args.quick, **said, **versions, **facts(args.threads), "rows": rows}))
    return 0


if __name__ == "__main__":
    raise SystemExit(options.command(main))
