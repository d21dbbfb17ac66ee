"""What a critic says of excerpts: log-odds that they are real."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.evaluation.excerpts import Excerpt
from model.language.header import Header, groups_of
from model.language.tokenizer import encode_body
from model.language.vocabulary import VOCABULARY

# Excerpts in, for each of them the log-odds that it is real.
Critic = Callable[[Sequence[Excerpt]], list[float]]


@dataclass(frozen=True, slots=True)
class Scores:
    """What a critic says of a set.

    Attributes:
        excerpts: how many it was asked about.
        mean: of the log-odds, in nats; 0 where it cannot tell.
        real: share it takes for real.
        by_style: mean by style.
        odds: all of them.
    """

    excerpts: int
    mean: float
    real: float
    by_style: dict[str, float]
    odds: tuple[float, ...]


def score(excerpts: Sequence[Excerpt], critic: Critic) -> Scores | None:
    """Return what a critic says of a set; None for an empty one."""
    if not excerpts:
        return None
    odds = critic(excerpts)
    by_style: defaultdict[str, list[float]] = defaultdict(list)
    for excerpt, value in zip(excerpts, odds, strict=True):
        by_style[excerpt.sample.style].append(value)
    return Scores(
        len(odds),
        float(np.mean(odds)),
        float(np.mean(np.array(odds) > 0)),
        {style: float(np.mean(values)) for style, values in sorted(by_style.items())},
        tuple(odds),
    )


def separation(real: Sequence[float], composed: Sequence[float]) -> float:
    """Return the chance that a real excerpt scores above a composed one (AUC); 0.5 where they cannot be told apart.

    Args:
        real: log-odds of real excerpts.
        composed: of composed ones.
    """
    above = np.subtract.outer(np.array(real), np.array(composed))
    return float((above > 0).mean() + (above == 0).mean() / 2)


def inner_critic(path: Path, checkpoint: Path | None = None) -> Critic:
    """Return the critic of a file.

    Args:
        path: its weights.
        checkpoint: the model it was trained with, where that is not the shipped one.

    Raises:
        ModelError: there is none, or it does not fit.
    """
    import torch

    from model.critic.inner import InnerCritic
    from model.critic.spans import Span
    from model.network.checkpoint import load

    critic = InnerCritic(path, load(checkpoint, torch.bfloat16)[0] if checkpoint else None)

    def ask(excerpts: Sequence[Excerpt]) -> list[float]:
        spans = []
        for excerpt in excerpts:
            piece = excerpt.piece
            tokens = [t for t in encode_body(piece) if excerpt.closing or t != VOCABULARY.end]
            style = piece.style
            header = Header(style, groups_of(piece.instruments), tempo_bpm=piece.tempi[0].bpm)
            spans.append(Span(np.array(tokens, np.int64), header, 0, excerpt.closing))
        return critic.log_odds(spans)

    return ask
