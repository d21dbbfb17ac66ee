"""Attention of one new token in each of N candidates that share a prompt.

Shapes: N candidates, H query heads, K key-value heads, D head size, P tokens of
the prompt, S tokens of a candidate's own there is room for, G = H / K query heads
of a key-value head, L splits of the sequence.

The prompt's cache is there once and is read once: the query heads of all
candidates that look at a key-value head are the rows of one tile of a matrix
product. What follows the prompt is each candidate's own. Both are split over the
sequence among the programs of one launch, and a second, small one merges the
parts by their log-sum-exp.

Sources: Dao et al. (2023), Flash-Decoding; Juravsky et al. (2024), Hydragen.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kernels.dispatch import INTERPRETED, jit, register, tl, triton, uses_triton
from kernels.proof.build import Build, Tuning, Work

__all__ = ["BUILDS", "decode_attention"]

# Programs a launch is split into at the least, some to each multiprocessor of any device; and the most splits merged.
PROGRAMS, MOST_SPLITS = 512, 64


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


# mypy: disable-error-code="no-untyped-def, no-untyped-call"


@jit
def attend(
    q_RD, k, v, k_stride, v_stride, begin, end, first_R, last_R, scale,
    BLOCK_R: tl.constexpr, BLOCK_S: tl.constexpr, D: tl.constexpr, WIDE: tl.constexpr, DOT32: tl.constexpr,
):  # fmt: skip
    """Return output, greatest score and sum of exponentials over places begin to end, where first <= place < last."""
    d = tl.arange(0, WIDE)
    acc_RD = tl.zeros([BLOCK_R, WIDE], tl.float32)
    most_R = tl.full([BLOCK_R], float("-inf"), tl.float32)
    sum_R = tl.zeros([BLOCK_R], tl.float32)
    for start in range(begin, end, BLOCK_S):
        s = start + tl.arange(0, BLOCK_S)
        # Places that no row may see may hold anything.
        held = (s < end)[:, None] & (d < D)[None, :]
        k_SD = tl.load(k + s.to(tl.int64)[:, None] * k_stride + d[None, :], mask=held, other=0.0)
        v_SD = tl.load(v + s.to(tl.int64)[:, None] * v_stride + d[None, :], mask=held, other=0.0)
        if DOT32:
            k_SD = k_SD.to(tl.float32)
            v_SD = v_SD.to(tl.float32)
        scores_RS = tl.dot(q_RD, tl.trans(k_SD), input_precision="ieee") * scale
        seen = (s[None, :] >= first_R[:, None]) & (s[None, :] < last_R[:, None])
        scores_RS = tl.where(seen, scores_RS, float("-inf"))
        new_R = tl.maximum(most_R, tl.max(scores_RS, 1))
        # As long as a row has seen nothing, its greatest score is no number to subtract.
        base_R = tl.where(new_R == float("-inf"), 0.0, new_R)
        p_RS = tl.exp2(scores_RS - base_R[:, None])
        before_R = tl.exp2(most_R - base_R)
        sum_R = sum_R * before_R + tl.sum(p_RS, 1)
        acc_RD = tl.dot(p_RS.to(v_SD.dtype), v_SD, acc_RD * before_R[:, None], input_precision="ieee")
        most_R = new_R
    return acc_RD, most_R, sum_R


@jit
def decode_attention_parts(
    q, prefix_k, prefix_v, own_k, own_v, lengths, part, part_lse, N, K, P,
    prefix_splits, own_splits, prefix_chunk, own_chunk, window, scale,
    q_n, q_h, prefix_k_h, prefix_k_s, prefix_v_h, prefix_v_s, own_k_n, own_k_h, own_k_s, own_v_n, own_v_h, own_v_s,
    G: tl.constexpr, D: tl.constexpr, WIDE: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_S: tl.constexpr,
    DOT32: tl.constexpr,
):  # fmt: skip
    """Attend to one stretch of the prompt for many candidates, or of one candidate's own tokens."""
    program = tl.program_id(0)
    tiles = (N * G + BLOCK_R - 1) // BLOCK_R
    of_prefix = K * prefix_splits * tiles
    r = tl.arange(0, BLOCK_R)
    d = tl.arange(0, WIDE)
    splits = prefix_splits + own_splits
    if program < of_prefix:
        # Programs that read the same stretch lie side by side.
        tile = program % tiles
        split = program // tiles % prefix_splits
        head = program // tiles // prefix_splits
        n_R = (tile * BLOCK_R + r) // G
        h_R = head * G + (tile * BLOCK_R + r) % G
        valid_R = n_R < N
    else:
        split = (program - of_prefix) % own_splits
        head = (program - of_prefix) // own_splits % K
        n_R = (program - of_prefix) // own_splits // K + r * 0
        h_R = head * G + r
        valid_R = r < G
    q_RD = tl.load(
        q + n_R.to(tl.int64)[:, None] * q_n + h_R[:, None] * q_h + d[None, :],
        mask=valid_R[:, None] & (d < D)[None, :],
        other=0.0,
    )
    if DOT32:
        q_RD = q_RD.to(tl.float32)
    length_R = tl.load(lengths + n_R, mask=valid_R, other=0).to(tl.int32)
    # Places count from the prompt's first token; a row sees first <= place < last.
    last_R = tl.where(valid_R, P + length_R, 0)
    first_R = tl.where(window > 0, tl.maximum(last_R - window, 0), 0)
    earliest = tl.min(tl.where(valid_R, first_R, 2147483647))
    if program < of_prefix:
        begin = split * prefix_chunk
        end = tl.minimum(begin + prefix_chunk, P)
        begin = tl.maximum(begin, earliest // BLOCK_S * BLOCK_S)
        acc_RD, most_R, sum_R = attend(
            q_RD, prefix_k + head.to(tl.int64) * prefix_k_h, prefix_v + head.to(tl.int64) * prefix_v_h,
            prefix_k_s, prefix_v_s, begin, end, first_R, last_R, scale, BLOCK_R, BLOCK_S, D, WIDE, DOT32,
        )  # fmt: skip
        slot = split
    else:
        n = ((program - of_prefix) // own_splits // K).to(tl.int64)
        begin = split * own_chunk
        end = tl.minimum(begin + own_chunk, tl.max(last_R) - P)
        begin = tl.maximum(begin, tl.maximum(earliest - P, 0) // BLOCK_S * BLOCK_S)
        acc_RD, most_R, sum_R = attend(
            q_RD, own_k + n * own_k_n + head * own_k_h, own_v + n * own_v_n + head * own_v_h,
            own_k_s, own_v_s, begin, end, first_R - P, last_R - P, scale, BLOCK_R, BLOCK_S, D, WIDE, DOT32,
        )  # fmt: skip
        slot = prefix_splits + split
    # Nothing seen: the log-sum-exp is -inf, and the output zero.
    lse_R = tl.where(sum_R > 0, most_R + tl.log2(tl.maximum(sum_R, 1e-37)), float("-inf"))
    acc_RD = acc_RD / tl.where(sum_R > 0, sum_R, 1.0)[:, None]
    to_R = (n_R * (K * G) + h_R) * splits + slot
    tl.store(part_lse + to_R, lse_R, mask=valid_R)
    tl.store(part + to_R.to(tl.int64)[:, None] * D + d[None, :], acc_RD, mask=valid_R[:, None] & (d < D)[None, :])


@jit
def decode_attention_merge(
    part, part_lse, out, splits, D: tl.constexpr, WIDE: tl.constexpr, BLOCK_L: tl.constexpr
):  # fmt: skip
    """Merge the parts of one query head."""
    row = tl.program_id(0).to(tl.int64)
    s = tl.arange(0, BLOCK_L)
    d = tl.arange(0, WIDE)
    lse_L = tl.load(part_lse + row * splits + s, mask=s < splits, other=float("-inf"))
    most = tl.max(lse_L)
    weight_L = tl.exp2(lse_L - tl.where(most == float("-inf"), 0.0, most))
    total = tl.sum(weight_L)
    held = (s < splits)[:, None] & (d < D)[None, :]
    part_LD = tl.load(part + (row * splits + s)[:, None] * D + d[None, :], mask=held, other=0.0)
    out_D = tl.sum(part_LD * weight_L[:, None], 0) / tl.where(total > 0, total, 1.0)
    tl.store(out + row * D + d, out_D.to(out.dtype.element_ty), mask=d < D)


def _tuning(device: torch.device | None, rows: int, wide: int) -> Tuning:
    """Return how the parts are cut up: rows of a tile, places of a block."""
    if device is None or device.type == "cpu":
        return Tuning({"BLOCK_R": 16, "BLOCK_S": 32}, 4, 1)
    amd = torch.version.hip is not None
    return _ahead(rows, wide)["gfx942" if amd else "default"]


def _ahead(rows: int, wide: int) -> dict[str, Tuning]:
    block_r = min(64, max(16, triton.next_power_of_2(rows))) if triton else 16
    return {
        "default": Tuning({"BLOCK_R": block_r, "BLOCK_S": 64}, 4, 3),
        # 64 KiB of shared memory, threads of a warp twice as many.
        "gfx942": Tuning({"BLOCK_R": block_r, "BLOCK_S": 64}, 4, 2),
    }


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
    S = own_k_NKSD.shape[2]
    out_NHD = fake(q_NHD, prefix_k_KPD, prefix_v_KPD, own_k_NKSD, own_v_NKSD, lengths_N, window)
    if N == 0:
        return out_NHD
    wide = max(16, triton.next_power_of_2(D))
    tuning = _tuning(q_NHD.device, N * (H // K), wide)
    block_r, block_s = tuning.blocks["BLOCK_R"], tuning.blocks["BLOCK_S"]
    tiles = triton.cdiv(N * (H // K), block_r)
    prefix_splits, prefix_chunk = _split(P, block_s, K * tiles)
    own_splits, own_chunk = _split(S, block_s, N * K)
    splits = prefix_splits + own_splits
    if splits == 0:
        return out_NHD.zero_()
    part = q_NHD.new_empty((N, H, splits, D), dtype=torch.float32)
    part_lse = q_NHD.new_empty((N, H, splits), dtype=torch.float32)
    decode_attention_parts[(K * prefix_splits * tiles + N * K * own_splits,)](
        *(q_NHD, prefix_k_KPD, prefix_v_KPD, own_k_NKSD, own_v_NKSD, lengths_N, part, part_lse, N, K, P),
        *(prefix_splits, own_splits, prefix_chunk, own_chunk, window, math.log2(math.e) / math.sqrt(D)),
        *(q_NHD.stride()[:2] + prefix_k_KPD.stride()[:2] + prefix_v_KPD.stride()[:2]),
        *(own_k_NKSD.stride()[:3] + own_v_NKSD.stride()[:3]),
        **{"G": H // K, "D": D, "WIDE": wide, "DOT32": INTERPRETED and q_NHD.dtype == torch.bfloat16},
        **tuning.blocks,
        num_warps=tuning.warps,
        num_stages=tuning.stages,
    )
    block_l = triton.next_power_of_2(splits)
    decode_attention_merge[(N * H,)](part, part_lse, out_NHD, splits, D=D, WIDE=wide, BLOCK_L=block_l, num_warps=4)
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
    return q_NHD.new_empty(q_NHD.shape)


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


_STRIDES = (
    *("q_n", "q_h", "prefix_k_h", "prefix_k_s", "prefix_v_h", "prefix_v_s"),
    *("own_k_n", "own_k_h", "own_k_s", "own_v_n", "own_v_h", "own_v_s"),
)


def _builds(N: int, H: int, K: int, D: int, P: int, S: int) -> tuple[Build, Build]:
    tensors = ("q", "prefix_k", "prefix_v", "own_k", "own_v")
    counts = ("N", "K", "P", "prefix_splits", "own_splits", "prefix_chunk", "own_chunk", "window", *_STRIDES)
    parts = _split(P, 64, K)[0] + _split(S, 64, N * K)[0]
    heads, size = f"{H} heads on {K}, head size {D}", f"N {N}, H {H}, K {K}, D {D}, P {P}, S {S}"
    scratch = 4 * N * H * parts * (D + 1)
    cache = 2 * 2 * K * D * (P + N * S)
    return (
        Build(
            name=f"decode attention, {heads}",
            kernel=decode_attention_parts,
            types={
                **dict.fromkeys(tensors, "*bf16"),
                **dict.fromkeys(counts, "i32"),
                **dict.fromkeys(("part", "part_lse"), "*fp32"),
                "lengths": "*i64",
                "scale": "fp32",
            },
            constants={"G": H // K, "D": D, "WIDE": D, "DOT32": False},
            size=size,
            work=Work(bytes=cache + 2 * N * H * D + scratch, flops=4 * N * H * D * (P + S)),
            matrix=True,
            tuning=_ahead(N * H // K, D),
            divisible=("prefix_chunk", "own_chunk", *_STRIDES),
        ),
        Build(
            name=f"decode attention, merge, {heads}",
            kernel=decode_attention_merge,
            types={"part": "*fp32", "part_lse": "*fp32", "out": "*bf16", "splits": "i32"},
            constants={"D": D, "WIDE": D, "BLOCK_L": triton.next_power_of_2(parts) if triton else 64},
            size=f"{size}, L {parts}",
            work=Work(bytes=scratch + 2 * N * H * D, flops=0),
            matrix=False,
            tuning={"default": Tuning({}, 4, 1)},
        ),
    )


_SIZES = tuple((H, K, D) for H, K in ((24, 24), (12, 4)) for D in (64, 128))
BUILDS: tuple[Build, ...] = tuple(build for H, K, D in _SIZES for build in _builds(N=8, H=H, K=K, D=D, P=3584, S=512))
