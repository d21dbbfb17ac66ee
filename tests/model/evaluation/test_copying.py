"""Verbatim runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.evaluation.copying import Index, find_copying
from model.evaluation.excerpts import Sample, excerpts
from model.gate.shingles import LINES
from model.learning.corpus import Corpus, build
from model.midi import write_midi
from model.notes import Note, Piece
from tests.model.making import tune


def melody(seed: int, notes: int, at_s: float = 0.0, by: int = 0, instrument: str = "violin") -> list[Note]:
    pitches = np.random.default_rng(seed).integers(55, 90, notes)
    return [Note(at_s + n * 0.2, int(p) + by, instrument, 0.15, 80) for n, p in enumerate(pitches)]


@pytest.fixture(name="learned", scope="module")
def _learned(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Ten melodies of 60 notes that the model was trained on."""
    folder = tmp_path_factory.mktemp("learned")
    lines = ["path,style,genre,split,performed"]
    for n in range(10):
        write_midi(Piece(tuple(melody(n, 60))), folder / f"{n}.mid")
        lines.append(f"{n}.mid,folk,folk,train,0")
    write_midi(Piece(tuple(melody(99, 60))), folder / "held-out.mid")
    (folder / "index.csv").write_text("\n".join([*lines, "held-out.mid,folk,folk,valid,0"]))
    build(folder, folder / "built", processes=1)
    return Corpus(folder / "built")


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("by", [0, 5, -4])
def test_a_stretch_of_a_training_piece_is_found_in_any_key_and_named(learned: Corpus, line: str, by: int) -> None:
    taken = melody(3, 40, 10.0, by)[:30]
    whole = Piece(tuple(sorted([*melody(500, 45), *taken, *melody(501, 30, 16.2)])))
    run = Index(learned, line).longest_run(whole, "mine")
    assert 30 <= run.notes <= 31
    assert Path(run.source).name == "3.mid"
    assert run.name == "mine"
    assert 0 < run.share < 0.5


@pytest.mark.parametrize("line", LINES)
def test_other_music_shares_nothing(learned: Corpus, line: str) -> None:
    run = Index(learned, line).longest_run(Piece(tuple(melody(500, 60))))
    assert (run.notes, run.share, run.source) == (0, 0.0, "")


def test_held_out_pieces_are_not_in_the_index(learned: Corpus) -> None:
    assert Index(learned, LINES[0]).longest_run(Piece(tuple(melody(99, 60)))).notes == 0


def test_another_instrument_plays_another_line(learned: Corpus) -> None:
    assert Index(learned, LINES[0]).longest_run(Piece(tuple(melody(3, 60, instrument="flute")))).notes == 0


def test_tremolos_and_scales_are_nobodys(tmp_path: Path) -> None:
    scale = [Note(n * 0.2, 50 + n % 30, "piano", 0.15, 80) for n in range(29)]
    tremolo = [Note(10 + n * 0.2, 60 + n % 2, "piano", 0.15, 80) for n in range(40)]
    piece = Piece((*scale, *tremolo))
    write_midi(piece, tmp_path / "a.mid")
    (tmp_path / "index.csv").write_text("path,style,genre,split,performed\na.mid,folk,folk,train,0")
    build(tmp_path, tmp_path / "built", processes=1)
    run = Index(Corpus(tmp_path / "built"), LINES[0]).longest_run(replace(piece, notes=piece.notes[30:]))
    assert run.notes == 0


def test_a_set_is_summed_up_the_longest_runs_first(learned: Corpus) -> None:
    pieces = [Piece(tuple(melody(n, 20 * n + 13))) for n in range(3)]
    samples = [Sample(f"{n}", "folk", p) for n, p in enumerate(pieces)]
    found = find_copying([e for s in samples for e in excerpts(s, 60.0)], Index(learned, LINES[0]))
    assert found is not None
    assert [run.name for run in found.worst] == ["2", "1", "0"]
    assert found.longest == found.worst[0].notes == 53
    assert found.median == 33
    assert found.share == 1.0
    assert find_copying([], Index(learned, LINES[0])) is None


def test_a_silent_or_short_piece_has_no_run(learned: Corpus) -> None:
    index = Index(learned, LINES[1])
    assert index.longest_run(Piece(())).notes == 0
    assert index.longest_run(tune(1.0)).notes == 0
