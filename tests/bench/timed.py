"""Training by the clock: the same seconds for everybody.

A plan counts steps. Under a budget of seconds nobody knows how many there will
be, so before each step the plan is told anew how many it looks like: the
learning rate then falls to nothing as time runs out, however fast the machine.
Compiling and validating happen outside the clock.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from model.learning.trainer import Plan, Trainer, on_device


class Learner(Protocol):
    """Whoever can be trained by steps, ours or a peer's."""

    plan: Plan
    step: int
    tokens: int

    def train_step(self) -> float:
        """Take one step; return its loss in nats per token."""
        ...


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to train: seconds, or else steps.

    Attributes:
        seconds, steps: one of them.
        processor: whether seconds are of processor time, all threads together: on a busy machine
            a neighbour's work takes nothing from it.
    """

    seconds: float | None = None
    steps: int | None = None
    processor: bool = False

    def __post_init__(self) -> None:
        if (self.seconds is None) == (self.steps is None):
            raise ValueError("a budget is either seconds or steps")


@dataclass(frozen=True, slots=True)
class Spent:
    """What a training run took.

    Attributes:
        steps: optimiser steps taken.
        tokens: tokens seen.
        seconds: on the clock, compiling and checks left out.
        processor_s: processor time of all threads; far below `seconds`, somebody else was at work.
        first, last: mean training loss of the first and the last tenth, nats per token.
    """

    steps: int
    tokens: int
    seconds: float
    processor_s: float
    first: float
    last: float

    @property
    def tokens_per_s(self) -> float:
        """Training speed."""
        return self.tokens / max(self.seconds, 1e-9)

    @property
    def learned(self) -> bool:
        """Whether the loss is a number and fell."""
        return math.isfinite(self.last) and self.last < self.first

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for the line of JSON; `tokens` are those seen in training."""
        return {
            "learned": self.learned,
            "steps": self.steps,
            "tokens_seen": self.tokens,
            "tokens_per_s": round(self.tokens_per_s, 1),
            "seconds": round(self.seconds, 2),
            "processor_s": round(self.processor_s, 2),
            "loss_first": round(self.first, 4),
            "loss_last": round(self.last, 4),
        }


class Clock:
    """Seconds of training, stopped while something else is done."""

    def __init__(self) -> None:
        self._began, self._processor = time.monotonic(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Return seconds, and processor seconds, so far."""
        return time.monotonic() - self._began, time.process_time() - self._processor

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let what is done within not count."""
        seconds, processor_s = self.read()
        yield
        self._began, self._processor = time.monotonic() - seconds, time.process_time() - processor_s


def told(plan: Plan, step: int, share: float) -> Plan:
    """Return a plan that ends where a budget will, as far as one can see.

    Args:
        plan: how to train.
        step: the step that comes next.
        share: of the budget that is spent, 0..1.
    """
    # Before the first step nothing is known: the rate is rising, and far from falling.
    steps = round(step / share) if step and share > 0 else 1_000_000
    return replace(plan, steps=max(step + 1, steps))


def train(
    learner: Learner,
    budget: Budget,
    *,
    check: Callable[[float, float], None] | None = None,
    checks: int = 0,
) -> Spent:
    """Train until a budget is spent.

    Args:
        learner: compiled already, see `compile_first`.
        budget: when to stop.
        check: told (tokens seen, seconds spent), off the clock, `checks` times in even parts of the budget.
        checks: how often.
    """
    plan = learner.plan
    if budget.steps is not None:
        learner.plan = replace(plan, steps=budget.steps)
    clock = Clock()
    losses: list[float] = []
    checked = 0
    while True:
        seconds, processor_s = clock.read()
        spent_s = processor_s if budget.processor else seconds
        share = learner.step / budget.steps if budget.steps is not None else spent_s / (budget.seconds or 1.0)
        if check is not None and checked < checks and share * checks >= checked + 1:
            with clock.stopped():
                check(learner.tokens, spent_s)
            checked += 1
        if share >= 1.0 and losses:
            break
        if budget.seconds is not None:
            learner.plan = told(plan, learner.step, share)
        losses.append(learner.train_step())
    seconds, processor_s = clock.read()
    tenth = max(1, len(losses) // 10)
    first, last = sum(losses[:tenth]) / tenth, sum(losses[-tenth:]) / tenth
    return Spent(learner.step, learner.tokens, seconds, processor_s, first, last)


def compile_first(trainer: Trainer) -> float:
    """Compile both of a trainer's losses before the clock runs; return the seconds it took."""
    import torch

    began = time.monotonic()
    batch = on_device(trainer.windows.batch(0))
    with trainer.autocast:
        losses = (trainer.loss_of(*batch), trainer.mixed_loss_of(*batch, torch.tensor(0.75)))
    for loss in losses:
        loss.backward()
    trainer.model.zero_grad(set_to_none=True)
    return time.monotonic() - began
