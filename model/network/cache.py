"""Keys and values of what has been composed so far, made once and never moved."""

from __future__ import annotations

import torch
from torch import Tensor

from model.network.config import Config


class Cache:
    """Keys and values by layer, shape [B, K, capacity, D].

    A layer is read only where the new tokens may look.

    Attributes:
        length: tokens held.
        capacity: tokens there is room for.
    """

    def __init__(self, config: Config, rows: int, capacity: int, dtype: torch.dtype = torch.float32) -> None:
        shape = (rows, config.kv_heads, capacity, config.head_size)
        self.patterns = [config.layer_pattern(layer) for layer in range(config.layers)]
        self._heads = torch.arange(config.heads)[:, None, None]
        self.keys = [torch.zeros(shape, dtype=dtype) for _ in range(config.layers)]
        self.values = [torch.zeros(shape, dtype=dtype) for _ in range(config.layers)]
        self.length = 0
        self.capacity = capacity
        # Where the music of each row begins, its padding before; None where there is none.
        self._starts: Tensor | None = None

    def pad(self, starts: Tensor) -> None:
        """Let the first tokens of rows stand for nothing, shape [B]: what follows does not see them."""
        self._starts = starts

    def append(self, layer: int, k_BKTD: Tensor, v_BKTD: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Keep new keys and values of a layer; return all that its queries may see.

        Returns:
            Keys and values, shape [B, K, seen, D], and where not every query sees
            them all, the mask, shape [H, T, seen], where heads see the same [T, seen],
            with padded rows [B, H or 1, T, seen].
        """
        new = k_BKTD.shape[2]
        end = self.length + new
        self.keys[layer][:, :, self.length : end] = k_BKTD
        self.values[layer][:, :, self.length : end] = v_BKTD
        pattern = self.patterns[layer]
        start = max(0, self.length + 1 - pattern.stride) if pattern.kind == "window" else 0
        keys, values = self.keys[layer][:, :, start:end], self.values[layer][:, :, start:end]
        if new == 1 and pattern.kind in ("causal", "window") and self._starts is None:
            # All that is read is seen.
            return keys, values, None
        mask = pattern.allowed(torch.arange(self.length, end)[:, None], torch.arange(start, end)[None, :], self._heads)
        if pattern.kind in ("strided", "fixed"):
            read = mask.flatten(0, -2).any(dim=0).nonzero()[:, 0]
            keys, values, mask = keys[:, :, read], values[:, :, read], mask[..., read]
            if new == 1 and pattern.kind == "strided" and self._starts is None:
                return keys, values, None
        else:
            read = torch.arange(end - start)
        if self._starts is not None:
            music = read + start >= self._starts[:, None]
            # Padding sees padding: a query that sees nothing would give no number.
            padding = torch.arange(self.length, end)[None, :] < self._starts[:, None]
            mask = mask.view(-1, *mask.shape[-2:]) & (music[:, None, None, :] | padding[:, None, :, None])
        return keys, values, mask

    def advance(self, tokens: int) -> None:
        """Count tokens that every layer has appended."""
        self.length += tokens

    def keep_rows(self, rows: Tensor) -> None:
        """Keep some rows, in this order (rows may repeat)."""
        self.keys = [k[rows] for k in self.keys]
        self.values = [v[rows] for v in self.values]
        if self._starts is not None:
            self._starts = self._starts[rows]
