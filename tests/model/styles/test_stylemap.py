"""What a checkpoint says it knows, and which styles are alike to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.errors import CheckpointError
from model.language.vocabulary import GENRES, OWN_STYLES, STYLES, VOCABULARY
from model.network.checkpoint import Card, save
from model.network.transformer import Transformer
from model.styles.stylemap import FAMILIES, FEW_PIECES, Known, known_styles, similarity, style_map, unknown_styles
from tests.model.making import SHORT_SIGHTED, lively

HEARD = {"folk": 900, "bach": 40, "chopin": 57, "liszt": 21, "rock": 5, "own2": 12, "jazz": 0}
HABITS = {"bach": {"genre": "organ", "performed": False}, "rock": {"genre": "rock", "performed": False}}
CARD = Card(SHORT_SIGHTED, styles=HEARD, habits=HABITS)


def set_apart(model: Transformer, rows: dict[str, list[float]]) -> Transformer:
    """Give styles embeddings: what all share, and a direction of their own."""
    with torch.no_grad():
        for name, row in rows.items():
            model.table.own[VOCABULARY.id(name)] = 5.0
            model.table.own[VOCABULARY.id(name), : len(row)] += torch.tensor(row)
    return model


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    model = lively(SHORT_SIGHTED)
    rows = {"bach": [9.0, 0, 1], "own2": [9.0, 1, 0], "chopin": [0, 9.0, 0], "liszt": [0, 9.0, 1]}
    set_apart(model, rows | {"folk": [-9.0, -9.0, 0], "rock": [-9.0, -9.0, 2]})
    save(tmp_path / "known.safetensors", model, CARD)
    return tmp_path / "known.safetensors"


def test_known_is_what_was_trained_on_most_first() -> None:
    assert [(s.name, s.pieces) for s in known_styles(CARD)] == [
        ("folk", 900), ("chopin", 57), ("bach", 40), ("liszt", 21), ("own2", 12), ("rock", 5),
    ]  # fmt: skip
    bach = known_styles(CARD)[2]
    assert (bach.genre, bach.performed, bach.family, bach.few) == ("organ", False, "keyboard", False)
    assert (known_styles(CARD)[0].genre, known_styles(CARD)[0].family) == (None, "other")


def test_unknown_is_every_other_word_for_a_style() -> None:
    unknown = unknown_styles(CARD)
    assert set(unknown) | {s.name for s in known_styles(CARD)} == {*STYLES, *OWN_STYLES}
    assert "jazz" in unknown
    assert not {s.name for s in known_styles(CARD)} & set(unknown)


def test_few_pieces_are_hardly_knowing() -> None:
    assert Known("x", FEW_PIECES - 1, None, None).few
    assert not Known("x", FEW_PIECES, None, None).few


def test_every_genre_has_one_family() -> None:
    grouped = [genre for genres in FAMILIES.values() for genre in genres]
    assert sorted(grouped) == sorted(GENRES)


def test_what_all_styles_share_makes_none_alike() -> None:
    model = set_apart(lively(SHORT_SIGHTED), {"bach": [8.0, 0], "chopin": [-4.0, 7.0], "folk": [-4.0, -7.0]})
    cosines = similarity(model, ["bach", "chopin", "folk"])
    np.testing.assert_allclose(np.diag(cosines), 1.0)
    np.testing.assert_array_equal(cosines, cosines.T)
    # Without the mean taken off all would be above 0.5.
    np.testing.assert_allclose(cosines[~np.eye(3, dtype=bool)], -0.5, atol=0.05)


def test_alike_is_beside_alike(path: Path) -> None:
    spots = {spot.known.name: spot for spot in style_map(path)}
    assert set(spots) == {"folk", "bach", "chopin", "liszt", "own2", "rock"}, "jazz has a word but no music"
    pairs = {"bach": "own2", "chopin": "liszt", "folk": "rock"}
    for one, other in (*pairs.items(), *((b, a) for a, b in pairs.items())):
        assert spots[one].nearest[0][0] == other
        cosines = [cosine for _, cosine in spots[one].nearest]
        assert cosines == sorted(cosines, reverse=True)
        assert len(cosines) == 5

        def distance(name: str, one: str = one) -> float:
            return float(np.hypot(spots[name].x - spots[one].x, spots[name].y - spots[one].y))

        assert min((name for name in spots if name != one), key=distance) == other


def test_the_same_checkpoint_gives_the_same_map(path: Path) -> None:
    assert style_map(path) == style_map(path)


def test_a_checkpoint_that_says_nothing_cannot_be_drawn(tmp_path: Path) -> None:
    save(tmp_path / "silent.safetensors", lively(SHORT_SIGHTED), replace(CARD, styles={}))
    with pytest.raises(CheckpointError, match="does not say which styles it was trained on"):
        style_map(tmp_path / "silent.safetensors")
