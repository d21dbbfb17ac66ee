"""`conductor evaluate`: how good the music is, beside real music."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """\
examples:
  conductor evaluate --corpus ~/midi --out report                       the shipped model, all styles
  conductor evaluate --corpus ~/midi --out report --checkpoint run1/best.safetensors --styles bach,jazz
  conductor evaluate --corpus ~/midi --out report --generated mine --generated theirs

The report is report.html, to read, and report.json, all figures. Without
--generated, pieces are composed first and kept under --out; a second run uses
them again. A folder given with --generated is a set; its sub-folders are named
after styles.
"""


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `evaluate`."""
    evaluate = subparsers.add_parser(
        "evaluate",
        help="measure composed music beside real music",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = evaluate.add_argument
    add("--corpus", type=Path, required=True, metavar="DIR", help="folder of real MIDI files, as for `train`")
    add("--out", type=Path, required=True, metavar="DIR", help="where report and composed pieces go")
    add("--checkpoint", type=Path, metavar="FILE", help="weights (the shipped ones; with --generated: none)")
    add("--critic", type=Path, metavar="FILE", help="weights of a critic, to be asked what is real")
    add("--generated", type=Path, action="append", default=[], metavar="DIR", help="a set made elsewhere; may repeat")
    add("--styles", default="", metavar="A,B", help="only these styles (all that checkpoint and corpus know)")
    add("--pieces", type=int, default=4, help="pieces to compose in each style (4)")
    add("--seconds", type=float, default=60.0, help="their length, and that of excerpts compared (60)")
    add("--split", default="valid", help="held-out split of the corpus: valid, test (valid)")
    add("--tokens", type=int, default=20_000, help="held-out tokens read in each style at most; 0: none (20000)")
    add("--seed", type=int, default=0)
    add("--threads", type=int, default=0, help="processor cores (all)")
    evaluate.set_defaults(run=run_evaluate)


def run_evaluate(args: argparse.Namespace) -> int:
    """Evaluate, write the report and say where it is."""
    from conductor.commands.output import bar
    from conductor.errors import UsageError
    from model.composing.prompt import LONGEST_S, SHORTEST_S
    from model.evaluation.evaluation import Plan, evaluate
    from model.evaluation.report import figures_of, write_report
    from model.learning.corpus import SPLITS

    for name, least in (("pieces", 1), ("tokens", 0), ("seed", 0)):
        if getattr(args, name) < least:
            raise UsageError(f"--{name} {getattr(args, name)}: it needs {least} at least")
    if not SHORTEST_S <= args.seconds <= LONGEST_S:
        raise UsageError(f"--seconds {args.seconds:g}: it can be {SHORTEST_S:g} to {LONGEST_S:g}")
    if args.split not in SPLITS:
        raise UsageError(f"--split {args.split}: it can be {', '.join(SPLITS)}")
    checkpoint = args.checkpoint
    if checkpoint is not None or not args.generated:
        import torch

        from model.network.checkpoint import SHIPPED

        checkpoint = checkpoint or SHIPPED
        if args.threads > 0:
            torch.set_num_threads(args.threads)
    plan = Plan(
        corpus=args.corpus,
        out=args.out,
        checkpoint=checkpoint,
        critic=args.critic,
        generated=tuple(args.generated),
        styles=tuple(style.strip() for style in args.styles.split(",") if style.strip()),
        pieces=args.pieces,
        seconds=args.seconds,
        split=args.split,
        tokens=args.tokens,
        seed=args.seed,
    )
    evaluation = evaluate(plan, bar)
    _, page = write_report(evaluation, args.out)
    figures = figures_of(evaluation)
    if figures["surprise"]:
        every = figures["surprise"]["all"]
        print(f"held-out music: {every['nats_per_token']:.3f} nats a token, {every['bits_per_note']:.2f} bits a note")
    for one in figures["sets"]:
        ratio = (
            "too little music to compare"
            if one["ratio"] is None
            else f"{one['ratio']:.0%} of the ceiling of real music"
        )
        worst = ", ".join(list(one["by_style"])[:3])
        print(f"{one['name']}: {one['pieces']} pieces, {ratio}; worst styles: {worst}")
        if one["skipped"]:
            left_out = "1 file" if len(one["skipped"]) == 1 else f"{len(one['skipped'])} files"
            print(f"{one['name']}: {left_out} could not be used; first: {one['skipped'][0]}")
    print(f"report: {page}")
    return 0
