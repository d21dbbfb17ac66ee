"""The replay store: it only grows, it belongs to a corpus, and what is cut off is composed again."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from model.critic.excerpts import of_piece
from model.critic.replay import Store, fill
from model.critic.spans import excerpt_of, settled
from model.errors import ComposingCancelledError, CorpusError
from model.language.vocabulary import VOCABULARY
from model.learning.corpus import Corpus
from model.network.checkpoint import fingerprint
from tests.model.critic.making import split_corpus


@pytest.fixture(name="filled", scope="module")
def _filled(tunes: Corpus, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    composed = fill(Store(folder, tunes), [tiny_checkpoint], tunes, 12, candidates=2, longest_s=20.0)
    assert composed > 100
    return folder


def facts(store: Store) -> list[tuple[object, ...]]:
    return [
        (g.batch, g.candidate, g.source, g.temperature, g.prompt_tokens, g.tokens.tolist()) for g in store.generations
    ]


def test_it_says_how_each_piece_came_about(filled: Path, tunes: Corpus, tiny_checkpoint: Path) -> None:
    found = Store(filled, tunes).generations
    assert len(found) == 12
    assert {g.checkpoint for g in found} == {fingerprint(tiny_checkpoint)}
    assert all(0.9 <= g.temperature <= 1.1 for g in found)
    assert len({g.temperature for g in found}) == 6
    assert {tunes.rows[g.source].split for g in found} == {"train", "valid", "test"}
    for g in found:
        assert g.header.style == tunes.rows[g.source].style
        assert g.header.tempo_bpm == 120.0
        assert g.tokens[-1] == VOCABULARY.end
        assert g.ends
    assert 0 < sum(g.prompt_tokens > 0 for g in found) < 12


def test_a_prompt_is_the_opening_of_its_source(filled: Path, tunes: Corpus) -> None:
    prompted = [g for g in Store(filled, tunes).generations if g.prompt_tokens]
    assert prompted
    for g in prompted:
        row = tunes.rows[g.source]
        real = settled(of_piece(tunes, row, 0, row.ticks)).music.tokens(row.ticks, ends=False)
        opening = g.tokens[: g.prompt_tokens].tolist()
        notes = [t for t in opening if VOCABULARY.velocity_of[t] > 0]
        assert notes == [t for t in real.tolist() if VOCABULARY.velocity_of[t] > 0][: len(notes)]
        assert len(notes) >= 4
        assert excerpt_of(g.span).prompt_ticks > 0


def test_stopped_and_gone_on_it_is_the_same(filled: Path, tunes: Corpus, tiny_checkpoint: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", tunes)
    steps = 0

    def cancelled() -> bool:
        nonlocal steps
        steps += 1
        return steps > 500 and len(store) >= 4

    with pytest.raises(ComposingCancelledError):
        fill(store, [tiny_checkpoint], tunes, 12, candidates=2, longest_s=20.0, cancelled=cancelled)
    had = len(store)
    assert 4 <= had < 12
    # A kill in the middle of a line.
    with (tmp_path / "store" / "generations.jsonl").open("a") as file:
        file.write('{"prompt_tokens": 3, "ends"')
    again = Store(tmp_path / "store", tunes)
    assert len(again) == had
    fill(again, [tiny_checkpoint], tunes, 12, candidates=2, longest_s=20.0)
    assert facts(again) == facts(Store(filled, tunes))


def test_checkpoints_compose_in_turns(tunes: Corpus, tiny_checkpoint: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    shutil.copy(tiny_checkpoint, other)
    store = Store(tmp_path / "store", tunes)
    told: list[float] = []
    fill(store, [tiny_checkpoint, other], tunes, 2, candidates=1, longest_s=20.0, progress=told.append)
    assert [g.batch for g in store.generations] == [0, 1]
    assert told == sorted(told)
    assert 0 < told[-1] <= 1


def test_it_is_refused_for_another_corpus(filled: Path, tmp_path: Path) -> None:
    other = split_corpus(tmp_path, pieces=6)
    with pytest.raises(CorpusError, match="made from another corpus or vocabulary"):
        Store(filled, other)


def test_a_damaged_store_is_said(filled: Path, tunes: Corpus, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    shutil.copytree(filled, folder)
    lines = (folder / "generations.jsonl").read_text().splitlines()
    (folder / "generations.jsonl").write_text("\n".join(["{}", *lines]) + "\n")
    with pytest.raises(CorpusError, match="damaged"):
        Store(folder, tunes)


def test_a_place_that_cannot_be_written_is_said(tunes: Corpus, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CorpusError, match="cannot keep generations there"):
        Store(tmp_path / "file" / "store", tunes)


def test_it_is_tamed_music_that_is_kept_by_every_reader(filled: Path, tunes: Corpus) -> None:
    for g in Store(filled, tunes).generations:
        music = settled(excerpt_of(g.span)).music
        assert (np.diff(music.onsets) >= 0).all()
        assert (music.offsets - music.onsets).max() <= 500 + 80
