"""What a checkpoint knows of styles: how much it heard of each, and which are alike to it.

Two styles are alike as their embeddings are: by the cosine of the rows of the
token table, taken from the mean of all the styles the checkpoint heard, since
much of a row says no more than that it is a style.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from model.errors import CheckpointError
from model.language.vocabulary import OWN_STYLES, STYLES, VOCABULARY, style_token
from model.network.checkpoint import Card, load
from model.network.transformer import Transformer
from model.styles.tsne import tsne

NEIGHBOURS = 5
# A style heard in fewer pieces is known by name more than by manner.
FEW_PIECES = 30
# What a style mostly is, by genre: what is played together is shown together.
FAMILIES: dict[str, tuple[str, ...]] = {
    "voices": ("lied", "choir", "hymn"),
    "keyboard": ("piano", "organ", "ragtime"),
    "orchestra": ("chamber", "quartet", "orchestra"),
    "guitar": ("guitar",),
    "folk": ("folk", "country"),
    "band": ("jazz", "rock", "game"),
    "drums": ("drums",),
}
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Known:
    """A style a checkpoint was trained on.

    Attributes:
        name: of the style.
        pieces: training pieces.
        genre: what most of its music is, where the checkpoint says.
        performed: played by a person rather than taken from a score, for most of it.
    """

    name: str
    pieces: int
    genre: str | None
    performed: bool | None

    @property
    def family(self) -> str:
        """What it mostly is, coarsely: a key of `FAMILIES`, or `other`."""
        return next((family for family, genres in FAMILIES.items() if self.genre in genres), OTHER)

    @property
    def few(self) -> bool:
        """Whether it was heard so little that it is hardly known."""
        return self.pieces < FEW_PIECES


@dataclass(frozen=True, slots=True)
class Spot:
    """A style on the map.

    Attributes:
        known: the style.
        x, y: where, within the unit circle.
        nearest: the most similar styles and their cosines, the nearest first.
    """

    known: Known
    x: float
    y: float
    nearest: tuple[tuple[str, float], ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        nearest = [{"name": name, "cosine": round(cosine, 4)} for name, cosine in self.nearest]
        return {"name": self.known.name, "x": round(self.x, 4), "y": round(self.y, 4), "nearest": nearest}


def known_styles(card: Card) -> list[Known]:
    """Return the styles a checkpoint was trained on, most pieces first."""
    found = []
    for name, pieces in sorted(card.styles.items(), key=lambda item: (-item[1], item[0])):
        habits = card.habits.get(name, {})
        if pieces > 0:
            found.append(Known(name, pieces, habits.get("genre"), habits.get("performed")))
    return found


def unknown_styles(card: Card) -> list[str]:
    """Return the styles that have a word but that a checkpoint never heard."""
    return [name for name in STYLES + OWN_STYLES if card.styles.get(name, 0) == 0]


def similarity(model: Transformer, styles: list[str]) -> NDArray[np.float64]:
    """Return the cosines between the embeddings of styles, their mean taken off, shape [N, N].

    Args:
        model: with a token table.
        styles: names; of none trained, cosines say nothing.
    """
    with torch.no_grad():
        rows = model.table()[[VOCABULARY.id(style_token(name)) for name in styles]].double().numpy()
    centred = rows - rows.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = centred / np.maximum(lengths, 1e-12)
    return np.asarray(np.clip(unit @ unit.T, -1.0, 1.0))


def style_map(path: Path, *, seed: int = 0) -> list[Spot]:
    """Return the styles a checkpoint was trained on, alike beside alike.

    Args:
        path: the checkpoint.
        seed: of the map; the same gives the same map.

    Raises:
        CheckpointError: it cannot be loaded, or does not say what it was trained on.
    """
    model, card = load(path)
    known = known_styles(card)
    if not known:
        raise CheckpointError(f"{path}: it does not say which styles it was trained on; there is nothing to draw")
    cosines = similarity(model, [style.name for style in known])
    distances = np.maximum(1.0 - cosines, 0.0)
    np.fill_diagonal(distances, 0.0)
    points = tsne(distances, seed=seed)
    spots = []
    for n, style in enumerate(known):
        order = [m for m in np.argsort(-cosines[n], kind="stable") if m != n][:NEIGHBOURS]
        nearest = tuple((known[m].name, float(cosines[n, m])) for m in order)
        spots.append(Spot(style, float(points[n, 0]), float(points[n, 1]), nearest))
    return spots
