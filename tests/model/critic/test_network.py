"""The critic's network: what it hears, what it is bound to, and what its file keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kernels.native.engine import Precision
from model.critic.hearing import judge_of
from model.critic.inner import InnerCritic
from model.critic.network import Critic, CriticCard, digest, load_critic, save_critic, score
from model.critic.spans import Row, Span, excerpt_of, rows_of, stack
from model.errors import CheckpointError
from model.language.header import Header
from model.language.tokenizer import encode_body
from model.network.checkpoint import Card, fingerprint, load, save
from model.network.config import PRESETS
from model.network.transformer import Places, Transformer
from tests.model.making import lively, tune

HEADER = Header("bach", ("piano", "strings"), tempo_bpm=120.0)


def span(seconds: float = 16.0, seed: int = 0, prompt: int = 0) -> Span:
    return Span(np.array(encode_body(tune(seconds, seed)), np.int64), HEADER, prompt, True)


def row(seconds: float = 16.0, seed: int = 0, prompt: int = 0) -> Row:
    return rows_of(excerpt_of(span(seconds, seed, prompt)))[0]


@pytest.fixture(name="generator", scope="module")
def _generator() -> Transformer:
    # As a checkpoint keeps its weights: in bfloat16.
    return lively().to(torch.bfloat16).float()


@pytest.fixture(name="critic", scope="module")
def _critic(generator: Transformer) -> Critic:
    torch.manual_seed(1)
    critic = Critic(generator).eval()
    with torch.no_grad():
        for weight in critic.parameters():
            weight.copy_(weight.to(torch.bfloat16))
        critic.out.weight.normal_().copy_(critic.out.weight.to(torch.bfloat16))
        critic.pool.query.normal_().copy_(critic.pool.query.to(torch.bfloat16))
    return critic


def test_its_upper_half_begins_as_the_generators_and_is_its_own(generator: Transformer) -> None:
    critic = Critic(generator)
    assert len(critic.blocks) == 1
    names = {name.split(".")[0] for name, _ in critic.named_parameters()}
    assert names == {"blocks", "pool", "inner", "out"}
    before = digest(generator)
    critic(stack([row()])).sum().backward()
    with torch.no_grad():
        for weight in critic.parameters():
            weight.add_(1.0)
    assert digest(generator) == before
    assert all(weight.grad is None for weight in generator.parameters())


def test_what_is_not_scored_is_not_pooled(critic: Critic) -> None:
    x_BTC = torch.randn(1, 12, PRESETS["tiny"].width)
    scored = torch.zeros(1, 12, dtype=torch.bool)
    scored[:, 5:9] = True
    poisoned = x_BTC.clone()
    poisoned[:, :5], poisoned[:, 9:] = float("nan"), float("inf")
    found = critic.pool(poisoned, scored)
    assert torch.isfinite(found).all()
    assert torch.allclose(found, critic.pool(x_BTC, scored))
    assert torch.allclose(found, critic.pool(x_BTC[:, 5:9], scored[:, 5:9]), atol=1e-6)


def test_the_prompt_is_heard_all_the_same(critic: Critic) -> None:
    one, other = row(16.0, 0, 60), row(16.0, 0, 60)
    tokens = one.tokens.copy()
    first = len(HEADER.tokens())
    # Another opening chord: nothing that is scored has changed.
    assert not one.scored[: first + 3].any()
    tokens[first : first + 3] += 1
    other = other._replace(tokens=tokens)
    with torch.no_grad():
        assert float(critic(stack([one]))) != float(critic(stack([other])))


def test_a_row_scores_the_same_in_a_batch_as_alone(critic: Critic) -> None:
    rows = [row(8.0, 1), row(16.0, 2), row(12.0, 3, 40)]
    with torch.no_grad():
        together = critic(stack(rows))
        alone = torch.cat([critic(stack([each])) for each in rows])
    assert torch.allclose(together, alone, atol=1e-4)
    assert together.std() > 0.01


def test_padding_may_be_anything(critic: Critic) -> None:
    tokens, places, scored = stack([row(8.0), row(16.0)])
    other = tokens.clone()
    other[0, len(row(8.0).tokens) :] = 77
    moved = Places._make(field.clone() for field in places)
    moved.ticks[0, len(row(8.0).tokens) :] = 9999
    with torch.no_grad():
        plain = critic(stack([row(8.0), row(16.0)]))
        padded = critic(type(stack([row(8.0)]))(other, moved, scored))
    assert torch.allclose(plain, padded, atol=1e-5)


def test_rows_of_a_long_span_are_averaged_by_what_they_score(critic: Critic) -> None:
    rows = rows_of(excerpt_of(span(60.0)), 200)
    weights = np.array([each.scored.sum() for each in rows])
    with torch.no_grad():
        logits = np.array([float(critic(stack([each]))) for each in rows])
    (found,) = score(critic.logits, [rows], at_once=3)
    assert found == pytest.approx((logits * weights).sum() / weights.sum(), abs=1e-4)
    assert len(rows) > 3


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-3), ("int8", 0.5)])
def test_in_the_compiled_decoder_it_judges_the_same(critic: Critic, precision: Precision, tolerance: float) -> None:
    rows = [row(8.0, 1), row(16.0, 2), row(12.0, 3, 40)]
    compiled = judge_of(critic, precision)
    assert compiled != critic.logits
    assert compiled(rows) == pytest.approx(critic.logits(rows), abs=tolerance)
    assert np.std(critic.logits(rows)) > 0.01


def test_without_a_compiler_torch_judges(critic: Critic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.network.decoding.library", lambda: None)
    assert judge_of(critic, "int8") == critic.logits


class TestItsFile:
    @pytest.fixture(name="path")
    def _path(self, critic: Critic, generator: Transformer, tmp_path: Path) -> Path:
        card = CriticCard("f" * 64, digest(generator), len(critic.blocks), 7, 1.5, -0.25, 0.9)
        save_critic(tmp_path / "critic.safetensors", critic, card)
        return tmp_path / "critic.safetensors"

    def test_comes_back_as_it_was(self, path: Path, critic: Critic, generator: Transformer) -> None:
        again, card = load_critic(path, generator)
        assert (card.steps, card.slope, card.intercept, card.auc) == (7, 1.5, -0.25, 0.9)
        rows = [[row(8.0)], [row(16.0)]]
        assert score(again.logits, rows) == pytest.approx(score(critic.logits, rows), abs=1e-4)

    def test_judges_calibrated_beside_the_samplers_model_in_bfloat16(
        self, path: Path, critic: Critic, generator: Transformer
    ) -> None:
        spans = [span(8.0), span(16.0), span(16.0, 0, 10_000)]
        (one, other) = score(critic.logits, [[row(8.0)], [row(16.0)]])
        inner = InnerCritic(path, generator)
        assert inner.log_odds(spans) == pytest.approx([1.5 * one - 0.25, 1.5 * other - 0.25, 0.0], abs=1e-3)
        chances = inner.probability(spans)
        assert chances == pytest.approx([1 / (1 + np.exp(-x)) for x in inner.log_odds(spans)])
        assert chances[2] == 0.5
        half = Transformer(generator.config).eval()
        half.load_state_dict(generator.state_dict())
        coarse = InnerCritic(path, half.to(torch.bfloat16)).log_odds(spans)
        assert coarse == pytest.approx(inner.log_odds(spans), abs=0.5)

    def test_is_refused_for_another_generator(self, path: Path, tmp_path: Path) -> None:
        save(tmp_path / "other.safetensors", lively(seed=5), Card(PRESETS["tiny"]))
        other, _ = load(tmp_path / "other.safetensors")
        with pytest.raises(
            CheckpointError, match=r"judges the music of checkpoint ffffffffffff\.\.\., not of this one"
        ):
            load_critic(path, other)
        assert fingerprint(tmp_path / "other.safetensors") != "f" * 64

    def test_is_refused_where_it_is_none(self, generator: Transformer, tmp_path: Path) -> None:
        with pytest.raises(CheckpointError, match="no such critic; train one with `conductor train-critic`"):
            load_critic(tmp_path / "none.safetensors", generator)
        (tmp_path / "broken.safetensors").write_bytes(b"broken")
        with pytest.raises(CheckpointError, match="not a critic of this program, or a broken one"):
            load_critic(tmp_path / "broken.safetensors", generator)
        save(tmp_path / "model.safetensors", generator, Card(PRESETS["tiny"]))
        with pytest.raises(CheckpointError, match="not a critic of this program"):
            load_critic(tmp_path / "model.safetensors", generator)

    def test_is_refused_where_its_weights_do_not_fit(
        self, critic: Critic, generator: Transformer, tmp_path: Path
    ) -> None:
        card = CriticCard("f" * 64, digest(generator), 1)
        save_critic(tmp_path / "odd.safetensors", critic, replace(card, trained=2))
        with pytest.raises(CheckpointError, match="its weights do not fit its shape"):
            load_critic(tmp_path / "odd.safetensors", generator)

    def test_a_place_that_cannot_be_written_is_said(self, critic: Critic, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(CheckpointError, match="cannot write the critic"):
            save_critic(tmp_path / "file" / "critic.safetensors", critic, CriticCard("", "", 1))

    def test_holds_only_what_differs(self, path: Path, generator: Transformer) -> None:
        everything = sum(weight.numel() for weight in generator.parameters())
        assert path.stat().st_size < 2 * everything / 2
