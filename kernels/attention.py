"""Causal attention, in full or over a sliding window.

Shapes: B rows, H heads, T tokens, S tokens seen, D head size.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor


@lru_cache(maxsize=8)
def window_mask(tokens: int, window: int, device: torch.device) -> Tensor:
    """Return where each token may look, True where allowed, shape [T, T].

    Args:
        tokens: length of the sequence.
        window: tokens a query looks back, itself included; 0 for all.
        device: where to make it.
    """
    places = torch.arange(tokens, device=device)
    distance = places[:, None] - places[None, :]
    mask = distance >= 0
    return mask & (distance < window) if window else mask


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
    mask = window_mask(tokens, window, q_BHTD.device)
    return F.scaled_dot_product_attention(q_BHTD, k_BHTD, v_BHTD, attn_mask=mask)
