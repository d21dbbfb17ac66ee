"""Training the critic: pairs in, a file and its figures out.

It is stopped by the area under its curve on held-out generations, calibrated
there, and measured on another held-out part. State is saved whole and swapped
in at once: a run that is stopped and resumed is the run that was never stopped.
"""

from __future__ import annotations

import json
import math
import pickle
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

from model.critic.calibration import Scores
from model.critic.corruptions import CORRUPTIONS
from model.critic.examples import Example, Examples
from model.critic.hearing import judge_of
from model.critic.network import Critic, CriticCard, digest, load_critic, save_critic, score
from model.critic.report import compare, draw, figures
from model.critic.spans import stack
from model.errors import CheckpointError, TrainingStoppedError, first_line
from model.language.vocabulary import VOCABULARY
from model.network.precision import autocast
from model.network.transformer import Transformer
from model.whole import whole

_AT_A_TIME = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train.

    Attributes:
        steps: optimiser steps in all.
        rows: in a batch, a multiple of 4.
        at_once: rows that are read side by side.
        rate, head_rate: highest learning rates, of the blocks and of what is new.
        decay: weight decay.
        warmup: steps over which the rates rise; then they fall to nothing in a line.
        check_every: steps between looks at held-out music.
        patience: looks without improvement after which it stops.
        held_out: generations compared at a look.
        measured: generations compared in the end.
        seed: of batches.
    """

    steps: int = 600
    rows: int = 16
    at_once: int = 4
    rate: float = 2e-4
    head_rate: float = 1e-3
    decay: float = 0.05
    warmup: int = 30
    check_every: int = 50
    patience: int = 5
    held_out: int = 48
    measured: int = 80
    seed: int = 0

    def share(self, step: int) -> float:
        """Return the learning rate of a step, as a part of the highest."""
        return min((step + 1) / self.warmup, (self.steps - step) / max(1, self.steps), 1.0)


class CriticTrainer:
    """One training run in a folder: `state.pt`, `critic.safetensors`, `critic.json`, `critic.png`, `steps.jsonl`.

    Args:
        generator: whose critic it becomes.
        generator_file: SHA-256 of its checkpoint's file.
        learned, stopping, measuring: examples of three splits.
        plan: how to train.
        out: folder, made if missing.
    """

    def __init__(
        self,
        generator: Transformer,
        generator_file: str,
        learned: Examples,
        stopping: Examples,
        measuring: Examples,
        plan: Plan,
        out: Path,
    ) -> None:
        self.plan, self.out, self.learned, self.measuring = plan, out, learned, measuring
        self.stopping = stopping
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(plan.seed)
        self.generator = generator
        self.critic = Critic(generator)
        self.card = CriticCard(generator_file, digest(generator), len(self.critic.blocks))
        blocks = [w for n, w in self.critic.named_parameters() if n.startswith("blocks")]
        new = [w for n, w in self.critic.named_parameters() if not n.startswith("blocks")]
        self.optimiser = torch.optim.AdamW(
            [{"params": blocks, "lr": plan.rate}, {"params": new, "lr": plan.head_rate}],
            betas=(0.9, 0.98),
            weight_decay=plan.decay,
        )
        self.autocast = autocast()
        # Looked at again and again: the same excerpts of middling length.
        self.looks = stopping.held_out(lengths=("30 s",), most=plan.held_out) or stopping.held_out(most=plan.held_out)
        self.step = self.tokens = self.worse = 0
        self.best = -math.inf
        self._stop = False

    def resume(self) -> bool:
        """Go on from `state.pt` if there is one; return whether there was.

        Raises:
            CheckpointError: it is broken, or of another generator.
        """
        path = self.out / "state.pt"
        if not path.exists():
            return False
        try:
            state = torch.load(path, weights_only=True)
        except (OSError, RuntimeError, EOFError, IndexError, pickle.UnpicklingError) as error:
            raise CheckpointError(f"{path}: cannot be read ({first_line(error)}); remove it to start anew") from error
        if state.get("vocabulary") != VOCABULARY.hash or state.get("weights") != self.card.weights:
            raise CheckpointError(f"{path}: a critic of another checkpoint; train into another folder with --out")
        self.critic.load_state_dict(state["critic"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.tokens, self.worse = state["step"], state["tokens"], state["worse"]
        self.best = state["best"]
        return True

    def save_state(self) -> None:
        """Write `state.pt`; the old one stays until the new one is whole.

        Raises:
            CheckpointError: the disk is full or the folder not writable.
        """
        path = self.out / "state.pt"
        state = {
            "vocabulary": VOCABULARY.hash,
            "weights": self.card.weights,
            "critic": self.critic.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "tokens": self.tokens,
            "worse": self.worse,
            "best": self.best,
        }
        try:
            with whole(path) as partial:
                torch.save(state, partial)
        except (OSError, RuntimeError) as error:
            raise CheckpointError(f"{path}: cannot save the training state ({first_line(error)})") from error

    def train_step(self) -> float:
        """Take one step; return its loss, nats a row.

        Raises:
            TrainingStoppedError: the loss is not a number.
            CorpusError: no real piece is like what was composed.
        """
        rows, labels = self.learned.batch(self.plan.seed, self.step, self.plan.rows)
        # Rows of a length side by side: less padding to read.
        order = sorted(range(len(rows)), key=lambda n: len(rows[n].tokens))
        self.critic.train()
        total = 0.0
        for first in range(0, len(order), self.plan.at_once):
            part = order[first : first + self.plan.at_once]
            batch = stack([rows[n] for n in part])
            real = torch.tensor([float(labels[n]) for n in part])
            with self.autocast:
                logits = self.critic(batch)
            loss = F.binary_cross_entropy_with_logits(logits, real, reduction="sum") / len(rows)
            total += float(loss.detach())
            loss.backward()  # type: ignore[no-untyped-call]
        if not math.isfinite(total):
            raise TrainingStoppedError(
                f"the loss of batch {self.step} (seed {self.plan.seed}) is {total}; "
                f"the last good state is {self.out / 'state.pt'}"
            )
        torch.nn.utils.clip_grad_norm_(self.critic.parameters(), 1.0)
        for group, highest in zip(self.optimiser.param_groups, (self.plan.rate, self.plan.head_rate), strict=True):
            group["lr"] = highest * self.plan.share(self.step)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self.tokens += sum(len(row.tokens) for row in rows)
        return total

    def _scores(self, critic: Critic, examples: Sequence[Example]) -> Scores:
        critic.eval()
        found = [np.zeros(0)]
        logits_of = judge_of(critic, "int8")
        # A few at a time: rows take a megabyte each.
        for first in range(0, len(examples), _AT_A_TIME):
            rows = [e.rows for e in examples[first : first + _AT_A_TIME]]
            found.append(score(logits_of, rows, self.plan.at_once))
        return np.concatenate(found)

    def look(self) -> float:
        """Return the area under the curve on held-out music; keep the critic if it was never larger.

        Generations and corruptions count alike, since a critic that is sure of one may still learn the other.
        """
        scores = self._scores(self.critic, self.looks)
        own = compare(self.looks, scores, "own")[0].auc
        broken = [compare(self.looks, scores, kind)[0].auc for kind in CORRUPTIONS]
        found = float(np.mean([own, np.nanmean(broken)])) if np.isfinite(broken).any() else own
        self._note({"step": self.step, "auc": found, "auc_own": own})
        if found > self.best:
            self.best, self.worse = found, 0
            card = CriticCard(self.card.generator, self.card.weights, self.card.trained, self.step, auc=own)
            save_critic(self.out / "critic.safetensors", self.critic, card)
        else:
            self.worse += 1
        self.save_state()
        return found

    @property
    def done(self) -> bool:
        """Whether all steps are taken or nothing improved for long."""
        return self.step >= self.plan.steps or self.worse >= self.plan.patience

    def run(self) -> bool:
        """Train until done, or until SIGTERM or Ctrl-C; save, and return whether it is done.

        Raises:
            TrainingStoppedError: the loss is not a number.
            CheckpointError: nothing can be saved.
            CorpusError: no real piece is like what was composed.
        """
        before = {s: signal.signal(s, self._on_signal) for s in (signal.SIGTERM, signal.SIGINT)}
        last = math.nan
        try:
            with tqdm(total=self.plan.steps, initial=self.step, unit="step", dynamic_ncols=True, disable=None) as bar:
                since, seen = time.monotonic(), self.tokens
                while not self.done and not self._stop:
                    loss = self.train_step()
                    bar.update()
                    speed = (self.tokens - seen) / (time.monotonic() - since)
                    bar.set_postfix(loss=f"{loss:.3f}", auc=f"{last:.3f}", tok_s=f"{speed:.0f}")
                    self._note({"step": self.step, "tokens": self.tokens, "loss": loss})
                    if self.step % self.plan.check_every == 0 or self.step == self.plan.steps:
                        last = self.look()
                if self._stop:
                    self.save_state()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return self.done

    def finish(self) -> dict[str, Any]:
        """Calibrate the best critic, measure it, and write its file, figures and picture.

        Returns:
            All figures, as in `critic.json`.

        Raises:
            CheckpointError: nothing was kept, or nothing can be saved.
        """
        path = self.out / "critic.safetensors"
        critic, card = load_critic(path, self.generator)
        stopping = [e for e in self.stopping.held_out(most=self.plan.measured) if e.kind in ("real", "own")]
        measuring = self.measuring.held_out(most=self.plan.measured)
        scores = self._scores(critic, measuring)
        found = figures(stopping, self._scores(critic, stopping), measuring, scores)
        said = found["calibration"]
        card = CriticCard(
            card.generator,
            card.weights,
            card.trained,
            card.steps,
            said["slope"],
            said["intercept"],
            found["auc_own"]["auc"],
        )
        save_critic(path, critic, card)
        found |= {"generator": card.generator, "steps": card.steps, "steps_in_all": self.step, "tokens": self.tokens}
        try:
            (self.out / "critic.json").write_text(json.dumps(found, indent=1) + "\n")
            draw(self.out / "critic.png", measuring, scores, found)
        except OSError as error:
            raise CheckpointError(f"{self.out}: cannot write the figures ({error.strerror})") from error
        return found

    def _note(self, entry: dict[str, float]) -> None:
        try:
            with (self.out / "steps.jsonl").open("a") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise CheckpointError(f"{self.out}: cannot keep the log of steps ({error.strerror})") from error

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop = True
