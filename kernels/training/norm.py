"""Add to the stream and norm it, in one pass.

    sum = x + scale * residual        (scale: 1 where there is none)
    normed = sum / sqrt(mean(sum^2) + eps) * weight

A block of the transformer does so twice: it adds what it hears again of the
embedding, or what attention found, and reads the stream normed. Backward every
program walks over rows of its own and sums its part of the weights' gradients;
the parts are added at the end, so that the same numbers come out every time.

Shapes: M tokens, C width, P programs.

Source: Zhang and Sennrich (2019), root mean square layer normalisation.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.dispatch import jit, register, tl, uses_triton
from kernels.proof.build import Build, Tuning, Work

__all__ = ["BUILDS", "norm_residual"]

FLOATS = (torch.float32, torch.bfloat16, torch.float16)
# A program holds a row at a time, as wide as this at most.
WIDEST = 8192
# Programs of the backward pass: a few for each multiprocessor, each with a row of sums to itself.
PROGRAMS = 256


def norm_residual(
    x: Tensor, residual: Tensor, weight_C: Tensor, eps: float | None = None, scale_C: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the normed sum and the sum, both shaped as `x` in the wider dtype of `x` and `residual`.

    Args:
        x: the stream, shape [..., C].
        residual: what is added, shaped as `x`.
        weight_C: factors of the normed sum, shape [C].
        eps: added to the mean of squares; the smallest step from 1 in the sum's dtype by default.
        scale_C: factors of the residual, shape [C]; 1 by default.

    Raises:
        ValueError: names the argument that has a wrong shape, dtype or device.
    """
    _check(x, residual, weight_C, eps, scale_C)
    if x.device.type == "cpu" or not uses_triton(x):
        total = x + (residual if scale_C is None else scale_C * residual)
        return F.rms_norm(total, x.shape[-1:], weight_C, eps), total
    dtype = torch.promote_types(x.dtype, residual.dtype)
    C = x.shape[-1]
    normed_MC, total_MC, _ = torch.ops.conductor.norm_residual(
        x.reshape(-1, C).contiguous(),
        residual.reshape(-1, C).contiguous(),
        weight_C.contiguous(),
        scale_C if scale_C is None else scale_C.contiguous(),
        torch.finfo(dtype).eps if eps is None else eps,
    )
    return normed_MC.view(x.shape), total_MC.view(x.shape)


def _check(x: Tensor, residual: Tensor, weight: Tensor, eps: float | None, scale: Tensor | None) -> None:
    if x.dim() == 0 or x.dtype not in FLOATS:
        raise ValueError(f"x must be floats of shape [..., C], not {x.dtype} {list(x.shape)}")
    width = x.shape[-1]
    if not 1 <= width <= WIDEST:
        raise ValueError(f"x must have a width of 1..{WIDEST}, not {width}")
    for name, given, shape in (
        ("residual", residual, x.shape),
        ("weight_C", weight, x.shape[-1:]),
        ("scale_C", scale, x.shape[-1:]),
    ):
        if given is None:
            continue
        if given.shape != shape or given.dtype not in FLOATS:
            raise ValueError(f"{name} must be floats of shape {list(shape)}, not {given.dtype} {list(given.shape)}")
        if given.device != x.device:
            raise ValueError(f"{name} must be on {x.device}, where x is, not on {given.device}")
    if eps is not None and eps < 0:
        raise ValueError(f"eps must be 0 or more, not {eps}")


def _reference(
    x_MC: Tensor, residual_MC: Tensor, weight_C: Tensor, scale_C: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    dtype = torch.promote_types(x_MC.dtype, residual_MC.dtype)
    added_MC = residual_MC.float() if scale_C is None else scale_C.float() * residual_MC.float()
    total_MC = x_MC.float() + added_MC
    rate_M = (total_MC.square().mean(dim=1) + eps).rsqrt()
    return (total_MC * rate_M[:, None] * weight_C.float()).to(dtype), total_MC.to(dtype), rate_M


def _fake(x_MC: Tensor, residual_MC: Tensor, *_rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    empty_MC = torch.empty_like(x_MC, dtype=torch.promote_types(x_MC.dtype, residual_MC.dtype))
    return empty_MC, torch.empty_like(empty_MC), x_MC.new_empty(len(x_MC), dtype=torch.float32)


@jit
def _forward_kernel(  # type: ignore[no-untyped-def]
    x,
    residual,
    weight,
    scale,
    normed,
    total,
    rates,
    eps,
    C,
    SCALED: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    row = tl.program_id(0)
    columns = tl.arange(0, BLOCK_C)
    here = columns < C
    place = row.to(tl.int64) * C + columns
    added = tl.load(residual + place, mask=here, other=0.0).to(tl.float32)
    if SCALED:
        added *= tl.load(scale + columns, mask=here, other=0.0).to(tl.float32)
    summed = tl.load(x + place, mask=here, other=0.0).to(tl.float32) + added
    rate = tl.rsqrt(tl.sum(summed * summed, 0) / C + eps)
    factor = tl.load(weight + columns, mask=here, other=0.0).to(tl.float32)
    tl.store(normed + place, (summed * rate * factor).to(normed.dtype.element_ty), mask=here)
    tl.store(total + place, summed.to(total.dtype.element_ty), mask=here)
    tl.store(rates + row, rate)


def _tuning(width: int) -> Tuning:
    """Return a row's block, with so many warps that a thread holds 8 to 32 numbers of it."""
    block = max(16, 1 << (width - 1).bit_length())
    return Tuning({"BLOCK_C": block}, warps=min(8, max(1, block // 512)), stages=1)


def _launch(
    x_MC: Tensor, residual_MC: Tensor, weight_C: Tensor, scale_C: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    M, C = x_MC.shape
    normed_MC = torch.empty_like(x_MC, dtype=torch.promote_types(x_MC.dtype, residual_MC.dtype))
    total_MC, rate_M = torch.empty_like(normed_MC), x_MC.new_empty(M, dtype=torch.float32)
    tuning = _tuning(C)
    if M:
        _forward_kernel[(M,)](
            *(x_MC, residual_MC, weight_C, weight_C if scale_C is None else scale_C, normed_MC, total_MC, rate_M),
            *(eps, C),
            SCALED=scale_C is not None,
            **tuning.blocks,
            num_warps=tuning.warps,
            num_stages=tuning.stages,
        )
    return normed_MC, total_MC, rate_M


@jit
def _backward_kernel(  # type: ignore[no-untyped-def]
    of_normed,
    of_total,
    total,
    rates,
    residual,
    weight,
    scale,
    of_x,
    of_residual,
    of_weight,  # [P, C]
    of_scale,  # [P, C]
    M,
    C,
    SCALED: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    program, programs = tl.program_id(0), tl.num_programs(0)
    columns = tl.arange(0, BLOCK_C)
    here = columns < C
    factor = tl.load(weight + columns, mask=here, other=0.0).to(tl.float32)
    if SCALED:
        scaled = tl.load(scale + columns, mask=here, other=0.0).to(tl.float32)
    sum_weight = tl.zeros([BLOCK_C], tl.float32)
    sum_scale = tl.zeros([BLOCK_C], tl.float32)
    for turn in range(tl.cdiv(M - program, programs)):
        row = program + turn * programs
        place = row.to(tl.int64) * C + columns
        rate = tl.load(rates + row)
        unit = tl.load(total + place, mask=here, other=0.0).to(tl.float32) * rate
        above = tl.load(of_normed + place, mask=here, other=0.0).to(tl.float32)
        sum_weight += above * unit
        above *= factor
        gradient = (above - unit * (tl.sum(above * unit, 0) / C)) * rate
        gradient += tl.load(of_total + place, mask=here, other=0.0).to(tl.float32)
        tl.store(of_x + place, gradient.to(of_x.dtype.element_ty), mask=here)
        if SCALED:
            sum_scale += gradient * tl.load(residual + place, mask=here, other=0.0).to(tl.float32)
            gradient *= scaled
        tl.store(of_residual + place, gradient.to(of_residual.dtype.element_ty), mask=here)
    tl.store(of_weight + program * C + columns, sum_weight, mask=here)
    if SCALED:
        tl.store(of_scale + program * C + columns, sum_scale, mask=here)


def _backward_launch(
    of_normed_MC: Tensor,
    of_total_MC: Tensor,
    total_MC: Tensor,
    rate_M: Tensor,
    residual_MC: Tensor | None,
    weight_C: Tensor,
    scale_C: Tensor | None,
    x_dtype: torch.dtype,
    residual_dtype: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    M, C = total_MC.shape
    of_x_MC, of_residual_MC = (torch.empty_like(total_MC, dtype=dtype) for dtype in (x_dtype, residual_dtype))
    programs = min(M, PROGRAMS)
    of_weight_PC = total_MC.new_empty((programs, C), dtype=torch.float32)
    of_scale_PC = torch.empty_like(of_weight_PC) if scale_C is not None else of_weight_PC[:, :0]
    tuning = _tuning(C)
    if M:
        _backward_kernel[(programs,)](
            *(of_normed_MC, of_total_MC, total_MC, rate_M, total_MC if residual_MC is None else residual_MC),
            *(weight_C, weight_C if scale_C is None else scale_C, of_x_MC, of_residual_MC),
            *(of_weight_PC, of_weight_PC if scale_C is None else of_scale_PC),
            *(M, C),
            SCALED=scale_C is not None,
            **tuning.blocks,
            num_warps=tuning.warps,
            num_stages=tuning.stages,
        )
    of_scale_C = of_scale_PC.sum(dim=0)
    return (
        of_x_MC,
        of_residual_MC,
        of_weight_PC.sum(dim=0).to(weight_C.dtype),
        of_scale_C if scale_C is None else of_scale_C.to(scale_C.dtype),
    )


def _backward_reference(
    of_normed_MC: Tensor,
    of_total_MC: Tensor,
    total_MC: Tensor,
    rate_M: Tensor,
    residual_MC: Tensor | None,
    weight_C: Tensor,
    scale_C: Tensor | None,
    x_dtype: torch.dtype,
    residual_dtype: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    unit_MC = total_MC.float() * rate_M[:, None]
    above_MC = of_normed_MC.float() * weight_C.float()
    gradient_MC = (above_MC - unit_MC * (above_MC * unit_MC).mean(dim=1, keepdim=True)) * rate_M[:, None]
    gradient_MC = gradient_MC + of_total_MC.float()
    of_weight_C = (of_normed_MC.float() * unit_MC).sum(dim=0).to(weight_C.dtype)
    # A copy where they would be one tensor: an operator's outputs never share memory.
    of_x_MC = gradient_MC.to(x_dtype, copy=True)
    if scale_C is None or residual_MC is None:
        return of_x_MC, gradient_MC.to(residual_dtype), of_weight_C, of_weight_C.new_zeros(0, dtype=torch.float32)
    of_scale_C = (gradient_MC * residual_MC.float()).sum(dim=0).to(scale_C.dtype)
    return of_x_MC, (gradient_MC * scale_C.float()).to(residual_dtype), of_weight_C, of_scale_C


def _backward_fake(
    _of_normed: Tensor,
    _of_total: Tensor,
    total_MC: Tensor,
    _rate: Tensor,
    _residual: Tensor | None,
    weight_C: Tensor,
    scale_C: Tensor | None,
    x_dtype: torch.dtype,
    residual_dtype: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    of_scale_C = weight_C.new_empty(0, dtype=torch.float32) if scale_C is None else torch.empty_like(scale_C)
    of_x_MC, of_residual_MC = (torch.empty_like(total_MC, dtype=dtype) for dtype in (x_dtype, residual_dtype))
    return of_x_MC, of_residual_MC, torch.empty_like(weight_C), of_scale_C


_operator = register("norm_residual", _reference, _launch, _fake)
_backward_operator = register("norm_residual_backward", _backward_reference, _backward_launch, _backward_fake)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    x_MC, residual_MC, weight_C, scale_C, _ = inputs
    ctx.dtypes = x_MC.dtype, residual_MC.dtype
    # The residual itself is needed for the gradient of its factors alone.
    ctx.save_for_backward(output[1], output[2], None if scale_C is None else residual_MC, weight_C, scale_C)
    ctx.mark_non_differentiable(output[2])


def _backward(ctx: Any, of_normed_MC: Tensor, of_total_MC: Tensor, _: Any) -> tuple[Tensor | None, ...]:
    *gradients, of_scale_C = _backward_operator(
        of_normed_MC.contiguous(), of_total_MC.contiguous(), *ctx.saved_tensors, *ctx.dtypes
    )
    return *gradients, None if ctx.saved_tensors[-1] is None else of_scale_C, None


_operator.register_autograd(_backward, setup_context=_save)


def _builds() -> tuple[Build, ...]:
    M, C = 16384, 1536
    given = {"residual": "*bf16", "weight": "*bf16", "scale": "*bf16", "total": "*bf16", "rates": "*fp32"}
    tuning = {"default": _tuning(C)}
    size = f"M {M}, C {C}"
    return (
        Build(
            "norm with residual, forward",
            _forward_kernel,
            {**given, "x": "*bf16", "normed": "*bf16", "eps": "fp32", "C": "i32"},
            {"SCALED": True},
            size,
            Work(bytes=4 * 2 * M * C + 4 * M + 2 * 2 * C, flops=0),
            matrix=False,
            tuning=tuning,
            divisible=("C",),
        ),
        Build(
            "norm with residual, backward",
            _backward_kernel,
            {
                **given,
                **dict.fromkeys(("of_normed", "of_total", "of_x", "of_residual"), "*bf16"),
                **dict.fromkeys(("of_weight", "of_scale"), "*fp32"),
                **dict.fromkeys(("M", "C"), "i32"),
            },
            {"SCALED": True},
            size,
            Work(bytes=6 * 2 * M * C + 4 * M + 2 * 4 * PROGRAMS * C, flops=0),
            matrix=False,
            tuning=tuning,
            divisible=("C",),
        ),
    )


BUILDS: tuple[Build, ...] = _builds()
