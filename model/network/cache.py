"""Keys and values of what has been composed so far, made once and never moved."""

from __future__ import annotations

import torch
from torch import Tensor

from model.network.config import Config


class Cache:
    """Keys and values by layer, shape [B, K, capacity, D].

    A layer with a window is read only where its window reaches.

    Attributes:
        length: tokens held.
        capacity: tokens there is room for.
    """

    def __init__(self, config: Config, rows: int, capacity: int, dtype: torch.dtype = torch.float32) -> None:
        shape = (rows, config.kv_heads, capacity, config.head_size)
        self.windows = [config.layer_window(layer) for layer in range(config.layers)]
        self.keys = [torch.zeros(shape, dtype=dtype) for _ in range(config.layers)]
        self.values = [torch.zeros(shape, dtype=dtype) for _ in range(config.layers)]
        self.length = 0
        self.capacity = capacity

    def append(self, layer: int, k_BKTD: Tensor, v_BKTD: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Keep new keys and values of a layer; return all that its queries may see.

        Returns:
            Keys and values, shape [B, K, seen, D], and the mask [T, seen] for
            several new tokens (None for one).
        """
        new = k_BKTD.shape[2]
        end = self.length + new
        self.keys[layer][:, :, self.length : end] = k_BKTD
        self.values[layer][:, :, self.length : end] = v_BKTD
        window = self.windows[layer]
        start = max(0, self.length + 1 - window) if window else 0
        mask: Tensor | None = None
        if new > 1:
            places = torch.arange(start, end)
            distance = torch.arange(self.length, end)[:, None] - places[None, :]
            mask = distance >= 0
            if window:
                mask &= distance < window
        return self.keys[layer][:, :, start:end], self.values[layer][:, :, start:end], mask

    def advance(self, tokens: int) -> None:
        """Count tokens that every layer has appended."""
        self.length += tokens

    def keep_rows(self, rows: Tensor) -> None:
        """Keep some rows, in this order (rows may repeat)."""
        self.keys = [k[rows] for k in self.keys]
        self.values = [v[rows] for v in self.values]
