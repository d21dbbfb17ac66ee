"""Activations computed again are activations kept: less memory, the same training. And MuseNet's depth trains."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from model.learning.corpus import Corpus
from model.learning.trainer import Plan, Trainer
from model.network.config import PRESETS
from model.network.transformer import Transformer
from tests.model.making import lively
from tests.model.network.test_cost import batch

PLAN = Plan(steps=3, rows=2, tokens=128, warmup=1, check_every=3, seed=13)
# MuseNet's layers, heads and full attention; narrow, so that a step takes seconds.
NARROW_MUSENET = replace(PRESETS["musenet"], width=48, hidden=128)


def backward(model: Transformer, *, recompute: bool, mixed: bool) -> tuple[Tensor, int]:
    """Return the loss, gradients left in the model, and how many numbers were kept for them."""
    model.recompute = recompute
    model.zero_grad()
    torch.manual_seed(1)
    music = batch(2, 96)
    kept = 0

    def keep(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model.mixed_loss(*music, torch.tensor(0.7)) if mixed else model.loss(*music)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach(), kept


@pytest.mark.parametrize("mixed", [False, True], ids=["plain", "mixup"])
def test_gradients_are_the_same_and_less_is_kept(mixed: bool) -> None:
    model = lively(replace(PRESETS["tiny"], layers=6)).train()
    loss, kept = backward(model, recompute=False, mixed=mixed)
    gradients = {name: w.grad.clone() for name, w in model.named_parameters() if w.grad is not None}
    again, kept_again = backward(model, recompute=True, mixed=mixed)
    assert torch.equal(loss, again)
    assert len(gradients) == len(list(model.parameters()))
    for name, weight in model.named_parameters():
        assert gradients[name].abs().max() > 0
        assert weight.grad is not None
        assert torch.equal(gradients[name], weight.grad), name
    # What is left are logits and embeddings; the inputs of the six blocks are not among it.
    assert kept_again + 6 * 2 * 96 * 64 < 0.75 * kept


def test_without_gradients_nothing_is_computed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    model = lively()
    model.recompute = True
    monkeypatch.setattr("model.network.transformer.checkpoint", None)
    with torch.no_grad():
        assert math.isfinite(float(model.loss(*batch(1, 64))))


def test_a_run_that_recomputes_is_the_run_that_keeps(corpus: Corpus, tmp_path: Path) -> None:
    losses = {}
    for recompute in (False, True):
        learner = Trainer(
            corpus, PRESETS["tiny"], replace(PLAN, recompute=recompute), tmp_path / str(recompute), compiled=False
        )
        assert learner.model.recompute is recompute
        losses[recompute] = [learner.train_step() for _ in range(3)]
    assert losses[True] == losses[False]


def test_musenets_72_layers_and_24_heads_take_a_step(corpus: Corpus, tmp_path: Path) -> None:
    assert (NARROW_MUSENET.layers, NARROW_MUSENET.heads, NARROW_MUSENET.context) == (72, 24, 4096)
    plan = Plan(steps=1, rows=1, tokens=128, warmup=1, fall=0.0, recompute=True)
    learner = Trainer(corpus, NARROW_MUSENET, plan, tmp_path, compiled=False)
    before = {name: w.clone() for name, w in learner.model.named_parameters()}
    assert learner.train_step() == pytest.approx(math.log(5489), abs=1.0)
    # Blocks begin by adding nothing: of these, what they add is learned first.
    moved = [name for name, w in learner.model.named_parameters() if not torch.equal(w, before[name])]
    assert {f"blocks.{layer}.attention.out.weight" for layer in range(72)} <= set(moved)
    assert {f"blocks.{layer}.feed_forward.down.weight" for layer in range(72)} <= set(moved)


def test_musenets_whole_context_is_learned_from() -> None:
    # All 4096 tokens at once, through as many layers as seconds allow.
    model = lively(replace(NARROW_MUSENET, layers=2)).train()
    model.recompute = True
    loss = model.loss(*batch(1, 4096))
    loss.backward()  # type: ignore[no-untyped-call]
    assert math.isfinite(float(loss.detach()))
    assert all(w.grad is not None and w.grad.isfinite().all() for w in model.parameters())
