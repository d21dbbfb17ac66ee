"""The inner critic at work: calibrated log-odds that spans of music are real."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from model.critic.calibration import sigmoid
from model.critic.hearing import judge_of
from model.critic.network import SHIPPED_CRITIC, load_critic, score
from model.critic.spans import Span, excerpt_of, rows_of
from model.network.checkpoint import SHIPPED, load
from model.network.decoding import precision_of
from model.network.transformer import Transformer


class InnerCritic:
    """A trained critic.

    Args:
        path: its file.
        generator: the model it was trained with, shared; the shipped checkpoint is read where none is given.

    Raises:
        CheckpointError: the critic is missing or broken, or was trained with another generator.
    """

    def __init__(self, path: Path = SHIPPED_CRITIC, generator: Transformer | None = None) -> None:
        self.critic, self.card = load_critic(path, generator or load(SHIPPED, torch.bfloat16)[0])
        self._logits_of = judge_of(self.critic, precision_of(self.critic.generator))

    def log_odds(self, spans: Sequence[Span]) -> list[float]:
        """Return the log-odds that each span is real; 0 where there is nothing to judge.

        Args:
            spans: of 15 s to whole pieces; prompts in them are read and not judged.
        """
        rows = [rows_of(excerpt_of(span)) for span in spans]
        logits = score(self._logits_of, rows)
        return [
            self.card.slope * float(logit) + self.card.intercept if found else 0.0
            for logit, found in zip(logits, rows, strict=True)
        ]

    def probability(self, spans: Sequence[Span]) -> list[float]:
        """Return the chance that each span is real, where real and composed music are as many."""
        return [float(p) for p in sigmoid(np.array(self.log_odds(spans)))]
