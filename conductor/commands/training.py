"""`conductor train`: learn from a folder of MIDI files."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """\
examples:
  conductor train --corpus ~/midi --out run1                     from scratch, `small`
  conductor train --corpus ~/midi --out run1 --resume            go on where it stopped
  conductor train --corpus ~/midi --out run2 --from run1/best.safetensors --steps 500

A corpus is a folder of .mid files; sub-folders named after a style teach that
style. An index.csv in it (path, style, genre, split, performed) says more.
"""


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `train`."""
    train = subparsers.add_parser(
        "train",
        help="train a model on a folder of MIDI files",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument("--corpus", type=Path, required=True, metavar="DIR", help="folder of MIDI files")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="where state and checkpoint go")
    train.add_argument("--preset", default="small", help="shape of the model: tiny, small, musenet (small)")
    train.add_argument("--steps", type=int, default=2000, help="optimiser steps in all (2000)")
    train.add_argument("--rows", type=int, default=8, help="windows in a batch (8)")
    train.add_argument("--tokens", type=int, help="tokens in a window, and looked back over (the preset's)")
    train.add_argument("--check-every", type=int, default=100, help="steps between validations and saves (100)")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--resume", action="store_true", help="go on from the state in --out")
    train.add_argument("--from", dest="start", type=Path, metavar="FILE", help="start from a checkpoint's weights")
    train.add_argument("--eager", action="store_true", help="do not compile (slower; needs no C++ compiler)")
    train.add_argument("--threads", type=int, default=0, help="processor cores (all)")
    train.set_defaults(run=run_train)


def run_train(args: argparse.Namespace) -> int:
    """Build the corpus if need be, then train."""
    import torch

    from conductor.commands.output import bar
    from conductor.errors import UsageError
    from model.checkpoint import load
    from model.config import PRESETS
    from model.corpus import Corpus, build, seconds
    from model.trainer import Plan, Trainer
    from model.windows import SHORTEST

    if args.preset not in PRESETS:
        raise UsageError(f"no preset {args.preset!r}; there are {', '.join(PRESETS)}")
    if args.resume and args.start:
        raise UsageError("--resume goes on from the state in --out, --from starts anew: give one of them")
    if not args.resume and (args.out / "state.pt").exists():
        raise UsageError(f"{args.out} holds a training state; go on with --resume, or choose another --out")
    for name in ("steps", "rows", "check_every"):
        if getattr(args, name) < 1:
            raise UsageError(f"--{name.replace('_', '-')} {getattr(args, name)}: it needs 1 at least")
    if args.tokens is not None and args.tokens < SHORTEST:
        raise UsageError(f"--tokens {args.tokens}: a window needs {SHORTEST} at least")
    if args.threads > 0:
        torch.set_num_threads(args.threads)
    data = args.out / "corpus"
    # A new run reads its own corpus, whatever an earlier one left here.
    if not args.resume or not (data / "pieces.json").exists():
        with bar("reading") as tell:
            pieces, skipped = build(args.corpus, data, progress=lambda done, total: tell(done / total))
        print(
            f"{pieces} pieces; {len(skipped)} files left out" + (f", listed in {data / 'skipped.json'}" * bool(skipped))
        )
    corpus = Corpus(data)
    learned = corpus.split("train")
    print(f"{sum(r.tokens for r in learned):,} tokens, {seconds(learned) / 3600:.1f} hours to learn from")
    config = load(args.start)[1].config if args.start else PRESETS[args.preset]
    if args.tokens is not None:
        config = replace(config, context=args.tokens)
    plan = Plan(steps=args.steps, rows=args.rows, tokens=config.context, check_every=args.check_every, seed=args.seed)
    trainer = Trainer(corpus, config, plan, args.out, compiled=not args.eager)
    if args.resume:
        trainer.resume()
        if trainer.step >= plan.steps:
            raise UsageError(f"{args.out} has all of its {trainer.step} steps; give more with --steps")
    elif args.start:
        trainer.start_from(load(args.start)[0].state_dict())
    result = trainer.run()
    if trainer.step < plan.steps:
        print(f"stopped at step {trainer.step} of {plan.steps}, state saved; go on with --resume")
        return 0
    print(
        f"step {trainer.step}: {result.nats_per_token:.3f} nats a token, {result.bits_per_note:.2f} bits a note; "
        f"checkpoint {args.out / 'best.safetensors'}, curve {args.out / 'losses.png'}"
    )
    return 0
