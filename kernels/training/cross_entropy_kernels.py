"""The operators under linear cross-entropy: nats of each token, and gradients by logits made again.

`nats` walks over the vocabulary with a running sum, so that no logits leave the
chip; its gradients are made a chunk of rows at a time: one kernel makes the
gradients of the chunk's logits, two products those of the inputs. Nothing is
added by atomics: the same numbers every time.

Shapes: M tokens, C width, V vocabulary, S splits of the vocabulary, R rows of a chunk.

Source: Wijmans et al. (2024), cut cross-entropy.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kernels.dispatch import jit, register, tl, triton
from kernels.proof.build import Build, Tuning, Work

__all__ = ["BUILDS", "gradient_of_logits", "linear_nats", "linear_nats_backward"]

# Gradients of logits made at a time.
NUMBERS = 2**25
LARGE = Tuning({"BLOCK_M": 128, "BLOCK_V": 128, "BLOCK_C": 64}, warps=8, stages=3)
# A 128 x 128 tile beside the running sums is more than Ampere's registers hold.
FORWARD = {
    "default": Tuning({"BLOCK_M": 128, "BLOCK_V": 64, "BLOCK_C": 64}, warps=8, stages=3),
    "sm_90": LARGE,
    "sm_100": LARGE,
}
# Programs that fill a GPU: few rows are split over the vocabulary until there are as many.
PROGRAMS = 256


def gradient_of_logits(logits_RV: Tensor, norm_R: Tensor, parts: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Return the gradient of a chunk of logits, which it may overwrite.

    Args:
        logits_RV: float32.
        norm_R: their log of the sum of exponentials.
        parts: targets and how much the nats of each weigh, shapes [R].
    """
    both_R = sum(weights_R for _, weights_R in parts)
    if torch.compiler.is_compiling():
        # One pass, as the compiler likes it.
        words_V = torch.arange(logits_RV.shape[1], device=logits_RV.device)
        of_logits_RV = (logits_RV - norm_R[:, None]).exp() * both_R[:, None]  # type: ignore[index]
        for targets_R, weights_R in parts:
            of_logits_RV = of_logits_RV - (words_V == targets_R[:, None]).float() * weights_R[:, None]
        return of_logits_RV
    of_logits_RV = logits_RV.sub_(norm_R[:, None]).exp_().mul_(both_R[:, None])  # type: ignore[index]
    for targets_R, weights_R in parts:
        of_logits_RV.scatter_add_(1, targets_R[:, None], -weights_R[:, None])
    return of_logits_RV


def _nats_reference(
    x_MC: Tensor, table_VC: Tensor, targets_M: Tensor, second_targets_M: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    logits_MV = torch.mm(x_MC, table_VC.t()).float()
    norm_M = logits_MV.logsumexp(dim=1)
    nats_M = norm_M - logits_MV.gather(1, targets_M[:, None]).squeeze(1)
    if second_targets_M is None:
        return nats_M, nats_M.new_zeros(0), norm_M
    return nats_M, norm_M - logits_MV.gather(1, second_targets_M[:, None]).squeeze(1), norm_M


def _nats_fake(
    x_MC: Tensor, _table: Tensor, _targets: Tensor, second_targets_M: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    empty_M = x_MC.new_empty(len(x_MC), dtype=torch.float32)
    other_M = x_MC.new_empty(0 if second_targets_M is None else len(x_MC), dtype=torch.float32)
    return empty_M, other_M, torch.empty_like(empty_M)


@jit
def _nats_kernel(  # type: ignore[no-untyped-def]
    x,
    table,
    targets,
    seconds,
    norms,
    picked,
    picked_second,
    M,
    V,
    C,
    tiles,  # of the vocabulary in a split
    TWO: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_V: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    split = tl.program_id(1)
    rows = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    here = rows < M
    target = tl.load(targets + rows, mask=here, other=-1)
    second = tl.load(seconds + rows, mask=here, other=-1) if TWO else target
    x_rows = x + rows.to(tl.int64)[:, None] * C
    most = tl.full([BLOCK_M], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    found = tl.zeros([BLOCK_M], tl.float32)
    found_second = tl.zeros([BLOCK_M], tl.float32)
    last = tl.minimum((split + 1) * tiles * BLOCK_V, V)
    for start in range(split * tiles * BLOCK_V, last, BLOCK_V):
        words = start + tl.arange(0, BLOCK_V)
        logits = tl.zeros([BLOCK_M, BLOCK_V], tl.float32)
        for c in range(0, C, BLOCK_C):
            columns = c + tl.arange(0, BLOCK_C)
            x_tile = tl.load(x_rows + columns[None, :], mask=here[:, None] & (columns < C)[None, :], other=0.0)
            words_tile = tl.load(
                table + words[:, None] * C + columns[None, :],
                mask=(words < V)[:, None] & (columns < C)[None, :],
                other=0.0,
            )
            logits = tl.dot(x_tile, tl.trans(words_tile), logits, input_precision="ieee")
        found += tl.sum(tl.where(words[None, :] == target[:, None], logits, 0.0), 1)
        if TWO:
            found_second += tl.sum(tl.where(words[None, :] == second[:, None], logits, 0.0), 1)
        logits = tl.where((words < V)[None, :], logits, float("-inf"))
        more = tl.maximum(most, tl.max(logits, 1))
        total = total * tl.exp(most - more) + tl.sum(tl.exp(logits - more[:, None]), 1)
        most = more
    place = split * M + rows
    tl.store(norms + place, most + tl.log(total), mask=here)
    tl.store(picked + place, found, mask=here)
    if TWO:
        tl.store(picked_second + place, found_second, mask=here)


def _forward_tuning(x: Tensor) -> Tuning:
    if not x.is_cuda or torch.version.hip is not None:
        return FORWARD["default"]
    major, minor = torch.cuda.get_device_capability(x.device)
    return FORWARD.get(f"sm_{major}{minor}", FORWARD["default"])


def _nats_launch(
    x_MC: Tensor, table_VC: Tensor, targets_M: Tensor, second_targets_M: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    (M, C), V = x_MC.shape, len(table_VC)
    tuning = _forward_tuning(x_MC)
    blocks = tuning.blocks
    programs = triton.cdiv(M, blocks["BLOCK_M"])
    tiles = triton.cdiv(V, blocks["BLOCK_V"])
    each = triton.cdiv(tiles, max(1, min(tiles, PROGRAMS // max(1, programs))))
    splits = triton.cdiv(tiles, each)
    two = second_targets_M is not None
    norms_SM, picked_SM = (x_MC.new_empty((splits, M), dtype=torch.float32) for _ in range(2))
    second_SM = torch.empty_like(picked_SM) if two else picked_SM[:0]
    if M:
        _nats_kernel[(programs, splits)](
            x_MC,
            table_VC,
            targets_M,
            second_targets_M if two else targets_M,
            norms_SM,
            picked_SM,
            second_SM if two else picked_SM,
            M,
            V,
            C,
            each,
            TWO=two,
            **blocks,
            num_warps=tuning.warps,
            num_stages=tuning.stages,
        )
    norm_M = norms_SM.logsumexp(dim=0)
    second_M = norm_M - second_SM.sum(dim=0) if two else norm_M.new_zeros(0)
    return norm_M - picked_SM.sum(dim=0), second_M, norm_M


@jit
def _gradient_kernel(  # type: ignore[no-untyped-def]
    x,
    table,
    targets,
    seconds,
    norms,
    weights,
    second_weights,
    out,
    M,
    V,
    C,
    stride,
    TWO: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_V: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    rows = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    words = tl.program_id(1) * BLOCK_V + tl.arange(0, BLOCK_V)
    here, there = rows < M, words < V
    logits = tl.zeros([BLOCK_M, BLOCK_V], tl.float32)
    x_rows = x + rows.to(tl.int64)[:, None] * C
    for c in range(0, C, BLOCK_C):
        columns = c + tl.arange(0, BLOCK_C)
        x_tile = tl.load(x_rows + columns[None, :], mask=here[:, None] & (columns < C)[None, :], other=0.0)
        words_tile = tl.load(
            table + words[:, None] * C + columns[None, :], mask=there[:, None] & (columns < C)[None, :], other=0.0
        )
        logits = tl.dot(x_tile, tl.trans(words_tile), logits, input_precision="ieee")
    norm = tl.load(norms + rows, mask=here, other=0.0)
    target = tl.load(targets + rows, mask=here, other=-1)
    weight = tl.load(weights + rows, mask=here, other=0.0)
    share = tl.exp(logits - norm[:, None])
    if TWO:
        second = tl.load(seconds + rows, mask=here, other=-1)
        second_weight = tl.load(second_weights + rows, mask=here, other=0.0)
        gradient = share * (weight + second_weight)[:, None]
        gradient -= tl.where(words[None, :] == second[:, None], second_weight[:, None], 0.0)
    else:
        gradient = share * weight[:, None]
    gradient -= tl.where(words[None, :] == target[:, None], weight[:, None], 0.0)
    place = rows.to(tl.int64)[:, None] * stride + words[None, :]
    tl.store(out + place, gradient.to(out.dtype.element_ty), mask=here[:, None] & there[None, :])


def _gradients(make: Any) -> Any:
    """Return the backward that has `make` fill the gradients of a chunk's logits."""

    def backward(
        x_MC: Tensor,
        table_VC: Tensor,
        targets_M: Tensor,
        second_targets_M: Tensor | None,
        norm_M: Tensor,
        weights_M: Tensor,
        second_weights_M: Tensor,
    ) -> tuple[Tensor, Tensor]:
        two, V = second_targets_M is not None, len(table_VC)
        # Numbers near 1, that float16 holds too; what was taken out comes back in float32.
        scale = weights_M.abs() + second_weights_M.abs() if two else weights_M.abs()
        scale = scale.amax().clamp(min=1e-30) if len(x_MC) else scale.new_ones(())
        weights_M, second_weights_M = weights_M / scale, second_weights_M / scale
        of_x_MC, of_table_VC = torch.empty_like(x_MC), torch.zeros_like(table_VC, dtype=torch.float32)
        rows = max(1, NUMBERS // V)
        # Rows begin where a matrix product can read them fast.
        logits_RV = x_MC.new_empty((min(rows, len(x_MC)), -(-V // 16) * 16))[:, :V]
        for start in range(0, len(x_MC), rows):
            here = slice(start, start + rows)
            x_RC = x_MC[here]
            out_RV = logits_RV[: len(x_RC)]
            seconds = (second_targets_M[here], second_weights_M[here]) if two else (None, None)  # type: ignore[index]
            make(x_RC, table_VC, norm_M[here], (targets_M[here], weights_M[here]), seconds, out_RV)
            of_x_MC[here] = torch.mm(out_RV, table_VC) * scale
            of_table_VC += torch.mm(out_RV.t(), x_RC)
        return of_x_MC, (of_table_VC * scale).to(table_VC.dtype)

    return backward


def _make_plainly(x_RC: Tensor, table_VC: Tensor, norm_R: Tensor, first: Any, second: Any, out_RV: Tensor) -> None:
    parts = [first] if second[0] is None else [first, second]
    out_RV.copy_(gradient_of_logits(torch.mm(x_RC, table_VC.t()).float(), norm_R, parts))


def _make_by_kernel(x_RC: Tensor, table_VC: Tensor, norm_R: Tensor, first: Any, second: Any, out_RV: Tensor) -> None:
    (R, C), V, blocks = x_RC.shape, len(table_VC), LARGE.blocks
    two = second[0] is not None
    targets_R, weights_R = first
    second_R, second_weights_R = second if two else first
    grid = (triton.cdiv(R, blocks["BLOCK_M"]), triton.cdiv(V, blocks["BLOCK_V"]))
    _gradient_kernel[grid](
        *(x_RC, table_VC, targets_R, second_R, norm_R, weights_R, second_weights_R, out_RV),
        *(R, V, C, out_RV.stride(0)),
        TWO=two,
        **blocks,
        num_warps=LARGE.warps,
        num_stages=LARGE.stages,
    )


def _backward_reference(
    x_MC: Tensor,
    table_VC: Tensor,
    targets_M: Tensor,
    second_targets_M: Tensor | None,
    norm_M: Tensor,
    weights_M: Tensor,
    second_weights_M: Tensor,
) -> tuple[Tensor, Tensor]:
    given = (x_MC, table_VC, targets_M, second_targets_M, norm_M, weights_M, second_weights_M)
    of_x_MC, of_table_VC = _gradients(_make_plainly)(*given)
    return of_x_MC, of_table_VC


def _backward_fake(x_MC: Tensor, table_VC: Tensor, *_rest: Any) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x_MC), torch.empty_like(table_VC)


linear_nats = register("linear_nats", _nats_reference, _nats_launch, _nats_fake)
linear_nats_backward = register(
    "linear_nats_backward", _backward_reference, _gradients(_make_by_kernel), _backward_fake
)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*inputs, output[2])
    ctx.mark_non_differentiable(output[2])


def _backward(ctx: Any, of_nats_M: Tensor, of_second_M: Tensor, _: Any) -> tuple[Tensor | None, ...]:
    x_MC, table_VC, targets_M, second_targets_M, norm_M = ctx.saved_tensors
    of_x_MC, of_table_VC = linear_nats_backward(
        x_MC, table_VC, targets_M, second_targets_M, norm_M, of_nats_M.contiguous(), of_second_M.contiguous()
    )
    return of_x_MC, of_table_VC, None, None


linear_nats.register_autograd(_backward, setup_context=_save)


def _builds() -> tuple[Build, ...]:
    M, C, V = 16384, 1536, 5489
    rows = NUMBERS // V
    integers = {"M": "i32", "V": "i32", "C": "i32"}
    inputs = {"x": "*bf16", "table": "*bf16", "targets": "*i64", "seconds": "*i64", "norms": "*fp32"}
    return (
        Build(
            "cross-entropy, forward",
            _nats_kernel,
            {**inputs, "picked": "*fp32", "picked_second": "*fp32", **integers, "tiles": "i32"},
            {"TWO": True},
            f"M {M}, C {C}, V {V}",
            Work(bytes=2 * C * (M + V) + M * (2 * 8 + 3 * 4), flops=2 * M * V * C),
            matrix=True,
            tuning=FORWARD,
            divisible=("C",),
        ),
        Build(
            "cross-entropy, gradients of a chunk of logits",
            _gradient_kernel,
            {**inputs, "weights": "*fp32", "second_weights": "*fp32", "out": "*bf16", **integers, "stride": "i32"},
            {"TWO": True},
            f"R {rows}, C {C}, V {V}",
            Work(bytes=2 * C * (rows + V) + 2 * rows * V + rows * (2 * 8 + 3 * 4), flops=2 * rows * V * C),
            matrix=True,
            tuning={"default": LARGE},
            divisible=("C", "stride"),
        ),
    )


BUILDS: tuple[Build, ...] = _builds()
