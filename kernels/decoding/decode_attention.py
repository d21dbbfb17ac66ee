"""Attention of one new token in each of N candidates that share a prompt.

Shapes: N candidates, H query heads, K key-value heads, D head size, P tokens of
the prompt, S tokens of a candidate's own there is room for, G = H / K query heads
of a key-value head, L splits of the sequence.

The prompt's cache is there once and is read once: the query heads of all
candidates that look at a key-value head are the rows of one tile of a matrix
product. What follows the prompt is each candidate's own. Both are split over the
sequence among many programs, and a third launch merges the parts by their
log-sum-exp.

Sources: Dao et al. (2023), Flash-Decoding; Juravsky et al. (2024), Hydragen.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from kernels.decoding.decode_attention_kernels import (
    decode_attention_merge,
    decode_attention_own,
    decode_attention_prefix,
)
from kernels.dispatch import INTERPRETED, register, triton, uses_triton
from kernels.proof.build import Build, Tuning, Work

__all__ = ["BUILDS", "decode_attention"]

# Programs a launch is split into, two to each multiprocessor of an H100, and the most parts of a sequence.
PROGRAMS, MOST_SPLITS = 256, 64


def reference(
    q_NHD: Tensor,
    prefix_k_KPD: Tensor,
    prefix_v_KPD: Tensor,
    own_k_NKSD: Tensor,
    own_v_NKSD: Tensor,
    lengths_N: Tensor,
    window: int,
) -> Tensor:
    """Attend in torch; see `decode_attention`."""
    N, H, D = q_NHD.shape
    K, P, _ = prefix_k_KPD.shape
    S, G = own_k_NKSD.shape[2], H // K
    if window:
        # A candidate of no tokens looks back furthest.
        P = min(P, window)
        prefix_k_KPD, prefix_v_KPD = prefix_k_KPD[:, -P:], prefix_v_KPD[:, -P:]
    q_NKGD = q_NHD.view(N, K, G, D)
    # A row for each query head of each candidate: one product reads the prompt.
    q_KRD = q_NKGD.transpose(0, 1).reshape(K, N * G, D)
    prefix_NKGP = (q_KRD @ prefix_k_KPD.transpose(1, 2)).view(K, N, G, P).transpose(0, 1)
    own_NKGS = q_NKGD @ own_k_NKSD.transpose(2, 3)
    lengths_N1 = lengths_N.long()[:, None]
    place_S = torch.arange(P + S, device=q_NHD.device)
    seen_NS = place_S < P + lengths_N1
    if window:
        seen_NS = seen_NS & (place_S >= P + lengths_N1 - window)
    seen_N11S = seen_NS[:, None, None]
    scores_NKGS = torch.cat([prefix_NKGP, own_NKGS], dim=3).float() / math.sqrt(D)
    weights_NKGS = torch.softmax(scores_NKGS.masked_fill(~seen_N11S, float("-inf")), dim=3)
    # A row that sees nothing is zero, and not 0 / 0.
    weights_NKGS = weights_NKGS.masked_fill(~seen_N11S, 0.0).to(q_NHD.dtype)
    # Room that is not used yet may hold anything, and 0 * NaN is NaN.
    own_v_NKSD = own_v_NKSD.masked_fill(~seen_NS[:, None, P:, None], 0.0)
    weights_KRP = weights_NKGS[..., :P].transpose(0, 1).reshape(K, N * G, P)
    prefix_NKGD = (weights_KRP @ prefix_v_KPD).view(K, N, G, D).transpose(0, 1)
    return (prefix_NKGD + weights_NKGS[..., P:] @ own_v_NKSD).reshape(N, H, D)


def _tuning(rows: int, row_bytes: int, target: str = "default") -> Tuning:
    """Return how a kernel is cut up: rows of a tile, places of a block.

    Args:
        rows: there are to share a tile.
        row_bytes: of one key.
        target: the device.
    """
    if INTERPRETED:
        return Tuning({"BLOCK_R": 16, "BLOCK_S": 32}, 4, 1)
    block_r = min(64, max(16, 1 << (rows - 1).bit_length()))
    # A program waits for memory most of its time: what counts is how much is on its way, 16 KiB of keys a stage.
    block_s = min(64, max(16, 16384 // row_bytes))
    # AMD has 64 KiB to share.
    # A small tile has no work for four warps.
    warps = 2 if block_r * row_bytes <= 16 * 128 else 4
    return Tuning({"BLOCK_R": block_r, "BLOCK_S": block_s}, warps, 2 if target == "gfx942" else 3)


def launch(
    q_NHD: Tensor,
    prefix_k_KPD: Tensor,
    prefix_v_KPD: Tensor,
    own_k_NKSD: Tensor,
    own_v_NKSD: Tensor,
    lengths_N: Tensor,
    window: int,
) -> Tensor:
    """Attend with Triton; see `decode_attention`."""
    N, H, D = q_NHD.shape
    K, P, _ = prefix_k_KPD.shape
    S, G = own_k_NKSD.shape[2], H // K
    out_NHD = torch.empty_like(q_NHD, memory_format=torch.contiguous_format)
    if N * H == 0 or P + S == 0:
        return out_NHD.zero_()
    target = "gfx942" if torch.version.hip else "default"
    wide = max(16, triton.next_power_of_2(D))
    shared, own = (_tuning(rows, wide * q_NHD.element_size(), target) for rows in (N * G, G))
    tiles = triton.cdiv(N * G, shared.blocks["BLOCK_R"])
    shared_splits, shared_chunk = _split(P, shared.blocks["BLOCK_S"], K * tiles)
    own_splits, own_chunk = _split(S, own.blocks["BLOCK_S"], N * K)
    slots = shared_splits + own_splits
    part = q_NHD.new_empty((N, H, slots, D), dtype=torch.float32)
    part_lse = q_NHD.new_empty((N, H, slots), dtype=torch.float32)
    scale = math.log2(math.e) / math.sqrt(D)
    constants = {"G": G, "D": D, "WIDE": wide, "DOT32": INTERPRETED and q_NHD.dtype == torch.bfloat16}
    if P:
        decode_attention_prefix[(tiles, shared_splits, K)](
            *(q_NHD, prefix_k_KPD, prefix_v_KPD, lengths_N, part, part_lse),
            *(N, P, shared_chunk, slots, window, scale),
            *(*q_NHD.stride()[:2], *prefix_k_KPD.stride()[:2], *prefix_v_KPD.stride()[:2]),
            **constants,
            **shared.blocks,
            num_warps=shared.warps,
            num_stages=shared.stages,
        )
    if S:
        decode_attention_own[(own_splits, K, N)](
            *(q_NHD, own_k_NKSD, own_v_NKSD, lengths_N, part, part_lse),
            *(shared_splits, own_chunk, slots, window, scale),
            *(*q_NHD.stride()[:2], *own_k_NKSD.stride()[:3], *own_v_NKSD.stride()[:3]),
            **constants,
            **own.blocks,
            num_warps=own.warps,
            num_stages=own.stages,
        )
    decode_attention_merge[(N * H,)](
        part, part_lse, out_NHD, slots, D=D, WIDE=wide, BLOCK_L=triton.next_power_of_2(slots), num_warps=4
    )
    return out_NHD


def _split(places: int, block: int, programs: int) -> tuple[int, int]:
    """Return into how many stretches a sequence is split, and how long each is: whole blocks."""
    blocks = -(-places // block)
    wanted = min(blocks, MOST_SPLITS, max(1, PROGRAMS // programs))
    chunk = -(-blocks // wanted) if wanted else 0
    return (-(-blocks // chunk) if chunk else 0), max(chunk, 1) * block


def fake(
    q_NHD: Tensor,
    prefix_k_KPD: Tensor,
    prefix_v_KPD: Tensor,
    own_k_NKSD: Tensor,
    own_v_NKSD: Tensor,
    lengths_N: Tensor,
    window: int,
) -> Tensor:
    """Return what comes back, empty."""
    del prefix_k_KPD, prefix_v_KPD, own_k_NKSD, own_v_NKSD, lengths_N, window
    return torch.empty_like(q_NHD, memory_format=torch.contiguous_format)


_decode_attention = register("decode_attention", reference, launch, fake)


def decode_attention(
    q_NHD: Tensor,
    prefix_k_KPD: Tensor,
    prefix_v_KPD: Tensor,
    own_k_NKSD: Tensor,
    own_v_NKSD: Tensor,
    lengths_N: Tensor,
    window: int = 0,
) -> Tensor:
    """Return what the newest token of each candidate attends to, shape [N, H, D]; it has no gradients.

    Args:
        q_NHD: queries; query head h looks at key-value head h // (H / K).
        prefix_k_KPD: keys of the prompt that all candidates share; P may be 0.
        prefix_v_KPD: values of the prompt.
        own_k_NKSD: keys of each candidate's own tokens, the newest included, in a cache with room for S.
        own_v_NKSD: values of each candidate's own tokens.
        lengths_N: how many of its own tokens each has, int32 or int64, 0 to S. One that sees nothing gets zeros.
        window: tokens a query looks back over its own and the prompt, the newest included; 0 for all.

    Raises:
        ValueError: an argument has the wrong shape, dtype, strides, device or range.
    """
    _checked(q_NHD, prefix_k_KPD, prefix_v_KPD, own_k_NKSD, own_v_NKSD, lengths_N, window)
    arguments = (q_NHD, prefix_k_KPD, prefix_v_KPD, own_k_NKSD, own_v_NKSD, lengths_N, window)
    if q_NHD.device.type != "cpu" and uses_triton(q_NHD):
        out_NHD: Tensor = _decode_attention(*arguments)
        return out_NHD
    return reference(*arguments)


def _checked(
    q_NHD: Tensor,
    prefix_k_KPD: Tensor,
    prefix_v_KPD: Tensor,
    own_k_NKSD: Tensor,
    own_v_NKSD: Tensor,
    lengths_N: Tensor,
    window: int,
) -> None:
    if q_NHD.dim() != 3 or not 1 <= q_NHD.shape[2] <= 256:
        raise ValueError(f"q_NHD is {list(q_NHD.shape)}; wanted [N, H, D] with D of 1 to 256")
    if q_NHD.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise ValueError(f"q_NHD is {q_NHD.dtype}; wanted float32, float16 or bfloat16")
    if prefix_k_KPD.dim() != 3:
        raise ValueError(f"prefix_k_KPD is {list(prefix_k_KPD.shape)}; wanted [K, P, D]")
    if own_k_NKSD.dim() != 4:
        raise ValueError(f"own_k_NKSD is {list(own_k_NKSD.shape)}; wanted [N, K, S, D]")
    (N, H, D), (K, P), S = q_NHD.shape, prefix_k_KPD.shape[:2], own_k_NKSD.shape[2]
    if K == 0 or H % K:
        raise ValueError(f"prefix_k_KPD has {K} heads, which do not divide the {H} of q_NHD")
    for name, x, shape in (
        ("q_NHD", q_NHD, (N, H, D)),
        ("prefix_k_KPD", prefix_k_KPD, (K, P, D)),
        ("prefix_v_KPD", prefix_v_KPD, (K, P, D)),
        ("own_k_NKSD", own_k_NKSD, (N, K, S, D)),
        ("own_v_NKSD", own_v_NKSD, (N, K, S, D)),
    ):
        if x.shape != shape:
            raise ValueError(f"{name} is {list(x.shape)}; wanted {list(shape)}")
        if x.dtype != q_NHD.dtype or x.device != q_NHD.device:
            raise ValueError(f"{name} is {x.dtype} on {x.device}; q_NHD is {q_NHD.dtype} on {q_NHD.device}")
        if x.stride(-1) != 1 and x.numel():
            raise ValueError(f"{name} has strides {x.stride()}; a head's {D} numbers must lie side by side")
    if lengths_N.shape != (N,) or lengths_N.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"lengths_N is {list(lengths_N.shape)}, {lengths_N.dtype}; wanted [{N}], int32 or int64")
    if lengths_N.device != q_NHD.device or not lengths_N.is_contiguous():
        raise ValueError(f"lengths_N must be contiguous on {q_NHD.device}")
    if window < 0:
        raise ValueError(f"window is {window}; it can be 0 (all) or more")


def _builds(N: int, H: int, K: int, D: int, P: int, S: int) -> tuple[Build, ...]:
    """Return how the kernels are built for one shape, in bfloat16."""
    G = H // K
    tiles = -(-N * G // _tuning(N * G, 2 * D).blocks["BLOCK_R"])
    shared_parts, own_parts = _split(P, 64, K * tiles)[0], _split(S, 64, N * K)[0]
    parts = shared_parts + own_parts
    heads, size = f"{H} heads on {K}, head size {D}", f"N {N}, H {H}, K {K}, D {D}, P {P}, S {S}"
    types = {
        **dict.fromkeys(("q", "k", "v"), "*bf16"),
        **dict.fromkeys(("part", "part_lse"), "*fp32"),
        "lengths": "*i64",
        "scale": "fp32",
    }
    queries, scratch = 2 * N * H * D, 4 * N * H * (D + 1)

    def build(name: str, kernel: Any, rows: int, read: int, places: int, stretches: int, slices: str) -> Build:
        strides = tuple(slices.split())
        counts = ("chunk", "slots", "window", *(("N", "P") if name == "prefix" else ("splits",)))
        return Build(
            name=f"decode attention, {name}, {heads}",
            kernel=kernel,
            types=types | dict.fromkeys((*counts, *strides), "i32"),
            constants={"G": G, "D": D, "WIDE": D, "DOT32": False},
            size=size,
            work=Work(bytes=2 * 2 * K * D * read + queries + scratch * stretches, flops=4 * N * H * D * places),
            matrix=True,
            tuning={target: _tuning(rows, 2 * D, target) for target in ("default", "gfx942")},
            divisible=("chunk", *strides),
        )

    return (
        build("prefix", decode_attention_prefix, N * G, P, P, shared_parts, "q_n q_h k_h k_s v_h v_s"),
        build("own", decode_attention_own, G, N * S, S, own_parts, "q_n q_h k_n k_h k_s v_n v_h v_s"),
        Build(
            name=f"decode attention, merge, {heads}",
            kernel=decode_attention_merge,
            types={"part": "*fp32", "part_lse": "*fp32", "out": "*bf16", "splits": "i32"},
            constants={"D": D, "WIDE": D, "BLOCK_L": 1 << (parts - 1).bit_length()},
            size=f"{size}, L {parts}",
            work=Work(bytes=scratch * parts + queries, flops=0),
            matrix=False,
            tuning={"default": Tuning({}, 4, 1)},
        ),
    )


BUILDS: tuple[Build, ...] = tuple(
    build for H, K in ((24, 24), (12, 4)) for D in (64, 128) for build in _builds(N=8, H=H, K=K, D=D, P=3584, S=512)
)
