"""The peer: HF transformers' GPT-2 that reads REMI, trained with every courtesy.

- as many weights as ours, within 2 %, its shape chosen as close to GPT-2's own
  (feed-forward four times the width, 64 a head, width 64 times the layers) as
  that allows; no dropout, as in ours: runs are far too short to overfit,
- compiled, bfloat16 where the processor has it, `sdpa` attention,
- AdamW (0.9, 0.95), weight decay 0.1 on matrices, gradients clipped at 1, and
  the best of several learning rates, tried first; it rises, holds and falls as
  ours does,
- batches of as many tokens; pieces drawn by the same law (styles balanced, long
  pieces more often), pitches moved as far, and not at all in the last part,
- reading is ahead of the step, in a thread of its own.

Source: Radford et al. (2019), GPT-2; Wolf et al. (2020), transformers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from model.errors import TrainingStoppedError
from model.learning.corpus import Corpus
from model.learning.trainer import Plan
from model.learning.windows import SHORTEST, Recipe, Windows
from model.network.precision import autocast
from tests.bench.heldout import ROWS, Bits, spans
from tests.bench.remi import KINDS, Remi

Ints = NDArray[np.int64]
HEAD_SIZE = 64


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of a GPT-2."""

    layers: int
    width: int
    hidden: int

    def weights(self, vocabulary: int, tokens: int) -> int:
        """Return their number, input and output sharing a table."""
        attention = 4 * self.width**2 + 4 * self.width
        feed_forward = 2 * self.width * self.hidden + self.hidden + self.width
        return (vocabulary + tokens + 2) * self.width + self.layers * (attention + feed_forward + 4 * self.width)


def shape_of(weights: int, vocabulary: int, tokens: int) -> Shape:
    """Return the shape nearest to GPT-2's own that has about so many weights.

    Args:
        weights: how many.
        vocabulary: tokens of the language.
        tokens: positions.
    """
    found: list[tuple[float, Shape]] = []
    for layers in range(2, 37):
        for width in range(HEAD_SIZE, 1601, HEAD_SIZE):
            # Of the feed-forward layers' width, what is missing to the number of weights.
            missing = weights - Shape(layers, width, 0).weights(vocabulary, tokens)
            hidden = 32 * round(missing / layers / (2 * width + 1) / 32)
            shape = Shape(layers, width, hidden)
            if hidden > 0 and abs(shape.weights(vocabulary, tokens) / weights - 1) < 0.02:
                odd = abs(math.log(hidden / (4 * width))) + abs(math.log(width / layers / 64))
                found.append((odd, shape))
    if not found:
        raise ValueError(f"no GPT-2 of {weights} weights with {vocabulary} tokens and {tokens} positions")
    return min(found, key=lambda pair: pair[0])[1]


class RemiWindows:
    """Batches of REMI: windows of pieces drawn as ours are, pitches moved as far."""

    def __init__(self, language: Remi, pieces: Sequence[Ints], corpus: Corpus, plan: Plan) -> None:
        self.language, self.pieces, self.plan = language, pieces, plan
        # How likely each style, and each of its pieces, is.
        self.law = Windows(corpus, "train", tokens=plan.tokens, rows=plan.rows, seed=plan.seed, recipe=Recipe())

    def batch(self, step: int, *, transpose: int) -> tuple[Tensor, Tensor]:
        """Return what is read and what follows, ids of shape [rows, tokens]; where nothing follows, -100."""
        rng = np.random.default_rng((self.plan.seed, step))
        rows = [self._fill(rng, transpose) for _ in range(self.plan.rows)]
        tokens = torch.from_numpy(np.stack(rows))
        targets = tokens[:, 1:].clone()
        targets[targets == self.language.pad] = -100
        # Nobody could know which piece comes next.
        targets[targets == self.language.begin] = -100
        return tokens[:, :-1].contiguous(), targets.contiguous()

    def _fill(self, rng: np.random.Generator, transpose: int) -> Ints:
        room = self.plan.tokens + 1
        parts: list[Ints] = []
        while room >= SHORTEST or not parts:
            style = int(np.searchsorted(self.law.share, rng.random(), side="right"))
            n = int(np.searchsorted(self.law.within[style], rng.random(), side="right"))
            part = self._window(self.pieces[int(self.law.styles[style][n])], room, rng, transpose)
            parts.append(part)
            room -= len(part)
        row = np.concatenate(parts)
        return np.pad(row, (0, max(0, self.plan.tokens + 1 - len(row))), constant_values=self.language.pad)

    def _window(self, piece: Ints, room: int, rng: np.random.Generator, transpose: int) -> Ints:
        whole = np.concatenate([[self.language.begin], piece, [self.language.end]])
        first = int(rng.integers(0, max(1, len(whole) - room + 1)))
        if rng.random() < 0.15:
            first = 0
        part = whole[first : first + room]
        return self.language.transpose(part, int(rng.integers(-transpose, transpose + 1))) if transpose else part


class PeerTrainer:
    """One training run of the peer; a `tests.bench.timed.Learner`."""

    def __init__(
        self, language: Remi, pieces: Sequence[Ints], corpus: Corpus, plan: Plan, shape: Shape, *, compiled: bool
    ) -> None:
        from transformers import GPT2Config, GPT2LMHeadModel

        self.language, self.plan, self.shape = language, plan, shape
        torch.manual_seed(plan.seed)
        self.model: Any = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=len(language),
                n_positions=plan.tokens,
                n_embd=shape.width,
                n_layer=shape.layers,
                n_head=shape.width // HEAD_SIZE,
                n_inner=shape.hidden,
                resid_pdrop=0.0,
                embd_pdrop=0.0,
                attn_pdrop=0.0,
                bos_token_id=language.begin,
                eos_token_id=language.end,
                attn_implementation="sdpa",
            )
        )
        weights = list(self.model.parameters())
        self.optimiser = torch.optim.AdamW(
            [
                {"params": [w for w in weights if w.dim() >= 2], "weight_decay": 0.1},
                {"params": [w for w in weights if w.dim() < 2], "weight_decay": 0.0},
            ],
            lr=plan.adam_rate,
            betas=(0.9, 0.95),
            fused=True,
        )
        self.autocast = autocast()
        self.windows = RemiWindows(language, pieces, corpus, plan)
        self.loss_of: Any = torch.compile(self._loss) if compiled else self._loss
        self.step = 0
        self.tokens = 0
        self._reader = ThreadPoolExecutor(1)
        self._ahead: tuple[int, int, Future[tuple[Tensor, Tensor]]] | None = None

    def _loss(self, tokens_BT: Tensor, targets_BT: Tensor) -> Tensor:
        logits_BTV = self.model(input_ids=tokens_BT, use_cache=False).logits
        return F.cross_entropy(logits_BTV.flatten(0, 1).float(), targets_BT.flatten(), ignore_index=-100)

    def compile_first(self) -> None:
        """Compile before the clock runs."""
        with self.autocast:
            loss = self.loss_of(*self.windows.batch(0, transpose=0))
        loss.backward()
        self.model.zero_grad(set_to_none=True)

    def train_step(self) -> float:
        """Take one step; return its loss in nats per token.

        Raises:
            TrainingStoppedError: the loss is not a number.
        """
        settled = self.step >= self.plan.steps * (1 - self.plan.settle)
        tokens, targets = self._next_batch(0 if settled else Recipe().transpose)
        with self.autocast:
            loss = self.loss_of(tokens, targets)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingStoppedError(f"the peer's loss of step {self.step} is {value}")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.adam_rate * self.plan.rate(self.step)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self.tokens += tokens.numel()
        return value

    def _next_batch(self, transpose: int) -> tuple[Tensor, Tensor]:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[:2] == (self.step, transpose):
            batch = ahead[2].result()
        else:
            batch = self.windows.batch(self.step, transpose=transpose)
        following = self._reader.submit(self.windows.batch, self.step + 1, transpose=transpose)
        self._ahead = (self.step + 1, transpose, following)
        return batch


@torch.no_grad()
def bits(trainer: PeerTrainer, pieces: Sequence[Ints]) -> Bits:
    """Return what held-out pieces cost the peer, read in windows that overlap by half, their end left out."""
    language, most = trainer.language, trainer.plan.tokens
    rows: list[tuple[Ints, int]] = []
    for piece in pieces:
        whole = np.concatenate([[language.begin], piece])
        # Predicting token n + 1 reads tokens up to n: spans are over what is predicted.
        rows += [(whole[first : end + 1], counted - first) for first, counted, end in spans(len(piece), most)]
    rows.sort(key=lambda row: len(row[0]))
    nats: defaultdict[str, float] = defaultdict(float)
    notes = counted = 0
    for n in range(0, len(rows), ROWS):
        some = rows[n : n + ROWS]
        longest = max(len(row) for row, _ in some)
        tokens = torch.from_numpy(np.stack([np.pad(row, (0, longest - len(row))) for row, _ in some]))
        with trainer.autocast:
            logits = trainer.model(input_ids=tokens[:, :-1], use_cache=False).logits
        own = F.cross_entropy(logits.float().transpose(1, 2), tokens[:, 1:], reduction="none").double().numpy()
        for r, (row, since) in enumerate(some):
            said = row[1 + since :]
            here = own[r, since : len(row) - 1]
            for kind in np.unique(language.kinds[said]):
                nats[KINDS[kind]] += float(here[language.kinds[said] == kind].sum())
            notes += language.notes(said)
            counted += len(said)
    return Bits(notes, counted, {kind: total / math.log(2) for kind, total in nats.items()})
