"""What tests of several packages share: a small corpus and a checkpoint of an untrained model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from model.learning.corpus import Corpus

# Triton reads it when it is imported: the kernels run in its interpreter, on tensors of the CPU.
os.environ["TRITON_INTERPRET"] = "1"


# What is measured there is pictures and samples in real time: nothing else is to run beside it.
REAL_TIME = ("tests/air/", "tests/streaming/programme/", "tests/streaming/publishing/", "tests/conductor/test_feed.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs alone."""
    for item in items:
        if item.nodeid.startswith(REAL_TIME):
            item.add_marker("realtime")


@pytest.fixture(scope="session")
def midi_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of ten tunes in two styles."""
    from tests.model.making import write_corpus

    return write_corpus(tmp_path_factory.mktemp("midi"))


@pytest.fixture(scope="session")
def built_folder(midi_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tunes as tokens."""
    from model.learning.corpus import build

    out = tmp_path_factory.mktemp("built")
    build(midi_folder, out, processes=1)
    return out


@pytest.fixture(scope="session")
def corpus(built_folder: Path) -> Corpus:
    """The tunes as tokens, opened."""
    from model.learning.corpus import Corpus

    return Corpus(built_folder)


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of an untrained model."""
    import torch

    from model.network.checkpoint import Card, save
    from tests.model.making import SHORT_SIGHTED, lively

    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors"
    save(path, lively(SHORT_SIGHTED), Card(SHORT_SIGHTED, styles={"bach": 5, "folk": 5}))
    return path
