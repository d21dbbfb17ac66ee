"""What was proved, for a person and as data."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch

from kernels.dispatch import HAS_TRITON, INTERPRETED, triton, uses_triton
from kernels.proof.prove import Proof

__all__ = ["as_dict", "path", "table"]

HEADS = ("", "device", "cut", "regs", "spills", "stack", "shared", "matrix", "async", "at the least", "bound by")


def path() -> str:
    """Return which implementation of the operations this machine runs, in a line."""
    if INTERPRETED:
        return "Triton's interpreter on the CPU (TRITON_INTERPRET is set): for tests alone"
    if not torch.cuda.is_available():
        return f"no GPU: torch on the CPU{'' if HAS_TRITON else ' (and Triton is not installed)'}"
    name = torch.cuda.get_device_name()
    if uses_triton(torch.empty(0, device="cuda")):
        return f"{name}: Triton {triton.__version__}"
    return f"{name}: plain torch ({'too old for the kernels' if HAS_TRITON else 'Triton is not installed'})"


def as_dict(proofs: Sequence[Proof]) -> dict[str, Any]:
    """Return proofs as plain values."""
    return {
        "path": path(),
        "triton": triton.__version__ if HAS_TRITON else None,
        "proved": not any(proof.problems for proof in proofs),
        "kernels": [_row(proof) for proof in proofs],
    }


def _row(proof: Proof) -> dict[str, Any]:
    build, target, taken = proof.build, proof.target, proof.resources
    tuning = build.tuned(target.name)
    row: dict[str, Any] = {
        "kernel": build.name,
        "size": build.size,
        "target": target.name,
        "device": target.device,
        "blocks": dict(tuning.blocks),
        "warps": tuning.warps,
        "stages": tuning.stages,
    }
    if taken is not None:
        row |= {
            "registers": taken.registers,
            "spilled_bytes": taken.spilled_bytes,
            "stack_bytes": taken.stack_bytes,
            "shared_bytes": taken.shared_bytes,
            "shared_limit_bytes": target.shared_bytes,
            "matrix": taken.matrix,
            "async_copies": taken.copies,
            "wide_loads": taken.wide,
        }
    return row | {
        "work_bytes": build.work.bytes,
        "work_flops": build.work.flops,
        "intensity": round(proof.bound.intensity, 2),
        "bound_us": round(1e6 * proof.bound.seconds, 3),
        "bound_by": proof.bound.binds,
        "problems": list(proof.problems),
    }


def table(proofs: Sequence[Proof]) -> str:
    """Return a table: a heading a kernel, a line a target, a marked line a problem."""
    cells = [_cells(proof) for proof in proofs]
    widths = [max(len(row[n]) for row in [HEADS, *cells]) for n in range(len(HEADS))]

    def line(row: Sequence[str]) -> str:
        # Numbers to the right.
        return "  ".join(
            cell.rjust(width) if 3 <= n <= 6 or n == 9 else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()

    lines = [line(HEADS)]
    for name, group in groupby(zip(proofs, cells, strict=True), key=lambda pair: pair[0].build.name):
        of_kernel = list(group)
        build = of_kernel[0][0].build
        work = f"{_scaled(build.work.flops, 'FLOP')}, {_scaled(build.work.bytes, 'B')}"
        lines += ["", f"{name}   {build.size}   {work}, {of_kernel[0][0].bound.intensity:.3g} FLOP/B"]
        for proof, row in of_kernel:
            lines += [line(row), *(f"  !! {problem}" for problem in proof.problems)]
    wrong = sum(bool(proof.problems) for proof in proofs)
    lines += ["", f"{len(proofs) - wrong} of {len(proofs)} proved" + (f", {wrong} with problems (!!)" if wrong else "")]
    return "\n".join(lines)


def _cells(proof: Proof) -> tuple[str, ...]:
    target, taken = proof.target, proof.resources
    tuning = proof.build.tuned(target.name)
    blocks = "x".join(str(size) for size in tuning.blocks.values())
    cut = f"{blocks or '-'} w{tuning.warps} s{tuning.stages}"
    us = 1e6 * proof.bound.seconds
    at_least = (f"{us:,.1f} us" if us >= 10 else f"{us:.2g} us", proof.bound.binds)
    if taken is None:
        return (f"  {target.name}", target.device, cut, *["-"] * 6, *at_least)
    return (
        f"  {target.name}",
        target.device,
        cut,
        str(taken.registers),
        str(taken.spilled_bytes),
        str(taken.stack_bytes),
        f"{taken.shared_bytes / 1024:.1f} of {target.shared_bytes / 1024:.0f} kB",
        " ".join(f"{count} {name}" for name, count in taken.matrix.items()) or "-",
        str(taken.copies),
        *at_least,
    )


def _scaled(count: float, unit: str) -> str:
    for prefix in ("", "k", "M", "G"):
        if count < 999.5:
            return f"{count:.3g} {prefix}{unit}"
        count /= 1000
    return f"{count:.3g} T{unit}"
