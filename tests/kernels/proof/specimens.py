"""Kernels for the proof itself: one as it should be, and one with each fault that the proof must find."""

from __future__ import annotations

from kernels.dispatch import jit, tl
from kernels.proof.build import Build, Tuning, Work


@jit
def product(a, b, c, K, BLOCK: tl.constexpr, STEP: tl.constexpr):  # type: ignore[no-untyped-def]
    """Multiply a row of blocks by a column of blocks."""
    rows, inner = tl.arange(0, BLOCK), tl.arange(0, STEP)
    sums = tl.zeros([BLOCK, BLOCK], tl.float32)
    for k in range(0, K, STEP):
        left = tl.load(a + rows[:, None] * K + (k + inner)[None, :])
        right = tl.load(b + (k + inner)[:, None] * BLOCK + rows[None, :])
        sums = tl.dot(left, right, sums)
    tl.store(c + rows[:, None] * BLOCK + rows[None, :], sums.to(c.dtype.element_ty))


@jit
def total(a, c, K, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Sum blocks: no matrices in it."""
    sums = tl.zeros([BLOCK], tl.float32)
    for k in range(0, K, BLOCK):
        sums += tl.load(a + k + tl.arange(0, BLOCK)).to(tl.float32)
    tl.store(c + tl.arange(0, BLOCK), sums)


def _product(name: str, block: int, step: int, warps: int, stages: int) -> Build:
    tuning = Tuning({"BLOCK": block, "STEP": step}, warps, stages)
    K = 4096
    return Build(
        name,
        product,
        {"a": "*bf16", "b": "*bf16", "c": "*bf16", "K": "i32"},
        {},
        f"{block} x {K} x {block}",
        Work(2 * (2 * block * K + block * block), 2 * block * K * block),
        matrix=True,
        tuning={"default": tuning},
        divisible=("K",),
    )


SOUND = _product("sound", 64, 64, 4, 2)
# 128 x 128 sums in the registers of one warp: 512 a thread.
SPILLING = _product("spilling", 128, 32, 1, 1)
# Four stages of 128 x 256 and 256 x 128.
GREEDY = _product("greedy", 128, 256, 8, 4)
NO_MATRIX = Build(
    "no matrix",
    total,
    {"a": "*bf16", "c": "*fp32", "K": "i32"},
    {},
    "K 4096",
    Work(2 * 4096, 0),
    matrix=True,
    tuning={"default": Tuning({"BLOCK": 1024})},
    divisible=("K",),
)
BUILDS = (SOUND, SPILLING, GREEDY, NO_MATRIX)
