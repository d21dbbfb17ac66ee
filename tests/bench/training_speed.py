"""How fast training is: `python -m tests.bench.training_speed --data DIR --steps 10`.

Tokens a second of our step, compiled and eager, beside a plain GPT-2 of the
same layers, width, vocabulary and batch in eager code (`tests.bench.nanogpt`),
in float32 and bfloat16. The steps of all take turns, round by round, so that a
neighbour's work falls on each alike; the ratio is the median over the rounds.

"Same shape" is not the same work: ours attends within windows, shares keys and
values, and reads its batch with all that stands beside the tokens; the plain
one has more weights in its blocks and reads bare tokens. Reading batches counts
for ours as it does in training, ahead of the step in a thread of its own. A
table, then one line of JSON; refused when the trainer's tests are red or a loss
does not fall.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from model.language.vocabulary import VOCABULARY
from model.learning.corpus import Corpus
from model.learning.trainer import Plan, Trainer, on_device
from model.network.config import Config
from tests.bench import options
from tests.bench.hardware import facts
from tests.bench.nanogpt import NanoGPT, NanoTrainer
from tests.bench.timed import compile_first

PLAIN = "plain GPT-2, eager, float32"

Step = Callable[[], float]


def ours(corpus: Corpus, config: Config, plan: Plan, out: Path, *, compiled: bool) -> tuple[Step, int]:
    """Return our training step and the number of weights."""
    trainer = Trainer(corpus, config, plan, out, compiled=compiled)
    compile_first(trainer)
    return trainer.train_step, sum(p.numel() for p in trainer.model.parameters())


def plain(corpus: Corpus, config: Config, plan: Plan, out: Path, *, bf16: bool) -> tuple[Step, int]:
    """Return a plain GPT-2's training step, on batches read before, and the number of weights."""
    torch.manual_seed(plan.seed)
    model = NanoGPT(
        layers=config.layers,
        width=config.width,
        heads=config.heads,
        tokens=plan.tokens,
        vocabulary=len(VOCABULARY),
    )
    trainer = NanoTrainer(model, bf16=bf16)
    # The music is the same; of our batches it takes the tokens alone.
    windows = Trainer(corpus, config, plan, out, compiled=False).windows
    read = [on_device(windows.batch(n)) for n in range(8)]
    count = 0

    def step() -> float:
        nonlocal count
        tokens, _, targets, weights = read[count % len(read)]
        count += 1
        return trainer.train_step(tokens, targets, weights)

    return step, sum(p.numel() for p in model.parameters())


def rounds(steps: dict[str, Step], count: int, each: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return seconds a step by round, and losses, of several that take turns.

    Args:
        steps: by name.
        count: rounds.
        each: steps of one before the next has its turn.
    """
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    losses: dict[str, list[float]] = {name: [] for name in steps}
    for name, step in steps.items():
        # The first step also finds its memory.
        losses[name].append(step())
    for _ in range(count):
        for name, step in steps.items():
            began = time.perf_counter()
            losses[name] += [step() for _ in range(each)]
            seconds[name].append((time.perf_counter() - began) / each)
    return seconds, losses


def rows_of(
    seconds: dict[str, list[float]], weights: dict[str, int], tokens: int, beside: str = PLAIN
) -> list[dict[str, Any]]:
    """Return speeds, and ratios to one of them.

    Args:
        seconds: a step, by name and round.
        weights: number of them, by name.
        tokens: of a batch.
        beside: whose speed is 1.
    """
    return [
        {
            "what": name,
            "parameters": weights[name],
            "tokens_per_s": round(tokens / statistics.median(times)),
            "ratio": round(statistics.median(b / t for b, t in zip(seconds[beside], times, strict=True)), 3),
            "ratio_least": round(min(b / t for b, t in zip(seconds[beside], times, strict=True)), 3),
            "ratio_most": round(max(b / t for b, t in zip(seconds[beside], times, strict=True)), 3),
        }
        for name, times in seconds.items()
    ]


def main(argv: list[str] | None = None) -> int:
    """Print the table and the JSON line; 1 when a test is red or a loss does not fall."""
    command = options.parser("training_speed", __doc__)
    command.add_argument("--steps", type=int, help="rounds that are timed (10)")
    command.add_argument("--each", type=int, default=1, help="steps of one before the next has its turn (1)")
    command.add_argument("--seconds", type=float, help="about how long to go on, instead of --steps")
    args = command.parse_args(argv)
    if args.quick and args.steps is None:
        args.steps = 6
    with options.prepared(args) as ready:
        if ready is None:
            return 1
        rows, spent = _measured(*ready, args)
    if rows is None:
        return 1
    print(f"{'what':<30}{'weights, M':>11}{'tokens/s':>10}{'ratio':>8}{'least':>8}{'most':>8}")
    for row in rows:
        print(
            f"{row['what']:<30}{row['parameters'] / 1e6:>11.1f}{row['tokens_per_s']:>10}{row['ratio']:>8.2f}"
            f"{row['ratio_least']:>8.2f}{row['ratio_most']:>8.2f}"
        )
    said = {"quick": args.quick, "rounds": spent, "each": args.each}
    print(json.dumps({"bench": "training_speed", **said, **facts(args.threads), "rows": rows}))
    return 0


def _measured(corpus: Corpus, out: Path, args: argparse.Namespace) -> tuple[list[dict[str, Any]] | None, int]:
    """Return the figures and the number of rounds, or None for figures where something learned nothing."""
    config = options.shape(args)
    # No steps of this plan are near its end: the learning rate is as it mostly is.
    plan = replace(options.plan(args), steps=1_000_000)
    bf16 = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    makers: dict[str, Callable[[], tuple[Step, int]]] = {
        "ours, compiled": lambda: ours(corpus, config, plan, out / "compiled", compiled=True),
        "ours, eager": lambda: ours(corpus, config, plan, out / "eager", compiled=False),
        PLAIN: lambda: plain(corpus, config, plan, out / "plain", bf16=False),
    }
    if bf16:
        makers["plain GPT-2, eager, bfloat16"] = lambda: plain(corpus, config, plan, out / "plain", bf16=True)
    if args.quick:
        # Compiling takes longer than all the rest.
        del makers["ours, compiled"]
    steps, weights = {}, {}
    for name, make in makers.items():
        print(f"preparing: {name} ...", file=sys.stderr, flush=True)
        steps[name], weights[name] = make()
    count = args.steps or 10
    if args.seconds is not None and args.steps is None:
        began = time.perf_counter()
        rounds(steps, 1, args.each)
        count = max(3, round(args.seconds / (time.perf_counter() - began)))
    seconds, losses = rounds(steps, count, args.each)
    for name, found in losses.items():
        if not min(found[1:]) < found[0]:
            print(f"{name}: the loss did not fall from {found[0]:.3f}: nothing is reported")
            return None, count
    return rows_of(seconds, weights, plan.rows * plan.tokens), count


if __name__ == "__main__":
    raise SystemExit(options.command(main))
