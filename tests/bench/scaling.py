"""How large the model should be: `python -m tests.bench.scaling --data DIR --seconds 2400 --out DIR`.

Sizes alike in shape, each trained for an eighth, a quarter, a half and the
whole of the seconds, every run with its learning rate fallen to nothing, so
that all are finished models of their budget. A power law in weights and tokens
is fitted to them (`tests.bench.power_law`) and says what each size would reach
in `--hours` of this machine, with the uncertainty of refitted laws. The plot
shows held-out loss against tokens and against seconds: points are finished
runs, thin lines the longest run on its way (its rate still high), thick lines
the law, with the band in which 95 % of its refits lie.

Runs are kept under --out and not run again: sizes may be trained side by side
(`--only 3M,12M` and `--only 6M,24M` into one folder), and the last command,
without --only, draws what there is. A table, a plot (scaling.png), then one
line of JSON; refused when the trainer's tests are red or a run learned nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from model.learning.corpus import Corpus
from model.learning.trainer import Plan, Trainer
from model.network.config import Config
from tests.bench import heldout, options
from tests.bench.hardware import facts
from tests.bench.power_law import EPOCHS, Law, Outlook, Run, fit, outlook, resampled
from tests.bench.runs import run_once
from tests.bench.timed import Budget, compile_first, train

# fmt: off
SIZES = {
    "3M":  Config(layers=4, width=192, heads=2, kv_heads=1, context=2048, window=256, full_every=3, hidden=512),
    "6M":  Config(layers=5, width=288, heads=3, kv_heads=1, context=2048, window=256, full_every=3, hidden=768),
    "12M": Config(layers=6, width=384, heads=3, kv_heads=1, context=2048, window=256, full_every=3, hidden=1024),
    "24M": Config(layers=8, width=512, heads=4, kv_heads=1, context=2048, window=256, full_every=3, hidden=1344),
}
QUICK = {
    f"w{width}": Config(layers=2, width=width, heads=2, kv_heads=1, context=256, window=64, full_every=2, hidden=width)
    for width in (16, 32, 64)
}
# fmt: on
PARTS = (1 / 8, 1 / 4, 1 / 2, 1.0)
CHECKS = 16
REFITS = 100


def measured(
    corpus: Corpus, args: argparse.Namespace, config: Config, plan: Plan, budget: Budget, out: Path
) -> dict[str, Any]:
    """Train a size for a budget; return its figures, and held-out loss on the way."""
    trainer = Trainer(corpus, config, plan, out / "trainer", compiled=not args.quick)
    pieces = heldout.chosen(corpus, args.split, args.pieces)
    texts = [heldout.from_corpus(corpus, row, args.most_tokens) for row in pieces]
    batches = heldout.batches(texts, plan.tokens)
    # On the way, a look at some of the music is enough.
    some = batches[:: max(1, len(batches) // 8)]
    way: list[dict[str, float]] = []

    def look(tokens: float, seconds: float) -> None:
        found = heldout.bits(trainer.model, some, 0, autocast=trainer.autocast)
        way.append({"tokens": tokens, "seconds": round(seconds, 1), "bits_per_note": round(found.per_note(), 4)})

    compile_s = compile_first(trainer)
    spent = train(trainer, budget, check=look, checks=4 if args.quick else CHECKS)
    found = heldout.bits(trainer.model.eval(), batches, len(texts), autocast=trainer.autocast)
    return {
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "compile_s": round(compile_s, 1),
        **spent.as_dict(),
        "spent_s": round(spent.processor_s if budget.processor else spent.seconds, 2),
        **found.as_dict(),
        "way": way,
    }


def _run(
    corpus: Corpus, args: argparse.Namespace, size: str, config: Config, budget: Budget, out: Path
) -> dict[str, Any]:
    plan = options.plan(args)
    settings = {
        "shape": config.as_dict(),
        "plan": asdict(plan),
        "budget": asdict(budget),
        "heldout": [args.split, args.pieces, args.most_tokens],
        "threads": args.threads,
        "corpus": len(corpus.tokens),
    }
    print(f"{size}, {budget.seconds:.0f} s ...", file=sys.stderr, flush=True)
    return run_once(out, size, settings, lambda: measured(corpus, args, config, plan, budget, out))


def run_of(size: str, figures: dict[str, Any]) -> Run:
    """Return what the law needs of a run's figures."""
    return Run(size, figures["parameters"], figures["tokens_seen"], figures["spent_s"], figures["bits_per_note"])


def plot(
    path: Path,
    runs: Sequence[Run],
    ways: dict[str, list[dict[str, float]]],
    law: Law,
    others: Sequence[Law],
    hours: float,
) -> None:
    """Draw held-out loss against tokens and against hours.

    Args:
        path: of the picture.
        runs: finished ones.
        ways: loss on the way of the longest run, by size.
        law: fitted to the runs.
        others: refitted, for the band in which 95 % of them lie.
        hours: to look ahead to.
    """
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (by_tokens, by_hours) = plt.subplots(1, 2, figsize=(12, 5), sharey=True)
    sizes = sorted({r.size for r in runs}, key=lambda s: next(r.weights for r in runs if r.size == s))
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(sizes)))
    for size, colour in zip(sizes, colours, strict=True):
        own = sorted((r for r in runs if r.size == size), key=lambda r: r.tokens)
        speed = own[-1].tokens / own[-1].seconds
        tokens = np.geomspace(own[0].tokens, speed * hours * 3600, 200)
        said = [law.loss(own[0].weights, t) for t in tokens]
        refitted = [[other.loss(own[0].weights, t) for t in tokens] for other in others or [law]]
        low, high = np.percentile(refitted, (2.5, 97.5), axis=0)
        way = [w for w in ways.get(size, []) if w["bits_per_note"] < 1.6 * max(r.loss for r in own)]
        label = f"{size} ({own[0].weights / 1e6:.1f} M)"
        for axes, of_tokens in ((by_tokens, 1e-6), (by_hours, 1 / speed / 3600)):
            axes.fill_between(tokens * of_tokens, low, high, color=colour, alpha=0.12, linewidth=0)
            axes.plot(tokens * of_tokens, said, color=colour, linewidth=2, label=label)
            axes.plot([r.tokens * of_tokens for r in own], [r.loss for r in own], "o", color=colour)
            axes.plot(
                [w["tokens"] * of_tokens for w in way], [w["bits_per_note"] for w in way], color=colour, alpha=0.4
            )
    by_tokens.set_xlabel("tokens seen (millions)")
    by_hours.set_xlabel("hours of this machine")
    by_tokens.set_ylabel("held-out bits per note")
    for axes in (by_tokens, by_hours):
        axes.set_xscale("log")
        axes.grid(alpha=0.3, which="both")
    by_hours.axvline(hours, color="grey", linestyle=":")
    by_hours.legend()
    figure.suptitle(
        f"Points: finished runs. Thin: the longest on its way, on part of the music. "
        f"Thick: the law, to {hours:g} h, and 95 % of its refits"
    )
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def table(runs: Sequence[Run], outlooks: Sequence[Outlook], law: Law | None, hours: float) -> str:
    """Return the figures for a person."""
    lines = [f"{'size':<7}{'weights, M':>11}{'seconds':>9}{'tokens, M':>11}{'tokens/s':>10}{'bits/note':>11}{'law':>9}"]
    for run in sorted(runs, key=lambda r: (r.weights, r.seconds)):
        said = "" if law is None else f"{law.loss(run.weights, run.tokens):.3f}"
        lines.append(
            f"{run.size:<7}{run.weights / 1e6:>11.2f}{run.seconds:>9.0f}{run.tokens / 1e6:>11.2f}"
            f"{run.tokens / run.seconds:>10.0f}{run.loss:>11.3f}{said:>9}"
        )
    if law is None:
        return "\n".join([*lines, "too few runs for a law"])
    lines += [
        "",
        f"L(N, D) = {law.floor:.3f} + {law.a:.3f} (N/M)^-{law.alpha:.3f} + {law.b:.3f} (D/M)^-{law.beta:.3f}, "
        f"missing {law.error:.2%}",
        "",
        f"in {hours:g} h{'':<3}{'tokens, M':>11}{'epochs':>8}{'bits/note':>11}{'95 %':>18}{'best by':>9}",
    ]
    for o in outlooks:
        interval = f"{o.low:.3f}..{o.high:.3f}"
        lines.append(f"{o.size:<8}{o.tokens / 1e6:>11.1f}{o.epochs:>8.1f}{o.loss:>11.3f}{interval:>18}{o.chance:>9.0%}")
    if any(o.epochs > EPOCHS for o in outlooks):
        lines.append(f"beyond {EPOCHS:g} epochs the law promises too much: music seen again teaches less")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Print the table and the JSON line and draw the plot; 1 when a test is red or nothing was learned."""
    command = options.parser("scaling", __doc__)
    command.add_argument("--seconds", type=float, help="of the longest run of each size (2400)")
    command.add_argument("--processor-clock", action="store_true", help=options.PROCESSOR_CLOCK)
    command.add_argument("--only", help=f"some of {','.join(SIZES)}")
    command.add_argument("--hours", type=float, default=12.0, help="to look ahead to (12)")
    command.add_argument("--most-tokens", type=int, default=4096, help="held-out tokens read of a piece (4096)")
    args = command.parse_args(argv)
    sizes = QUICK if args.quick else SIZES
    wanted = args.only.split(",") if args.only else list(sizes)
    if unknown := [name for name in wanted if name not in sizes]:
        command.error(f"--only {','.join(unknown)}: it can be {', '.join(sizes)}")
    seconds = args.seconds or (2.0 if args.quick else 2400.0)
    with options.prepared(args) as ready:
        if ready is None:
            return 1
        corpus, out = ready
        runs: list[Run] = []
        ways: dict[str, list[dict[str, float]]] = {}
        for size in wanted:
            for part in PARTS:
                found = _run(corpus, args, size, sizes[size], Budget(seconds * part, None, args.processor_clock), out)
                if not found["learned"] or not found["notes"]:
                    print(f"{size}, {seconds * part:.0f} s: the loss did not fall: nothing is reported")
                    return 1
                runs.append(run_of(size, found))
                ways[size] = found["way"]
        corpus_tokens = sum(row.tokens for row in corpus.split("train"))
        law, outlooks = None, []
        if len(wanted) > 1:
            law = fit(runs, 6 if args.quick else 24)
            laws = resampled(runs, law, 4 if args.quick else REFITS)
            outlooks = outlook(law, laws, runs, args.hours * 3600, corpus_tokens)
            plot(out / "scaling.png", runs, ways, law, laws, args.hours)
            print(out / "scaling.png")
    print(table(runs, outlooks, law, args.hours))
    rows = [asdict(run) for run in runs]
    said = {"seconds": seconds, "processor_clock": args.processor_clock, "law": law and asdict(law)}
    said |= {"hours": args.hours, "outlook": [asdict(o) for o in outlooks]}
    print(json.dumps({"bench": "scaling", "quick": args.quick, **said, **facts(args.threads), "rows": rows}))
    return 0


if __name__ == "__main__":
    raise SystemExit(options.command(main))
