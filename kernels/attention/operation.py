"""Training attention: causal in full, over a window, and the Sparse Transformer's strided and fixed patterns.

Shapes: B rows, H query heads, K key-value heads, T tokens, D head size.

Forward, what is kept is the output and the log-sum-exp of the scores; backward,
the probabilities are computed again. Nothing of T x T is kept anywhere.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from kernels.attention.on_cpu import attention_cpu
from kernels.attention.patterns import CAUSAL, Part, Pattern, tables
from kernels.attention.triton_kernels import attention_backward_columns, attention_backward_rows, attention_forward
from kernels.attention.tuning import constants, tuning
from kernels.dispatch import register

__all__ = ["HEAD_SIZES", "attention"]

# Registers and shared memory of the kernels have room for no larger head.
HEAD_SIZES = range(1, 129)
DTYPES = (torch.bfloat16, torch.float16, torch.float32, torch.float64)
# Queries that the reference attends to at once.
CHUNK = 128


def attention(q_BHTD: Tensor, k_BKTD: Tensor, v_BKTD: Tensor, pattern: Pattern = CAUSAL) -> Tensor:
    """Return attended values, shape [B, H, T, D], in the dtype of the queries.

    Args:
        q_BHTD: queries; D of 1..128; bfloat16, float16 or float32 (on the CPU float64 too).
        k_BKTD: keys; K divides H, and query heads h of h // (H / K) = k share key head k.
        v_BKTD: values, shaped as the keys.
        pattern: what a query sees.

    Raises:
        ValueError: an argument does not fit; the message begins with its name.

    Source: Dao (2023), FlashAttention-2; Child et al. (2019), Sparse Transformers.
    """
    if torch.is_autocast_enabled(q_BHTD.device.type):
        dtype = torch.get_autocast_dtype(q_BHTD.device.type)
        q_BHTD, k_BKTD, v_BKTD = (x.to(dtype) for x in (q_BHTD, k_BKTD, v_BKTD))
    check(q_BHTD, k_BKTD, v_BKTD)
    pattern = pattern.within(q_BHTD.shape[2])
    if q_BHTD.device.type == "cpu":
        return attention_cpu(q_BHTD, k_BKTD, v_BKTD, pattern)
    y_BHTD: Tensor = torch.ops.conductor.attention(
        q_BHTD, k_BKTD, v_BKTD, pattern.kind, pattern.stride, pattern.summary
    )[0]
    return y_BHTD


def check(q_BHTD: Tensor, k_BKTD: Tensor, v_BKTD: Tensor) -> None:
    """Raise ValueError for what cannot be attended to; the message begins with the argument's name."""
    for name, x in (("q_BHTD", q_BHTD), ("k_BKTD", k_BKTD), ("v_BKTD", v_BKTD)):
        if x.dim() != 4 or 0 in x.shape:
            raise ValueError(f"{name}: shape {list(x.shape)} instead of [rows, heads, tokens, head size]")
        if x.dtype not in DTYPES or x.dtype != q_BHTD.dtype:
            raise ValueError(f"{name}: {x.dtype}; queries, keys and values share one floating dtype")
        if x.device != q_BHTD.device:
            raise ValueError(f"{name}: on {x.device}, the queries on {q_BHTD.device}")
    B, H, T, D = q_BHTD.shape
    if D not in HEAD_SIZES:
        raise ValueError(f"q_BHTD: head size {D}; at most {HEAD_SIZES[-1]}")
    K = k_BKTD.shape[1]
    if k_BKTD.shape != (B, K, T, D) or H % K:
        raise ValueError(f"k_BKTD: shape {list(k_BKTD.shape)} for queries {list(q_BHTD.shape)}; heads must divide")
    if v_BKTD.shape != k_BKTD.shape:
        raise ValueError(f"v_BKTD: shape {list(v_BKTD.shape)} instead of the keys' {list(k_BKTD.shape)}")


def _in_groups(x_BHTD: Tensor, kv_heads: int) -> Tensor:
    """Return the query heads of each key-value head beside each other, [B, K, H / K, T, ...], in float32."""
    return x_BHTD.float().reshape(x_BHTD.shape[0], kv_heads, -1, *x_BHTD.shape[2:])


def _chunks(q_BHTD: Tensor, k_BKTD: Tensor, pattern: Pattern) -> Iterator[tuple[slice, Tensor]]:
    """Give some queries M at a time: which, and their scores [B, K, H / K, M, N] for all keys up to the last."""
    _, H, T, D = q_BHTD.shape
    K = k_BKTD.shape[1]
    heads = torch.arange(H, device=q_BHTD.device)[:, None, None]
    for first in range(0, T, CHUNK):
        here = slice(first, min(first + CHUNK, T))
        place = torch.arange(here.stop, device=q_BHTD.device)
        seen = pattern.allowed(place[here, None], place[None, :], heads).expand(H, -1, -1)
        k = k_BKTD[:, :, None, : here.stop].float()
        scores = _in_groups(q_BHTD[:, :, here], K) @ k.mT / math.sqrt(D)
        yield here, scores.masked_fill(~seen.view(K, H // K, *seen.shape[1:]), -torch.inf)


def _reference(
    q_BHTD: Tensor, k_BKTD: Tensor, v_BKTD: Tensor, kind: str, stride: int, summary: int
) -> tuple[Tensor, Tensor]:
    """Return attended values and, in float32, the log-sum-exp of the scores, shape [B, H, T]."""
    check(q_BHTD, k_BKTD, v_BKTD)
    pattern = Pattern(kind, stride, summary)  # type: ignore[arg-type]
    out, norms = torch.empty_like(q_BHTD, memory_format=torch.contiguous_format), []
    for here, scores in _chunks(q_BHTD, k_BKTD, pattern):
        lse = scores.logsumexp(-1)
        p = (scores - lse[..., None]).exp()
        out[:, :, here] = (p @ v_BKTD[:, :, None, : here.stop].float()).flatten(1, 2).to(out.dtype)
        norms.append(lse.flatten(1, 2))
    return out, torch.cat(norms, dim=2)


def _reference_backward(
    dout_BHTD: Tensor,
    q_BHTD: Tensor,
    k_BKTD: Tensor,
    v_BKTD: Tensor,
    out_BHTD: Tensor,
    lse_BHT: Tensor,
    kind: str,
    stride: int,
    summary: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of queries, keys and values."""
    pattern = Pattern(kind, stride, summary)  # type: ignore[arg-type]
    K, scale = k_BKTD.shape[1], q_BHTD.shape[3] ** -0.5
    dq = torch.empty_like(q_BHTD, memory_format=torch.contiguous_format)
    dk, dv = (torch.zeros(k_BKTD.shape, dtype=torch.float32, device=q_BHTD.device) for _ in range(2))
    for here, scores in _chunks(q_BHTD, k_BKTD, pattern):
        q, do, out = (_in_groups(x[:, :, here], K) for x in (q_BHTD, dout_BHTD, out_BHTD))
        k, v = (x[:, :, None, : here.stop].float() for x in (k_BKTD, v_BKTD))
        p = (scores - _in_groups(lse_BHT[:, :, here], K)[..., None]).exp()
        ds = p * (do @ v.mT - (do * out).sum(-1, keepdim=True)) * scale
        dq[:, :, here] = (ds @ k).flatten(1, 2).to(dq.dtype)
        dk[:, :, : here.stop] += (ds.mT @ q).sum(2)
        dv[:, :, : here.stop] += (p.mT @ do).sum(2)
    return dq, dk.to(k_BKTD.dtype), dv.to(v_BKTD.dtype)


@functools.lru_cache(maxsize=256)
def _tables_on(
    device: torch.device, part: Part, tokens: int, row_block: int, column_block: int
) -> tuple[Tensor, Tensor]:
    found = tables(part, tokens, row_block, column_block)
    return torch.from_numpy(found.columns_of).to(device), torch.from_numpy(found.rows_of).to(device)


def _one_vector_after_another(x: Tensor) -> Tensor:
    """Return the tensor, copied unless the numbers of a vector lie side by side."""
    return x if x.stride(-1) == 1 else x.contiguous()


def _launch(
    q_BHTD: Tensor, k_BKTD: Tensor, v_BKTD: Tensor, kind: str, stride: int, summary: int
) -> tuple[Tensor, Tensor]:
    check(q_BHTD, k_BKTD, v_BKTD)
    if q_BHTD.dtype == torch.float64:
        raise ValueError("q_BHTD: torch.float64; Triton's kernels count in float32 at the most")
    return launch_parts(q_BHTD, k_BKTD, v_BKTD, Pattern(kind, stride, summary).parts)  # type: ignore[arg-type]


def launch_parts(q_BHTD: Tensor, k_BKTD: Tensor, v_BKTD: Tensor, parts: tuple[Part, ...]) -> tuple[Tensor, Tensor]:
    """Return attended values over parts, and the log-sum-exp; zeros and -inf for a query that sees nothing."""
    (B, H, T, D), K = q_BHTD.shape, k_BKTD.shape[1]
    q, k, v = (_one_vector_after_another(x) for x in (q_BHTD, k_BKTD, v_BKTD))
    lse = torch.empty((B, H, T), dtype=torch.float32, device=q.device)
    so_far = out = torch.empty(0)
    for part in parts:
        last = part is parts[-1]
        out = torch.empty((B, H, T, D), dtype=q.dtype if last else torch.float32, device=q.device)
        told = constants(part, D, H // K, resume=part is not parts[0])
        tuned = tuning("forward", q, part, told["WIDE"])
        table = _tables_on(q.device, part, T, tuned.blocks["BLOCK_M"], tuned.blocks["BLOCK_N"])[0]
        attention_forward[(len(table) * part.lanes, B * H)](
            *(q, k, v, so_far if part is not parts[0] else out, out, lse, table),
            *(*q.stride()[:3], *k.stride()[:3], *v.stride()[:3], H, T, part.columns(T), _bits(D)),
            **told,
            **tuned.blocks,
            num_warps=tuned.warps,
            num_stages=tuned.stages,
        )
        so_far = out
    return out, lse


def _bits(head_size: int) -> float:
    """Return the factor that makes bits of a product of vectors: exp(x) = exp2(x log2 e)."""
    return math.log2(math.e) / math.sqrt(head_size)


def _launch_backward(
    dout_BHTD: Tensor,
    q_BHTD: Tensor,
    k_BKTD: Tensor,
    v_BKTD: Tensor,
    out_BHTD: Tensor,
    lse_BHT: Tensor,
    kind: str,
    stride: int,
    summary: int,
) -> tuple[Tensor, Tensor, Tensor]:
    parts = Pattern(kind, stride, summary).parts  # type: ignore[arg-type]
    return launch_parts_backward(dout_BHTD, q_BHTD, k_BKTD, v_BKTD, out_BHTD, lse_BHT, parts)


def launch_parts_backward(
    dout_BHTD: Tensor,
    q_BHTD: Tensor,
    k_BKTD: Tensor,
    v_BKTD: Tensor,
    out_BHTD: Tensor,
    lse_BHT: Tensor,
    parts: tuple[Part, ...],
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of queries, keys and values over parts."""
    (B, H, T, D), K = q_BHTD.shape, k_BKTD.shape[1]
    q, k, v, do = (_one_vector_after_another(x) for x in (q_BHTD, k_BKTD, v_BKTD, dout_BHTD))
    out, lse, delta = out_BHTD.contiguous(), lse_BHT.contiguous(), torch.empty_like(lse_BHT)
    # Gradients of several parts are added up in float32.
    dtype = q.dtype if len(parts) == 1 else torch.float32
    dq, dk, dv = (torch.empty(x.shape, dtype=dtype, device=q.device) for x in (q, k, v))
    strides = (*q.stride()[:3], *k.stride()[:3], *v.stride()[:3], *do.stride()[:3])
    for part in parts:
        told = constants(part, D, H // K, resume=part is not parts[0])
        tuned = tuning("backward rows", q, part, told["WIDE"])
        table = _tables_on(q.device, part, T, tuned.blocks["BLOCK_M"], tuned.blocks["BLOCK_N"])[0]
        numbers = (*strides, H, T, part.columns(T), _bits(D))
        attention_backward_rows[(len(table) * part.lanes, B * H)](
            *(q, k, v, out, do, lse, delta, dq, table, *numbers),
            **told,
            **tuned.blocks,
            num_warps=tuned.warps,
            num_stages=tuned.stages,
        )
        tuned = tuning("backward columns", q, part, told["WIDE"])
        table = _tables_on(q.device, part, T, tuned.blocks["BLOCK_M"], tuned.blocks["BLOCK_N"])[1]
        shares = min(H // K, part.slots)
        numbers = (*strides, K, T, part.columns(T), _bits(D))
        attention_backward_columns[(len(table) * part.lanes * shares, B * K)](
            *(q, k, v, do, lse, delta, dk, dv, table, *numbers),
            **told,
            SHARES=shares,
            **tuned.blocks,
            num_warps=tuned.warps,
            num_stages=tuned.stages,
        )
    return dq.to(q.dtype), dk.to(q.dtype), dv.to(q.dtype)


def _fake(q_BHTD: Tensor, k_BKTD: Tensor, v_BKTD: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    check(q_BHTD, k_BKTD, v_BKTD)
    return q_BHTD.new_empty(q_BHTD.shape), q_BHTD.new_empty(q_BHTD.shape[:3], dtype=torch.float32)


def _fake_backward(_: Tensor, *qkv: Any) -> tuple[Tensor, ...]:
    return tuple(x.new_empty(x.shape) for x in qkv[:3])


_forward = register("attention", _reference, _launch, _fake)
_backward = register("attention_backward", _reference_backward, _launch_backward, _fake_backward)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    q_BHTD, k_BKTD, v_BKTD, *pattern = inputs
    ctx.save_for_backward(q_BHTD, k_BKTD, v_BKTD, *output)
    ctx.pattern = pattern
    ctx.mark_non_differentiable(output[1])


def _gradients(ctx: Any, dout_BHTD: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    return (*_backward(dout_BHTD, *ctx.saved_tensors, *ctx.pattern), None, None, None)


_forward.register_autograd(_gradients, setup_context=_setup_context)
