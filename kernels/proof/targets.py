"""The devices that kernels are proved for: what a program may take there, and how fast the device is at best."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PROVED", "TARGETS", "Target"]


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

# Shared memory: CUDA C++ Programming Guide, table "Technical Specifications per Compute Capability" (163, 227, 99 KiB);
# AMD CDNA3 ISA guide, section 2.2.1 (64 KiB of LDS a workgroup).
# Peaks, dense bfloat16 with float32 accumulation. Data sheets: NVIDIA A100 80GB (SXM: 2,039 GB/s, 312 TFLOPS), NVIDIA
# H100 (SXM5: 3.35 TB/s, 989.4 TFLOPS), NVIDIA DGX B200 (an eighth of 64 TB/s and of 18 PFLOPS), AMD Instinct MI300X
# (5.3 TB/s, 1,307.4 TFLOPS). White papers: NVIDIA Ada GPU Architecture (RTX 4090: 1,008 GB/s, 165.2 TFLOPS), NVIDIA RTX
# Blackwell GPU Architecture (RTX 5090: 1,792 GB/s, 209.5 TFLOPS).
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
        Target("sm_89", "RTX 4090", "cuda", 89, 32, 101_376, 1.008e12, 165.2e12, _MMA, _CP_ASYNC),
        Target("sm_120", "RTX 5090", "cuda", 120, 32, 101_376, 1.792e12, 209.5e12, _MMA, _CP_ASYNC),
    )
}
# Those that kernels are cut for; all others share what a kernel's tuning calls "default".
PROVED = ("sm_80", "sm_90", "sm_100", "gfx942")
