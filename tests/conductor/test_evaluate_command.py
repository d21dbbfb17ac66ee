"""`conductor evaluate` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from conductor.cli import main
from model.midi import write_midi
from model.network.checkpoint import fingerprint
from tests.conductor.refusals import Printed, refusal
from tests.model.making import tune, write_corpus

SMALL = ["--pieces", "3", "--seconds", "10", "--threads", "1", "--tokens", "500"]


def evaluate(corpus: Path, out: Path, *words: str) -> list[str]:
    return ["evaluate", "--corpus", str(corpus), "--out", str(out), *words]


@pytest.fixture(name="music", scope="module")
def _music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of two styles, with pieces in all splits."""
    folder = write_corpus(tmp_path_factory.mktemp("music"), 16)
    lines = ["path,style,genre,split,performed"]
    for n in range(16):
        style = ("bach", "folk")[n % 2]
        lines.append(f"{style}/tune{n}.mid,{style},,{('train', 'train', 'valid', 'valid')[n // 4]},0")
    (folder / "index.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture(name="report", scope="module")
def _report(music: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    assert main(evaluate(music, out, "--checkpoint", str(tiny_checkpoint), *SMALL)) == 0
    return out


def figures(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "report.json").read_text())
    return found


def test_it_composes_reads_compares_and_reports(report: Path, tiny_checkpoint: Path) -> None:
    found = figures(report)
    assert found["made"]["checkpoint"]["sha256"] == fingerprint(tiny_checkpoint)
    assert found["corpus"]["total"]["files"] == 16
    assert found["surprise"].keys() == {"all", "bach", "folk"}
    (one,) = found["sets"]
    assert one["pieces"] == 6
    assert one["by_style"].keys() == {"bach", "folk"}
    assert one["faults"]["present"] is not None
    assert one["copying"]["top line"]["real"] is not None
    assert len(list(report.glob("composed-*/*/*.mid"))) == 6
    assert "<html" in (report / "report.html").read_text()


def test_a_second_run_composes_nothing_and_finds_the_same(
    report: Path, music: Path, tiny_checkpoint: Path, capsys: Printed
) -> None:
    before, composed = figures(report), {p: p.stat().st_mtime_ns for p in report.rglob("*.mid")}
    built = (report / "corpus" / "tokens.u16").stat().st_mtime_ns
    assert main(evaluate(music, report, "--checkpoint", str(tiny_checkpoint), *SMALL)) == 0
    out, _ = capsys.readouterr()
    assert "nats a token" in out
    assert "composed: 6 pieces, " in out
    assert f"report: {report / 'report.html'}" in out
    assert composed == {p: p.stat().st_mtime_ns for p in report.rglob("*.mid")}
    assert built == (report / "corpus" / "tokens.u16").stat().st_mtime_ns
    after = figures(report)
    assert {**after, "made": 0} == {**before, "made": 0}


def test_sets_made_elsewhere_are_read_and_nothing_is_composed(music: Path, tmp_path: Path, capsys: Printed) -> None:
    mine = write_corpus(tmp_path / "mine", 6)
    (mine / "bach" / "broken.mid").write_bytes(b"broken")
    theirs = write_corpus(tmp_path / "else" / "mine", 6)
    words = evaluate(music, tmp_path / "out", "--generated", str(mine), "--generated", str(theirs), "--seconds", "10")
    assert main(words) == 0
    found = figures(tmp_path / "out")
    assert [s["name"] for s in found["sets"]] == [str(mine), str(theirs)]
    assert "checkpoint" not in found["made"]
    assert found["surprise"] == {}
    assert not list((tmp_path / "out").rglob("*.mid"))
    # These are the training tunes themselves, all 20 s of them: the copy is seen.
    assert found["sets"][0]["copying"]["top line"]["set"]["longest"] > 30
    assert "1 file could not be used; first: " in capsys.readouterr().out
    assert len(found["sets"][0]["skipped"]) == 1


def test_a_corpus_that_changed_is_read_anew(tmp_path: Path) -> None:
    music = write_corpus(tmp_path / "music", 60, 10.0)
    words = evaluate(music, tmp_path / "out", "--generated", str(music), "--styles", "folk", "--seconds", "6")
    assert main(words) == 0
    write_midi(tune(10.0, 99), music / "folk" / "another.mid")
    assert main(words) == 0
    assert figures(tmp_path / "out")["corpus"]["total"]["files"] == 61


class TestWhatCannotBeEvaluatedIsRefusedInALine:
    def test_folders_without_music(self, music: Path, tmp_path: Path, capsys: Printed) -> None:
        (tmp_path / "empty").mkdir()
        assert "no such folder" in refusal(capsys, evaluate(tmp_path / "none", tmp_path / "out"))
        assert "no MIDI files" in refusal(capsys, evaluate(tmp_path / "empty", tmp_path / "out"))
        words = evaluate(music, tmp_path / "out", "--generated", str(tmp_path / "empty"))
        assert "no music in it" in refusal(capsys, words)

    def test_no_held_out_music(self, tmp_path: Path, capsys: Printed) -> None:
        music = write_corpus(tmp_path / "music", 2)
        (music / "index.csv").write_text(
            "path,style,genre,split,performed\nbach/tune0.mid,bach,,train,0\nfolk/tune1.mid,folk,,train,0"
        )
        words = evaluate(music, tmp_path / "out", "--generated", str(music))
        assert "no pieces in its valid split (there are some in train)" in refusal(capsys, words)

    def test_styles(self, music: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: Printed) -> None:
        words = evaluate(music, tmp_path / "out", "--checkpoint", str(tiny_checkpoint), "--styles")
        assert "no style 'bahc'; did you mean bach" in refusal(capsys, [*words, "bahc"])
        assert "no pieces of style jazz in its valid split" in refusal(capsys, [*words, "jazz"])

    def test_a_style_the_checkpoint_does_not_know(self, tiny_checkpoint: Path, tmp_path: Path, capsys: Printed) -> None:
        music = tmp_path / "music"
        (music / "jazz").mkdir(parents=True)
        lines = ["path,style,genre,split,performed"]
        for n, split in enumerate(("train", "train", "valid")):
            write_midi(tune(20.0, n), music / "jazz" / f"{n}.mid")
            lines.append(f"jazz/{n}.mid,jazz,,{split},0")
        (music / "index.csv").write_text("\n".join(lines))
        words = evaluate(music, tmp_path / "out", "--checkpoint", str(tiny_checkpoint))
        assert "'jazz' is not known to the checkpoint" in refusal(capsys, [*words, "--styles", "jazz"])
        assert "no style that both checkpoint and corpus know" in refusal(capsys, words)

    def test_checkpoints(self, music: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: Printed) -> None:
        words = evaluate(music, tmp_path / "out", "--checkpoint")
        assert "no such checkpoint" in refusal(capsys, [*words, str(tmp_path / "none.safetensors")])
        with safe_open(str(tiny_checkpoint), framework="pt") as file:
            card = json.loads(file.metadata()["card"])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no mapping
        card["vocabulary"] = "another"
        save_file(weights, str(tmp_path / "other.safetensors"), metadata={"card": json.dumps(card)})
        assert "another vocabulary" in refusal(capsys, [*words, str(tmp_path / "other.safetensors")])

    def test_a_critic_that_is_not_there(self, music: Path, tmp_path: Path, capsys: Printed) -> None:
        words = evaluate(music, tmp_path / "out", "--generated", str(music), "--critic", str(tmp_path / "none"))
        assert "none" in refusal(capsys, words)

    @pytest.mark.parametrize(
        ("words", "line"),
        [
            (["--pieces", "0"], "--pieces 0: it needs 1 at least"),
            (["--tokens", "-1"], "--tokens -1: it needs 0 at least"),
            (["--seed", "-1"], "--seed -1: it needs 0 at least"),
            (["--seconds", "1"], "--seconds 1: it can be 5 to 1800"),
            (["--split", "other"], "--split other: it can be train, valid, test"),
        ],
    )
    def test_words_that_ask_for_what_cannot_be(
        self, music: Path, tmp_path: Path, capsys: Printed, words: list[str], line: str
    ) -> None:
        assert line in refusal(capsys, evaluate(music, tmp_path / "out", *words))

    def test_a_place_that_cannot_be_written(self, music: Path, tmp_path: Path, capsys: Printed) -> None:
        (tmp_path / "file").touch()
        words = evaluate(music, tmp_path / "file", "--generated", str(music))
        assert "cannot write" in refusal(capsys, words)
