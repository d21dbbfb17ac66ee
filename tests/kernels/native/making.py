"""A small decoder with random weights, and what it must compute, in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.native.engine import LayerWeights, Shape, Tables

SHAPE = Shape(
    width=64, heads=6, kv_heads=2, head_size=32, hidden=128, vocabulary=77, windows=(0, 5, 40), tables=2, features=9
)
ROWS = 30


def weights(shape: Shape, seed: int = 0) -> tuple[list[LayerWeights], Tables]:
    """Return weights that all matter."""
    rng = np.random.default_rng(seed)
    c, size = shape.width, shape.heads * shape.head_size

    def normal(*of: int, scale: float = 1.0) -> Any:
        return (scale * rng.standard_normal(of)).astype(np.float32)

    def matrix(out: int, inputs: int) -> Any:
        return normal(out, inputs, scale=inputs**-0.5)

    layers = [
        LayerWeights(
            normal(c, scale=0.3),
            1 + normal(c, scale=0.2),
            matrix(size + 2 * shape.kv_heads * shape.head_size, c),
            matrix(c, size),
            1 + normal(c, scale=0.2),
            matrix(2 * shape.hidden, c),
            matrix(c, shape.hidden),
        )
        for _ in shape.windows
    ]
    return layers, Tables(
        normal(ROWS, c), normal(shape.features, c), 1 + normal(c, scale=0.2), matrix(shape.vocabulary, c)
    )


def _normed(x: NDArray[np.float64]) -> NDArray[np.float64]:
    out: NDArray[np.float64] = x / np.sqrt((x**2).mean(-1, keepdims=True) + np.finfo(np.float32).eps)
    return out


def _turned(x: NDArray[np.float64], position: int) -> NDArray[np.float64]:
    half = x.shape[-1] // 2
    angles = position * 10000.0 ** (-np.arange(half) / half)
    first, second = x[..., :half], x[..., half:]
    return np.concatenate(
        [first * np.cos(angles) - second * np.sin(angles), first * np.sin(angles) + second * np.cos(angles)], -1
    )


def expected(
    shape: Shape, layers: list[LayerWeights], tables: Tables, indices: NDArray[Any], features: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return logits [T, V] and normed stream [T, C] of one sequence, token by token, head by head."""
    embedded = [
        sum(tables.stacked[i].astype(float) for i in row) + f.astype(float) @ tables.features.astype(float)
        for row, f in zip(indices, features, strict=True)
    ]
    stream = [e.copy() for e in embedded]
    group, size = shape.heads // shape.kv_heads, shape.head_size
    for window, layer in zip(shape.windows, layers, strict=True):
        w = LayerWeights(*(x.astype(float) for x in layer))
        keys: list[NDArray[np.float64]] = []
        values: list[NDArray[np.float64]] = []
        for t, x in enumerate(stream):
            x += w.again * embedded[t]
            qkv = (w.qkv @ (_normed(x) * w.attention_norm)).reshape(-1, size)
            q = _turned(_normed(qkv[: shape.heads]), t)
            keys.append(_turned(_normed(qkv[shape.heads : shape.heads + shape.kv_heads]), t))
            values.append(qkv[shape.heads + shape.kv_heads :])
            first = max(0, t + 1 - window) if window else 0
            heard = []
            for h in range(shape.heads):
                scores = np.array([q[h] @ k[h // group] for k in keys[first:]]) / math.sqrt(size)
                chances = np.exp(scores - scores.max())
                heard.append((chances / chances.sum()) @ np.array([v[h // group] for v in values[first:]]))
            x += w.out @ np.concatenate(heard)
            gate, up = np.split(w.gate_up @ (_normed(x) * w.feed_forward_norm), 2)
            x += w.down @ (gate / (1 + np.exp(-gate)) * up)
    last = _normed(np.array(stream)) * tables.norm
    return last @ tables.output.T.astype(float), last
