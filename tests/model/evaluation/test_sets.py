"""Sets of composed music: kept, found again, read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from model.composing.composer import Composer
from model.composing.prompt import Prompt
from model.errors import CorpusError, PromptError
from model.evaluation.excerpts import ANY
from model.evaluation.sets import PROMPTS, compose_set, plan_prompts, read_prompts, read_set
from model.learning.corpus import Corpus
from model.midi import write_midi
from tests.model.making import tune, write_corpus

LENGTHS_S = {"bach": 6.0, "folk": 6.0}


@pytest.fixture(name="composer", scope="module")
def _composer(tiny_checkpoint: Path) -> Composer:
    return Composer(tiny_checkpoint)


def test_each_style_is_asked_for_ensembles_of_its_training_pieces(corpus: Corpus) -> None:
    rows = [replace(row, split="train") for row in corpus.rows]
    prompts = plan_prompts(rows, LENGTHS_S, 3, seed=1)
    assert len(prompts) == 6
    assert next(iter(prompts)) == "bach/bach-000.mid"
    for name, prompt in prompts.items():
        assert name.startswith(f"{prompt.style}/")
        assert prompt.instruments in {row.groups for row in rows if row.style == prompt.style}
        assert prompt.duration_s == 6.0
        prompt.check()
    assert len({p.seed for p in prompts.values() if p.style == "bach"}) == 3
    alone = plan_prompts(rows, {"folk": 6.0}, 2, seed=1)
    assert alone.items() <= prompts.items(), "neither other styles nor more pieces change a prompt"
    assert plan_prompts(rows, LENGTHS_S, 3, seed=2) != prompts


def test_no_prompt_has_more_instruments_than_a_piece_may(corpus: Corpus) -> None:
    everyone = ("piano", "strings", "winds", "drums", "harp", "guitar", "bass", "organ", "choir", "synth")
    rows = [replace(row, split="train", groups=everyone) for row in corpus.rows]
    for prompt in plan_prompts(rows, LENGTHS_S, 3, seed=1).values():
        prompt.check()
        assert len(prompt.instruments) > 5


def test_what_was_composed_is_not_composed_again(composer: Composer, tmp_path: Path) -> None:
    prompts = {f"bach/{n}.mid": Prompt("bach", ("piano",), 5.0, 1, seed=n) for n in range(3)}
    told: list[float] = []
    assert compose_set(composer, dict(list(prompts.items())[:2]), tmp_path) == []
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.mid")}
    assert len(before) == 2
    assert compose_set(composer, prompts, tmp_path, told.append) == []
    assert told[-1] == 1.0
    assert before.items() <= {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.mid")}.items()
    found = read_set(tmp_path)
    assert [s.name for s in found.samples] == list(prompts)
    assert {s.style for s in found.samples} == {"bach"}
    assert {s.wanted for s in found.samples} == {("piano",)}
    assert found.nats_per_token.keys() == prompts.keys()


def test_another_prompt_is_composed_anew_and_a_line_cut_off_by_a_kill_costs_its_piece_only(
    composer: Composer, tmp_path: Path
) -> None:
    prompts = {"bach/0.mid": Prompt("bach", ("piano",), 5.0, 1, seed=1)}
    compose_set(composer, prompts, tmp_path)
    first = (tmp_path / "bach/0.mid").read_bytes()
    with (tmp_path / PROMPTS).open("a") as file:
        file.write('\n{"file": "bach/1.mid", "prom')
    prompts = {"bach/0.mid": Prompt("bach", ("piano",), 5.0, 1, seed=2), "bach/1.mid": Prompt("bach", (), 5.0, 1)}
    compose_set(composer, prompts, tmp_path)
    assert (tmp_path / "bach/0.mid").read_bytes() != first
    known = read_prompts(tmp_path)
    assert known["bach/0.mid"]["prompt"]["seed"] == 2
    assert known.keys() == prompts.keys()
    assert known["bach/1.mid"]["checkpoint"] == composer.fingerprint


def test_a_style_the_checkpoint_does_not_know_is_refused_before_anything_is_composed(
    composer: Composer, tmp_path: Path
) -> None:
    prompts = {"bach/0.mid": Prompt("bach", (), 5.0, 1), "jazz/0.mid": Prompt("jazz", (), 5.0, 1)}
    with pytest.raises(PromptError, match="'jazz' is not known to the checkpoint"):
        compose_set(composer, prompts, tmp_path / "out")
    assert not (tmp_path / "out").exists()


class TestFoldersMadeElsewhere:
    def test_sub_folders_are_styles_and_anything_else_is_any(self, tmp_path: Path) -> None:
        write_corpus(tmp_path, 4)
        (tmp_path / "mine").mkdir()
        write_midi(tune(10.0), tmp_path / "mine" / "a.MID")
        found = read_set(tmp_path)
        assert sorted(s.style for s in found.samples) == [ANY, "bach", "bach", "folk", "folk"]
        assert {s.wanted for s in found.samples} == {()}
        assert {s.style for s in read_set(tmp_path, ("folk",)).samples} == {"folk"}

    def test_what_cannot_be_read_is_skipped_and_listed(self, tmp_path: Path) -> None:
        write_corpus(tmp_path, 2)
        (tmp_path / "bach" / "broken.mid").write_bytes(b"broken")
        found = read_set(tmp_path)
        assert len(found.samples) == 2
        assert len(found.skipped) == 1
        assert "broken.mid" in found.skipped[0]

    def test_folders_without_music_are_refused_in_a_line(self, tmp_path: Path) -> None:
        with pytest.raises(CorpusError, match="no such folder"):
            read_set(tmp_path / "none")
        with pytest.raises(CorpusError, match="no music in it"):
            read_set(tmp_path)
        (tmp_path / "broken.mid").write_bytes(b"broken")
        with pytest.raises(CorpusError, match=r"no music in it; first of 1 that cannot be read: .*broken\.mid"):
            read_set(tmp_path)
        with pytest.raises(CorpusError, match="no music of jazz in it"):
            read_set(tmp_path, ("jazz",))

    def test_prompts_that_are_no_json_are_passed_over(self, tmp_path: Path) -> None:
        write_corpus(tmp_path, 1)
        (tmp_path / PROMPTS).write_text("\n".join(["no", "[1]", "{}", json.dumps({"file": "x.mid"})]))
        assert read_set(tmp_path).nats_per_token == {}
