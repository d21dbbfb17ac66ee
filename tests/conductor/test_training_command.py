"""`conductor train` as a user types it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from conductor.cli import main
from model.errors import TrainingStoppedError
from model.learning.corpus import Corpus, build
from model.learning.trainer import Trainer, planned
from model.network.checkpoint import load, read_card
from tests.conductor.refusals import Printed, refusal
from tests.model.making import SHORT_SIGHTED, write_corpus
from tests.model.network.test_checkpoint import rewritten

SMALL = ["--preset", "tiny", "--rows", "2", "--tokens", "128", "--eager", "--threads", "1"]


def train(corpus: Path, out: Path, *words: str) -> list[str]:
    return ["train", "--corpus", str(corpus), "--out", str(out), *SMALL, *words]


@pytest.fixture(name="trained", scope="module")
def _trained(midi_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    assert main(train(midi_folder, out, "--steps", "4", "--check-every", "2")) == 0
    return out


def steps(out: Path) -> list[int]:
    entries = [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]
    return [entry["step"] for entry in entries if "train" in entry]


def test_a_folder_of_midi_becomes_a_checkpoint_and_a_curve(trained: Path) -> None:
    card = read_card(trained / "best.safetensors")
    assert card.steps in (2, 4)
    assert card.styles.keys() == {"bach", "folk"}
    assert (trained / "losses.png").stat().st_size > 1000
    assert steps(trained) == [1, 2, 3, 4]


def test_it_goes_on_where_it_stopped(trained: Path, midi_folder: Path, capsys: Printed) -> None:
    assert main(train(midi_folder, trained, "--resume", "--steps", "6", "--check-every", "6")) == 0
    assert "step 6: " in capsys.readouterr().out
    assert steps(trained) == [1, 2, 3, 4, 5, 6]
    assert "has all of its 6 steps" in refusal(capsys, train(midi_folder, trained, "--resume", "--steps", "6"))


def test_it_starts_from_a_checkpoint_in_its_shape(
    tiny_checkpoint: Path, midi_folder: Path, tmp_path: Path, capsys: Printed
) -> None:
    words = train(midi_folder, tmp_path / "run", "--from", str(tiny_checkpoint), "--steps", "1", "--check-every", "1")
    assert main(words) == 0
    assert "step 1: " in capsys.readouterr().out
    assert load(tmp_path / "run" / "best.safetensors")[1].config == replace(SHORT_SIGHTED, context=128)


def test_files_left_out_are_counted_and_listed(tmp_path: Path, capsys: Printed) -> None:
    corpus = write_corpus(tmp_path / "midi", 3)
    for n in range(7):
        (corpus / "bach" / f"broken{n}.mid").write_bytes(b"broken" * (n % 2))
    assert main(train(corpus, tmp_path / "run", "--steps", "1", "--check-every", "1")) == 0
    said = capsys.readouterr().out
    assert "3 pieces; 7 files left out, listed in" in said
    assert said.count("  left out: ") == 5
    assert "broken0.mid: the file is empty" in said
    assert "  and 2 more\n" in said
    listed = json.loads((tmp_path / "run" / "corpus" / "skipped.json").read_text())
    assert [f"broken{n}.mid" in line for n, line in enumerate(listed)] == [True] * 7


def test_a_new_run_learns_from_its_own_corpus(
    midi_folder: Path, tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first run fails after it has read its corpus; the second must not learn from that.
    def fail(_trainer: Trainer) -> None:
        raise TrainingStoppedError("it went wrong")

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run", fail)
        assert "it went wrong" in refusal(capsys, train(midi_folder, tmp_path / "run"))
    assert (tmp_path / "run" / "corpus" / "pieces.json").exists()
    other = write_corpus(tmp_path / "other", 4)
    assert main(train(other, tmp_path / "run", "--steps", "1", "--check-every", "1")) == 0
    assert "4 pieces" in capsys.readouterr().out


def test_what_can_be_refused_at_once_is_refused_before_anything_is_read(
    midi_folder: Path, tmp_path: Path, capsys: Printed
) -> None:
    assert "no such checkpoint" in refusal(capsys, train(midi_folder, tmp_path / "run", "--from", "none"))
    assert not (tmp_path / "run").exists()


def test_resumed_it_goes_on_as_it_was_planned(midi_folder: Path, tmp_path: Path, capsys: Printed) -> None:
    out = tmp_path / "run"
    assert main(train(midi_folder, out, "--steps", "2", "--check-every", "1", "--seed", "5", "--recompute")) == 0
    # Neither corpus nor shape nor seed are said again.
    words = ["train", "--out", str(out), "--resume", "--eager", "--threads", "1", "--check-every", "1"]
    assert "has all of its 2 steps" in refusal(capsys, words)
    assert main([*words, "--steps", "3"]) == 0
    assert "resumed at step 2 with steps 3 instead of 2: not the run that was stopped" in capsys.readouterr().out
    config, plan = planned(out)
    assert (config.context, plan.rows, plan.seed, plan.recompute) == (128, 2, 5, True)
    assert steps(out) == [1, 2, 3]


def test_a_single_piece_is_enough_and_what_is_not_held_out_is_said(tmp_path: Path, capsys: Printed) -> None:
    for n in range(12):
        # Whatever the name, and so the split that chance would give it.
        (tmp_path / str(n)).mkdir()
        shutil.copy(write_corpus(tmp_path / "midi", 1) / "bach" / "tune0.mid", tmp_path / str(n) / f"{n}.mid")
        build(tmp_path / str(n), tmp_path / "built", processes=1)
        assert [row.split for row in Corpus(tmp_path / "built")] == ["train"]
    assert main(train(tmp_path / "0", tmp_path / "run", "--steps", "1", "--check-every", "1")) == 0
    said = capsys.readouterr().out
    assert "1 pieces\n" in said
    assert "nothing is held out" in said


def test_a_style_of_ones_own_is_learned_from_a_folder_named_own(tmp_path: Path) -> None:
    write_corpus(tmp_path / "midi", 2)
    (tmp_path / "midi" / "folk").rename(tmp_path / "midi" / "own3")
    assert main(train(tmp_path / "midi", tmp_path / "run", "--steps", "1", "--check-every", "1")) == 0
    assert read_card(tmp_path / "run" / "best.safetensors").styles == {"bach": 1, "own3": 1}


def test_told_to_stop_it_saves_and_can_be_resumed(midi_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = train(midi_folder, out, "--steps", "100000", "--check-every", "100000")
    with subprocess.Popen(
        [sys.executable, "-m", "conductor.cli", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            deadline = time.monotonic() + 60
            while not (out / "losses.jsonl").exists() and time.monotonic() < deadline:
                assert process.poll() is None
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
    done = steps(out)[-1]
    assert f"stopped at step {done} of 100000, state saved; go on with --resume" in said
    assert main(train(midi_folder, out, "--resume", "--steps", str(done + 1), "--check-every", "1")) == 0
    assert steps(out) == list(range(1, done + 2))


class TestWhatCannotBeTrainedIsRefusedInALine:
    def test_no_corpus(self, tmp_path: Path, capsys: Printed) -> None:
        assert "no such folder" in refusal(capsys, train(tmp_path / "none", tmp_path / "run"))
        (tmp_path / "empty").mkdir()
        assert "no MIDI files" in refusal(capsys, train(tmp_path / "empty", tmp_path / "run"))

    def test_twice_in_vain_is_said_twice(self, tmp_path: Path, capsys: Printed) -> None:
        (tmp_path / "midi").mkdir()
        (tmp_path / "midi" / "broken.mid").write_bytes(b"broken")
        words = train(tmp_path / "midi", tmp_path / "run")
        assert refusal(capsys, words) == refusal(capsys, words)

    @pytest.mark.parametrize(
        ("words", "line"),
        [
            (["--preset", "huge"], "no preset 'huge'; there are tiny, small, base, large, musenet"),
            (["--steps", "0"], "--steps 0: it needs 1 at least"),
            (["--rows", "0"], "--rows 0: it needs 1 at least"),
            (["--check-every", "0"], "--check-every 0: it needs 1 at least"),
            (["--tokens", "8"], "--tokens 8: a window needs 48 at least"),
            (["--resume"], "no state to resume from"),
            (["--resume", "--from", "x"], "give one of them"),
            (["--seed", "-1"], "--seed -1: it needs 0 at least"),
            (["--from", "none.safetensors"], "none.safetensors: no such checkpoint"),
        ],
    )
    def test_words_that_ask_for_what_cannot_be(
        self, midi_folder: Path, tmp_path: Path, capsys: Printed, words: list[str], line: str
    ) -> None:
        assert line in refusal(capsys, train(midi_folder, tmp_path / "run", *words))

    def test_no_corpus_named(self, tmp_path: Path, capsys: Printed) -> None:
        assert "with --corpus" in refusal(capsys, ["train", "--out", str(tmp_path / "run")])

    def test_a_checkpoint_of_another_vocabulary_or_shape(
        self, tiny_checkpoint: Path, midi_folder: Path, tmp_path: Path, capsys: Printed
    ) -> None:
        other = rewritten(Path(shutil.copy(tiny_checkpoint, tmp_path)), vocabulary="0" * 64)
        words = train(midi_folder, tmp_path / "run", "--from", str(other))
        assert "another vocabulary" in refusal(capsys, words)
        words = train(midi_folder, tmp_path / "run", "--from", str(tiny_checkpoint), "--preset", "small")
        assert "is not of the shape `small`" in refusal(capsys, words)

    def test_a_corpus_read_with_another_vocabulary(self, trained: Path, tmp_path: Path, capsys: Printed) -> None:
        out = Path(shutil.copytree(trained, tmp_path / "run"))
        listing = json.loads((out / "corpus" / "pieces.json").read_text())
        (out / "corpus" / "pieces.json").write_text(json.dumps({**listing, "vocabulary": "0" * 64}))
        words = ["train", "--out", str(out), "--resume", "--steps", "99"]
        assert "built with another vocabulary" in refusal(capsys, words)

    def test_a_place_that_cannot_be_written(self, midi_folder: Path, tmp_path: Path, capsys: Printed) -> None:
        (tmp_path / "file").touch()
        assert "cannot write" in refusal(capsys, train(midi_folder, tmp_path / "file"))

    def test_a_state_that_would_be_overwritten(self, trained: Path, midi_folder: Path, capsys: Printed) -> None:
        assert "go on with --resume, or choose another --out" in refusal(capsys, train(midi_folder, trained))

    def test_a_state_of_another_shape(self, trained: Path, midi_folder: Path, capsys: Printed) -> None:
        words = train(midi_folder, trained, "--resume", "--preset", "small", "--steps", "9")
        assert "another shape or vocabulary" in refusal(capsys, words)
