"""What the critic's tests share: tunes in three splits."""

from __future__ import annotations

import pytest
import torch

from model.learning.corpus import Corpus
from tests.model.critic.making import split_corpus

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tunes(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Thirty tunes in two styles and three splits."""
    return split_corpus(tmp_path_factory.mktemp("tunes"))
