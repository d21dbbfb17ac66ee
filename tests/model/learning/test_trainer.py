"""Training: it learns, it can be stopped at any moment, and going on is never having stopped."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.errors import CheckpointError, TrainingStoppedError
from model.learning.corpus import Corpus, build
from model.learning.suspects import passages
from model.learning.trainer import Plan, Trainer, Validation
from model.learning.windows import Recipe
from model.network.checkpoint import load
from model.network.config import PRESETS
from tests.model.making import write_corpus
from tests.model.network.test_checkpoint import disk_full_after

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


def test_transposition_ends_late_and_little_by_little() -> None:
    plan = Plan(steps=100, settle=0.2)
    shares = [plan.transposed(step) for step in range(101)]
    assert set(shares[:81]) == {1.0}
    assert shares[85] == pytest.approx(0.5)
    assert set(shares[90:]) == {0.0}


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


class TestWhatIsNoNumberStopsAndNamesTheMusic:
    @pytest.fixture
    def learner(self, corpus: Corpus, tmp_path: Path) -> Trainer:
        learner = trainer(corpus, tmp_path)
        learner.train_step()
        learner.save_state()
        return learner

    def test_a_loss(self, built_folder: Path, tmp_path: Path) -> None:
        folder = shutil.copytree(built_folder, tmp_path / "data")
        learner = trainer(Corpus(folder), tmp_path / "run")
        learner.save_state()
        kept = (tmp_path / "run" / "state.pt").read_bytes()
        # A piece of the second row, which is not in the first, loses its beats.
        first, second = passages(learner.windows, 0, Recipe())
        spoilt = next(p.path for p in second if p.path not in [q.path for q in first])
        beats = np.memmap(folder / "beats.f32", np.float32, "r+")
        for row in learner.corpus:
            if row.path == spoilt:
                beats[row.offset : row.offset + row.tokens] = np.nan
        with pytest.raises(
            TrainingStoppedError, match=r"the loss of batch 0 \(seed 0\) is nan: row 2 of 2 is no"
        ) as said:
            learner.run()
        assert "\n" not in str(said.value)
        assert all(str(passage) in str(said.value) for passage in second)
        assert f"the last good state is {tmp_path / 'run' / 'state.pt'}" in str(said.value)
        assert (tmp_path / "run" / "state.pt").read_bytes() == kept
        listed = json.loads((tmp_path / "run" / "offending.json").read_text())
        assert listed["step"] == 0
        assert [row["nats"] is None for row in listed["rows"]] == [False, True]
        assert listed["rows"][1]["passages"] == [passage.as_dict() for passage in second]

    def test_a_gradient_before_it_spoils_the_weights(self, learner: Trainer) -> None:
        # A finite loss whose gradient is not.
        learner.loss_of = lambda *_: (learner.model.table.own * 0).abs().sqrt().sum()
        before = everything(learner)
        with pytest.raises(TrainingStoppedError, match=r"the gradient of batch 1 \(seed 0\) is nan: row \d of 2 has"):
            learner.run()
        assert all(torch.equal(value, before[name]) for name, value in everything(learner).items())
        assert not (learner.out / "best.safetensors").exists()

    def test_weights_are_blamed_where_every_row_fails(self, learner: Trainer) -> None:
        with torch.no_grad():
            learner.model.norm.weight.fill_(torch.nan)
        with pytest.raises(TrainingStoppedError, match="every row of it: the weights are to blame"):
            learner.train_step()

    def test_held_out_loss(self, learner: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
        kept = (learner.out / "state.pt").read_bytes()
        monkeypatch.setattr(learner, "validate", lambda: Validation(float("nan"), float("nan")))
        with pytest.raises(TrainingStoppedError, match="after step 3 the loss on held-out music is nan"):
            learner.run()
        assert (learner.out / "state.pt").read_bytes() == kept
        assert not (learner.out / "best.safetensors").exists()

    def test_before_anything_was_saved(self, corpus: Corpus, tmp_path: Path) -> None:
        learner = trainer(corpus, tmp_path)
        learner.loss_of = lambda *_: torch.tensor(float("inf"), requires_grad=True)
        with pytest.raises(TrainingStoppedError, match=r"is inf: .*; no state was saved yet$"):
            learner.run()
        assert [path.name for path in tmp_path.iterdir()] == ["offending.json"]


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


def test_a_disk_that_is_full_for_a_while_stops_nothing(
    corpus: Corpus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    learner = trainer(corpus, tmp_path, replace(PLAN, steps=8, check_every=2))
    whole, save_state = [], learner.save_state

    def with_little_room() -> None:
        if learner.step in (4, 6):
            with disk_full_after(100_000):
                save_state()
        save_state()
        whole.append(learner.step)

    learner.save_state = with_little_room  # type: ignore[method-assign]
    learner.run()
    assert whole == [2, 8]
    refused, recovered = [record.message for record in caplog.records if record.name == "model.learning.trainer"]
    assert "cannot save the training state" in refused
    assert "training goes on" in refused
    assert recovered == "step 8: the training state is saved again"
    again = trainer(corpus, tmp_path)
    again.resume()
    assert again.step == 8


def test_a_disk_that_is_full_at_the_end_is_an_error(corpus: Corpus, tmp_path: Path) -> None:
    learner = trainer(corpus, tmp_path, replace(PLAN, steps=2, check_every=1))
    with disk_full_after(100_000), pytest.raises(CheckpointError, match="cannot write the checkpoint"):
        learner.run()
    assert learner.step == 2
    # Not even half a file; of the curve, which has room, every step.
    assert {path.name for path in tmp_path.iterdir()} == {"losses.jsonl"}
    assert [step for step, _ in notes_of(tmp_path, "train")] == [1, 2]


def test_what_is_noted_of_a_step(corpus: Corpus, tmp_path: Path) -> None:
    first = trainer(corpus, tmp_path, replace(PLAN, steps=3))
    first.run()
    second = trainer(corpus, tmp_path, replace(PLAN, steps=6))
    assert second.resume() == ["steps 6 instead of 3"]
    second.run()
    assert [rate for _, rate in notes_of(tmp_path, "rate")][3:] == [second.plan.rate(n) for n in range(3, 6)]
    seconds = [at for _, at in notes_of(tmp_path, "seconds")]
    # Time goes on where it stopped.
    assert seconds == sorted(seconds)
    assert seconds[0] > 0


def test_a_resumed_run_says_what_is_not_as_it_was(corpus: Corpus, tmp_path: Path) -> None:
    trainer(corpus, tmp_path).save_state()
    assert trainer(corpus, tmp_path, replace(PLAN, check_every=1, recompute=True)).resume() == []
    changed = trainer(corpus, tmp_path, replace(PLAN, rows=3, seed=4))
    assert changed.resume() == ["rows 3 instead of 2", "seed 4 instead of 0"]


def test_fewer_pieces_than_rows_are_read_again_and_again(tmp_path: Path) -> None:
    build(write_corpus(tmp_path / "midi", 1), tmp_path / "data", processes=1)
    corpus = Corpus(tmp_path / "data")
    assert len(corpus.rows) == 1
    learner = trainer(corpus, tmp_path / "run", replace(PLAN, rows=5))
    assert math.isfinite(learner.run().nats_per_token)
    assert len(passages(learner.windows, 0, Recipe())) == 5


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
