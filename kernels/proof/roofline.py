"""How fast a kernel could be at best: the roofline of a device over the work of a launch."""

from __future__ import annotations

from dataclasses import dataclass

from kernels.proof.build import Work
from kernels.proof.targets import Target

__all__ = ["Bound", "bound"]


@dataclass(frozen=True, slots=True)
class Bound:
    """The least time a launch can take.

    Attributes:
        seconds: no launch of this work is faster.
        binds: "memory" or "matrix": what takes that long.
        intensity: operations a byte of memory.
    """

    seconds: float
    binds: str
    intensity: float

    def share(self, seconds: float) -> float:
        """Return how much of the bound a measured time reaches, 0..1."""
        return self.seconds / seconds


def bound(work: Work, target: Target) -> Bound:
    """Return the roofline of some work: max(bytes / bandwidth, operations / matrix rate).

    Args:
        work: bytes that must move and operations that must be done; more than 0 bytes.
        target: the device.

    Raises:
        ValueError: `work` moves no bytes, or negative ones.

    Source:
        Williams, Waterman, Patterson, "Roofline: an insightful visual performance model" (2009).
    """
    if work.bytes <= 0 or work.flops < 0:
        raise ValueError(f"work must move bytes and do no negative operations, not {work.bytes} and {work.flops}")
    memory_s, matrix_s = work.bytes / target.bytes_s, work.flops / target.flops_s
    return Bound(
        max(memory_s, matrix_s),
        "memory" if memory_s >= matrix_s else "matrix",
        work.flops / work.bytes,
    )
