"""The small index of the training music."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import CheckpointError
from model.evaluation.copying import Index
from model.gate.columns import columns
from model.gate.gate import LONGEST_RUN, Gate, index_of
from model.gate.index import ERROR_NOTES, WINDOW, CopyIndex, winnow
from model.gate.shingles import LINES
from model.language.vocabulary import VOCABULARY
from model.learning.corpus import Corpus, build
from model.midi import write_midi
from model.notes import Note, Piece
from tests.model.gate.planting import copy
from tests.model.making import tune


def melody(seed: int, notes: int = 120) -> Piece:
    pitches = np.random.default_rng(seed).integers(55, 90, notes)
    return Piece(tuple(Note(n * 0.2, int(p), "violin", 0.15, 80) for n, p in enumerate(pitches)))


@pytest.fixture(name="learned", scope="module")
def _learned(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Twelve melodies to learn, and one that is held out."""
    folder = tmp_path_factory.mktemp("learned")
    lines = ["path,style,genre,split,performed"]
    for n in range(13):
        write_midi(melody(n), folder / f"air-{n}.mid")
        lines.append(f"air-{n}.mid,folk,folk,{'valid' if n == 12 else 'train'},0")
    (folder / "index.csv").write_text("\n".join(lines))
    build(folder, folder / "built", processes=1)
    return Corpus(folder / "built")


@pytest.fixture(name="index", scope="module")
def _index(learned: Corpus, tmp_path_factory: pytest.TempPathFactory) -> CopyIndex:
    """Their index, as it is read from a file."""
    path = tmp_path_factory.mktemp("index") / "music.npz"
    CopyIndex.of(learned).save(path)
    return CopyIndex.load(path)


@given(st.lists(st.integers(0, 50), min_size=WINDOW, max_size=200))
@settings(max_examples=100, deadline=None)
def test_of_every_thirteen_in_a_row_one_is_kept(values: list[int]) -> None:
    kept = winnow(np.array(values, np.uint64))
    assert (np.diff(kept) > 0).all()
    assert kept[0] < WINDOW
    assert kept[-1] >= len(values) - WINDOW
    assert (np.diff(kept) <= WINDOW).all()


@given(st.integers(0, 10_000), st.integers(WINDOW, 100))
@settings(max_examples=50, deadline=None)
def test_a_common_stretch_keeps_the_same_ones_wherever_it_stands(seed: int, common: int) -> None:
    rng = np.random.default_rng(seed)
    stretch, here, there = (rng.integers(0, 2**63, n, np.uint64) for n in (common, 40, 70))
    in_one = {n - 40 for n in winnow(np.concatenate([here, stretch, there])) if 40 <= n < 40 + common}
    in_other = {n - 70 for n in winnow(np.concatenate([there, stretch, here])) if 70 <= n < 70 + common}
    inner = {n for n in in_one if WINDOW - 1 <= n <= common - WINDOW}
    assert in_one & in_other
    assert inner <= in_other


def test_fewer_than_a_window_keep_one_and_none_keep_none() -> None:
    assert winnow(np.array([5, 3, 9], np.uint64)).tolist() == [1]
    assert winnow(np.zeros(0, np.uint64)).tolist() == []


@pytest.mark.parametrize("notes", [40, 60, 80])
@pytest.mark.parametrize("by", [0, 3, -5])
def test_a_run_is_as_long_as_it_is_less_what_is_stated(index: CopyIndex, learned: Corpus, notes: int, by: int) -> None:
    piece = copy(tune(60.0), melody(4), notes, by=by)
    for line in LINES:
        exact = Index(learned, line).longest_run(piece).notes
        found = index.longest_in(columns(piece), line)
        assert notes - 1 <= exact <= notes + 1
        assert exact - ERROR_NOTES <= found.notes <= exact
        assert found.source == "air-4"
        assert 23.9 <= found.start_s < found.stop_s <= 24.0 + 0.2 * notes


def test_held_out_and_other_music_has_no_run(index: CopyIndex) -> None:
    for piece in (melody(12), melody(99), tune(60.0), Piece(()), tune(1.0)):
        found = index.longest(columns(piece))
        assert (found.notes, found.source) == (0, "")


def test_the_gate_refuses_a_copy_but_not_a_given_one(index: CopyIndex) -> None:
    gate = Gate(index)
    longest = max(LONGEST_RUN.values()) + ERROR_NOTES + 2
    piece = copy(tune(60.0), melody(4), longest)
    (refusal,) = gate.refusals(piece)
    assert refusal.kind == "copying"
    assert re.fullmatch(r"copies \d\d notes in a row of air-4 from 0:2\d on \(.*\)", refusal.reason)
    assert gate.refusals(piece, prompt_s=30.0 + 0.2 * longest) == ()
    assert gate.refusals(piece, given=[n for n in piece.notes if n.duration_s == pytest.approx(0.15)]) == ()
    assert gate.refusals(copy(tune(60.0), melody(4), 20)) == ()


def test_a_copy_with_slips_is_refused(index: CopyIndex) -> None:
    notes = [replace(n, pitch=n.pitch + (k % 36 == 35)) for k, n in enumerate(melody(4).notes)]
    (refusal,) = Gate(index).refusals(Piece(tuple(notes)))
    assert refusal.kind == "copying"


def test_a_file_gives_back_the_index_it_was_written_from(learned: Corpus, index: CopyIndex) -> None:
    made = CopyIndex.of(learned)
    assert np.array_equal(made.keys, index.keys)
    assert np.array_equal(made.rows, index.rows)
    assert made.names == index.names == tuple(f"air-{n}" for n in range(12))
    assert len(made.keys) > 100
    assert (np.diff(made.keys.astype(np.int64)) > 0).all()


def test_two_bytes_reach_from_any_key_to_the_next(tmp_path: Path) -> None:
    keys = np.array([0, 1, 65534, 65535, 200_000, 2**32 - 1], np.uint32)
    CopyIndex(keys, np.arange(6, dtype=np.uint16), ("a",)).save(tmp_path / "i.npz")
    read = CopyIndex.load(tmp_path / "i.npz")
    assert read.keys.tolist() == keys.tolist()
    assert read.rows.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_file_that_is_no_index_is_refused_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match="no such index"):
        CopyIndex.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no")
    with pytest.raises(CheckpointError, match="not an index of training music"):
        CopyIndex.load(tmp_path / "text.npz")
    path = tmp_path / "i.npz"
    CopyIndex(np.zeros(1, np.uint32), np.zeros(1, np.uint16), ()).save(path)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(CheckpointError, match="not an index of training music"):
        CopyIndex.load(path)
    monkeypatch.setattr(VOCABULARY, "hash", "another")
    CopyIndex(np.zeros(1, np.uint32), np.zeros(1, np.uint16), ()).save(path)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="another vocabulary"):
        CopyIndex.load(path)


def test_a_gate_takes_the_index_that_lies_beside_the_weights(index: CopyIndex, tmp_path: Path) -> None:
    weights = tmp_path / "small.safetensors"
    assert Gate.of(weights).index is None
    index.save(index_of(weights))
    beside = Gate.of(weights).index
    assert beside is not None
    assert len(beside.keys) == len(index.keys)
