"""`conductor kernels`: what the Triton kernels take on GPUs that are not here."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

ROOT = Path(__file__).resolve().parents[2]
EXIT_ERROR = 2
DESCRIPTION = """\
Compiles every Triton kernel for GPUs that need not be here and prints what a
program takes on each: registers and bytes spilled (a thread), shared memory of
what there is, matrix instructions, asynchronous copies into shared memory; and
the least time a launch can take there (its bytes over the bandwidth or its
operations over the matrix rate, whichever is more). The last line says which
path this machine itself takes. The first run takes minutes, later ones read
Triton's cache.
"""
EXAMPLES = """\
targets:  sm_80 (A100)   sm_90 (H100)   sm_100 (B200)   gfx942 (MI300X)
          and when asked for: sm_89 (RTX 4090)   sm_120 (RTX 5090)

a line that begins with !! is a problem:
  spills           registers that did not fit went to memory: smaller blocks or more warps
  shared memory    a launch would be refused: smaller blocks or fewer stages
  no matrix instructions: the product runs on ordinary arithmetic, 10 times slower or more

exit status:  0 all proved   1 a problem   2 nothing could be compiled (no Triton, no such kernel)

examples:
  conductor kernels                                   everything, on all targets
  conductor kernels --target sm_90 --only attention   some kernels on one
  conductor kernels --list                            their names, and this machine's path
  conductor kernels --json > kernels.json             the same as data
"""


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `kernels`."""
    kernels = subparsers.add_parser(
        "kernels",
        help="what the GPU kernels take, compiled without a GPU",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kernels.add_argument(
        "--target", action="append", metavar="TARGET", help="compile for it (the first four); may be repeated"
    )
    kernels.add_argument("--only", action="append", metavar="WORD", help="kernels with this in their name (all)")
    kernels.add_argument("--module", action="append", metavar="MODULE", help="a module with builds of your own")
    kernels.add_argument("--processes", type=int, metavar="N", help="to compile in (one a core)")
    kernels.add_argument("--list", action="store_true", help="name the kernels, compile nothing")
    kernels.add_argument("--json", action="store_true", help="print JSON")
    kernels.set_defaults(run=run_kernels)


def run_kernels(args: argparse.Namespace) -> int:
    """Prove the kernels in a process of its own: one in which none is interpreted, whatever this one does."""
    words = [f"--{name}={value}" for name in ("target", "only", "module") for value in getattr(args, name) or ()]
    words += [f"--processes={args.processes}"] if args.processes is not None else []
    words += [f"--{name}" for name in ("list", "json") if getattr(args, name)]
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    # Ours first, and (-P) nothing from the folder in which the user happens to be.
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [environment.get("PYTHONPATH")])])
    sys.stdout.flush()
    done = subprocess.run([sys.executable, "-P", "-m", "kernels.proof", *words], env=environment, check=False)
    # Ended by a signal: nothing was proved.
    return done.returncode if done.returncode >= 0 else EXIT_ERROR
