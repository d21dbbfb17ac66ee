"""What a figure was measured on, and whether it may be reported."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tests.bench.bench_compose import processor

# Of a red test so many lines are told.
TOLD_LINES = 12


def facts(threads: int) -> dict[str, Any]:
    """Return what a reader must know of the machine, for the line of JSON.

    Args:
        threads: processor cores that torch was given.
    """
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "memory_gib": round(memory_bytes / 2**30, 1),
        "bf16": bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()),
        # Above the number of threads: somebody else was at work, and seconds are not comparable.
        "load": round(os.getloadavg()[0], 1),
        "torch": torch.__version__,
        "python": sys.version.split()[0],
    }


def described(threads: int) -> str:
    """Return the machine in one line for a person."""
    f = facts(threads)
    return (
        f"{f['processor']}, {f['threads']} of {f['cores']} cores, {f['memory_gib']} GiB, "
        f"{'bf16' if f['bf16'] else 'no bf16'}, torch {f['torch']}, load {f['load']}"
    )


def green(tests: Sequence[str]) -> bool:
    """Return whether some test files pass; a figure of something broken is worth nothing.

    What a red one said goes to stderr: its last lines, and how to see the rest.

    Args:
        tests: files, from the folder of the sources on.
    """
    # Wherever the benchmark was started: of the sources that it measures, and by them.
    sources = Path(__file__).resolve().parents[2]
    path = os.pathsep.join(filter(None, [str(sources), os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", *tests]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=sources, env={**os.environ, "PYTHONPATH": path}
    )
    if done.returncode:
        said = [line for line in done.stdout.splitlines() if line.startswith(("E ", "FAILED", "ERROR"))]
        for line in (said or done.stdout.splitlines() or done.stderr.splitlines())[-TOLD_LINES:]:
            print(line, file=sys.stderr)
        print(f"to see it whole: cd {sources}; {' '.join(command)}", file=sys.stderr)
    return done.returncode == 0
