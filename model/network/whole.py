"""Files that are whole or not there: written beside their place, then swapped in."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield where to write a file; when that is done it takes its place, until then the old one stays.

    Args:
        path: its place; the folder is made if missing.
    """
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def write_weights(path: Path, module: nn.Module, name: str, facts: dict[str, Any]) -> None:
    """Write a module's weights (bfloat16) and what they say of themselves as safetensors.

    Args:
        path: the file.
        module: whose weights.
        name: of the facts among the file's metadata.
        facts: plain values.
    """
    weights = {key: value.detach().to(torch.bfloat16).contiguous() for key, value in module.state_dict().items()}
    with whole(path) as partial:
        save_file(weights, str(partial), metadata={name: json.dumps(facts)})
