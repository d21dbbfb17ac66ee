"""A composer for a benchmark, or why there is none."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from model.composing.composer import Composer
from model.errors import ModelError
from tests.bench.hardware import green


def composer(checkpoint: Path, tests: Sequence[str], threads: int, critic: Path | None = None) -> Composer:
    """Return the composer of a checkpoint.

    Args:
        checkpoint: its weights.
        tests: files of tests; a figure of something broken is worth nothing.
        threads: processor cores for torch.
        critic: its critic; None for the one beside it.

    Raises:
        SystemExit: 1 when the tests are red, 2 without a usable checkpoint.
    """
    if not green(tests):
        print(f"tests are red: nothing is reported ({', '.join(tests)})")
        raise SystemExit(1)
    torch.set_num_threads(threads)
    try:
        return Composer(checkpoint, critic)
    except ModelError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
