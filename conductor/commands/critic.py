"""`conductor train-critic`: teach a critic to tell real music from the composer's own."""

from __future__ import annotations

import argparse
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from model.critic.replay import Store
    from model.learning.corpus import Corpus

ABOUT = """\
Teach a critic: it hears whether music is real or composed, so that the composer
can keep the best of its candidates and give up the others early.

It learns in three parts, each of which goes on where it stopped:
  1. the corpus is read, once;
  2. the checkpoint composes, with headers and openings of real pieces, into a
     store (OUT/replay) that only grows: hours, on a processor;
  3. a critic is trained on real pieces against those, and against real pieces
     broken on purpose (bars shuffled, looped, out of tune, cut off, out of time).
"""
EXAMPLES = """\
examples:
  conductor train-critic --corpus ~/midi --out critic1
  conductor train-critic --corpus ~/midi --out critic1 --generations 600       compose more, go on
  conductor train-critic --corpus ~/midi --out critic1 --steps 0               compose only
  conductor train-critic --corpus ~/midi --out critic1 --checkpoint run1/best.safetensors \\
      --also run1/earlier.safetensors                                          two that compose

OUT/critic.safetensors is the critic, critic.json all figures, critic.png its curves.
It fits the --checkpoint it was trained with, and no other. The corpus is a folder of
MIDI files, or one that `conductor train` has read (RUN/corpus).
"""


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `train-critic`."""
    critic = subparsers.add_parser(
        "train-critic",
        help="teach a critic to tell real music from the composer's own",
        description=ABOUT,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    critic.add_argument("--corpus", type=Path, required=True, metavar="DIR", help="folder of MIDI files, or one read")
    critic.add_argument("--out", type=Path, required=True, metavar="DIR", help="where store, state and critic go")
    critic.add_argument("--checkpoint", type=Path, metavar="FILE", help="whose critic it becomes (the shipped one)")
    critic.add_argument(
        "--also", type=Path, action="append", default=[], metavar="FILE", help="another that composes, in turns"
    )
    critic.add_argument("--generations", type=int, default=400, help="pieces in the store (400)")
    critic.add_argument("--store", type=Path, metavar="DIR", help="where compositions are kept (OUT/replay)")
    critic.add_argument("--candidates", type=int, default=4, help="composed side by side, of a header (4)")
    critic.add_argument("--longest", type=float, default=120.0, metavar="S", help="of a composed piece (120 s)")
    critic.add_argument("--steps", type=int, default=600, help="optimiser steps in all; 0 only composes (600)")
    critic.add_argument("--rows", type=int, default=16, help="excerpts in a batch, a multiple of 4 (16)")
    critic.add_argument("--check-every", type=int, default=50, help="steps between looks at held-out music (50)")
    critic.add_argument("--half", type=int, choices=(0, 1), help="learn from every other piece, for a second opinion")
    critic.add_argument("--seed", type=int, default=0)
    critic.add_argument("--threads", type=int, default=0, help="processor cores (all)")
    critic.set_defaults(run=run_train_critic)


def run_train_critic(args: argparse.Namespace) -> int:
    """Read, compose, train, measure."""
    import torch

    from model.critic.replay import Store, check_splits
    from model.network.checkpoint import SHIPPED, fingerprint, load

    _check(args)
    if args.threads > 0:
        torch.set_num_threads(args.threads)
    checkpoint = args.checkpoint or SHIPPED
    generator, card = load(checkpoint)
    for other in args.also:
        load(other)
    corpus = _corpus(args)
    check_splits(corpus)
    store = Store(args.store or args.out / "replay", corpus)
    print(
        f"{len(corpus.split('train'))} pieces to learn from, "
        f"{len(corpus.split('valid')) + len(corpus.split('test'))} held out; "
        f"checkpoint {checkpoint} ({card.steps} steps); "
        f"{len(store)} of {args.generations} generations in {store.folder}"
    )
    if not _compose(args, store, corpus, [checkpoint, *args.also]):
        return 0
    if args.steps == 0:
        return 0
    if len(store) < args.rows:
        from conductor.errors import UsageError

        raise UsageError(f"{len(store)} generations are fewer than a batch of {args.rows}; ask for more")
    from model.critic.examples import Examples
    from model.critic.report import table
    from model.critic.trainer import CriticTrainer, Plan

    learned = Examples(corpus, store.generations, "train", half=args.half)
    stopping, measuring = (Examples(corpus, store.generations, s) for s in ("valid", "test"))
    plan = Plan(steps=args.steps, rows=args.rows, check_every=args.check_every, seed=args.seed)
    trainer = CriticTrainer(generator, fingerprint(checkpoint), learned, stopping, measuring, plan, args.out)
    if trainer.resume():
        print(f"going on from step {trainer.step}")
    if not trainer.run():
        print(f"stopped at step {trainer.step} of {plan.steps}, state saved; the same command goes on")
        return 0
    if trainer.step < plan.steps:
        print(f"no better for {plan.patience} looks at held-out music: the best critic is kept")
    print("measuring ...", flush=True)
    found = trainer.finish()
    print(table(found))
    print(f"critic {args.out / 'critic.safetensors'}, figures {args.out / 'critic.json'}, {args.out / 'critic.png'}")
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot be, before any work is done.

    Raises:
        UsageError: a number is out of its range.
    """
    from conductor.errors import UsageError

    if args.steps < 0:
        raise UsageError(f"--steps {args.steps}: 0 only composes, 1 or more train")
    if args.rows < 4 or args.rows % 4:
        raise UsageError(f"--rows {args.rows}: it needs a multiple of 4 (half real, a quarter own, a quarter broken)")
    for name in ("check_every", "candidates"):
        if getattr(args, name) < 1:
            raise UsageError(f"--{name.replace('_', '-')} {getattr(args, name)}: it needs 1 at least")
    if args.longest < 20:
        raise UsageError(f"--longest {args.longest:g}: it needs 20 s at least")
    if args.steps and args.generations < args.rows:
        raise UsageError(
            f"--generations {args.generations}: fewer than a batch of {args.rows} (--rows); "
            "a critic learns from hundreds"
        )


def _corpus(args: argparse.Namespace) -> Corpus:
    """Return the corpus: one that was read, or a folder of MIDI files that is read now."""
    from conductor.commands.output import bar
    from model.learning.corpus import Corpus, build

    if (args.corpus / "pieces.json").exists():
        return Corpus(args.corpus)
    data = args.out / "corpus"
    if not (data / "pieces.json").exists():
        with bar("reading") as tell:
            pieces, skipped = build(args.corpus, data, progress=lambda done, total: tell(done / total))
        print(f"{pieces} pieces read; {len(skipped)} files left out")
    return Corpus(data)


def _compose(args: argparse.Namespace, store: Store, corpus: Corpus, checkpoints: list[Path]) -> bool:
    """Fill the store; return whether it is full, or was stopped by SIGTERM or Ctrl-C."""
    from conductor.commands.output import bar
    from model.critic.replay import fill
    from model.errors import ComposingCancelledError

    if len(store) >= args.generations:
        return True
    stopped: list[int] = []
    before = {s: signal.signal(s, lambda number, _: stopped.append(number)) for s in (signal.SIGTERM, signal.SIGINT)}
    since, had = time.monotonic(), len(store)
    try:
        with bar("composing") as tell:
            tokens = fill(
                store,
                checkpoints,
                corpus,
                args.generations,
                candidates=args.candidates,
                seed=args.seed,
                longest_s=args.longest,
                progress=tell,
                cancelled=lambda: bool(stopped),
            )
    except ComposingCancelledError:
        print(f"stopped with {len(store)} of {args.generations} generations kept; the same command goes on")
        return False
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    seconds = time.monotonic() - since
    print(f"{len(store) - had} pieces composed, {tokens / seconds:.0f} tokens a second; {len(store)} in the store")
    return True
