"""Checkpoints come back as they were saved, or are refused in a line."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from model.errors import CheckpointError
from model.network.checkpoint import Card, fingerprint, load, read_card, save
from tests.model.making import SHORT_SIGHTED, lively

CARD = Card(SHORT_SIGHTED, steps=7, tokens=900, loss=3.5, bits_per_note=12.25, styles={"bach": 3, "folk": 1})


@contextmanager
def disk_full_after(byte_count: int) -> Iterator[None]:
    """No file may grow past a size: writing beyond it fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (byte_count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def rewritten(path: Path, **changes: Any) -> Path:
    """Change what a checkpoint says of itself; None takes a word out."""
    with safe_open(str(path), framework="pt") as file:
        facts = json.loads(file.metadata()["card"])
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no mapping
    facts = {key: value for key, value in {**facts, **changes}.items() if value is not None}
    save_file(weights, str(path), metadata={"card": json.dumps(facts)})
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "some.safetensors"
    save(path, lively(SHORT_SIGHTED), CARD)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    return text


def test_what_was_saved_is_loaded(path: Path) -> None:
    model, card = load(path)
    assert card == CARD == read_card(path)
    assert not model.training
    saved, loaded = lively(SHORT_SIGHTED).state_dict(), model.state_dict()
    assert saved.keys() == loaded.keys()
    for name, weight in saved.items():
        # Kept as bfloat16, which has 8 significant bits.
        torch.testing.assert_close(loaded[name], weight, rtol=2**-8, atol=0)


def test_it_is_loaded_in_the_precision_asked_for(path: Path) -> None:
    assert {w.dtype for w in load(path, torch.bfloat16)[0].parameters()} == {torch.bfloat16}


def test_a_fingerprint_tells_checkpoints_apart(path: Path, tmp_path: Path) -> None:
    shutil.copy(path, tmp_path / "copy")
    assert fingerprint(path) == fingerprint(tmp_path / "copy")
    save(tmp_path / "other", lively(SHORT_SIGHTED, seed=1), CARD)
    assert fingerprint(path) != fingerprint(tmp_path / "other")


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    save(tmp_path / "new" / "one.safetensors", lively(SHORT_SIGHTED), CARD)
    assert read_card(tmp_path / "new" / "one.safetensors") == CARD


def test_a_full_disk_keeps_the_old_one_and_leaves_no_rest(path: Path) -> None:
    before = path.read_bytes()
    with disk_full_after(len(before) // 2), pytest.raises(CheckpointError, match="cannot write the checkpoint"):
        save(path, lively(SHORT_SIGHTED, seed=1), CARD)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="cannot write the checkpoint"):
        save(tmp_path / "file" / "one.safetensors", lively(SHORT_SIGHTED), CARD)


class TestWhatCannotBeLoadedIsRefusedInALine:
    def test_no_file(self, tmp_path: Path) -> None:
        assert "no such checkpoint" in refusal(tmp_path / "none.safetensors")

    def test_a_folder(self, tmp_path: Path) -> None:
        assert "not a checkpoint" in refusal(tmp_path)

    @pytest.mark.parametrize("kept", [0, 4, 300, 100_000])
    def test_a_file_that_was_cut_off(self, path: Path, kept: int) -> None:
        path.write_bytes(path.read_bytes()[:kept])
        assert "not a checkpoint of this program, or a broken one" in refusal(path)

    def test_a_file_of_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(b"MThd" * 1000)
        assert "not a checkpoint" in refusal(tmp_path / "x")

    def test_weights_without_a_card(self, tmp_path: Path) -> None:
        save_file({"weight": torch.zeros(3)}, str(tmp_path / "x"))
        assert "not a checkpoint" in refusal(tmp_path / "x")

    @pytest.mark.parametrize("missing", ["vocabulary", "config"])
    def test_a_card_without_what_is_needed(self, path: Path, missing: str) -> None:
        assert "not a checkpoint" in refusal(rewritten(path, **{missing: None}))

    def test_a_card_with_words_of_another_version(self, path: Path) -> None:
        assert "not a checkpoint" in refusal(rewritten(path, mood="merry"))

    def test_another_vocabulary(self, path: Path) -> None:
        assert "another vocabulary" in refusal(rewritten(path, vocabulary="0" * 64))

    def test_a_shape_that_its_weights_do_not_have(self, path: Path) -> None:
        assert "do not fit" in refusal(rewritten(path, config={**SHORT_SIGHTED.as_dict(), "width": 128}))

    def test_weights_that_are_no_numbers(self, tmp_path: Path) -> None:
        model = lively(SHORT_SIGHTED)
        with torch.no_grad():
            next(model.parameters())[0] = float("nan")
        save(tmp_path / "x", model, CARD)
        assert "not numbers" in refusal(tmp_path / "x")
