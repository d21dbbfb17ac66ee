"""The trainer: windows in, a checkpoint and a loss curve out.

Matrices of the blocks are trained by Muon, everything else by AdamW. The rate
rises, holds, and falls to nothing over the last part, so that a run can go on
from any state before the fall. State is saved whole and swapped in at once;
a run that is stopped and resumed is the run that was never stopped. A loss or a
gradient that is no number ends the run before it spoils the weights, and the
music it came from is named.

Sources: Jordan et al. (2024), Muon; Loshchilov and Hutter (2019), AdamW;
Hu et al. (2024), warm-up, stable, decay.
"""

from __future__ import annotations

import logging
import math
import pickle
import shutil
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from model.errors import CheckpointError, TrainingStoppedError, first_line
from model.language.vocabulary import VOCABULARY
from model.learning.corpus import Corpus
from model.learning.curve import Curve
from model.learning.plan import Plan, learned_by_muon, mixup_share
from model.learning.suspects import Suspects, passages
from model.learning.windows import PLAIN, Batch, Recipe, Windows
from model.network.checkpoint import Card, save
from model.network.config import Config
from model.network.precision import autocast
from model.network.transformer import Places, Transformer
from model.whole import whole

__all__ = ["Plan", "Trainer", "Validation", "mixup_share", "on_device", "planned"]

log = logging.getLogger(__name__)


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


def _read_state(path: Path, *, mapped: bool = False) -> dict[str, Any]:
    try:
        state = torch.load(path, weights_only=True, mmap=mapped)
    except (OSError, RuntimeError, ValueError, EOFError, IndexError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path}: no state to resume from ({first_line(error)})") from error
    return state if isinstance(state, dict) else {}


def planned(out: Path) -> tuple[Config, Plan]:
    """Return the shape and the plan of the run whose state is in a folder.

    Raises:
        CheckpointError: there is no state, or it is of another program or version.
    """
    # Mapped: the plan is read, the weights are not.
    state = _read_state(out / "state.pt", mapped=True)
    try:
        return Config(**state["config"]), Plan(**state.get("plan", {}))
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"{out / 'state.pt'}: of another shape or vocabulary; train into another folder"
        ) from error


class Trainer:
    """One training run in a folder: `state.pt`, `best.safetensors`, `losses.jsonl`, `losses.png`.

    Attributes:
        step: steps taken.
        tokens: tokens seen.
        best: lowest held-out loss so far, nats per token.
        seconds: time trained, that before a stop included.
    """

    def __init__(self, corpus: Corpus, config: Config, plan: Plan, out: Path, *, compiled: bool = True) -> None:
        self.corpus, self.config, self.plan, self.out = corpus, config, plan, out
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(plan.seed)
        self.model = Transformer(config)
        named = list(self.model.named_parameters())
        self.optimisers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(
                [w for n, w in named if learned_by_muon(n, w)],
                lr=plan.muon_rate,
                weight_decay=0.01,
                adjust_lr_fn="original",
            ),
            torch.optim.AdamW(
                [w for n, w in named if not learned_by_muon(n, w)],
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
        self.autocast = autocast()
        self.model.recompute = plan.recompute
        self.loss_of: Any = self.model.loss
        self.mixed_loss_of: Any = self.model.mixed_loss
        if compiled and shutil.which("g++"):
            self.loss_of = torch.compile(self.model.loss)
            self.mixed_loss_of = torch.compile(self.model.mixed_loss)
        self._reader = ThreadPoolExecutor(1)
        self._ahead: tuple[int, Future[Batch]] | None = None
        self.step = 0
        self.tokens = 0
        self.best = math.inf
        self.seconds = 0.0
        self.curve = Curve(out)
        self._since = time.monotonic()
        self._stop = self._unsaved = False

    def resume(self) -> list[str]:
        """Go on from `state.pt`.

        Returns:
            What of the plan is not as it was, a phrase each: with none, the run is as if never stopped.

        Raises:
            CheckpointError: there is none, or it is of another shape or vocabulary.
        """
        path = self.out / "state.pt"
        state = _read_state(path)
        if state.get("vocabulary") != VOCABULARY.hash or state.get("config") != self.config.as_dict():
            raise CheckpointError(f"{path}: of another shape or vocabulary; train into another folder")
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step, self.tokens, self.best = state["step"], state["tokens"], state["best"]
        self.seconds = state.get("seconds", 0.0)
        self.curve.forget_after(self.step)
        planned, now = state.get("plan", {}), asdict(self.plan)
        # How often it is checked, and what is computed twice, changes no number.
        telling = now.keys() & planned.keys() - {"check_every", "recompute"}
        return [
            f"{name} {now[name]} instead of {planned[name]}"
            for name in now
            if name in telling and now[name] != planned[name]
        ]

    def start_from(self, weights: dict[str, Tensor]) -> None:
        """Start from the weights of a checkpoint, with fresh optimisers."""
        self.model.load_state_dict(weights)

    def save_state(self) -> None:
        """Write `state.pt`; the old one stays until the new one is whole.

        Raises:
            CheckpointError: the disk is full or the folder not writable.
        """
        path = self.out / "state.pt"
        state = {
            "vocabulary": VOCABULARY.hash,
            "config": self.config.as_dict(),
            "plan": asdict(self.plan),
            "model": self.model.state_dict(),
            "optimisers": [o.state_dict() for o in self.optimisers],
            "step": self.step,
            "tokens": self.tokens,
            "best": self.best,
            "seconds": self.seconds,
        }
        try:
            with whole(path) as partial:
                torch.save(state, partial)
        except (OSError, RuntimeError) as error:
            raise CheckpointError(f"{path}: cannot save the training state ({first_line(error)})") from error

    def train_step(self) -> float:
        """Take one step; return its loss in nats per token.

        Raises:
            TrainingStoppedError: the loss or its gradient is not a number; names step and music.
        """
        recipe = self._recipe(self.step)
        batch = self._next_batch()
        tokens, places, targets, weights = on_device(batch)
        share = mixup_share(self.plan.seed, self.step, recipe.mixup)
        with self.autocast:
            if share is None:
                loss: Tensor = self.loss_of(tokens, places, targets, weights)
            else:
                loss = self.mixed_loss_of(tokens, places, targets, weights, share)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise self._accused(f"the loss of batch {self.step} (seed {self.plan.seed}) is {value}", batch, recipe)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0))
        if not math.isfinite(norm):
            raise self._accused(f"the gradient of batch {self.step} (seed {self.plan.seed}) is {norm}", batch, recipe)
        groups = [group for o in self.optimisers for group in o.param_groups]
        for group, highest in zip(groups, self.rates, strict=True):
            group["lr"] = highest * self.plan.rate(self.step)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self.tokens += tokens.numel()
        return value

    def _recipe(self, step: int) -> Recipe:
        """Return how the music of a step is varied."""
        usual = Recipe()
        return replace(usual, transpose=round(usual.transpose * self.plan.transposed(step)))

    def _next_batch(self) -> Batch:
        """Return this step's batch, read while the last step was taken, and begin the next."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == self.step:
            batch = ahead[1].result()
        else:
            batch = self.windows.batch(self.step, self._recipe(self.step))
        following = self.step + 1
        self._ahead = following, self._reader.submit(self.windows.batch, following, self._recipe(following))
        return batch

    @torch.no_grad()
    def _accused(self, what: str, batch: Batch, recipe: Recipe) -> TrainingStoppedError:
        """Return an error that names the music of a batch, after writing all of it down."""
        tokens, places, targets, weights = on_device(batch)
        nats: list[float] = []
        for row in range(len(tokens)):
            here = slice(row, row + 1)
            with self.autocast:
                mine = Places._make(field[here] for field in places)
                nats.append(float(self.model.loss(tokens[here], mine, targets[here], weights[here])))
        found = Suspects(what, self.step, passages(self.windows, self.step, recipe), tuple(nats))
        listed = found.write(self.out / "offending.json")
        state = self.out / "state.pt"
        kept = f"the last good state is {state}" if state.exists() else "no state was saved yet"
        return TrainingStoppedError(f"{found}{listed}; {kept}")

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
        self._since = time.monotonic() - self.seconds
        try:
            with (
                logging_redirect_tqdm(),
                tqdm(total=self.plan.steps, initial=self.step, unit="step", dynamic_ncols=True) as bar,
            ):
                began, seen = time.monotonic(), self.tokens
                while self.step < self.plan.steps and not self._stop:
                    rate = self.plan.rate(self.step)
                    loss = self.train_step()
                    bar.update()
                    speed = (self.tokens - seen) / (time.monotonic() - began)
                    bar.set_postfix(loss=f"{loss:.3f}", valid=f"{last.nats_per_token:.3f}", tok_s=f"{speed:.0f}")
                    self._note(train=loss, rate=rate)
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
        self._note(valid=found.nats_per_token, bits=found.bits_per_note)
        try:
            self._keep(found)
        except (CheckpointError, OSError) as error:
            if self.step == self.plan.steps:
                raise
            # Hours of training are worth more than a file: there may be room again at the next check.
            if not self._unsaved:
                log.warning("%s; training goes on, the last good state is kept, saving is tried again", error)
            self._unsaved = True
        else:
            if self._unsaved:
                log.warning("step %d: the training state is saved again", self.step)
            self._unsaved = False
        return found

    def _keep(self, found: Validation) -> None:
        """Write the best weights, the state and the curve."""
        if found.nats_per_token < self.best:
            loss = (found.nats_per_token, found.bits_per_note)
            card = Card(self.config, self.step, self.tokens, *loss, self.corpus.styles, self.corpus.habits)
            save(self.out / "best.safetensors", self.model, card)
            self.best = found.nats_per_token
        self.save_state()
        self.curve.draw()

    def _note(self, **found: float) -> None:
        self.seconds = time.monotonic() - self._since
        self.curve.note({"step": self.step, "tokens": self.tokens, **found, "seconds": round(self.seconds, 3)})

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._stop and number == signal.SIGINT:
            # Whoever asks twice will not wait for the step; what was saved last stays.
            raise KeyboardInterrupt
        self._stop = True
