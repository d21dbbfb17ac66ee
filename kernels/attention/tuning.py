"""How the kernels of training attention are cut up on each device, and how they are built for it.

The builds are of the preset `large`: 4 rows of 4096 tokens, 20 query heads that share 4 key-value heads.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from kernels.attention.patterns import CAUSAL, Part, Pattern
from kernels.attention.triton_kernels import attention_backward_columns, attention_backward_rows, attention_forward
from kernels.dispatch import INTERPRETED
from kernels.proof.build import Build, Tuning, Work

__all__ = ["BUILDS", "constants", "tuning"]


def _blocks(rows: int, columns: int, warps: int, stages: int) -> Tuning:
    return Tuning({"BLOCK_M": rows, "BLOCK_N": columns}, warps, stages)


# What a tile is cut for: short lanes, or a padded head size.
Case = Literal["lanes", "32", "64", "128"]
TUNINGS: dict[tuple[str, Case], dict[str, Tuning]] = {
    ("forward", "lanes"): {"default": _blocks(64, 32, 4, 2)},
    ("forward", "32"): {
        "sm_90": _blocks(128, 64, 8, 3),
        "sm_100": _blocks(128, 64, 8, 3),
        "gfx942": _blocks(128, 64, 4, 1),
        "default": _blocks(128, 32, 4, 3),
    },
    ("forward", "64"): {
        "sm_80": _blocks(128, 64, 8, 3),
        "sm_90": _blocks(128, 64, 8, 3),
        "sm_100": _blocks(128, 64, 8, 3),
        "gfx942": _blocks(128, 64, 4, 1),
        "default": _blocks(64, 32, 4, 2),
    },
    ("forward", "128"): {
        "sm_90": _blocks(128, 64, 8, 2),
        "sm_100": _blocks(128, 64, 8, 2),
        "sm_120": _blocks(64, 64, 8, 2),
        "gfx942": _blocks(64, 32, 4, 1),
        "default": _blocks(64, 32, 4, 2),
    },
    ("backward rows", "lanes"): {"default": _blocks(64, 32, 4, 2)},
    ("backward rows", "64"): {
        "sm_80": _blocks(64, 64, 4, 2),
        "sm_90": _blocks(64, 64, 4, 2),
        "sm_100": _blocks(64, 64, 4, 2),
        "gfx942": _blocks(64, 64, 4, 1),
        "default": _blocks(64, 32, 4, 2),
    },
    ("backward rows", "128"): {
        "sm_90": _blocks(64, 64, 4, 2),
        "sm_100": _blocks(64, 64, 4, 2),
        "gfx942": _blocks(64, 32, 4, 1),
        "default": _blocks(64, 32, 4, 2),
    },
    ("backward columns", "lanes"): {"gfx942": _blocks(32, 64, 4, 1), "default": _blocks(32, 64, 4, 2)},
    ("backward columns", "64"): {
        "sm_90": _blocks(64, 128, 8, 2),
        "sm_100": _blocks(64, 64, 8, 2),
        "gfx942": _blocks(32, 64, 4, 1),
        "default": _blocks(32, 128, 8, 2),
    },
    ("backward columns", "128"): {"gfx942": _blocks(32, 64, 4, 1), "default": _blocks(32, 64, 8, 2)},
}
INTERPRETER = _blocks(16, 32, 4, 1)
# Float32 takes twice the room, and no matrix instructions.
FLOAT32 = _blocks(16, 16, 8, 1)


@functools.cache
def _target(device: torch.device) -> str:
    """Return the target whose cut a GPU takes: its own generation, or for AMD the one there is."""
    if torch.version.hip is not None:
        return "gfx942"
    major, minor = torch.cuda.get_device_capability(device)
    return f"sm_{major}{minor}"


def tuned_for(kernel: str, part: Part, wide: int) -> dict[str, Tuning]:
    """Return how a kernel is cut up, by target.

    Args:
        kernel: "forward", "backward rows" or "backward columns".
        part: of the pattern.
        wide: the head size, padded.
    """
    case: Case = "lanes" if part.lanes > 1 else "32" if wide <= 32 else "64" if wide == 64 else "128"
    if (kernel, case) not in TUNINGS:
        case = "64"
    return TUNINGS[kernel, case]


def tuning(kernel: str, x: Tensor, part: Part, wide: int) -> Tuning:
    """Return how a kernel is cut up where a tensor is; see `tuned_for`."""
    if INTERPRETED:
        return INTERPRETER
    if x.dtype == torch.float32:
        return FLOAT32
    by_target = tuned_for(kernel, part, wide)
    return by_target.get(_target(x.device), by_target["default"])


def constants(part: Part, head_size: int, group: int, *, resume: bool) -> dict[str, Any]:
    """Return what the kernels are told of a part and of the heads.

    Args:
        part: of the pattern.
        head_size: 1..128.
        group: query heads of a key-value head.
        resume: whether parts come before it.
    """
    return {
        "LANES": part.lanes,
        "AHEAD": part.ahead,
        "SPAN": part.span,
        "RUN": part.run,
        "BAND": part.band,
        "OWN": part.own,
        "GROUP": group,
        "D": head_size,
        # Matrix instructions take 16 at the least.
        "WIDE": max(16, 1 << (head_size - 1).bit_length()),
        "RESUME": resume,
        "DOT32": INTERPRETED,
    }


ROWS, HEADS, KV_HEADS, TOKENS = 4, 20, 4, 4096
POINTERS = {
    "forward": {"q": "*bf16", "k": "*bf16", "v": "*bf16", "so_far": "*fp32", "out": "*bf16", "lse": "*fp32"},
    "backward rows": {
        "q": "*bf16",
        "k": "*bf16",
        "v": "*bf16",
        "out": "*bf16",
        "do": "*bf16",
        "lse": "*fp32",
        "delta": "*fp32",
        "dq": "*bf16",
    },
    "backward columns": {
        "q": "*bf16",
        "k": "*bf16",
        "v": "*bf16",
        "do": "*bf16",
        "lse": "*fp32",
        "delta": "*fp32",
        "dk": "*bf16",
        "dv": "*bf16",
    },
}
KERNELS = {
    "forward": attention_forward,
    "backward rows": attention_backward_rows,
    "backward columns": attention_backward_columns,
}
# Products of matrices for each pair of a query and a key.
PRODUCTS = {"forward": 2, "backward rows": 3, "backward columns": 4}


def _build(name: str, kernel: str, pattern: Pattern, at: int, head_size: int) -> Build:
    """Return the build of a kernel for one of the parts of a pattern."""
    parts = pattern.parts
    part, resume = parts[at], at > 0
    types = dict(POINTERS[kernel])
    # Where there are several parts, the sums of all but the output are in float32.
    if len(parts) > 1:
        types |= {x: "*fp32" for x in ("dq", "dk", "dv") if x in types}
        if at + 1 < len(parts) and kernel == "forward":
            types["out"] = "*fp32"
    tensors = [x for x in ("q", "k", "v", "do") if x in types]
    strides = [f"{x}_{axis}" for x in tensors for axis in "bht"]
    numbers = dict.fromkeys([*strides, "K" if kernel == "backward columns" else "H", "T", "columns"], "i32")
    told = constants(part, head_size, HEADS // KV_HEADS, resume=resume)
    if kernel == "backward columns":
        told["SHARES"] = min(HEADS // KV_HEADS, part.slots)
    row = np.arange(TOKENS) // part.lanes
    seen = ROWS * HEADS * int((part.high(row) - part.low(row)).sum())
    return Build(
        name=f"attention, {name}, {kernel}",
        kernel=KERNELS[kernel],
        types={**types, "table": "*i32", **numbers, "scale": "fp32"},
        constants=told,
        size=f"B {ROWS}, H {HEADS}, K {KV_HEADS}, T {TOKENS}, D {head_size}",
        work=Work(bytes=_bytes(types, head_size), flops=2 * PRODUCTS[kernel] * head_size * seen),
        matrix=True,
        tuning=tuned_for(kernel, part, told["WIDE"]),
        divisible=(*strides, "T", *(["columns"] if part.columns(TOKENS) % 16 == 0 else [])),
    )


def _bytes(types: dict[str, str], head_size: int) -> int:
    """Return the bytes of all tensors of a launch, each counted once."""
    total = 0
    for name, kind in types.items():
        heads = KV_HEADS if name in ("k", "v", "dk", "dv") else HEADS
        vector = 1 if name in ("lse", "delta") else head_size
        total += ROWS * heads * TOKENS * vector * (4 if kind == "*fp32" else 2)
    return total


_PLANS = (
    *[("causal", CAUSAL, 0, 64), ("causal, head size 32", CAUSAL, 0, 32), ("causal, head size 128", CAUSAL, 0, 128)],
    ("window", Pattern("window", 512), 0, 64),
    *[(f"strided, {part}", Pattern("strided", 256), at, 64) for at, part in enumerate(("near", "far"))],
    *[(f"fixed, {part}", Pattern("fixed", 256, 16), at, 64) for at, part in enumerate(("own block", "summaries"))],
)
BUILDS: tuple[Build, ...] = tuple(
    _build(name, kernel, pattern, at, head_size) for name, pattern, at, head_size in _PLANS for kernel in KERNELS
)
