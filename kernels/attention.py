"""Causal attention, in full or over a sliding window.

Shapes: B rows, H heads, T tokens, D head size, N blocks of W tokens.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def causal_attention(q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor, window: int = 0) -> Tensor:
    """Return attended values, shape [B, H, T, D].

    Args:
        q_BHTD: queries.
        k_BHTD: keys, as many heads as queries.
        v_BHTD: values, shaped as the keys.
        window: tokens a query looks back, itself included; 0 for all.
    """
    tokens = q_BHTD.shape[2]
    if window == 0 or window >= tokens:
        return F.scaled_dot_product_attention(q_BHTD, k_BHTD, v_BHTD, is_causal=True)
    pad = -tokens % window
    if pad:
        q_BHTD, k_BHTD, v_BHTD = (F.pad(x, (0, 0, 0, pad)) for x in (q_BHTD, k_BHTD, v_BHTD))
    return _windowed(q_BHTD, k_BHTD, v_BHTD, window)[:, :, :tokens]


def _windowed(q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor, window: int) -> Tensor:
    """Attend in blocks as long as the window: a block sees itself and the one before."""
    B, H, T, D = q_BHTD.shape
    N = T // window

    def as_rows(x_BHNWD: Tensor) -> Tensor:
        return x_BHNWD.transpose(1, 2).flatten(0, 1)

    def with_the_block_before(x_BHTD: Tensor) -> Tensor:
        blocks = x_BHTD.view(B, H, N, window, D)
        before = F.pad(blocks, (0, 0, 0, 0, 1, 0))[:, :, :-1]
        return as_rows(torch.cat([before, blocks], dim=3))

    here = torch.arange(window, 2 * window, device=q_BHTD.device)[:, None]
    there = torch.arange(2 * window, device=q_BHTD.device)[None, :]
    seen = (there <= here) & (here - there < window)
    # Nothing lies before the first block.
    first = seen & (there >= window)
    mask = torch.stack([first, *[seen] * (N - 1)]).repeat(B, 1, 1)[:, None]
    y = F.scaled_dot_product_attention(
        as_rows(q_BHTD.view(B, H, N, window, D)),
        with_the_block_before(k_BHTD),
        with_the_block_before(v_BHTD),
        attn_mask=mask,
    )
    return y.view(B, N, H, window, D).transpose(1, 2).reshape(B, H, T, D)
