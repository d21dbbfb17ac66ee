"""Linear and cross-entropy in one: the loss of a vocabulary whose logits are never all kept.

    nats_m = log sum_v exp(x_m . table_v) - x_m . table_target(m)

Logits are a row of the vocabulary for every token, most of what training keeps;
here they live a tile or a chunk of rows at a time. A token may have two targets,
each with a share (mixup). On a GPU one kernel walks over the vocabulary with a
running sum, another makes the logits of a chunk of rows again, as gradients. On
the CPU, where a product costs more than memory, a chunk's logits become its
gradients in the forward pass: three products, as with all logits kept.

Shapes: M tokens, C width, V vocabulary, R rows of a chunk.

Sources: Wijmans et al. (2024), cut cross-entropy; Hsu et al. (2024), Liger
Kernel: gradients in the forward pass; Zhang et al. (2018), mixup.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kernels.dispatch import uses_triton
from kernels.training.cross_entropy_kernels import gradient_of_logits

__all__ = ["linear_cross_entropy"]

FLOATS = (torch.float32, torch.bfloat16, torch.float16)
# Logits made at a time on the CPU: an eighth of all, so that a compiled step stays short, but not fewer rows than this.
ROWS, CHUNKS = 512, 8


def linear_cross_entropy(
    x_MC: Tensor,
    table_VC: Tensor,
    targets_M: Tensor,
    weights_M: Tensor,
    second_targets_M: Tensor | None = None,
    second_weights_M: Tensor | None = None,
    share: Tensor | None = None,
) -> Tensor:
    """Return the weighted mean cross-entropy in nats of `x_MC @ table_VC.T`, a float32 scalar.

    With second targets it is `share` of the mean over the first and `1 - share`
    of that over the second. Under autocast the products are in its dtype. Only
    `x_MC` and `table_VC` have gradients.

    Args:
        x_MC: what the logits are made of, shape [M, C].
        table_VC: a row for each word of the vocabulary, shape [V, C].
        targets_M: int64, 0 to V - 1.
        weights_M: how much each target counts, 0 or more; where all are 0 the loss is 0.
        second_targets_M: other targets of the same rows.
        second_weights_M: their weights; the first's by default.
        share: of the first targets, a scalar of 0..1; given with second targets only.

    Raises:
        ValueError: names the argument that has a wrong shape, dtype or device.
    """
    _check(x_MC, table_VC, targets_M, weights_M, second_targets_M, second_weights_M, share)
    device = x_MC.device.type
    dtype = torch.promote_types(x_MC.dtype, table_VC.dtype)
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    weights_M = weights_M.detach().float()
    total = weights_M.sum().clamp(min=1.0)
    if second_targets_M is None or share is None:
        first_M, second_M = weights_M, None
    else:
        others_M = weights_M if second_weights_M is None else second_weights_M.detach().float()
        share = share.detach().float()
        first_M = share * weights_M
        # Both means are sums over `total`.
        second_M = (1 - share) * others_M * (total / others_M.sum().clamp(min=1.0))
    if device != "cpu" and uses_triton(x_MC):
        nats_M, others_M, _ = torch.ops.conductor.linear_nats(
            x_MC.to(dtype).contiguous(), table_VC.to(dtype).contiguous(), targets_M, second_targets_M
        )
        nats = (nats_M * first_M).sum()
        if second_M is not None:
            nats = nats + (others_M * second_M).sum()
    elif torch.is_grad_enabled() and (x_MC.requires_grad or table_VC.requires_grad):
        nats = _InChunks.apply(  # type: ignore[no-untyped-call]
            x_MC, table_VC, targets_M, first_M, second_targets_M, second_M, dtype
        )
    else:
        nats, _, _ = _chunked(x_MC.to(dtype), table_VC.to(dtype), targets_M, first_M, second_targets_M, second_M)
    mean: Tensor = nats / total
    return mean


def _check(x: Tensor, table: Tensor, targets: Tensor, weights: Tensor, *mixed: Tensor | None) -> None:
    second, second_weights, share = mixed
    if x.dim() != 2 or x.dtype not in FLOATS:
        raise ValueError(f"x_MC must be floats of shape [M, C], not {x.dtype} {list(x.shape)}")
    if table.dim() != 2 or table.shape[1] != x.shape[1] or table.dtype not in FLOATS:
        raise ValueError(f"table_VC must be floats of shape [V, {x.shape[1]}], not {table.dtype} {list(table.shape)}")
    if (second is None) != (share is None):
        raise ValueError("second_targets_M and share are given together or not at all")
    if second is None and second_weights is not None:
        raise ValueError("second_weights_M are weights of second_targets_M, which are not given")
    for name, index in (("targets_M", targets), ("second_targets_M", second)):
        if index is not None and (index.shape != x.shape[:1] or index.dtype != torch.int64):
            raise ValueError(f"{name} must be int64 of shape [{len(x)}], not {index.dtype} {list(index.shape)}")
    for name, weight in (("weights_M", weights), ("second_weights_M", second_weights)):
        if weight is not None and (weight.shape != x.shape[:1] or not weight.is_floating_point()):
            raise ValueError(f"{name} must be floats of shape [{len(x)}], not {weight.dtype} {list(weight.shape)}")
    if share is not None and (share.numel() != 1 or not share.is_floating_point()):
        raise ValueError(f"share must be one float, not {share.dtype} {list(share.shape)}")
    for name, given in (("table_VC", table), ("targets_M", targets), ("weights_M", weights)):
        if given.device != x.device:
            raise ValueError(f"{name} must be on {x.device}, where x_MC is, not on {given.device}")
    for name, other in zip(("second_targets_M", "second_weights_M", "share"), mixed, strict=True):
        # A scalar of the CPU may meet tensors of any device.
        if other is not None and other.device != x.device and not (other.dim() == 0 and other.device.type == "cpu"):
            raise ValueError(f"{name} must be on {x.device}, where x_MC is, not on {other.device}")


# The CPU: a chunk of logits at a time, which becomes its own gradient.


def _chunked(
    x_MC: Tensor,
    table_VC: Tensor,
    targets_M: Tensor,
    first_M: Tensor,
    second_targets_M: Tensor | None,
    second_M: Tensor | None,
    with_gradients: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the weighted sum of nats and its gradients by `x_MC` and `table_VC` (float32), empty unless asked for."""
    rows = max(ROWS, -(-len(x_MC) // CHUNKS))
    nats = x_MC.new_zeros((), dtype=torch.float32)
    of_x = []
    of_table_VC = x_MC.new_zeros(table_VC.shape if with_gradients else (0,), dtype=torch.float32)
    for start in range(0, len(x_MC), rows):
        here = slice(start, start + rows)
        x_RC = x_MC[here]
        logits_RV = torch.mm(x_RC, table_VC.t()).float()
        norm_R = logits_RV.logsumexp(dim=1)
        parts = [(targets_M[here], first_M[here])]
        if second_targets_M is not None and second_M is not None:
            parts.append((second_targets_M[here], second_M[here]))
        for targets_R, weights_R in parts:
            nats = nats + ((norm_R - logits_RV.gather(1, targets_R[:, None]).squeeze(1)) * weights_R).sum()
        if with_gradients:
            of_logits_RV = gradient_of_logits(logits_RV, norm_R, parts).to(x_RC.dtype)
            of_x.append(torch.mm(of_logits_RV, table_VC))
            of_table_VC = of_table_VC + torch.mm(of_logits_RV.t(), x_RC)
    return nats, torch.cat(of_x) if of_x else x_MC.new_zeros((0, x_MC.shape[1])), of_table_VC


class _InChunks(torch.autograd.Function):
    """The weighted sum with its gradients made beside it, to be scaled by what comes from above."""

    @staticmethod
    def forward(ctx: Any, x_MC: Tensor, table_VC: Tensor, *rest: Any) -> Tensor:
        targets_M, first_M, second_targets_M, second_M, dtype = rest
        nats, of_x_MC, of_table_VC = _chunked(
            x_MC.to(dtype), table_VC.to(dtype), targets_M, first_M, second_targets_M, second_M, with_gradients=True
        )
        ctx.save_for_backward(of_x_MC, of_table_VC)
        ctx.dtypes = x_MC.dtype, table_VC.dtype
        return nats

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        of_x_MC, of_table_VC = ctx.saved_tensors
        x_dtype, table_dtype = ctx.dtypes
        return (of_x_MC.float() * above[0]).to(x_dtype), (of_table_VC * above[0]).to(table_dtype), *[None] * 5
