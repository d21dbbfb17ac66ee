"""Shapes of the model, by name."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from kernels.attention.patterns import CAUSAL, Pattern

# What the layers that do not look back over the whole context see; "alternate" is strided and fixed by turns.
SPARSE = ("window", "strided", "fixed", "alternate")
# Of each earlier block, "fixed" sees one column in so many.
SUMMARISED = 16


@dataclass(frozen=True, slots=True)
class Config:
    """The shape of a transformer.

    Attributes:
        layers: blocks.
        width: size of the residual stream.
        heads: query heads; width / heads is the head size.
        kv_heads: key and value heads, shared among the query heads.
        context: tokens the model was made for.
        window: tokens that most layers look back in full; 0 for all.
        full_every: every n-th layer looks back over the whole context.
        hidden: width of the feed-forward layers.
        sparse: what those layers see besides: "window": nothing; "strided", "fixed":
            the patterns of the Sparse Transformer, with the window as stride;
            "alternate": strided and fixed by turns.
    """

    layers: int
    width: int
    heads: int
    kv_heads: int
    context: int
    window: int
    full_every: int
    hidden: int
    sparse: str = "window"

    def __post_init__(self) -> None:
        if self.sparse not in SPARSE:
            raise ValueError(f"sparse: {self.sparse!r} is no pattern; there are {', '.join(SPARSE)}")

    @property
    def head_size(self) -> int:
        """Size of a head."""
        return self.width // self.heads

    def layer_window(self, layer: int) -> int:
        """Return how far layer `layer` (from 0) looks back; 0 for the whole context, if only here and there."""
        return self.window if self.layer_pattern(layer).kind == "window" else 0

    def layer_pattern(self, layer: int) -> Pattern:
        """Return what a token sees in layer `layer` (from 0)."""
        if self.window == 0 or (layer + 1) % self.full_every == 0:
            return CAUSAL
        kind = self.sparse
        if kind == "alternate":
            # Full layers stand between: counted are the sparse ones.
            kind = ("strided", "fixed")[(layer - layer // self.full_every) % 2]
        if kind == "fixed":
            # A divisor of the window, whatever the window is.
            return Pattern("fixed", self.window, math.gcd(self.window, max(1, self.window // SUMMARISED)))
        if kind == "strided":
            return Pattern("strided", self.window)
        return Pattern("window", self.window)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, without what older checkpoints do not know and take for granted."""
        fields = asdict(self)
        if self.sparse == "window":
            del fields["sparse"]
        return fields


# fmt: off
PRESETS: dict[str, Config] = {
    # for tests: milliseconds
    "tiny":    Config(layers=2, width=64, heads=2, kv_heads=1, context=256, window=64, full_every=2, hidden=128),
    # shipped: what trains in hours on two CPU cores and composes ahead of playback
    "small":   Config(layers=6, width=384, heads=3, kv_heads=1, context=2048, window=256, full_every=3, hidden=1024),
    # for a workstation: a day on a good GPU
    "base":    Config(layers=16, width=768, heads=12, kv_heads=4, context=4096, window=512, full_every=4, hidden=2048),
    # for several: strided and fixed layers by turns
    "large":   Config(layers=36, width=1280, heads=20, kv_heads=4, context=4096, window=256, full_every=4, hidden=3456,
                      sparse="alternate"),
    # MuseNet's own shape: 72 layers, 24 heads, 4096 tokens in full
    "musenet": Config(layers=72, width=1536, heads=24, kv_heads=24, context=4096, window=0, full_every=1, hidden=4096),
}
# fmt: on
