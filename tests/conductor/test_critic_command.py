"""`conductor train-critic` as a user types it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conductor.cli import main
from model.critic.network import read_critic_card
from model.network.checkpoint import fingerprint
from tests.conductor.refusals import Printed, refusal
from tests.model.critic.making import write_split_corpus
from tests.model.making import write_corpus


@pytest.fixture(name="midi", scope="module")
def _midi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_split_corpus(tmp_path_factory.mktemp("midi"), 20, 22.0)


def words(corpus: Path, out: Path, checkpoint: Path, *more: str) -> list[str]:
    few = ["--generations", "5", "--rows", "4", "--longest", "20", "--threads", "1", "--check-every", "2"]
    return [
        *("train-critic", "--corpus", str(corpus), "--out", str(out), "--checkpoint", str(checkpoint)),
        *few,
        *("--candidates", "1", "--steps", "2", *more),
    ]


@pytest.fixture(name="trained", scope="module")
def _trained(midi: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("critic")
    assert main(words(midi, out, tiny_checkpoint)) == 0
    return out


def test_a_folder_of_midi_becomes_a_critic_figures_and_a_picture(trained: Path, tiny_checkpoint: Path) -> None:
    card = read_critic_card(trained / "critic.safetensors")
    assert card.generator == fingerprint(tiny_checkpoint)
    assert card.steps == 2
    assert json.loads((trained / "critic.json").read_text())["steps_in_all"] == 2
    assert (trained / "critic.png").stat().st_size > 10_000
    assert len((trained / "replay" / "generations.jsonl").read_text().splitlines()) == 5


def test_the_same_command_goes_on_with_more_steps_and_more_generations(
    trained: Path, midi: Path, tiny_checkpoint: Path, capsys: Printed
) -> None:
    assert main(words(midi, trained, tiny_checkpoint, "--generations", "6", "--steps", "4")) == 0
    said = capsys.readouterr().out
    assert "5 of 6 generations" in said
    assert "1 pieces composed" in said
    assert "going on from step 2" in said
    assert "own generations" in said
    assert "calibration error" in said


def test_it_can_only_compose_and_read_what_training_has_read(
    trained: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: Printed
) -> None:
    read = trained / "corpus"
    assert main(words(read, tmp_path / "out", tiny_checkpoint, "--generations", "2", "--steps", "0")) == 0
    assert "2 in the store" in capsys.readouterr().out
    assert not (tmp_path / "out" / "critic.safetensors").exists()
    assert not (tmp_path / "out" / "corpus").exists()


def test_told_to_stop_while_it_composes_it_keeps_what_is_there(
    trained: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    given = words(trained / "corpus", out, tiny_checkpoint, "--generations", "100000")
    store = out / "replay" / "generations.jsonl"
    with subprocess.Popen(
        [sys.executable, "-m", "conductor.cli", *given], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            deadline = time.monotonic() + 120
            while not store.exists() and time.monotonic() < deadline:
                assert process.poll() is None
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
    kept = len(store.read_text().splitlines())
    assert kept >= 1
    assert f"stopped with {kept} of 100000 generations kept; the same command goes on" in said


class TestWhatCannotBeIsRefusedInALine:
    @pytest.mark.parametrize(
        ("more", "line"),
        [
            (["--rows", "6"], "--rows 6: it needs a multiple of 4"),
            (["--rows", "8"], "--generations 5: fewer than a batch of 8 (--rows)"),
            (["--steps", "-1"], "--steps -1: 0 only composes, 1 or more train"),
            (["--check-every", "0"], "--check-every 0: it needs 1 at least"),
            (["--candidates", "0"], "--candidates 0: it needs 1 at least"),
            (["--longest", "5"], "--longest 5: it needs 20 s at least"),
            (["--checkpoint", "none.safetensors"], "none.safetensors: no such checkpoint"),
            (["--also", "none.safetensors"], "none.safetensors: no such checkpoint"),
        ],
    )
    def test_words_that_ask_for_it(
        self, midi: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: Printed, more: list[str], line: str
    ) -> None:
        assert line in refusal(capsys, words(midi, tmp_path / "out", tiny_checkpoint, *more))

    def test_no_corpus(self, tiny_checkpoint: Path, tmp_path: Path, capsys: Printed) -> None:
        assert "no such folder" in refusal(capsys, words(tmp_path / "none", tmp_path / "out", tiny_checkpoint))

    def test_a_corpus_of_which_nothing_is_held_out(
        self, tiny_checkpoint: Path, tmp_path: Path, capsys: Printed
    ) -> None:
        few = write_corpus(tmp_path / "midi", 3, 22.0)
        err = refusal(capsys, words(few, tmp_path / "out", tiny_checkpoint))
        assert "a critic needs 4" in err
        assert "say in index.csv which are which" in err

    def test_a_checkpoint_of_another_vocabulary(self, midi: Path, tmp_path: Path, capsys: Printed) -> None:
        (tmp_path / "odd.safetensors").write_bytes(b"no weights")
        assert "not a checkpoint of this program" in refusal(
            capsys, words(midi, tmp_path / "out", tmp_path / "odd.safetensors")
        )

    def test_a_place_that_cannot_be_written(
        self, trained: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: Printed
    ) -> None:
        (tmp_path / "file").touch()
        given = words(trained / "corpus", tmp_path / "file", tiny_checkpoint)
        assert "cannot keep generations there" in refusal(capsys, given)


def test_its_help_teaches(capsys: Printed) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["train-critic", "--help"])
    said = capsys.readouterr().out
    assert "goes on where it stopped" in said
    assert "--generations" in said
