"""The critic's network: the generator's lower half as it is, its upper half taught anew, and one number out.

Shapes: B rows, T tokens, C width.

The lower blocks are the generator's own, shared with it and never changed: the
critic's file holds only what differs, and training needs no gradient below.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from model.critic.spans import Row, Rows, stack
from model.errors import CheckpointError
from model.language.vocabulary import VOCABULARY
from model.network.checkpoint import write_weights
from model.network.transformer import Block, Transformer, rotary_tables

SHIPPED_CRITIC = Path(__file__).parent.parent / "checkpoints" / "small-critic.safetensors"


class Pool(nn.Module):
    """Tokens to one vector: what a learned query attends to, beside mean and maximum."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width)
        self.query = nn.Parameter(torch.zeros(width))

    def forward(self, x_BTC: Tensor, scored_BT: Tensor) -> Tensor:
        """Return what is pooled of the scored tokens, shape [B, 3 C], float32."""
        return self.pooled(self.norm(x_BTC.float()), scored_BT)

    def pooled(self, x_BTC: Tensor, scored_BT: Tensor) -> Tensor:
        """Return what is pooled of what is normed already."""
        shares_BT = (x_BTC @ self.query.float()).masked_fill(~scored_BT, float("-inf")).softmax(dim=1)
        # What is not scored may be anything, even no number.
        x_BTC = x_BTC.masked_fill(~scored_BT[..., None], 0.0)
        attended_BC = (shares_BT[..., None] * x_BTC).sum(1)
        mean_BC = x_BTC.sum(1) / scored_BT.sum(1, keepdim=True)
        most_BC = x_BTC.masked_fill(~scored_BT[..., None], float("-inf")).amax(1)
        return torch.cat([attended_BC, mean_BC, most_BC], dim=-1)


class Critic(nn.Module):
    """Judges rows of music.

    Args:
        generator: whose music it judges; shared, never changed.
        trained: upper blocks that are its own; half of them by default.
    """

    def __init__(self, generator: Transformer, trained: int | None = None) -> None:
        super().__init__()
        layers, width = generator.config.layers, generator.config.width
        trained = -(-layers // 2) if trained is None else trained
        # In a tuple, so that it is no part of the critic's own weights.
        self._shared = (generator,)
        self.config, self.first = generator.config, layers - trained
        self.blocks = nn.ModuleList(copy.deepcopy(block) for block in list(generator.blocks)[self.first :])
        self.pool = Pool(width)
        self.inner = nn.Linear(3 * width, max(16, width // 2))
        self.out = nn.Linear(max(16, width // 2), 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.requires_grad_(True)

    @property
    def generator(self) -> Transformer:
        """The model whose lower half it hears with."""
        return self._shared[0]

    def forward(self, rows: Rows) -> Tensor:
        """Return a logit for each row, shape [B], float32; above 0 is real."""
        tokens_BT, places, scored_BT = rows
        generator = self.generator
        positions = torch.arange(tokens_BT.shape[1], device=tokens_BT.device)
        cos, sin = rotary_tables(positions, self.config.head_size)
        with torch.no_grad():
            embedded_BTC = x_BTC = generator.embed(tokens_BT, places, generator.table())
            for block in list(generator.blocks)[: self.first]:
                x_BTC = block(x_BTC, embedded_BTC, cos, sin)
        for block in self.blocks:
            assert isinstance(block, Block)
            x_BTC = block(x_BTC, embedded_BTC, cos, sin)
        return self.judged(self.pool(x_BTC, scored_BT))

    def judged(self, pooled: Tensor) -> Tensor:
        """Return a logit for each row of what was pooled, shape [B]."""
        logits: Tensor = self.out(nn.functional.silu(self.inner(pooled.to(self.inner.weight.dtype))))
        return logits[:, 0].float()

    def logits(self, rows: Sequence[Row]) -> list[float]:
        """Return a logit for each of a few rows."""
        found: list[float] = self(stack(rows)).tolist()
        return found


def score(
    logits_of: Callable[[Sequence[Row]], list[float]], excerpts: Sequence[Sequence[Row]], at_once: int = 8
) -> NDArray[np.float64]:
    """Return a logit for each excerpt: of its rows, averaged by their scored tokens; 0 for one without rows.

    Args:
        logits_of: judges rows.
        excerpts: the rows of each.
        at_once: rows in a batch, those of a length side by side.
    """
    rows = [(n, row) for n, found in enumerate(excerpts) for row in found]
    rows.sort(key=lambda item: len(item[1].tokens))
    total, weight = np.zeros(len(excerpts)), np.zeros(len(excerpts))
    with torch.no_grad():
        for first in range(0, len(rows), at_once):
            batch = rows[first : first + at_once]
            logits = logits_of([row for _, row in batch])
            for (n, row), logit in zip(batch, logits, strict=True):
                total[n] += logit * row.scored.sum()
                weight[n] += row.scored.sum()
    return total / np.maximum(weight, 1)


@dataclass(frozen=True, slots=True)
class CriticCard:
    """What a critic's file says of itself.

    Attributes:
        generator: SHA-256 of the checkpoint file it was trained with.
        weights: digest of that checkpoint's weights, see `digest`.
        trained: upper blocks of its own.
        steps: optimiser steps.
        slope, intercept: calibrated log-odds are slope * logit + intercept.
        auc: held-out, against the generator's own music.
    """

    generator: str
    weights: str
    trained: int
    steps: int = 0
    slope: float = 1.0
    intercept: float = 0.0
    auc: float = float("nan")


def digest(generator: Transformer) -> str:
    """Return the SHA-256 of a model's weights in bfloat16, in which checkpoints keep them."""
    found = hashlib.sha256()
    for name, value in sorted(generator.state_dict().items()):
        found.update(name.encode())
        found.update(value.detach().to(torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes())
    return found.hexdigest()


def save_critic(path: Path, critic: Critic, card: CriticCard) -> None:
    """Write a critic (bfloat16); the old file stays until the new one is whole.

    Raises:
        CheckpointError: the file cannot be written.
    """
    facts = {"vocabulary": VOCABULARY.hash, **asdict(card)}
    try:
        write_weights(path, critic, "critic", facts)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot write the critic ({error})") from error


def read_critic_card(path: Path) -> CriticCard:
    """Return a critic's card without its weights.

    Raises:
        CheckpointError: there is no critic, it is broken, or of another vocabulary.
    """
    if not path.exists():
        raise CheckpointError(f"{path}: no such critic; train one with `conductor train-critic`")
    try:
        with safe_open(str(path), framework="pt") as file:
            facts = json.loads(file.metadata()["critic"])
        vocabulary = facts.pop("vocabulary")
        card = CriticCard(**facts)
    except (SafetensorError, OSError, TypeError, KeyError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: not a critic of this program, or a broken one ({error})") from error
    if vocabulary != VOCABULARY.hash:
        raise CheckpointError(f"{path}: made with another vocabulary; train a critic with this version")
    return card


def load_critic(path: Path, generator: Transformer) -> tuple[Critic, CriticCard]:
    """Return a critic on its generator, in the generator's dtype, and its card.

    Raises:
        CheckpointError: as `read_critic_card`, or it was trained with another generator.
    """
    card = read_critic_card(path)
    if digest(generator) != card.weights:
        raise CheckpointError(
            f"{path}: judges the music of checkpoint {card.generator[:12]}..., not of this one; "
            "train a critic for this one with `conductor train-critic --checkpoint`"
        )
    try:
        critic = Critic(generator, card.trained)
        with safe_open(str(path), framework="pt") as file:
            critic.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118, no mapping
    except (SafetensorError, RuntimeError, OSError) as error:
        raise CheckpointError(f"{path}: its weights do not fit its shape ({str(error).splitlines()[0]})") from error
    critic.to(next(generator.parameters()).dtype)
    # The last layers are small: a logit deserves more digits than bfloat16 has.
    for part in (critic.pool, critic.inner, critic.out):
        part.float()
    return critic.eval(), card
