"""Checkpoints: weights as safetensors, with everything needed to read them again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from model.errors import CheckpointError
from model.language.vocabulary import VOCABULARY
from model.network.config import Config
from model.network.transformer import Transformer
from model.whole import whole

SHIPPED = Path(__file__).parent.parent / "checkpoints" / "small.safetensors"


@dataclass(frozen=True, slots=True)
class Card:
    """What a checkpoint says of itself.

    Attributes:
        config: the shape.
        steps: optimiser steps it was trained for.
        tokens: tokens seen.
        loss: validation loss, nats per token.
        bits_per_note: validation loss in bits for each note.
        styles: training pieces by style.
        habits: what is mostly said of a style (see `model.learning.corpus.Corpus.habits`).
    """

    config: Config
    steps: int = 0
    tokens: int = 0
    loss: float = float("nan")
    bits_per_note: float = float("nan")
    styles: dict[str, int] = field(default_factory=dict)
    habits: dict[str, dict[str, Any]] = field(default_factory=dict)


def write_weights(path: Path, module: nn.Module, name: str, facts: dict[str, Any]) -> None:
    """Write a module's weights (bfloat16) and what they say of themselves as safetensors.

    Args:
        path: the file.
        module: whose weights.
        name: of the facts among the file's metadata.
        facts: plain values.
    """
    weights = {key: value.detach().to(torch.bfloat16).contiguous() for key, value in module.state_dict().items()}
    with whole(path) as partial:
        save_file(weights, str(partial), metadata={name: json.dumps(facts)})


def save(path: Path, model: Transformer, card: Card) -> None:
    """Write weights (bfloat16) and card; the old file stays until the new one is whole.

    Raises:
        CheckpointError: the file cannot be written.
    """
    facts: dict[str, Any] = {
        "vocabulary": VOCABULARY.hash,
        "config": card.config.as_dict(),
        "steps": card.steps,
        "tokens": card.tokens,
        "loss": card.loss,
        "bits_per_note": card.bits_per_note,
        "styles": card.styles,
        "habits": card.habits,
    }
    try:
        write_weights(path, model, "card", facts)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot write the checkpoint ({error})") from error


def read_card(path: Path) -> Card:
    """Return a checkpoint's card without its weights.

    Raises:
        CheckpointError: there is no checkpoint, it is broken, or of another vocabulary.
    """
    if not path.exists():
        raise CheckpointError(f"{path}: no such checkpoint; train one with `conductor train` or give --checkpoint")
    try:
        with safe_open(str(path), framework="pt") as file:
            facts = json.loads(file.metadata()["card"])
        vocabulary = facts.pop("vocabulary")
        card = Card(**{**facts, "config": Config(**facts["config"])})
    except (SafetensorError, OSError, TypeError, KeyError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: not a checkpoint of this program, or a broken one ({error})") from error
    if vocabulary != VOCABULARY.hash:
        raise CheckpointError(f"{path}: made with another vocabulary; use the checkpoint that came with this version")
    return card


def load(path: Path = SHIPPED, dtype: torch.dtype = torch.float32) -> tuple[Transformer, Card]:
    """Return the model of a checkpoint, ready to compose, and its card.

    Raises:
        CheckpointError: as `read_card`, or the weights do not fit the shape or are not numbers.
    """
    card = read_card(path)
    try:
        model = Transformer(card.config)
        with safe_open(str(path), framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no mapping
        model.load_state_dict(weights)
    except (SafetensorError, RuntimeError, OSError, ArithmeticError, TypeError) as error:
        raise CheckpointError(f"{path}: its weights do not fit its shape ({str(error).splitlines()[0]})") from error
    if not all(bool(torch.isfinite(weight).all()) for weight in model.parameters()):
        raise CheckpointError(f"{path}: some of its weights are not numbers; use another checkpoint")
    return model.to(dtype).eval(), card


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a checkpoint file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
