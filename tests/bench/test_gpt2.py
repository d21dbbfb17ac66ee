"""The peer is as large as ours, learns, and its bits are those of its own tokens."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.learning.corpus import Corpus
from model.learning.trainer import Plan
from tests.bench import gpt2
from tests.bench.gpt2 import PeerTrainer, RemiWindows, Shape, shape_of
from tests.bench.remi import KINDS, Remi, read

PLAN = Plan(steps=30, rows=2, tokens=128, warmup=2, adam_rate=3e-3)
Ints = NDArray[np.int64]
EXTRA = "the peer is an extra: pip install 'conductor-live[bench]'"


@pytest.fixture(name="pieces", scope="module")
def _pieces(corpus: Corpus) -> list[Ints]:
    pytest.importorskip("miditok", reason=EXTRA)
    return [Remi().encode(read(row)) for row in corpus.split("train")]


def trainer(corpus: Corpus, pieces: list[Ints]) -> PeerTrainer:
    pytest.importorskip("transformers", reason=EXTRA)
    return PeerTrainer(Remi(), pieces, corpus, PLAN, Shape(2, 64, 256), compiled=False)


@pytest.mark.parametrize("millions", [3, 6, 12, 24, 85])
def test_its_shape_has_as_many_weights_and_is_much_like_gpt2(millions: float) -> None:
    shape = shape_of(round(millions * 1e6), 498, 1024)
    assert shape.weights(498, 1024) == pytest.approx(millions * 1e6, rel=0.02)
    assert 2.5 < shape.hidden / shape.width < 6
    assert 25 < shape.width / shape.layers < 150


def test_a_gpt2_smaller_than_its_tables_is_refused() -> None:
    with pytest.raises(ValueError, match="no GPT-2 of 1000 weights"):
        shape_of(1000, 498, 1024)


def test_its_weights_are_counted_as_they_are(corpus: Corpus, pieces: list[Ints]) -> None:
    learner = trainer(corpus, pieces)
    assert sum(p.numel() for p in learner.model.parameters()) == learner.shape.weights(len(Remi()), PLAN.tokens)


def test_it_learns(corpus: Corpus, pieces: list[Ints]) -> None:
    learner = trainer(corpus, pieces)
    before = gpt2.bits(learner, pieces[:2]).per_note()
    losses = [learner.train_step() for _ in range(PLAN.steps)]
    assert losses[-1] < losses[0] - 1.0
    assert gpt2.bits(learner, pieces[:2]).per_note() < 0.8 * before
    assert learner.tokens == PLAN.steps * PLAN.rows * PLAN.tokens


def test_whoever_knows_nothing_pays_for_every_choice_alike(corpus: Corpus, pieces: list[Ints]) -> None:
    learner = trainer(corpus, pieces)
    with torch.no_grad():
        for weight in learner.model.parameters():
            weight.zero_()
    learner.autocast = contextlib.nullcontext()  # type: ignore[assignment]
    found = gpt2.bits(learner, pieces[:3])
    assert found.tokens == sum(map(len, pieces[:3]))
    assert found.notes == sum(learner.language.notes(piece) for piece in pieces[:3])
    for kind, bits in found.by_kind.items():
        said = sum(np.count_nonzero(learner.language.kinds[p] == KINDS.index(kind)) for p in pieces[:3])
        assert bits == pytest.approx(said * math.log2(len(learner.language)), rel=1e-5)


def test_batches_are_the_same_every_time_and_say_no_next_piece(corpus: Corpus, pieces: list[Ints]) -> None:
    windows = RemiWindows(Remi(), pieces, corpus, PLAN)
    for step in range(6):
        tokens, targets = windows.batch(step, transpose=5)
        again, _ = windows.batch(step, transpose=5)
        assert torch.equal(tokens, again)
        assert tokens.shape == targets.shape == (PLAN.rows, PLAN.tokens)
        assert (targets != windows.language.begin).all()
        said = targets[:, :-1] >= 0
        assert torch.equal(targets[:, :-1][said], tokens[:, 1:][said])
        assert said.float().mean() > 0.5
