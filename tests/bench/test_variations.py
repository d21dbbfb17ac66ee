"""What an ablation takes away is away, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from model.instruments import INSTRUMENTS
from model.language.vocabulary import VOCABULARY
from model.learning.corpus import Corpus
from model.learning.trainer import Plan, Trainer, on_device
from model.network.config import PRESETS
from model.network.transformer import Places
from tests.bench.variations import VARIATIONS, one_volume
from tests.model.making import lively

TINY = PRESETS["tiny"]


def varied(corpus: Corpus, out: Path, name: str) -> Trainer:
    trainer = Trainer(corpus, TINY, Plan(steps=50, rows=2, tokens=128, warmup=2), out, compiled=False)
    trainer.model.load_state_dict(lively().state_dict())
    VARIATIONS[name].apply(trainer)
    return trainer


def hears(trainer: Trainer, field: str) -> bool:
    """Whether the loss depends on a field of the context."""
    tokens, places, targets, weights = on_device(trainer.windows.batch(0))
    others = Places._make(
        torch.zeros_like(f) if name == field else f for name, f in zip(Places._fields, places, strict=True)
    )
    assert name_differs(places, others, field)
    with torch.no_grad():
        one, other = (float(trainer.loss_of(tokens, p, targets, weights)) for p in (places, others))
    return one != other


def name_differs(places: Places, others: Places, field: str) -> bool:
    return not torch.equal(getattr(places, field), getattr(others, field))


@pytest.mark.parametrize("field", ["ticks", "beats", "chord", "part", "countdown", "sounding"])
def test_each_added_embedding_is_heard_or_not(corpus: Corpus, tmp_path: Path, field: str) -> None:
    assert hears(varied(corpus, tmp_path, "full"), field)
    assert not hears(varied(corpus, tmp_path, "no-places"), field)
    assert hears(varied(corpus, tmp_path, "no-sounding"), field) == (field != "sounding")


def test_without_added_embeddings_the_order_of_tokens_still_matters(corpus: Corpus, tmp_path: Path) -> None:
    trainer = varied(corpus, tmp_path, "no-places")
    tokens, places, _, _ = on_device(trainer.windows.batch(0))
    with torch.no_grad():
        forth = trainer.model(tokens[:1, :32], Places._make(f[:1, :32] for f in places))
        swapped = tokens[:1, [1, 0, *range(2, 32)]]
        back = trainer.model(swapped, Places._make(f[:1, :32] for f in places))
    assert not torch.allclose(forth[0, -1], back[0, -1])


def test_every_instrument_keeps_one_volume() -> None:
    table = one_volume()
    kept = np.unique(table[VOCABULARY.velocity_of > 0])
    for row, instrument in enumerate(INSTRUMENTS):
        own = kept[VOCABULARY.instrument_of[kept] == row]
        assert set(VOCABULARY.velocity_of[own]) == {80}
        assert len(own) == instrument.high - instrument.low + 1
    others = np.flatnonzero(VOCABULARY.velocity_of <= 0)
    assert (table[others] == others).all()


def test_no_volumes_are_learned(corpus: Corpus, tmp_path: Path) -> None:
    for name, volumes in (("full", True), ("no-volumes", False)):
        windows = varied(corpus, tmp_path, name).windows
        heard = np.concatenate([windows.batch(n).targets.ravel() for n in range(8)])
        velocities = VOCABULARY.velocity_of[heard]
        assert (len(set(velocities[velocities > 0])) > 1) == volumes


def test_no_step_is_mixed(corpus: Corpus, tmp_path: Path) -> None:
    full, without = (varied(corpus, tmp_path, name) for name in ("full", "no-mixup"))
    batch = on_device(full.windows.batch(0))
    share = torch.tensor(0.6)
    plain, mixed, unmixed = (
        float(of(*batch, *more).detach())
        for of, more in ((full.loss_of, ()), (full.mixed_loss_of, (share,)), (without.mixed_loss_of, (share,)))
    )
    assert unmixed == plain != mixed


@pytest.mark.parametrize("name", VARIATIONS)
def test_each_learns_from_the_same_first_weights(corpus: Corpus, tmp_path: Path, name: str) -> None:
    def first(name: str) -> dict[str, Tensor]:
        trainer = Trainer(corpus, TINY, Plan(steps=50, rows=2, tokens=128, warmup=2), tmp_path, compiled=False)
        VARIATIONS[name].apply(trainer)
        return {n: w for n, w in trainer.model.state_dict().items() if "places" not in n}

    own, full = first(name), first("full")
    assert own.keys() == full.keys()
    assert all(torch.equal(own[key], full[key]) for key in full)
    trainer = varied(corpus, tmp_path, name)
    losses = [trainer.train_step() for _ in range(8)]
    assert losses[-1] < losses[0]
