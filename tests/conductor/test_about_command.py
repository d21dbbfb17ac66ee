"""`conductor styles` and `conductor model` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from conductor.cli import main
from conductor.commands.about import operations, size
from model.network.checkpoint import Card, read_card, save
from model.network.config import PRESETS
from model.network.transformer import Transformer
from tests.conductor.refusals import Printed, refusal
from tests.model.making import SHORT_SIGHTED, lively


@pytest.fixture(name="checkpoint")
def _checkpoint(tmp_path: Path) -> Path:
    card = Card(
        SHORT_SIGHTED,
        styles={"folk": 900, "bach": 40, "rock": 12},
        habits={"bach": {"genre": "organ", "performed": False}},
    )
    save(tmp_path / "some.safetensors", lively(SHORT_SIGHTED), card)
    return tmp_path / "some.safetensors"


class TestStyles:
    def test_the_shipped_checkpoint_says_what_it_heard(self, capsys: Printed) -> None:
        from model.network.checkpoint import SHIPPED

        assert main(["styles"]) == 0
        said = capsys.readouterr().out
        for style, pieces in read_card(SHIPPED).styles.items():
            assert any(line.split()[:2] == [style, f"{pieces:,}"] for line in said.splitlines())

    def test_few_pieces_and_words_without_music_are_said(self, checkpoint: Path, capsys: Printed) -> None:
        assert main(["styles", "--checkpoint", str(checkpoint)]) == 0
        said = capsys.readouterr().out
        assert "trained on 952 pieces in 3 styles" in said
        rows = {line.split()[0]: line for line in said.splitlines() if line.startswith("  ")}
        assert "organ, from scores" in rows["bach"]
        assert ["hardly known" in rows[name] for name in ("folk", "bach", "rock")] == [False, False, True]
        never = said[said.index("never heard: ") :]
        assert "chopin" in never
        assert "own1" in never
        assert "bach" not in never

    def test_as_json_with_a_map(self, checkpoint: Path, tmp_path: Path, capsys: Printed) -> None:
        assert main(["styles", "--checkpoint", str(checkpoint), "--map", str(tmp_path / "map"), "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert [style["name"] for style in said["styles"]] == ["folk", "bach", "rock"]
        assert {near["name"] for near in said["styles"][0]["nearest"]} == {"bach", "rock"}
        assert sorted(Path(p).name for p in said["written"]) == ["styles.html", "styles.png"]
        assert all(Path(p).stat().st_size > 1000 for p in said["written"])

    def test_a_checkpoint_that_does_not_say(self, tmp_path: Path, capsys: Printed) -> None:
        path = tmp_path / "silent.safetensors"
        save(path, lively(SHORT_SIGHTED), Card(SHORT_SIGHTED))
        assert main(["styles", "--checkpoint", str(path)]) == 0
        assert "does not say which styles" in capsys.readouterr().out
        assert "nothing to draw" in refusal(capsys, ["styles", "--checkpoint", str(path), "--map", str(tmp_path)])

    def test_what_cannot_be_is_refused_in_a_line(self, checkpoint: Path, tmp_path: Path, capsys: Printed) -> None:
        assert "no such checkpoint" in refusal(capsys, ["styles", "--checkpoint", "none"])
        (tmp_path / "file").touch()
        words = ["styles", "--checkpoint", str(checkpoint), "--map", str(tmp_path / "file")]
        assert "cannot write there" in refusal(capsys, words)


class TestModel:
    def test_all_presets_side_by_side(self, capsys: Printed) -> None:
        assert main(["model"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split() == list(PRESETS)
        (parameters,) = [line.split()[1:] for line in lines if line.startswith("parameters")]
        for count, config in zip(parameters, PRESETS.values(), strict=True):
            with torch.device("meta"):
                model = Transformer(config)
            assert int(count.replace(",", "")) == sum(p.numel() for p in model.parameters())

    def test_one_of_them_with_formulas(self, capsys: Printed) -> None:
        assert main(["model", "musenet", "--rows", "1", "--tokens", "512", "--minutes", "1"]) == 0
        said = capsys.readouterr().out
        assert "training, 1 x 512 tokens" in said
        assert "composing 1 min (1,590 tokens)" in said
        assert "how it is counted" in said

    def test_of_a_checkpoint_as_json(self, checkpoint: Path, capsys: Printed) -> None:
        assert main(["model", "--checkpoint", str(checkpoint), "--json"]) == 0
        said = json.loads(capsys.readouterr().out)["some.safetensors"]
        assert said["config"] == SHORT_SIGHTED.as_dict()
        assert said["parameters"]["total"] == sum(p.numel() for p in Transformer(SHORT_SIGHTED).parameters())

    @pytest.mark.parametrize(
        ("words", "line"),
        [
            (["huge"], "no preset 'huge'; there are tiny, small, base, large, musenet"),
            (["tiny", "--checkpoint", "x"], "give one of them"),
            (["--rows", "0"], "--rows 0: it needs 1 at least"),
            (["--tokens", "4"], "--tokens 4: a window needs 48 at least"),
            (["--minutes", "0"], "--minutes 0: more than 0"),
            (["--checkpoint", "none"], "no such checkpoint"),
        ],
    )
    def test_what_cannot_be_is_refused_in_a_line(self, words: list[str], line: str, capsys: Printed) -> None:
        assert line in refusal(capsys, ["model", *words])


def test_sizes_are_for_people() -> None:
    assert [size(n) for n in (0, 999, 1000, 23_800_000, 999_600_000, 2e12)] == [
        "0 B", "999 B", "1.0 kB", "23.8 MB", "1.0 GB", "2.0 TB",
    ]  # fmt: skip
    assert operations(28_053_888) == "28.1 MFLOP"
    assert operations(352e9) == "352 GFLOP"
