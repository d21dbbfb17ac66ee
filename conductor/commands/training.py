"""`conductor train`: learn from a folder of MIDI files."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from conductor.errors import UsageError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from model.learning.corpus import Corpus
    from model.learning.plan import Plan
    from model.network.config import Config

EXAMPLES = """\
examples:
  conductor train --corpus ~/midi --out run1                     from scratch, `small`
  conductor train --out run1 --resume                            go on where it stopped
  conductor train --corpus ~/midi --out run2 --from run1/best.safetensors --steps 500

A corpus is a folder of .mid files; sub-folders named after a style teach that
style, and sub-folders named own1 to own8 styles of your own. An index.csv in it
(path, style, genre, split, performed) says more. What cannot be read is left
out and listed. Ctrl-C or SIGTERM saves after the running step and stops.
"""
# Files left out that are named on the screen; all are in the list.
NAMED = 5


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `train`."""
    train = subparsers.add_parser(
        "train",
        help="train a model on a folder of MIDI files",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument("--corpus", type=Path, metavar="DIR", help="folder of MIDI files (--resume: the same as before)")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="where state and checkpoint go")
    train.add_argument("--preset", help="shape of the model, see `conductor model` (small)")
    train.add_argument("--steps", type=int, help="optimiser steps in all (2000)")
    train.add_argument("--rows", type=int, help="windows in a batch (8)")
    train.add_argument("--tokens", type=int, help="tokens in a window, and looked back over (the preset's)")
    train.add_argument("--check-every", type=int, default=100, help="steps between validations and saves (100)")
    train.add_argument("--seed", type=int, help="of the first weights and of the batches (0)")
    train.add_argument("--recompute", action="store_true", help="keep less in memory, compute it twice")
    train.add_argument("--resume", action="store_true", help="go on from the state in --out, as it was planned")
    train.add_argument("--from", dest="start", type=Path, metavar="FILE", help="start from a checkpoint's weights")
    train.add_argument("--eager", action="store_true", help="do not compile (slower; needs no C++ compiler)")
    train.add_argument("--threads", type=int, default=0, help="processor cores (all)")
    train.set_defaults(run=run_train)


def run_train(args: argparse.Namespace) -> int:
    """Build the corpus if need be, then train."""
    import torch

    from model.learning.trainer import Trainer
    from model.network.checkpoint import load

    _check(args)
    if args.threads > 0:
        torch.set_num_threads(args.threads)
    # All that can be refused at once is refused before an hour of reading.
    config, plan = _planned(args)
    weights = load(args.start)[0].state_dict() if args.start else None
    corpus = _read_corpus(args)
    trainer = Trainer(corpus, config, plan, args.out, compiled=not args.eager)
    if args.resume:
        if changed := trainer.resume():
            print(f"resumed at step {trainer.step} with {', '.join(changed)}: not the run that was stopped")
        if trainer.step >= plan.steps:
            raise UsageError(f"{args.out} has all of its {trainer.step} steps; give more with --steps")
    elif weights is not None:
        trainer.start_from(weights)
    result = trainer.run()
    if trainer.step < plan.steps:
        print(f"stopped at step {trainer.step} of {plan.steps}, state saved; go on with --resume")
        return 0
    print(
        f"step {trainer.step}: {result.nats_per_token:.3f} nats a token, {result.bits_per_note:.2f} bits a note; "
        f"checkpoint {args.out / 'best.safetensors'}, curve {args.out / 'losses.png'}"
    )
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse words that ask for what cannot be."""
    from model.learning.windows import SHORTEST
    from model.network.config import PRESETS

    if args.preset is not None and args.preset not in PRESETS:
        raise UsageError(f"no preset {args.preset!r}; there are {', '.join(PRESETS)}")
    if args.resume and args.start:
        raise UsageError("--resume goes on from the state in --out, --from starts anew: give one of them")
    if not args.resume and args.corpus is None:
        raise UsageError("no music to learn from; give a folder of MIDI files with --corpus")
    if not args.resume and (args.out / "state.pt").exists():
        raise UsageError(f"{args.out} holds a training state; go on with --resume, or choose another --out")
    for name in ("steps", "rows", "check_every"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise UsageError(f"--{name.replace('_', '-')} {getattr(args, name)}: it needs 1 at least")
    if args.tokens is not None and args.tokens < SHORTEST:
        raise UsageError(f"--tokens {args.tokens}: a window needs {SHORTEST} at least")
    if args.seed is not None and args.seed < 0:
        raise UsageError(f"--seed {args.seed}: it needs 0 at least")


def _planned(args: argparse.Namespace) -> tuple[Config, Plan]:
    """Return shape and plan: those of the state that is resumed, or fresh ones, and what was asked for."""
    from model.learning.plan import Plan
    from model.learning.trainer import planned
    from model.network.checkpoint import read_card
    from model.network.config import PRESETS

    config, plan = planned(args.out) if args.resume else (PRESETS["small"], Plan())
    if args.start:
        config = read_card(args.start).config
    if args.preset is not None:
        wanted = PRESETS[args.preset]
        # How far back is looked is the one thing of a shape that is no weight.
        if args.start and replace(wanted, context=config.context) != config:
            raise UsageError(f"{args.start} is not of the shape `{args.preset}`; leave --preset out")
        config = replace(wanted, context=config.context) if args.resume else wanted
    if args.tokens is not None:
        config = replace(config, context=args.tokens)
    asked = {name: getattr(args, name) for name in ("steps", "rows", "seed") if getattr(args, name) is not None}
    recompute = args.recompute or plan.recompute
    return config, replace(plan, **asked, tokens=config.context, check_every=args.check_every, recompute=recompute)


def _read_corpus(args: argparse.Namespace) -> Corpus:
    """Return the corpus, built first if need be, and say what is in it."""
    from conductor.commands.output import bar
    from model.learning.corpus import Corpus, build, seconds

    data = args.out / "corpus"
    # A new run reads its own corpus, whatever an earlier one left here.
    if not args.resume or not (data / "pieces.json").exists():
        if args.corpus is None:
            raise UsageError(f"{data}: no music read before; give its folder with --corpus")
        with bar("reading") as tell:
            pieces, skipped = build(args.corpus, data, progress=lambda done, total: tell(done / total))
        print(
            f"{pieces} pieces"
            + (f"; {len(skipped)} files left out, listed in {data / 'skipped.json'}" if skipped else "")
        )
        for line in skipped[:NAMED]:
            # A name may hold bytes that are no text.
            print("  left out: " + line.encode(errors="backslashreplace").decode())
        if len(skipped) > NAMED:
            print(f"  and {len(skipped) - NAMED} more")
    corpus = Corpus(data)
    learned, held_out = corpus.split("train"), corpus.split("valid")
    print(
        f"{sum(r.tokens for r in learned):,} tokens in {len(learned)} pieces, "
        f"{seconds(learned) / 3600:.1f} hours to learn from"
    )
    if not held_out:
        print("nothing is held out: the loss shown as `valid` is that of the training music itself")
    return corpus
