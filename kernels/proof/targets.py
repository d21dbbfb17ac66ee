"""The devices that kernels are proved for: what a program may take there, and how fast the device is at best."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TARGETS", "Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """A generation of GPUs, and the device it is judged by.

    Attributes:
        name: as compilers call it.
        device: the one whose peaks are below.
        backend: Triton's name of the maker's platform.
        arch: Triton's name of the generation.
        warp: threads that go in step.
        shared_bytes: shared memory that one program may take.
        bytes_s: peak bandwidth of the memory, bytes a second.
        flops_s: peak rate of the matrix units on dense bfloat16, operations a second.
        matrix: the matrix instructions, by the name shown, as they are written in assembly.
        copies: the instructions that bring data into shared memory while the program goes on.
    """

    name: str
    device: str
    backend: str
    arch: int | str
    warp: int
    shared_bytes: int
    bytes_s: float
    flops_s: float
    matrix: dict[str, str]
    copies: str

    @property
    def ridge(self) -> float:
        """Operations a byte from which on the matrix units bind and no longer the memory."""
        return self.flops_s / self.bytes_s


_MMA = {"mma": r"\bmma\.sync"}
_WGMMA = {"wgmma": r"\bwgmma\.mma_async"}
# tcgen05.ld and .st move results; only .mma multiplies.
_TCGEN05 = {"tcgen05": r"\btcgen05\.mma"}
_CP_ASYNC = r"\bcp\.async\.(?:cg|ca|bulk\.tensor\.\dd\.shared)"

# Shared memory: CUDA C++ Programming Guide, table "Technical Specifications per Compute Capability" (163 KiB, 227 KiB);
# AMD CDNA3 ISA guide, section 2.2.1 (64 KiB LDS a workgroup).
# Peaks: NVIDIA A100 80GB data sheet (SXM: 2,039 GB/s, 312 TFLOPS), NVIDIA H100 data sheet (SXM5: 3.35 TB/s,
# 989.4 TFLOPS without sparsity), NVIDIA DGX B200 data sheet (an eighth of 64 TB/s; 2,250 TFLOPS without sparsity), AMD
# Instinct MI300X data sheet (5.3 TB/s, 1,307.4 TFLOPS).
TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("sm_80", "A100", "cuda", 80, 32, 166_912, 2.039e12, 312e12, _MMA, _CP_ASYNC),
        Target("sm_90", "H100", "cuda", 90, 32, 232_448, 3.35e12, 989.4e12, _WGMMA | _MMA, _CP_ASYNC),
        Target("sm_100", "B200", "cuda", 100, 32, 232_448, 8.0e12, 2250e12, _TCGEN05 | _MMA, _CP_ASYNC),
        Target(
            "gfx942",
            "MI300X",
            "hip",
            "gfx942",
            64,
            65_536,
            5.3e12,
            1307.4e12,
            {"mfma": r"\bv_s?mfmac?_"},
            r"\b(?:global_load_lds|buffer_load_\w+ .*\blds\b)",
        ),
    )
}
