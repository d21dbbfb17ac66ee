"""Drawing tokens in C++: what `kernels.decoding.sampling` promises, in a part of its time."""

from __future__ import annotations

import torch
from torch import Tensor

from kernels.native.library import library


def can_draw(logits_NV: Tensor) -> bool:
    """Return whether there is compiled code that takes these logits."""
    return logits_NV.dtype == torch.float32 and logits_NV.is_contiguous() and library() is not None


def draw(
    logits_NV: Tensor, allowed_NW: Tensor, rows_N: Tensor, rules_NR: Tensor, seed: int, step: int
) -> tuple[Tensor, Tensor]:
    """Draw a token for each row; see `kernels.decoding.sampling.sample`, which checks what comes here."""
    compiled = library()
    assert compiled is not None
    count, vocabulary = logits_NV.shape
    tokens_N, nats_N = torch.empty(count, dtype=torch.int64), torch.empty(count)
    given = (x.data_ptr() for x in (logits_NV, allowed_NW, rows_N, rules_NR))
    compiled.sample(count, vocabulary, *given, seed, step, tokens_N.data_ptr(), nats_N.data_ptr())
    return tokens_N, nats_N


def log_sum_exp(logits_NV: Tensor, allowed_NW: Tensor) -> Tensor:
    """Return the log of the summed exponentials of what is allowed; see `kernels.decoding.sampling.log_sum_exp`."""
    compiled = library()
    assert compiled is not None
    count, vocabulary = logits_NV.shape
    out_N = torch.empty(count)
    compiled.log_sum_exp(count, vocabulary, logits_NV.data_ptr(), allowed_NW.data_ptr(), out_N.data_ptr())
    return out_N
