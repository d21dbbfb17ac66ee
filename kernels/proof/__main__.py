"""`python -m kernels.proof`: prove the kernels; 1 when one is not as it should be, 2 when nothing can be proved."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from kernels.dispatch import HAS_TRITON, INTERPRETED
from kernels.proof.compile import NOT_COMPILED
from kernels.proof.prove import prove
from kernels.proof.report import as_dict, path, table
from kernels.proof.targets import PROVED, TARGETS
from kernels.registry import builds

__all__ = ["main"]

NO_TRITON = "Triton is not installed, so that no kernel can be compiled: pip install 'conductor-live[gpu]'"
EXIT_UNPROVED = 1
EXIT_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Compile kernels for devices, print what they take; return the exit status.

    Args:
        arguments: of the command line; those of the process by default.
    """
    parser = argparse.ArgumentParser(prog="kernels.proof", description=__doc__)
    parser.add_argument(
        "--target", action="append", metavar="TARGET", help=f"{', '.join(TARGETS)} (the first {len(PROVED)})"
    )
    parser.add_argument("--only", action="append", metavar="WORD", help="kernels with this word in their name (all)")
    parser.add_argument("--module", action="append", metavar="MODULE", help="where to look for builds (kernels)")
    parser.add_argument("--processes", type=int, metavar="N", help="to compile in (one a core)")
    parser.add_argument("--list", action="store_true", help="name the kernels, compile nothing")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args(arguments)
    try:
        wanted = _wanted(args)
    except ValueError as error:
        return _refused(str(error))
    if args.list:
        names = list(dict.fromkeys(name for name, _ in wanted))
        print(json.dumps({"path": path(), "kernels": names}) if args.json else "\n".join([*names, "", path()]))
        return 0
    if not HAS_TRITON or INTERPRETED:
        return _refused(NOT_COMPILED if HAS_TRITON else f"{NO_TRITON}; here: {path()}")

    from tqdm import tqdm

    processes = min(args.processes or os.cpu_count() or 1, len(wanted))
    with tqdm(total=len(wanted), desc="compiling", unit="kernel", disable=None) as bar:
        proofs = prove(wanted, args.module, processes, bar.update)
    if args.json:
        print(json.dumps(as_dict(proofs)))
    else:
        print(f"{table(proofs)}\n{path()}")
    return EXIT_UNPROVED if any(proof.problems for proof in proofs) else 0


def _wanted(args: argparse.Namespace) -> list[tuple[str, str]]:
    """Return the kernels and targets that were asked for.

    Raises:
        ValueError: there are none such.
    """
    targets = args.target or list(PROVED)
    if unknown := [name for name in targets if name not in TARGETS]:
        raise ValueError(f"--target {unknown[0]}: there are {', '.join(TARGETS)}")
    if args.processes is not None and args.processes < 1:
        raise ValueError(f"--processes {args.processes}: it needs 1 at least")
    try:
        names = list(builds(args.module))
    except ImportError as error:
        raise ValueError(f"--module: {error}") from error
    if not names:
        raise ValueError(f"no kernels to build in {' '.join(args.module or ['kernels'])}")
    chosen = [name for name in names if args.only is None or any(word in name for word in args.only)]
    if not chosen:
        raise ValueError(f"--only {' '.join(args.only)}: no kernel has this in its name; there are {'; '.join(names)}")
    return [(name, target) for name in chosen for target in dict.fromkeys(targets)]


def _refused(why: str) -> int:
    print(f"conductor: {why}", file=sys.stderr)
    return EXIT_ERROR


if __name__ == "__main__":
    sys.exit(main())
