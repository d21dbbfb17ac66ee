"""Training: it learns, it can be stopped at any moment, and going on is never having stopped."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from model.checkpoint import load
from model.config import PRESETS
from model.corpus import Corpus
from model.errors import CheckpointError, TrainingStoppedError
from model.trainer import Plan, Trainer
from tests.model.test_checkpoint import disk_full_after

TINY = PRESETS["tiny"]
PLAN = Plan(steps=6, rows=2, tokens=128, warmup=2, check_every=3)


def trainer(corpus: Corpus, out: Path, plan: Plan = PLAN) -> Trainer:
    return Trainer(corpus, TINY, plan, out, compiled=False)


def everything(trainer: Trainer) -> dict[str, Any]:
    """Weights and the optimisers' memory."""
    found: dict[str, Any] = {name: w.clone() for name, w in trainer.model.state_dict().items()}
    for number, optimiser in enumerate(trainer.optimisers):
        for key, state in optimiser.state_dict()["state"].items():
            found |= {f"{number}.{key}.{name}": torch.as_tensor(value).clone() for name, value in state.items()}
    return found


def notes_of(out: Path, kind: str) -> list[tuple[int, float]]:
    entries = [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]
    return [(entry["step"], entry[kind]) for entry in entries if kind in entry]


def test_the_loss_falls(corpus: Corpus, tmp_path: Path) -> None:
    learner = trainer(corpus, tmp_path, replace(PLAN, steps=40, check_every=20))
    before = learner.validate(2)
    after = learner.run()
    assert after.nats_per_token < before.nats_per_token - 3.0
    assert after.bits_per_note < before.bits_per_note
    assert [step for step, _ in notes_of(tmp_path, "train")] == list(range(1, 41))
    assert [step for step, _ in notes_of(tmp_path, "valid")] == [20, 40]
    model, card = load(tmp_path / "best.safetensors")
    assert (card.config, card.styles) == (TINY, corpus.styles)
    assert card.loss == min(loss for _, loss in notes_of(tmp_path, "valid"))
    assert sum(p.numel() for p in model.parameters()) > 100_000
    assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")


def test_stopped_and_resumed_is_never_stopped_bit_for_bit(corpus: Corpus, tmp_path: Path) -> None:
    straight = trainer(corpus, tmp_path / "straight")
    expected = [straight.train_step() for _ in range(6)]
    first = trainer(corpus, tmp_path / "halves")
    losses = [first.train_step() for _ in range(3)]
    first.save_state()
    second = trainer(corpus, tmp_path / "halves")
    second.resume()
    assert (second.step, second.tokens) == (3, 3 * 2 * 128)
    losses += [second.train_step() for _ in range(3)]
    assert losses == expected
    ours, theirs = everything(second), everything(straight)
    assert ours.keys() == theirs.keys()
    assert any(name.startswith("1.") for name in ours)
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


def test_the_curve_of_a_resumed_run_has_every_step_once(corpus: Corpus, tmp_path: Path) -> None:
    first = trainer(corpus, tmp_path)
    first.step = 3
    first.save_state()
    # Killed at step 5, two steps after it was saved, in the midst of a line.
    lines = [json.dumps({"step": n, "tokens": n * 256, "train": 8.0}) for n in range(1, 6)]
    (tmp_path / "losses.jsonl").write_text("\n".join([*lines, '{"step": 6, "tok']))
    second = trainer(corpus, tmp_path)
    second.resume()
    second.run()
    assert [step for step, _ in notes_of(tmp_path, "train")] == [1, 2, 3, 4, 5, 6]


def test_the_rate_rises_holds_and_falls_to_nothing() -> None:
    plan = Plan(steps=100, warmup=10, fall=0.4)
    rates = [plan.rate(step) for step in range(101)]
    assert rates[:10] == pytest.approx([n / 10 for n in range(1, 11)])
    assert set(rates[10:60]) == {1.0}
    assert rates[80] == pytest.approx(0.5)
    assert rates[100] == 0.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_signal_in_the_middle_saves_and_stops(corpus: Corpus, tmp_path: Path, number: signal.Signals) -> None:
    learner = trainer(corpus, tmp_path, replace(PLAN, steps=1000, check_every=1000))
    loss_of = learner.loss_of

    def interrupted(*arguments: Any) -> Any:
        if learner.step == 2:
            os.kill(os.getpid(), number)
        return loss_of(*arguments)

    learner.loss_of = interrupted
    before = signal.getsignal(number)
    learner.run()
    assert learner.step == 3
    assert signal.getsignal(number) is before
    again = trainer(corpus, tmp_path)
    again.resume()
    assert again.step == 3
    assert all(torch.equal(v, everything(learner)[n]) for n, v in everything(again).items())


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_state(corpus: Corpus, tmp_path: Path) -> None:
    learner = trainer(corpus, tmp_path)
    learner.train_step()
    learner.save_state()
    kept = (tmp_path / "state.pt").read_bytes()
    learner.loss_of = lambda *_: torch.tensor(float("nan"), requires_grad=True)
    with pytest.raises(TrainingStoppedError, match=r"the loss of batch 1 \(seed 0\) is nan.*state\.pt"):
        learner.run()
    assert (tmp_path / "state.pt").read_bytes() == kept


def test_weights_that_went_wrong_are_never_saved(corpus: Corpus, tmp_path: Path) -> None:
    learner = trainer(corpus, tmp_path)
    learner.train_step()
    learner.save_state()
    kept = (tmp_path / "state.pt").read_bytes()

    def explode(*arguments: Tensor) -> Tensor:
        # A finite loss whose gradient is not: the weights are spoilt after this step, the one before a check.
        if learner.step < 2:
            return learner.model.loss(*arguments)  # type: ignore[arg-type]
        weight: Tensor = learner.model.table.own
        return (weight * 0).abs().sqrt().sum()

    learner.loss_of = explode
    with pytest.raises(TrainingStoppedError, match="held-out music is nan"):
        learner.run()
    assert (tmp_path / "state.pt").read_bytes() == kept
    assert not (tmp_path / "best.safetensors").exists()


def test_a_full_disk_keeps_the_old_state(corpus: Corpus, tmp_path: Path) -> None:
    learner = trainer(corpus, tmp_path)
    learner.save_state()
    kept = (tmp_path / "state.pt").read_bytes()
    learner.train_step()
    with (
        disk_full_after(len(kept) // 2),
        pytest.raises(CheckpointError, match="cannot save the training state") as said,
    ):
        learner.save_state()
    assert "\n" not in str(said.value)
    assert (tmp_path / "state.pt").read_bytes() == kept
    assert list(tmp_path.iterdir()) == [tmp_path / "state.pt"]


class TestAStateThatCannotBeUsedIsRefusedInALine:
    @pytest.mark.parametrize("content", [None, b"", b"not a state at all", b"PK\x03\x04 half a zip"])
    def test_missing_or_broken(self, corpus: Corpus, tmp_path: Path, content: bytes | None) -> None:
        if content is not None:
            (tmp_path / "state.pt").write_bytes(content)
        self.refused(trainer(corpus, tmp_path), "no state to resume from")

    def test_cut_off(self, corpus: Corpus, tmp_path: Path) -> None:
        learner = trainer(corpus, tmp_path)
        learner.save_state()
        whole = (tmp_path / "state.pt").read_bytes()
        (tmp_path / "state.pt").write_bytes(whole[: len(whole) // 2])
        self.refused(learner, "no state to resume from")

    @pytest.mark.parametrize("change", [{"vocabulary": "0" * 64}, {"config": PRESETS["small"].as_dict()}], ids=str)
    def test_of_another_vocabulary_or_shape(self, corpus: Corpus, tmp_path: Path, change: dict[str, Any]) -> None:
        learner = trainer(corpus, tmp_path)
        learner.save_state()
        state = torch.load(tmp_path / "state.pt", weights_only=True)
        torch.save({**state, **change}, tmp_path / "state.pt")
        self.refused(learner, "another shape or vocabulary")

    def test_of_another_program(self, corpus: Corpus, tmp_path: Path) -> None:
        torch.save({"epoch": 3}, tmp_path / "state.pt")
        self.refused(trainer(corpus, tmp_path), "another shape or vocabulary")

    @staticmethod
    def refused(learner: Trainer, why: str) -> None:
        with pytest.raises(CheckpointError, match=why) as said:
            learner.resume()
        assert "\n" not in str(said.value)


def test_starting_from_a_checkpoint_takes_its_weights(corpus: Corpus, tmp_path: Path) -> None:
    first = trainer(corpus, tmp_path / "first")
    first.run()
    weights = load(tmp_path / "first" / "best.safetensors")[0].state_dict()
    second = trainer(corpus, tmp_path / "second", replace(PLAN, seed=9))
    second.start_from(weights)
    assert second.step == 0
    assert all(torch.equal(w, weights[n]) for n, w in second.model.state_dict().items())
