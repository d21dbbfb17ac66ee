"""A run that is ended from outside in the middle of a step goes on as if it had never been."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from model.learning.corpus import Corpus
from model.learning.trainer import Plan, Trainer, mixup_share
from model.learning.windows import Recipe
from model.network.config import PRESETS

PLAN = Plan(steps=24, rows=2, tokens=96, warmup=2, check_every=6, seed=13)
MIDDLE = 15
LAST_CHECK = 12

# Stands still inside step MIDDLE until it is told to go on, and by then may have been told to stop.
SCRIPT = """
import json, sys
from pathlib import Path
import torch
from model.network.config import PRESETS
from model.learning.corpus import Corpus
from model.learning.trainer import Plan, Trainer

data, out, plan, middle = sys.argv[1:]
torch.set_num_threads(1)
learner = Trainer(Corpus(Path(data)), PRESETS["tiny"], Plan(**json.loads(plan)), Path(out), compiled=False)
loss_of = learner.loss_of

def standing_still(*arguments):
    if learner.step == int(middle):
        print("in the middle", flush=True)
        sys.stdin.readline()
    return loss_of(*arguments)

learner.loss_of = standing_still
learner.run()
"""


def losses(out: Path, kind: str) -> dict[int, float]:
    entries = [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]
    assert len(entries) == len({(entry["step"], "train" in entry) for entry in entries}), "every step once"
    return {entry["step"]: entry[kind] for entry in entries if kind in entry}


def learner(data: Path, out: Path) -> Trainer:
    return Trainer(Corpus(data), PRESETS["tiny"], PLAN, out, compiled=False)


@pytest.fixture(name="straight", scope="module")
def _straight(built_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("straight")
    learner(built_folder, out).run()
    return out


def test_steps_are_mixed_before_and_after_the_middle() -> None:
    mixed = [mixup_share(PLAN.seed, step, Recipe().mixup) is not None for step in range(PLAN.steps)]
    assert any(mixed[:LAST_CHECK])
    assert any(mixed[MIDDLE + 1 :])
    assert not mixed[MIDDLE], "it stands still in a step without"


@pytest.mark.parametrize(
    ("number", "status", "saved_at"),
    [(signal.SIGTERM, 0, MIDDLE + 1), (signal.SIGINT, 0, MIDDLE + 1), (signal.SIGKILL, -signal.SIGKILL, LAST_CHECK)],
    ids=["SIGTERM", "Ctrl-C", "SIGKILL"],
)
def test_resumed_it_is_the_run_that_was_never_stopped_bit_for_bit(
    straight: Path, built_folder: Path, tmp_path: Path, number: signal.Signals, status: int, saved_at: int
) -> None:
    words = [str(built_folder), str(tmp_path), json.dumps(asdict(PLAN)), str(MIDDLE)]
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "in the middle\n"
            process.send_signal(number)
            process.communicate("go on\n" if status == 0 else "", timeout=60)
        finally:
            process.kill()
    assert process.returncode == status
    again = learner(built_folder, tmp_path)
    assert again.resume() == []
    assert again.step == saved_at
    again.run()
    assert losses(tmp_path, "train") == losses(straight, "train")
    assert losses(tmp_path, "valid") == losses(straight, "valid")
    assert len(losses(tmp_path, "train")) == PLAN.steps
    assert (tmp_path / "best.safetensors").read_bytes() == (straight / "best.safetensors").read_bytes()


def test_asked_twice_it_ends_at_once_and_keeps_what_was_saved(built_folder: Path, tmp_path: Path) -> None:
    words = [str(built_folder), str(tmp_path), json.dumps(asdict(PLAN)), str(MIDDLE)]
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == "in the middle\n"
            # The second is sent again: two at once are one.
            while process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(0.2)
                except subprocess.TimeoutExpired:
                    continue
            said = process.stderr.read()
        finally:
            process.kill()
    assert "KeyboardInterrupt" in said
    again = learner(built_folder, tmp_path)
    again.resume()
    assert again.step == LAST_CHECK
