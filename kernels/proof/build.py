"""A kernel as it is built for a device ahead of time: its types, its constants, its work.

Each operation lists its own as `BUILDS`, in the shapes and dtypes in which it
would run on a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Work:
    """What one launch must do at the least.

    Attributes:
        bytes: read from and written to memory, each once.
        flops: multiplications and additions in matrices, two each pair.
    """

    bytes: int
    flops: int


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a kernel is cut up on a device.

    Attributes:
        blocks: constants that may differ from device to device, by name (BLOCK_M = 64).
        warps: of 32 (AMD: 64) threads a program.
        stages: of software pipelining.
    """

    blocks: Mapping[str, int]
    warps: int = 4
    stages: int = 2


@dataclass(frozen=True, slots=True)
class Build:
    """A kernel ready to be compiled.

    Attributes:
        name: "attention, forward, strided".
        kernel: the `triton.jit` function.
        types: run-time arguments by name: "*bf16", "*fp32", "*i32", "i32", "fp32".
        constants: compile-time arguments by name, without those of `tuning`.
        size: for whom reads the table: "B 4, H 24, T 4096, D 64".
        work: of one launch at that size.
        matrix: whether it must use the device's matrix instructions.
        tuning: by target ("sm_80", "sm_90", "sm_100", "gfx942"), with "default" for all others.
        divisible: names of integers that are multiples of 16; pointers always are.
    """

    name: str
    kernel: Any
    types: Mapping[str, str]
    constants: Mapping[str, Any]
    size: str
    work: Work
    matrix: bool
    tuning: Mapping[str, Tuning]
    divisible: tuple[str, ...] = field(default=())

    def tuned(self, target: str) -> Tuning:
        """Return how it is cut up on a target."""
        return self.tuning.get(target, self.tuning["default"])
