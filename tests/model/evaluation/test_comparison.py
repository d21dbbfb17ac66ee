"""A set beside real music, and the report of it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.errors import CorpusError
from model.evaluation.census import Census
from model.evaluation.comparison import Comparison, Reference, compare_set
from model.evaluation.copying import Index
from model.evaluation.critics import score, separation
from model.evaluation.endings import common_pitches
from model.evaluation.evaluation import Evaluation, Plan
from model.evaluation.excerpts import Excerpt, Sample, excerpts
from model.evaluation.measures import FEATURES
from model.evaluation.report import figures_of, write_report
from model.evaluation.sets import MusicSet
from model.gate.shingles import LINES
from model.learning.corpus import Corpus
from model.notes import Piece
from tests.model.making import tune


def music(style: str = "bach", pieces: int = 4, name: str = "mine <b>") -> MusicSet:
    tunes = [tune(18.0, 50 + n, ("piano", "violin")) for n in range(pieces)]
    samples = [Sample(f"{style}/{n}.mid", style, replace(t, style=style)) for n, t in enumerate(tunes)]
    return MusicSet(name, "/nowhere/mine", tuple(samples), ("x.mid: is <broken>",), {"bach/0.mid": 1.5})


def plainly(excerpts: Sequence[Excerpt]) -> list[float]:
    """Take all that was composed for real, and what is real not."""
    return [1.0 if e.sample.name.startswith("bach/") else -1.0 for e in excerpts]


def compared(corpus: Corpus, some: MusicSet, **changed: object) -> Comparison:
    words = {
        "most_s": 9.0,
        "indexes": [Index(corpus, line) for line in LINES],
        "common": common_pitches(corpus),
        "critic": None,
        "seed": 0,
        **changed,
    }
    return compare_set(some, Reference(corpus, "valid", 0), **words)  # type: ignore[arg-type]


@pytest.fixture(name="beside", scope="module")
def _beside(corpus: Corpus) -> Comparison:
    return compared(corpus, music(), critic=plainly)


def test_every_measure_stands_beside_real_music_and_its_ceiling(beside: Comparison) -> None:
    assert beside.pieces == {"bach": 4}
    assert beside.lengths_s == {"bach": 9.0}
    assert beside.overall.keys() == {f.key for f in FEATURES}
    known = [r for r in beside.overall.values() if r.overlap is not None]
    assert len(known) > 6
    for result in known:
        assert result.overlap is not None
        for interval in (result.overlap.ours, result.overlap.ceiling):
            assert 0 <= interval.low <= interval.mean <= interval.high <= 1 + 1e-9
    assert beside.by_style.keys() == {"bach"}
    for feature in FEATURES:
        assert len(beside.overall[feature.key].ours) == len(beside.overall[feature.key].real)


def test_the_mean_is_that_of_the_excerpts(beside: Comparison) -> None:
    ours = [e for s in music().samples for e in excerpts(s, 9.0, 2)]
    expected = np.mean([len(e.piece.notes) / e.piece.duration_s for e in ours])
    assert beside.overall["density"].ours[0] == pytest.approx(float(expected))


def test_training_pieces_that_fill_up_are_told(beside: Comparison, corpus: Corpus) -> None:
    bach = [r for r in corpus.rows if r.style == "bach"]
    held_out = sum(r.split == "valid" for r in bach)
    assert beside.learned == {"bach": sum(r.split == "train" for r in bach)}
    if held_out == 0:
        assert beside.real_faults is None
        assert beside.copying["top line"][1] is None


def test_the_critic_is_asked_about_both(beside: Comparison) -> None:
    assert beside.critic is not None
    ours, real, auc = beside.critic
    assert (ours.mean, ours.real, real.mean, real.real) == (1.0, 1.0, -1.0, 0.0)
    assert ours.by_style == {"bach": 1.0}
    assert auc == 0.0


def test_the_same_seed_finds_the_same(beside: Comparison, corpus: Corpus) -> None:
    again = compared(corpus, music(), critic=plainly)
    assert again.overall == beside.overall
    assert compared(corpus, music(), seed=1).overall != beside.overall


def test_music_of_no_style_is_compared_with_all(corpus: Corpus) -> None:
    found = compared(corpus, music("any"))
    assert found.by_style.keys() == {"any"}
    assert found.overall["density"].overlap is not None


def test_music_of_a_style_the_corpus_does_not_have_is_refused(corpus: Corpus) -> None:
    with pytest.raises(CorpusError, match="no music of style 'jazz'"):
        compared(corpus, music("jazz"))


def test_silence_is_refused(corpus: Corpus) -> None:
    silent = replace(music(), samples=(Sample("0.mid", "bach", Piece(())),))
    with pytest.raises(CorpusError, match="no notes"):
        compared(corpus, silent)


def test_one_piece_is_too_little_to_compare_but_is_reported(corpus: Corpus, tmp_path: Path) -> None:
    found = compared(corpus, music(pieces=1))
    (one,) = report(found, tmp_path)["sets"]
    assert one["ratio"] is None
    assert one["by_style"]["bach"]["ratio"] is None
    assert one["pieces"] == 1


def test_separation_is_the_chance_to_rank_real_above_composed() -> None:
    assert separation([2.0, 3.0], [0.0, 1.0]) == 1.0
    assert separation([1.0], [1.0]) == 0.5
    assert separation([0.0, 2.0], [1.0]) == 0.5
    assert score([], plainly) is None


def report(found: Comparison, out: Path) -> dict[str, Any]:
    made = {"at": "2026-01-01T00:00:00+00:00", "python": "3", "packages": {}, "vocabulary": "", "seed": 0}
    evaluation = Evaluation(Plan(Path("c"), out), made, Census(), (), {}, (found,))
    data, page = write_report(evaluation, out)
    figures: dict[str, Any] = json.loads(data.read_text())
    assert figures == json.loads(json.dumps(figures_of(evaluation)))
    assert page.read_text().count("<section") == 3
    return figures


def test_the_page_shows_names_as_they_are_and_needs_nothing_else(beside: Comparison, tmp_path: Path) -> None:
    report(beside, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "Mine &lt;b&gt;" in page
    assert "x.mid: is &lt;broken&gt;" in page
    assert "<broken>" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/png;base64,") >= 6
    assert "prefers-color-scheme: dark" in page
    assert "$" not in page


def test_figures_that_are_none_are_null(beside: Comparison, tmp_path: Path) -> None:
    unknown = replace(beside.faults, proper=math.nan)
    figures = report(replace(beside, faults=unknown), tmp_path)
    assert figures["sets"][0]["faults"]["proper"] is None


def test_a_place_that_cannot_be_written_is_told_in_a_line(beside: Comparison, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CorpusError, match="cannot write"):
        report(beside, tmp_path / "file")
