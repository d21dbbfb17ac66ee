"""Attention over a pattern in plain torch, as fast as the CPU's own attention allows.

Shapes: B rows, H heads, T tokens, D head size, N blocks of W tokens, S summaries.

All but *strided* come down to one call of torch's attention, which autograd and
torch.compile know. The two parts of *strided* count their tokens differently:
each is attended to on its own and the two are merged by their log-sum-exp.
Backward, torch's own gradient is given the output and the log-sum-exp of both,
from which it makes the probabilities again: the gradients of the parts add up.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.attention.patterns import Pattern

__all__ = ["attention_cpu"]

flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def attention_cpu(q_BHTD: Tensor, k_BKTD: Tensor, v_BKTD: Tensor, pattern: Pattern) -> Tensor:
    """Return attended values, shape [B, H, T, D].

    Args:
        q_BHTD: queries.
        k_BKTD: keys; K divides H.
        v_BKTD: values, shaped as the keys.
        pattern: what a query sees; shorter than the tokens, or causal.
    """
    tokens, stride = q_BHTD.shape[2], pattern.stride
    if pattern.kind == "causal":
        k_BHTD, v_BHTD = (_for_each_head(x, q_BHTD) for x in (k_BKTD, v_BKTD))
        return F.scaled_dot_product_attention(q_BHTD, k_BHTD, v_BHTD, is_causal=True)
    pad = -tokens % stride
    if pad:
        q_BHTD, k_BKTD, v_BKTD = (F.pad(x, (0, 0, 0, pad)) for x in (q_BHTD, k_BKTD, v_BKTD))
    if pattern.kind == "fixed":
        y_BHTD = _fixed(q_BHTD, k_BKTD, v_BKTD, stride, pattern.summary)
    else:
        k_BHTD, v_BHTD = (_for_each_head(x, q_BHTD) for x in (k_BKTD, v_BKTD))
        if pattern.kind == "window":
            y_BHTD = _windowed(q_BHTD, k_BHTD, v_BHTD, stride)
        else:
            y_BHTD = _Strided.apply(q_BHTD, k_BHTD, v_BHTD, stride)  # type: ignore[no-untyped-call]
    return y_BHTD[:, :, :tokens]


def _for_each_head(x_BKTD: Tensor, q_BHTD: Tensor) -> Tensor:
    """Return keys or values of each query head, shape [B, H, T, D]."""
    return x_BKTD.repeat_interleave(q_BHTD.shape[1] // x_BKTD.shape[1], dim=1)


def _as_rows(x_BHTD: Tensor, window: int) -> Tensor:
    """Return blocks as rows, shape [B * N, H, W, D]."""
    B, H, T, D = x_BHTD.shape
    return x_BHTD.reshape(B, H, T // window, window, D).transpose(1, 2).flatten(0, 1)


def _from_rows(x: Tensor, rows: int) -> Tensor:
    """Return tokens of rows [B * N, H, W, ...] in their order, shape [B, H, T, ...]."""
    return x.view(rows, -1, *x.shape[1:]).transpose(1, 2).flatten(2, 3)


def _with_the_block_before(x_BHTD: Tensor, window: int) -> Tensor:
    """Return blocks behind those before them as rows, shape [B * N, H, 2 W, D]."""
    B, H, T, D = x_BHTD.shape
    blocks = x_BHTD.reshape(B, H, T // window, window, D)
    before = F.pad(blocks, (0, 0, 0, 0, 1, 0))[:, :, :-1]
    return torch.cat([before, blocks], dim=3).transpose(1, 2).flatten(0, 1)


def _window_mask(rows: int, blocks: int, window: int, device: torch.device) -> Tensor:
    """Return what a block sees of the block before and of itself, shape [B * N, 1, W, 2 W]."""
    here = torch.arange(window, 2 * window, device=device)[:, None]
    there = torch.arange(2 * window, device=device)[None, :]
    seen = (there <= here) & (here - there < window)
    # Nothing lies before the first block.
    first = seen & (there >= window)
    return torch.stack([first, *[seen] * (blocks - 1)]).repeat(rows, 1, 1)[:, None]


def _windowed(q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor, window: int) -> Tensor:
    """Attend in blocks as long as the window: a block sees itself and the one before."""
    B, _, T, _ = q_BHTD.shape
    y = F.scaled_dot_product_attention(
        _as_rows(q_BHTD, window),
        _with_the_block_before(k_BHTD, window),
        _with_the_block_before(v_BHTD, window),
        attn_mask=_window_mask(B, T // window, window, q_BHTD.device),
    )
    return _from_rows(y, B)


def _fixed(q_BHTD: Tensor, k_BKTD: Tensor, v_BKTD: Tensor, stride: int, summary: int) -> Tensor:
    """Attend in blocks: a block sees the summaries of those before it and itself."""
    B, H, T, D = q_BHTD.shape
    N, slots, group = T // stride, stride // summary, H // k_BKTD.shape[1]
    heads = torch.arange(H, device=q_BHTD.device)
    own_slot = heads // group * slots + slots - 1 - heads % slots

    def with_summaries(x_BKTD: Tensor) -> Tensor:
        pieces = x_BKTD.reshape(B, -1, N, slots, summary, D).transpose(2, 3).flatten(1, 2)
        summaries_BHSD = pieces.index_select(1, own_slot).flatten(2, 3)
        own = _as_rows(_for_each_head(x_BKTD, q_BHTD), stride)
        shared = summaries_BHSD[:, None].expand(B, N, H, N * summary, D).flatten(0, 1)
        return torch.cat([shared, own], dim=2)

    block = torch.arange(N, device=q_BHTD.device)
    place = torch.arange(stride, device=q_BHTD.device)
    earlier = (block[None, :] < block[:, None]).repeat_interleave(summary, dim=1)
    mask = torch.cat(
        [
            earlier[:, None, :].expand(N, stride, N * summary),
            (place[None, :] <= place[:, None]).expand(N, stride, stride),
        ],
        dim=2,
    )
    y = F.scaled_dot_product_attention(
        _as_rows(q_BHTD, stride),
        with_summaries(k_BKTD),
        with_summaries(v_BKTD),
        attn_mask=mask.repeat(B, 1, 1)[:, None],
    )
    return _from_rows(y, B)


class _Strided(torch.autograd.Function):
    """The last `stride` tokens and every stride-th before; T is a multiple of it and longer."""

    @staticmethod
    def forward(ctx: Any, q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor, stride: int) -> Tensor:
        B = q_BHTD.shape[0]
        local, local_lse = flash(*_near(q_BHTD, k_BHTD, v_BHTD, stride), attn_mask=_near_mask(q_BHTD, stride))
        far, far_lse = flash(*_far(q_BHTD, k_BHTD, v_BHTD, stride), 0.0, True)
        y_BHTD, lse_BHT = _from_rows(local, B), _from_rows(local_lse, B)
        # The first block has nothing behind its window.
        far_BHTD, far_BHT = _from_lanes(far, B), _from_lanes(far_lse, B)
        near_BHT = lse_BHT[:, :, stride:]
        both_BHT = torch.logaddexp(near_BHT, far_BHT)
        rest = y_BHTD[:, :, stride:] * (near_BHT - both_BHT).exp()[..., None]
        rest = rest + far_BHTD * (far_BHT - both_BHT).exp()[..., None]
        y_BHTD = torch.cat([y_BHTD[:, :, :stride], rest.to(y_BHTD.dtype)], dim=2)
        lse_BHT = torch.cat([lse_BHT[:, :, :stride], both_BHT], dim=2)
        ctx.save_for_backward(q_BHTD, k_BHTD, v_BHTD, y_BHTD, lse_BHT)
        ctx.stride = stride
        return y_BHTD

    @staticmethod
    def backward(ctx: Any, dy_BHTD: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q_BHTD, k_BHTD, v_BHTD, y_BHTD, lse_BHT = ctx.saved_tensors
        B, stride = q_BHTD.shape[0], ctx.stride
        dq, dk, dv = flash_backward(
            _as_rows(dy_BHTD, stride),
            *_near(q_BHTD, k_BHTD, v_BHTD, stride),
            _as_rows(y_BHTD, stride),
            _as_rows(lse_BHT[..., None], stride)[..., 0],
            0.0,
            False,
            attn_mask=_near_mask(q_BHTD, stride),
        )
        near = (_from_rows(dq, B), *(_of_both_blocks(x, B) for x in (dk, dv)))
        dq, dk, dv = flash_backward(
            _lanes(dy_BHTD[:, :, stride:], stride),
            *_far(q_BHTD, k_BHTD, v_BHTD, stride),
            _lanes(y_BHTD[:, :, stride:], stride),
            _lanes(lse_BHT[:, :, stride:, None], stride)[..., 0],
            0.0,
            True,
        )
        far_dq, far_dk, far_dv = (_from_lanes(x, B) for x in (dq, dk, dv))
        return (
            near[0] + F.pad(far_dq, (0, 0, stride, 0)),
            near[1] + F.pad(far_dk, (0, 0, 0, stride)),
            near[2] + F.pad(far_dv, (0, 0, 0, stride)),
            None,
        )


def _near(q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor, stride: int) -> tuple[Tensor, Tensor, Tensor]:
    return (
        _as_rows(q_BHTD, stride),
        _with_the_block_before(k_BHTD, stride),
        _with_the_block_before(v_BHTD, stride),
    )


def _near_mask(q_BHTD: Tensor, stride: int) -> Tensor:
    """Return the mask as what is added to scores: torch's own attention knows no other."""
    seen = _window_mask(q_BHTD.shape[0], q_BHTD.shape[2] // stride, stride, q_BHTD.device)
    return torch.zeros(seen.shape, dtype=q_BHTD.dtype, device=seen.device).masked_fill(~seen, -torch.inf)


def _of_both_blocks(dx: Tensor, rows: int) -> Tensor:
    """Return the gradient of tokens [B, H, T, D] that stood in two rows each."""
    before, own = dx.view(rows, -1, *dx.shape[1:]).transpose(1, 2).chunk(2, dim=3)
    return (own + F.pad(before[:, :, 1:], (0, 0, 0, 0, 0, 1))).flatten(2, 3)


def _far(q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor, stride: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return lanes in which query n sees the keys up to n: the queries begin a block later."""
    return (
        _lanes(q_BHTD[:, :, stride:], stride),
        _lanes(k_BHTD[:, :, :-stride], stride),
        _lanes(v_BHTD[:, :, :-stride], stride),
    )


def _lanes(x_BHTD: Tensor, stride: int) -> Tensor:
    """Return every stride-th token as a row of its own, shape [B * stride, H, T / stride, D]."""
    B, H, T, D = x_BHTD.shape
    return x_BHTD.reshape(B, H, T // stride, stride, D).permute(0, 3, 1, 2, 4).flatten(0, 1)


def _from_lanes(x: Tensor, rows: int) -> Tensor:
    """Return tokens of lanes [B * stride, H, N, ...] in their order, shape [B, H, T, ...]."""
    return x.view(rows, -1, *x.shape[1:]).movedim(1, 3).flatten(2, 3)
