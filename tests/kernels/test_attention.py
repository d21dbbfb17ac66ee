"""Causal attention against a plain reference in float64, gradients too."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from kernels.attention import causal_attention

torch.set_num_threads(1)
# (rows, heads, tokens, head size, window)
SHAPES = [
    *[(1, 1, 1, 8, 0), (2, 3, 17, 16, 0)],
    *[(2, 2, 33, 8, 5), (1, 2, 40, 24, 1), (2, 1, 24, 8, 8), (1, 1, 12, 8, 12), (1, 1, 12, 8, 99)],
]


def reference(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    """One query at a time: softmax of q k / sqrt(D) over what it may see."""
    rows, heads, tokens, size = q.shape
    out = torch.zeros_like(q)
    for t in range(tokens):
        first = max(0, t + 1 - window) if window else 0
        scores = (k[:, :, first : t + 1] * q[:, :, t : t + 1]).sum(-1) / math.sqrt(size)
        weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
        out[:, :, t] = (weights[..., None] * v[:, :, first : t + 1]).sum(-2)
    assert out.shape == (rows, heads, tokens, size)
    return out


def inputs(shape: tuple[int, int, int, int, int], dtype: torch.dtype) -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(shape[:4], dtype=torch.float64).to(dtype).requires_grad_() for _ in range(3)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
def test_it_is_the_reference_and_so_are_its_gradients(
    shape: tuple[int, int, int, int, int], dtype: torch.dtype, tolerance: float
) -> None:
    ours = inputs(shape, dtype)
    exact = [x.detach().double().requires_grad_() for x in ours]
    (q, k, v), (q_exact, k_exact, v_exact), window = ours, exact, shape[4]
    y, expected = causal_attention(q, k, v, window), reference(q_exact, k_exact, v_exact, window)
    torch.testing.assert_close(y.double(), expected, atol=tolerance, rtol=tolerance)
    torch.manual_seed(1)
    upstream = torch.randn_like(expected)
    found = torch.autograd.grad(y, ours, upstream.to(dtype))
    wanted = torch.autograd.grad(expected, exact, upstream)
    for gradient, right in zip(found, wanted, strict=True):
        torch.testing.assert_close(gradient.double(), right, atol=3 * tolerance, rtol=3 * tolerance)


@pytest.mark.parametrize("window", [0, 4])
def test_what_it_may_not_see_changes_nothing(window: int) -> None:
    q, k, v = (x.detach() for x in inputs((1, 2, 16, 8, 0), torch.float32))
    before = causal_attention(q, k, v, window)
    # Wild values at places 10 and later, and (where there is a window) before place 6.
    k[:, :, 10:], v[:, :, 10:] = 1e4, 1e4
    seen = slice(0, 10)
    if window:
        k[:, :, :6], v[:, :, :6] = 1e4, 1e4
        seen = slice(9, 10)
    torch.testing.assert_close(causal_attention(q, k, v, window)[:, :, seen], before[:, :, seen], atol=0, rtol=0)
