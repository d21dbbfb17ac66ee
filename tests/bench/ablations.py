"""What each part of our model is worth: `python -m tests.bench.ablations --data DIR --steps 600`.

The model as shipped and with a part taken away, each from the same first
weights, on the same batches, for the same steps; then bits per note on the
same held-out pieces, every piece read from its beginning (`tests.bench.heldout`).

Without volumes a note has less to tell: compare the column `but volume`, bits
per note without the volume's share, which in the full model is what a note
token costs beyond its instrument and pitch. A run that differs by less than
two runs of `--seeds` do is not known to differ at all. A table, then one line
of JSON; refused when the trainer's tests are red or nothing was learned.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from model.learning.corpus import Corpus
from model.learning.trainer import Plan, Trainer
from tests.bench import heldout, options
from tests.bench.hardware import facts
from tests.bench.runs import run_once
from tests.bench.timed import Budget, compile_first, train
from tests.bench.variations import VARIATIONS, Variation, flat


def measured(
    corpus: Corpus, args: argparse.Namespace, variation: Variation, plan: Plan, budget: Budget, out: Path
) -> dict[str, Any]:
    """Train with something taken away; return what it cost and what held-out music costs then."""
    trainer = Trainer(corpus, options.shape(args), plan, out / "trainer", compiled=not args.quick)
    variation.apply(trainer)
    compile_s = compile_first(trainer)
    spent = train(trainer, budget)
    pieces = heldout.chosen(corpus, args.split, args.pieces)
    texts = [heldout.from_corpus(corpus, row, args.most_tokens) for row in pieces]
    batches = heldout.batches(texts, plan.tokens)
    if variation.one_volume:
        batches = [flat(batch) for batch in batches]
    found = heldout.bits(trainer.model.eval(), batches, len(texts), autocast=trainer.autocast)
    return {
        "seed": plan.seed,
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "compile_s": round(compile_s, 1),
        **spent.as_dict(),
        **found.as_dict(),
        "bits_but_volume": round(found.per_note("volume"), 4),
    }


def _run(corpus: Corpus, args: argparse.Namespace, name: str, seed: int, budget: Budget, out: Path) -> dict[str, Any]:
    plan = replace(options.plan(args), seed=seed)
    settings = {
        "shape": options.shape(args).as_dict(),
        "plan": asdict(plan),
        "budget": asdict(budget),
        "heldout": [args.split, args.pieces, args.most_tokens],
        "threads": args.threads,
        "corpus": len(corpus.tokens),
    }
    print(f"{name}, seed {seed} ...", file=sys.stderr, flush=True)
    return run_once(out, name, settings, lambda: measured(corpus, args, VARIATIONS[name], plan, budget, out))


def summed_up(name: str, seeds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean over seeds, and how far they are apart."""
    bits = [run["bits_per_note"] for run in seeds]
    kinds = {kind for run in seeds for kind in run["by_kind"]}
    return {
        "variation": name,
        "seconds": round(statistics.fmean(run["seconds"] for run in seeds), 1),
        "tokens_per_s": round(statistics.fmean(run["tokens_per_s"] for run in seeds)),
        "steps": seeds[0]["steps"],
        "bits_per_note": round(statistics.fmean(bits), 3),
        "apart": round(max(bits) - min(bits), 3) if len(bits) > 1 else None,
        "bits_but_volume": round(statistics.fmean(run["bits_but_volume"] for run in seeds), 3),
        "by_kind": {k: round(statistics.fmean(r["by_kind"].get(k, 0.0) for r in seeds), 3) for k in sorted(kinds)},
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the figures for a person, each beside how far it is from the full model."""
    lines = [
        f"{'variation':<13}{'bits/note':>10}{'but volume':>11}{'more':>8}{'apart':>7}{'seconds':>9}{'tokens/s':>10}"
    ]
    full = next((row for row in rows if row["variation"] == "full"), None)
    for row in rows:
        more = "" if full is None else f"{row['bits_but_volume'] - full['bits_but_volume']:+.3f}"
        apart = "" if row["apart"] is None else f"{row['apart']:.3f}"
        lines.append(
            f"{row['variation']:<13}{row['bits_per_note']:>10.3f}{row['bits_but_volume']:>11.3f}{more:>8}{apart:>7}"
            f"{row['seconds']:>9.0f}{row['tokens_per_s']:>10.0f}"
        )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Print the table and the JSON line; 1 when a test is red or nothing was learned."""
    command = options.parser("ablations", __doc__)
    length = command.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, help="optimiser steps of each run (600)")
    length.add_argument("--seconds", type=float, help="seconds of each run instead")
    command.add_argument("--processor-clock", action="store_true", help=options.PROCESSOR_CLOCK)
    command.add_argument("--only", default=",".join(VARIATIONS), help=f"some of {','.join(VARIATIONS)}")
    command.add_argument("--seeds", type=int, default=1, help="runs of each, one a seed (1)")
    command.add_argument("--most-tokens", type=int, default=4096, help="held-out tokens read of a piece (4096)")
    args = command.parse_args(argv)
    wanted = args.only.split(",")
    if unknown := [name for name in wanted if name not in VARIATIONS]:
        command.error(f"--only {','.join(unknown)}: it can be {', '.join(VARIATIONS)}")
    if args.quick and args.steps is None and args.seconds is None:
        args.steps = 6
    budget = (
        Budget(args.seconds, processor=args.processor_clock)
        if args.seconds is not None
        else Budget(steps=args.steps or 600)
    )
    with options.prepared(args) as ready:
        if ready is None:
            return 1
        corpus, out = ready
        rows = []
        for name in wanted:
            runs = [_run(corpus, args, name, seed, budget, out) for seed in range(args.seed, args.seed + args.seeds)]
            if not all(run["learned"] and run["notes"] for run in runs):
                print(f"{name}: the loss did not fall: nothing is reported")
                return 1
            rows.append(summed_up(name, runs))
        print(table(rows))
        said = {"seeds": args.seeds, **asdict(budget), "split": args.split, "pieces": args.pieces}
        print(json.dumps({"bench": "ablations", "quick": args.quick, **said, **facts(args.threads), "rows": rows}))
    return 0


if __name__ == "__main__":
    raise SystemExit(options.command(main))
