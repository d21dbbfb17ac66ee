"""What chorales cost is what the model's own cross-entropy says, less what the form excludes."""

from __future__ import annotations

import math
import random

import pytest
import torch

from model.evaluation.chorales import Chorale, text
from model.language.vocabulary import VOCABULARY
from model.network.transformer import Transformer
from tests.bench.jsb import batch_of, figures, forms, measure, moved, tune
from tests.model.making import SHORT_SIGHTED, lively


@pytest.fixture(name="model")
def _model() -> Transformer:
    torch.set_num_threads(1)
    return lively(SHORT_SIGHTED)


def chorales(count: int) -> list[Chorale]:
    rng = random.Random(7)
    found: list[Chorale] = []
    for _ in range(count):
        step, steps = [72, 67, 60, 48], []
        for n in range(24):
            if n % 4 == 0:
                step = [v + rng.randint(-2, 2) for v in (72, 67, 60, 48)]
            steps.append(step)
        found.append(steps)
    return found


def test_plain_nats_are_those_of_the_cross_entropy(model: Transformer) -> None:
    texts = [text(c, soprano_given=False) for c in chorales(3)]
    tokens, places = batch_of(texts)
    with torch.no_grad():
        nats = model.nats(tokens[:, :-1], type(places)._make(f[:, :-1] for f in places), tokens[:, 1:])
        found = forms(model, texts)
    for row, one in enumerate(texts):
        assert [token for token, _, _ in found[row]] == [int(one.tokens[place]) for place, *_ in one.choices]
        for (place, *_), (_, plain, kept) in zip(one.choices, found[row], strict=True):
            assert float(plain) == pytest.approx(float(nats[row, place - 1]), abs=1e-3)
            assert -1e-5 <= float(kept) <= float(plain) + 1e-5


def test_a_cut_wait_costs_the_chance_of_every_wait_at_least_so_long(model: Transformer) -> None:
    one = text([[72 + n // 20, 60, 55, 48] for n in range(60)], soprano_given=True)
    with torch.no_grad():
        log_p = model(*batch_of([one]))[0].float().log_softmax(dim=1)
        (found,) = forms(model, [one])
    cut = 0
    for (place, _, said, any_said), (token, plain, _) in zip(one.choices, found, strict=True):
        if len(said) > 1:
            cut += 1
            longer = range(token, VOCABULARY.first_note)
            assert list(longer) == any_said.tolist()
            assert float(plain) == pytest.approx(
                -float(log_p[place - 1, token : VOCABULARY.first_note].logsumexp(0)), abs=1e-3
            )
    assert cut > 0


def test_figures_add_up(model: Transformer) -> None:
    data = {"train": chorales(3), "test": chorales(2)}
    for name, given in (("all voices", False), ("soprano given", True)):
        row = figures(model, data, "test")[name]
        assert row["grid_tokens"] == 2 * 24 * (4 - given)
        assert row["nats_per_token"] == pytest.approx(sum(row["of_it"].values()), abs=1e-6)
        kept = sum(n.kept for n in measure(model, data["test"], soprano_given=given)) / row["grid_tokens"]
        assert row["nats_per_token"] - row["of_it"]["voices"] - row["of_it"]["length"] == pytest.approx(kept)
        assert row["nats_per_token_plain"] > row["nats_per_token"]


def test_tuning_makes_chorales_cheaper(model: Transformer) -> None:
    few = chorales(2)
    before = sum(n.kept for n in measure(model, few, soprano_given=False))
    curve = tune(model, few, few, minutes=0.05, rate=1e-3)
    assert curve
    assert not math.isnan(curve[-1]["all"])
    assert sum(n.kept for n in measure(model, few, soprano_given=False)) < before


def test_a_chorale_moves_to_another_key_where_it_can() -> None:
    (one,) = chorales(1)
    assert moved(one, 2)[0][0] == one[0][0] + 2
    assert moved(one, 40) == one
