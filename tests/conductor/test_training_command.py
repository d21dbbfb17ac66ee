"""`conductor train` as a user types it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from conductor.cli import main
from model.checkpoint import load, read_card
from tests.model.making import SHORT_SIGHTED, write_corpus

Printed = pytest.CaptureFixture[str]
SMALL = ["--preset", "tiny", "--rows", "2", "--tokens", "128", "--eager", "--threads", "1"]


def train(corpus: Path, out: Path, *words: str) -> list[str]:
    return ["train", "--corpus", str(corpus), "--out", str(out), *SMALL, *words]


def refusal(printed: Printed, words: list[str]) -> str:
    printed.readouterr()
    assert main(words) == 2
    _, err = printed.readouterr()
    assert err.startswith("conductor: ")
    assert err.count("\n") == 1
    assert "unexpected" not in err
    return err


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
    (corpus / "bach" / "broken.mid").write_bytes(b"broken")
    assert main(train(corpus, tmp_path / "run", "--steps", "1", "--check-every", "1")) == 0
    assert "3 pieces; 1 files left out, listed in" in capsys.readouterr().out
    (line,) = json.loads((tmp_path / "run" / "corpus" / "skipped.json").read_text())
    assert "broken.mid" in line


def test_a_new_run_learns_from_its_own_corpus(midi_folder: Path, tmp_path: Path, capsys: Printed) -> None:
    # The first run fails after it has read its corpus; the second must not learn from that.
    words = train(midi_folder, tmp_path / "run", "--from", str(tmp_path / "none"), "--steps", "1")
    assert "no such checkpoint" in refusal(capsys, words)
    other = write_corpus(tmp_path / "other", 4)
    assert main(train(other, tmp_path / "run", "--steps", "1", "--check-every", "1")) == 0
    assert "4 pieces" in capsys.readouterr().out


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
            (["--preset", "huge"], "no preset 'huge'; there are tiny, small, musenet"),
            (["--steps", "0"], "--steps 0: it needs 1 at least"),
            (["--rows", "0"], "--rows 0: it needs 1 at least"),
            (["--check-every", "0"], "--check-every 0: it needs 1 at least"),
            (["--tokens", "8"], "--tokens 8: a window needs 48 at least"),
            (["--resume"], "no state to resume from"),
            (["--resume", "--from", "x"], "give one of them"),
            (["--from", "none.safetensors"], "none.safetensors: no such checkpoint"),
        ],
    )
    def test_words_that_ask_for_what_cannot_be(
        self, midi_folder: Path, tmp_path: Path, capsys: Printed, words: list[str], line: str
    ) -> None:
        assert line in refusal(capsys, train(midi_folder, tmp_path / "run", *words))

    def test_a_place_that_cannot_be_written(self, midi_folder: Path, tmp_path: Path, capsys: Printed) -> None:
        (tmp_path / "file").touch()
        assert "cannot write" in refusal(capsys, train(midi_folder, tmp_path / "file"))

    def test_a_state_that_would_be_overwritten(self, trained: Path, midi_folder: Path, capsys: Printed) -> None:
        assert "go on with --resume, or choose another --out" in refusal(capsys, train(midi_folder, trained))

    def test_a_state_of_another_shape(self, trained: Path, midi_folder: Path, capsys: Printed) -> None:
        words = train(midi_folder, trained, "--resume", "--preset", "small", "--steps", "9")
        assert "another shape or vocabulary" in refusal(capsys, words)
