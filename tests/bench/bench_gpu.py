"""How fast the kernels are on a GPU: `make bench-gpu`. A table, then one line of JSON.

Every operation is first compared with float64, results and gradients, in
float32 and bfloat16; nothing is timed where one is wrong. Then, in one run, ours
stands beside FlexAttention, SDPA and eager torch, and beside the roofline of
this GPU as its memory and its matrix units were measured a moment before. A
cell is how many times longer the peer takes; below 1.00 the peer is faster.
Without a GPU there is nothing to measure: a line says so, and that is no error.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from kernels.dispatch import uses_triton
from kernels.proof.report import path
from kernels.proof.roofline import bound
from kernels.proof.targets import TARGETS, Target
from tests.bench.gpu import attention, decode, fused
from tests.bench.gpu.case import TOLERANCES, Case, Function, faults, results, run

SUITES = (attention, decode, fused)
DTYPE = torch.bfloat16
# Runs of which the median is told, and the bytes written between them so that nothing is left in the caches.
RUNS, FLUSHED = 25, 2**30
GOALS = "goals: attention at least 1.1 times FlexAttention on strided and fixed; decode at least 70 % of the roofline"


def red(cases: Sequence[Case], device: torch.device, dtypes: Sequence[torch.dtype]) -> list[str]:
    """Return what is wrong with the operations on a device, a line each."""
    lines = []
    for case in cases:
        for dtype in dtypes:
            for who, function in (("", case.ours), (" (operator)", case.kernel)):
                try:
                    found = faults(case, function, device, dtype)
                except Exception as error:
                    # Whatever it is, the operation does not work here, and the others are still worth knowing.
                    found = [f"{case.name}, {dtype}: {type(error).__name__}: {str(error).splitlines()[0][:200]}"]
                lines += [f"{line}{who}" for line in found]
    return lines


def has_kernels(device: torch.device) -> bool:
    """Return whether a GPU runs the kernels, not plain torch."""
    return uses_triton(torch.empty(0, device=device))


def seconds(function: Callable[[], Any]) -> float:
    """Return the median time of a call on the GPU, caches cold."""
    flushed = torch.empty(FLUSHED, dtype=torch.int8, device="cuda")
    for _ in range(3):
        function()
    times: list[float] = []
    for _ in range(RUNS):
        # While these bytes are written the next launches are queued: what a launch costs the CPU is not counted.
        flushed.zero_()
        begin, end = (torch.Event(device="cuda", enable_timing=True) for _ in range(2))
        begin.record()
        function()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / 1e3)
    return statistics.median(times)


def here(device: torch.device) -> Target:
    """Return this GPU with the bandwidth and the matrix rate that it is seen to have.

    A copy of 1 GiB, and a product of two matrices of 8192 x 8192 in bfloat16.
    """
    name = torch.cuda.get_device_name(device)
    near = TARGETS["gfx942" if torch.version.hip else "sm_90"]
    source = torch.empty(2**30, dtype=torch.int8, device=device)
    target = torch.empty_like(source)
    side = 8192
    a, b = (torch.randn(side, side, device=device, dtype=DTYPE) for _ in range(2))
    bytes_s = 2 * source.numel() / seconds(lambda: target.copy_(source))
    flops_s = 2 * side**3 / seconds(lambda: a @ b)
    return replace(near, name=name, device=name, bytes_s=bytes_s, flops_s=flops_s)


def timed(case: Case, function: Function, inputs: Sequence[Tensor]) -> tuple[float, int]:
    """Return a run's seconds, and the bytes it took beyond its inputs."""
    leaves = [x.detach().requires_grad_(n in case.gradients) for n, x in enumerate(inputs)]
    wanted = [leaves[n] for n in case.gradients]
    above = [torch.randn_like(x) for x in results(function(*leaves))] if wanted else None

    def once() -> None:
        out = results(function(*leaves))
        if wanted:
            torch.autograd.grad(out, wanted, above)

    spent_s = seconds(once)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    once()
    torch.cuda.synchronize()
    return spent_s, torch.cuda.max_memory_allocated() - before


def measured(case: Case, target: Target, device: torch.device) -> dict[str, Any]:
    """Return what a case took, ours and the peers'."""
    inputs = case.inputs(device, DTYPE)
    spent_s, taken = timed(case, case.ours, inputs)
    best = bound(case.work, target)
    row: dict[str, Any] = {
        "case": case.name,
        "us": round(1e6 * spent_s, 1),
        "memory_mb": round(taken / 1e6, 1),
        "bound_us": round(1e6 * best.seconds, 1),
        "bound_by": best.binds,
        "share_of_roofline": round(best.share(spent_s), 3),
        "peers": {},
    }
    for name, peer in case.peers.items():
        try:
            peer_s, peer_bytes = timed(case, peer, inputs)
        except (RuntimeError, ValueError) as error:
            # Out of memory, or not made for this GPU: that is a result too.
            torch.cuda.empty_cache()
            row["peers"][name] = {"failed": f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"}
            continue
        row["peers"][name] = {
            "us": round(1e6 * peer_s, 1),
            "memory_mb": round(peer_bytes / 1e6, 1),
            "times": round(peer_s / spent_s, 2),
        }
    # Where ours and the first peer differ at full size, the small sizes have proved too little.
    if case.peers and not case.same:
        first = next(iter(case.peers.values()))
        pairs = zip(run(case, case.ours, inputs), run(case, first, inputs), strict=True)
        row["agrees"] = all(float((a.double() - b.double()).norm() / b.double().norm()) < 3e-2 for a, b in pairs)
    return row


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return a table, a line a case."""
    peers = list(dict.fromkeys(name for row in rows for name in row["peers"]))
    wide = max(len(row["case"]) for row in rows)
    head = f"{'':<{wide}}{'ours us':>11}{'MB':>9}{'of roofline':>13}" + "".join(f"{name:>15}" for name in peers)
    lines = [head]
    for row in rows:
        cells = [
            f"{found['times']:.2f} x"
            if (found := row["peers"].get(name, {})).get("times")
            else "failed"
            if found
            else "-"
            for name in peers
        ]
        share = f"{100 * row['share_of_roofline']:.0f} % {row['bound_by']}"
        wrong = "" if row.get("agrees", True) else "   !! differs from the first peer"
        lines.append(
            f"{row['case']:<{wide}}{row['us']:>11,.1f}{row['memory_mb']:>9,.1f}{share:>13}"
            + "".join(f"{cell:>15}" for cell in cells)
            + wrong
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and the JSON line; 1 when an operation is wrong, 0 also where there is no GPU.

    Args:
        arguments: of the command line; those of the process by default.
    """
    parser = argparse.ArgumentParser(
        prog="make bench-gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="WORD", default="", help="cases with this in their name (all)")
    args = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("bench_gpu: no GPU here (neither CUDA nor ROCm): nothing is measured")
        return 0
    device = torch.device("cuda")
    if not has_kernels(device):
        print(f"bench_gpu: {path()}: there are no kernels to measure")
        return 0
    checked = [case for suite in SUITES for case in (*suite.small(), *suite.medium())]
    full = [case for suite in SUITES for case in suite.full() if args.only in case.name]
    if not full:
        parser.error(f"--only {args.only}: no case has this in its name")
    # All of them: what is timed may stand on what is not.
    if wrong := red(checked, device, list(TOLERANCES)):
        print("\n".join(["bench_gpu: an operation is wrong here: no speed is reported", *wrong]), file=sys.stderr)
        return 1
    target = here(device)
    print(f"{path()}, {target.bytes_s / 1e9:,.0f} GB/s and {target.flops_s / 1e12:,.0f} TFLOPS measured, {DTYPE}")
    rows = [measured(case, target, device) for case in full]
    print(f"{table(rows)}\n{GOALS}")
    facts = {
        "bench": "gpu",
        "device": target.device,
        "torch": torch.__version__,
        "bytes_s": target.bytes_s,
        "flops_s": target.flops_s,
        "dtype": str(DTYPE),
        "cases": rows,
    }
    print(json.dumps(facts))
    return 0 if all(row.get("agrees", True) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
