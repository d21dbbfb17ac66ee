"""Our model with something taken away, for ablations.

What is taken away is taken where it comes from: an embedding adds nothing, the
volumes of an instrument become one, a mixed step is a plain one. Everything
else stays as it is, the batches and the first weights above all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from model.instruments import INSTRUMENTS
from model.language.vocabulary import VOCABULARY
from model.learning.trainer import Trainer
from model.learning.windows import Batch, Windows
from model.network.transformer import PlaceEmbedding, Places


@dataclass(frozen=True, slots=True)
class Variation:
    """A model with something taken away.

    Attributes:
        name: on the command line.
        about: for a reader.
        apply: takes it away from a trainer that has not begun.
        one_volume: whether held-out music must lose its volumes too.
    """

    name: str
    about: str
    apply: Callable[[Trainer], None]
    one_volume: bool = False


class NoPlaces(nn.Module):
    """Added embeddings that add nothing; the order of tokens stays, it is in the attention."""

    def forward(self, tokens_BT: Tensor, _places: Places, table_VC: Tensor) -> Tensor:
        """Return the tokens' rows, shape [B, T, C]."""
        return F.embedding(tokens_BT, table_VC)


class WithoutSounding(nn.Module):
    """Added embeddings that are not told what sounds."""

    def __init__(self, places: PlaceEmbedding) -> None:
        super().__init__()
        self.places = places

    def forward(self, tokens_BT: Tensor, places: Places, table_VC: Tensor) -> Tensor:
        """Return the sum of the other embeddings, shape [B, T, C]."""
        places = places._replace(sounding=torch.zeros_like(places.sounding))
        out: Tensor = self.places(tokens_BT, places, table_VC)
        return out


def one_volume() -> NDArray[np.int64]:
    """Return, by id, the token that remains when each instrument has one volume, the one nearest to v80."""
    table = np.arange(len(VOCABULARY))
    middle = np.array([1 + min(range(len(i.levels)), key=lambda n: abs(i.levels[n] - 80)) for i in INSTRUMENTS])
    struck = np.flatnonzero(VOCABULARY.velocity_of > 0)
    row = VOCABULARY.instrument_of[struck]
    table[struck] = VOCABULARY.note_id[row, middle[row], VOCABULARY.pitch_of[struck]]
    return table


def flat(batch: Batch) -> Batch:
    """Return a batch with one volume for each instrument."""
    table = one_volume()
    return batch._replace(tokens=table[batch.tokens], targets=table[batch.targets])


def _nothing(_trainer: Trainer) -> None:
    return


def _no_places(trainer: Trainer) -> None:
    # The table is typed by its class; what takes its place only has to be called as it is.
    trainer.model.places = NoPlaces()  # type: ignore[assignment]


def _no_sounding(trainer: Trainer) -> None:
    trainer.model.places = WithoutSounding(trainer.model.places)  # type: ignore[assignment]


def _no_volumes(trainer: Trainer) -> None:
    heard: Windows = trainer.windows
    batch = heard.batch
    heard.batch = lambda *args: flat(batch(*args))  # type: ignore[method-assign]


def _no_mixup(trainer: Trainer) -> None:
    loss_of = trainer.loss_of
    trainer.mixed_loss_of = lambda tokens, places, targets, weights, _share: loss_of(tokens, places, targets, weights)


VARIATIONS = {
    v.name: v
    for v in (
        Variation("full", "as it is shipped", _nothing),
        Variation("no-places", "added embeddings off: time, chord, part, countdown, given, what sounds", _no_places),
        Variation("no-sounding", "what sounds off, the other added embeddings on", _no_sounding),
        Variation("no-volumes", "one volume for each instrument", _no_volumes, one_volume=True),
        Variation("no-mixup", "mixup off", _no_mixup),
    )
}
