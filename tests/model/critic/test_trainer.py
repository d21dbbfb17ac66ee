"""Training the critic: it learns, stopped and gone on is never stopped, and its figures are what they say."""

from __future__ import annotations

import json
import math
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import model.critic.examples
from model.critic.corruptions import CORRUPTIONS
from model.critic.examples import Examples
from model.critic.inner import InnerCritic
from model.critic.network import read_critic_card
from model.critic.trainer import CriticTrainer, Plan
from model.errors import CheckpointError, TrainingStoppedError
from model.learning.corpus import Corpus
from model.network.transformer import Transformer
from tests.model.critic.making import made_up, split_corpus
from tests.model.making import lively

QUICK = Plan(steps=4, rows=4, at_once=4, check_every=2, held_out=2)


@pytest.fixture(name="generator", scope="module")
def _generator() -> Transformer:
    return lively().to(torch.bfloat16).float()


def trainer(generator: Transformer, corpus: Corpus, out: Path, plan: Plan = QUICK) -> CriticTrainer:
    generations = made_up(corpus)
    learned, stopping, measuring = (Examples(corpus, generations, split, 256) for split in ("train", "valid", "test"))
    return CriticTrainer(generator, "f" * 64, learned, stopping, measuring, plan, out)


def logged(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "steps.jsonl").read_text().splitlines()]


def test_it_tells_composed_and_detuned_music_from_real(
    generator: Transformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In C always, and broken in one way: what a network this small can learn in seconds.
    monkeypatch.setattr(model.critic.examples, "vary", lambda excerpt, _rng: excerpt)
    monkeypatch.setattr(model.critic.examples, "_CUT", 0.0)
    for name in list(CORRUPTIONS):
        if name != "detuned":
            monkeypatch.delitem(CORRUPTIONS, name)
    plan = Plan(
        steps=45, rows=16, at_once=16, rate=3e-3, head_rate=5e-3, warmup=5, check_every=15, patience=9, held_out=20
    )
    training = trainer(generator, split_corpus(tmp_path, 100, 16.0), tmp_path / "out", plan)
    untrained = training.look()
    assert abs(untrained - 0.5) < 0.2
    assert training.run()
    found = training.finish()
    assert found["auc_own"]["auc"] > 0.9
    assert found["auc_by_corruption"]["detuned"]["auc"] > 0.7
    assert found["auc_by_corruption"]["detuned"]["low"] > 0.5
    said = found["calibration"]
    assert said["log_loss"] < said["log_loss_before"]
    assert said["log_loss"] < math.log(2)
    assert sum(count for _, _, count in said["reliability"]) == found["auc_own"]["real"] + found["auc_own"]["other"]


class TestAFinishedRun:
    @pytest.fixture(name="out", scope="class")
    @staticmethod
    def _out(generator: Transformer, tunes: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
        out = tmp_path_factory.mktemp("critic")
        training = trainer(generator, tunes, out)
        assert training.run()
        training.finish()
        return out

    def test_leaves_a_critic_its_figures_and_a_picture(self, out: Path, generator: Transformer) -> None:
        found = json.loads((out / "critic.json").read_text())
        card = read_critic_card(out / "critic.safetensors")
        assert card.generator == found["generator"] == "f" * 64
        assert card.slope == found["calibration"]["slope"]
        assert card.auc == found["auc_own"]["auc"]
        assert set(found["auc_own_by_length"]) == {"15 s", "whole"}
        assert set(found["auc_by_corruption"]) == set(CORRUPTIONS)
        assert (out / "critic.png").stat().st_size > 10_000
        assert InnerCritic(out / "critic.safetensors", generator).card == card

    def test_says_how_it_went(self, out: Path) -> None:
        entries = logged(out)
        assert [e["step"] for e in entries if "loss" in e] == [1, 2, 3, 4]
        assert [e["step"] for e in entries if "auc" in e] == [2, 4]

    def test_does_not_go_on(self, out: Path, generator: Transformer, tunes: Corpus) -> None:
        again = trainer(generator, tunes, out)
        assert again.resume()
        assert again.done
        before = len(logged(out))
        assert again.run()
        assert len(logged(out)) == before


def test_stopped_and_gone_on_it_is_the_same(generator: Transformer, tunes: Corpus, tmp_path: Path) -> None:
    whole = trainer(generator, tunes, tmp_path / "whole")
    assert whole.run()
    first = trainer(generator, tunes, tmp_path / "parts")
    assert not first.resume()
    for _ in range(3):
        first.train_step()
        if first.step == 2:
            first.look()
    first.save_state()
    second = trainer(generator, tunes, tmp_path / "parts")
    assert second.resume()
    assert second.step == 3
    assert second.run()
    for mine, theirs in zip(whole.critic.parameters(), second.critic.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert (second.best, second.tokens) == (whole.best, whole.tokens)


def test_told_to_stop_it_saves_and_says_so(generator: Transformer, tunes: Corpus, tmp_path: Path) -> None:
    training = trainer(generator, tunes, tmp_path, replace(QUICK, steps=10_000, check_every=10_000))
    step = training.train_step

    def and_stop() -> float:
        os.kill(os.getpid(), signal.SIGTERM)
        return step()

    training.train_step = and_stop  # type: ignore[method-assign]
    before = signal.getsignal(signal.SIGTERM)
    assert not training.run()
    assert signal.getsignal(signal.SIGTERM) == before
    again = trainer(generator, tunes, tmp_path)
    assert again.resume()
    assert again.step == 1


def test_it_stops_where_nothing_improves(
    generator: Transformer, tunes: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = trainer(generator, tunes, tmp_path, replace(QUICK, steps=100, check_every=1, patience=2))
    monkeypatch.setattr(training, "_scores", lambda _critic, examples: torch.zeros(len(examples)).double().numpy())
    assert training.run()
    assert training.step == 3, "the first look is the best, two more are no better"


def test_a_state_of_another_generator_is_refused(generator: Transformer, tunes: Corpus, tmp_path: Path) -> None:
    trainer(generator, tunes, tmp_path).save_state()
    other = trainer(lively(seed=9), tunes, tmp_path)
    with pytest.raises(CheckpointError, match="a critic of another checkpoint; train into another folder"):
        other.resume()
    (tmp_path / "state.pt").write_bytes(b"broken")
    with pytest.raises(CheckpointError, match="cannot be read"):
        other.resume()


def test_a_loss_that_is_no_number_stops_it(generator: Transformer, tunes: Corpus, tmp_path: Path) -> None:
    training = trainer(generator, tunes, tmp_path)
    with torch.no_grad():
        training.critic.out.bias.fill_(float("nan"))
    with pytest.raises(TrainingStoppedError, match="the loss of batch 0"):
        training.train_step()


def test_a_full_disk_is_said_and_the_old_state_stays(
    generator: Transformer, tunes: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = trainer(generator, tunes, tmp_path)
    training.save_state()
    before = (tmp_path / "state.pt").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        training.save_state()
    assert (tmp_path / "state.pt").read_bytes() == before
