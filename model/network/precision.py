"""In which numbers the network computes while it learns and is measured."""

from __future__ import annotations

import torch


def autocast() -> torch.autocast:
    """Return a context in which matrices are multiplied in bfloat16 where the processor can."""
    return torch.autocast("cpu", torch.bfloat16, enabled=torch.ops.mkldnn._is_mkldnn_bf16_supported())
