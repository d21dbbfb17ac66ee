"""The trainer: windows in, a checkpoint and a loss curve out.

Matrices of the blocks are trained by Muon, everything else by AdamW. The rate
rises, holds, and falls to nothing over the last part, so that a run can go on
from any state before the fall. State is saved whole and swapped in at once;
a run that is stopped and resumed is the run that was never stopped.

Sources: Jordan et al. (2024), Muon; Loshchilov and Hutter (2019), AdamW;
Hu et al. (2024), warm-up, stable, decay.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import shutil
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from model.checkpoint import Card, save
from model.config import Config
from model.corpus import Corpus
from model.errors import CheckpointError, TrainingStoppedError
from model.transformer import Places, Transformer
from model.vocabulary import VOCABULARY
from model.windows import PLAIN, Batch, Recipe, Windows


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train.

    Attributes:
        steps: optimiser steps in all.
        rows, tokens: size of a batch.
        muon_rate, adam_rate: highest learning rates.
        warmup: steps over which the rate rises.
        fall: last part of the steps over which it falls to 0, as a fraction.
        settle: last part of the steps without transposition, as a fraction, so
            that instruments keep to their ranges.
        check_every: steps between validations and saves.
        recompute: keep less in memory and compute it again (`Transformer.recompute`).
        seed: of initial weights and batches.
    """

    steps: int = 2000
    rows: int = 8
    tokens: int = 1024
    muon_rate: float = 0.02
    adam_rate: float = 3e-3
    warmup: int = 50
    fall: float = 0.4
    settle: float = 0.1
    check_every: int = 200
    recompute: bool = False
    seed: int = 0

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, as a part of the highest."""
        rise = min(1.0, (step + 1) / self.warmup)
        left = (self.steps - step) / max(1.0, self.steps * self.fall)
        return min(rise, left, 1.0)


@dataclass(frozen=True, slots=True)
class Validation:
    """Held-out loss.

    Attributes:
        nats_per_token: mean cross-entropy.
        bits_per_note: total cross-entropy over number of notes struck.
    """

    nats_per_token: float
    bits_per_note: float


def on_device(batch: Batch) -> tuple[Tensor, Places, Tensor, Tensor]:
    """Return a batch as tensors."""
    tokens, context, targets, weights = batch
    places = Places._make(torch.from_numpy(np.ascontiguousarray(field)) for field in context)
    return torch.from_numpy(tokens.copy()), places, torch.from_numpy(targets.copy()), torch.from_numpy(weights)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def mixup_share(seed: int, step: int, chance: float) -> Tensor | None:
    """Return how much of each row is its own in a step with mixup, or None in a step without."""
    rng = np.random.default_rng((seed, step, 1))
    if rng.random() >= chance:
        return None
    return torch.tensor(max(float(share := rng.beta(0.4, 0.4)), 1 - share))


def _muon_part(name: str, weight: Tensor) -> bool:
    return weight.dim() == 2 and name.startswith("blocks")


class Trainer:
    """One training run in a folder: `state.pt`, `best.safetensors`, `losses.jsonl`, `losses.png`."""

    def __init__(self, corpus: Corpus, config: Config, plan: Plan, out: Path, *, compiled: bool = True) -> None:
        self.corpus, self.config, self.plan, self.out = corpus, config, plan, out
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(plan.seed)
        self.model = Transformer(config)
        named = list(self.model.named_parameters())
        self.optimisers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(
                [w for n, w in named if _muon_part(n, w)],
                lr=plan.muon_rate,
                weight_decay=0.01,
                adjust_lr_fn="original",
            ),
            torch.optim.AdamW(
                [w for n, w in named if not _muon_part(n, w)],
                lr=plan.adam_rate,
                betas=(0.9, 0.95),
                weight_decay=0.0,
                fused=True,
            ),
        ]
        self.rates = [group["lr"] for o in self.optimisers for group in o.param_groups]
        self.windows = Windows(corpus, "train", tokens=plan.tokens, rows=plan.rows, seed=plan.seed, recipe=Recipe())
        held_out = "valid" if corpus.split("valid") else "train"
        self.held_out = Windows(corpus, held_out, tokens=plan.tokens, rows=4, seed=1, recipe=PLAIN)
        bf16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=bf16)
        self.model.recompute = plan.recompute
        self.loss_of: Any = self.model.loss
        self.mixed_loss_of: Any = self.model.mixed_loss
        if compiled and shutil.which("g++"):
            self.loss_of = torch.compile(self.model.loss)
            self.mixed_loss_of = torch.compile(self.model.mixed_loss)
        self._reader = ThreadPoolExecutor(1)
        self._ahead: tuple[int, Recipe, Future[Batch]] | None = None
        self.step = 0
        self.tokens = 0
        self.best = math.inf
        self._stop = False

    def resume(self) -> None:
        """Go on from `state.pt`.

        Raises:
            CheckpointError: there is none, or it is of another shape or vocabulary.
        """
        path = self.out / "state.pt"
        try:
            state = torch.load(path, weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise CheckpointError(f"{path}: no state to resume from ({_first_line(error)})") from error
        if state.get("vocabulary") != VOCABULARY.hash or state.get("config") != self.config.as_dict():
            raise CheckpointError(f"{path}: of another shape or vocabulary; train into another folder")
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step, self.tokens, self.best = state["step"], state["tokens"], state["best"]
        self._forget_after(self.step)

    def start_from(self, weights: dict[str, Tensor]) -> None:
        """Start from the weights of a checkpoint, with fresh optimisers."""
        self.model.load_state_dict(weights)

    def save_state(self) -> None:
        """Write `state.pt`; the old one stays until the new one is whole.

        Raises:
            CheckpointError: the disk is full or the folder not writable.
        """
        path = self.out / "state.pt"
        partial = path.with_suffix(".partial")
        state = {
            "vocabulary": VOCABULARY.hash,
            "config": self.config.as_dict(),
            "model": self.model.state_dict(),
            "optimisers": [o.state_dict() for o in self.optimisers],
            "step": self.step,
            "tokens": self.tokens,
            "best": self.best,
        }
        try:
            torch.save(state, partial)
            os.replace(partial, path)
        except (OSError, RuntimeError) as error:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise CheckpointError(f"{path}: cannot save the training state ({_first_line(error)})") from error

    def train_step(self) -> float:
        """Take one step; return its loss in nats per token.

        Raises:
            TrainingStoppedError: the loss is not a number; names the step.
        """
        settled = self.step >= self.plan.steps * (1 - self.plan.settle)
        recipe = Recipe(transpose=0) if settled else Recipe()
        tokens, places, targets, weights = on_device(self._next_batch(recipe))
        share = mixup_share(self.plan.seed, self.step, recipe.mixup)
        with self.autocast:
            if share is None:
                loss: Tensor = self.loss_of(tokens, places, targets, weights)
            else:
                loss = self.mixed_loss_of(tokens, places, targets, weights, share)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingStoppedError(
                f"the loss of batch {self.step} (seed {self.plan.seed}) is {value}; "
                f"the last good state is {self.out / 'state.pt'}"
            )
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        groups = [group for o in self.optimisers for group in o.param_groups]
        for group, highest in zip(groups, self.rates, strict=True):
            group["lr"] = highest * self.plan.rate(self.step)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self.tokens += tokens.numel()
        return value

    def _next_batch(self, recipe: Recipe) -> Batch:
        """Return this step's batch, read while the last step was taken, and begin the next."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[:2] == (self.step, recipe):
            batch = ahead[2].result()
        else:
            batch = self.windows.batch(self.step, recipe)
        self._ahead = (self.step + 1, recipe, self._reader.submit(self.windows.batch, self.step + 1, recipe))
        return batch

    @torch.no_grad()
    def validate(self, batches: int = 12) -> Validation:
        """Return the loss on held-out music, whole headers given, nothing varied."""
        nats = counted = notes = 0.0
        for n in range(batches):
            batch = self.held_out.batch(n)
            tokens, places, targets, weights = on_device(batch)
            with self.autocast:
                loss = self.model.loss(tokens, places, targets, weights)
            counted += float(weights.sum())
            nats += float(loss) * float(weights.sum())
            notes += float(((VOCABULARY.velocity_of[batch.targets] > 0) * batch.weights).sum())
        return Validation(nats / counted, nats / max(1.0, notes) / math.log(2))

    def run(self) -> Validation:
        """Train to the end of the plan, or until SIGTERM or Ctrl-C, then save and return.

        Raises:
            TrainingStoppedError: the loss is not a number.
            CheckpointError: nothing can be saved.
        """
        before = {s: signal.signal(s, self._on_signal) for s in (signal.SIGTERM, signal.SIGINT)}
        last = Validation(math.nan, math.nan)
        try:
            with tqdm(total=self.plan.steps, initial=self.step, unit="step", dynamic_ncols=True) as bar:
                since, seen = time.monotonic(), self.tokens
                while self.step < self.plan.steps and not self._stop:
                    loss = self.train_step()
                    bar.update()
                    speed = (self.tokens - seen) / (time.monotonic() - since)
                    bar.set_postfix(loss=f"{loss:.3f}", valid=f"{last.nats_per_token:.3f}", tok_s=f"{speed:.0f}")
                    self._note({"step": self.step, "tokens": self.tokens, "train": loss})
                    if self.step % self.plan.check_every == 0 or self.step == self.plan.steps:
                        last = self._check()
                if self._stop:
                    self.save_state()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return last

    def _check(self) -> Validation:
        found = self.validate()
        if not math.isfinite(found.nats_per_token):
            raise TrainingStoppedError(
                f"after step {self.step} the loss on held-out music is {found.nats_per_token}; "
                f"the last good state is {self.out / 'state.pt'}"
            )
        self._note(
            {"step": self.step, "tokens": self.tokens, "valid": found.nats_per_token, "bits": found.bits_per_note}
        )
        if found.nats_per_token < self.best:
            self.best = found.nats_per_token
            loss = (found.nats_per_token, found.bits_per_note)
            card = Card(self.config, self.step, self.tokens, *loss, self.corpus.styles, self.corpus.habits)
            save(self.out / "best.safetensors", self.model, card)
        self.save_state()
        plot_losses(self.out)
        return found

    def _note(self, entry: dict[str, float]) -> None:
        with (self.out / "losses.jsonl").open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def _forget_after(self, step: int) -> None:
        """Drop what a run that was killed noted after it was last saved."""
        path = self.out / "losses.jsonl"
        if not path.exists():
            return
        lines = path.read_text().splitlines(keepends=True)
        # A line cut off by the kill is the last, and of a step that is forgotten.
        kept = [line for line in lines if line.endswith("}\n") and json.loads(line)["step"] <= step]
        path.write_text("".join(kept))

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop = True


def plot_losses(folder: Path) -> None:
    """Draw `losses.jsonl` as `losses.png`."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    entries = [json.loads(line) for line in (folder / "losses.jsonl").read_text().splitlines()]
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for kind, style in (("train", {"alpha": 0.35, "linewidth": 0.8}), ("valid", {"marker": "o", "markersize": 3})):
        points = [(e["tokens"] / 1e6, e[kind]) for e in entries if kind in e]
        axes.plot([x for x, _ in points], [y for _, y in points], label=kind, **style)
    axes.set_xlabel("tokens seen (millions)")
    axes.set_ylabel("loss (nats per token)")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(folder / "losses.png", dpi=110)
    plt.close(figure)
