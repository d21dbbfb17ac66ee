"""The proof itself: kernels compiled for devices that are not here, each judged by what it takes.

Triton needs seconds a kernel and one core; the kernels are shared out among a
few processes. What has been compiled before is read from Triton's cache.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass

from kernels.proof.build import Build
from kernels.proof.compile import Resources, compiled
from kernels.proof.roofline import Bound, bound
from kernels.proof.targets import TARGETS, Target
from kernels.registry import builds, modules

__all__ = ["Proof", "judged", "prove"]

FORBIDDEN = "TRITON_INTERPRET"


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found of a kernel on a target.

    Attributes:
        build, target: what was compiled, and for which device.
        resources: what a program takes; None where it does not compile.
        bound: the least time of a launch.
        problems: what is wrong, a line each; none: proved.
    """

    build: Build
    target: Target
    resources: Resources | None
    bound: Bound
    problems: tuple[str, ...]


def judged(build: Build, target: Target, resources: Resources) -> tuple[str, ...]:
    """Return what is wrong with what a kernel takes on a target, a line each."""
    problems = []
    if resources.spilled_bytes:
        problems.append(f"spills {resources.spilled_bytes} bytes a thread: smaller blocks or more warps")
    if resources.shared_bytes > target.shared_bytes:
        problems.append(
            f"takes {resources.shared_bytes:,} bytes of shared memory and there are {target.shared_bytes:,}: "
            "smaller blocks or fewer stages"
        )
    if build.matrix and not resources.matrix:
        problems.append(f"uses no matrix instructions ({', '.join(target.matrix)})")
    return tuple(problems)


def prove(
    wanted: Sequence[tuple[str, str]],
    names: Sequence[str] | None = None,
    processes: int = 1,
    told: Callable[[], object] = lambda: None,
) -> list[Proof]:
    """Compile kernels for targets and judge them; return the proofs in the order asked for.

    Args:
        wanted: (name of a build, name of a target).
        names: modules whose builds they are; those of `kernels` by default.
        processes: to compile in; 1: in this one, which must then not interpret kernels.
        told: called once a kernel.
    """
    known = builds(names)
    if processes == 1:
        found = {}
        for pair in wanted:
            found[pair] = _compiled(names, pair)
            told()
    else:
        found = _shared_out(wanted, names, processes, told)
    proofs = []
    for pair in wanted:
        build, target, resources = known[pair[0]], TARGETS[pair[1]], found[pair]
        best = bound(build.work, target)
        if isinstance(resources, str):
            proofs.append(Proof(build, target, None, best, (f"does not compile: {resources}",)))
        else:
            proofs.append(Proof(build, target, resources, best, judged(build, target, resources)))
    return proofs


def _shared_out(
    wanted: Sequence[tuple[str, str]], names: Sequence[str] | None, processes: int, told: Callable[[], object]
) -> dict[tuple[str, str], Resources | str]:
    """Compile kernels in some processes; a compiler that ends its process takes no other kernel with it."""
    # One process imports torch and Triton, the others are forked from it.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *(modules() if names is None else names)])
    found: dict[tuple[str, str], Resources | str] = {}
    lost = []
    with _few_threads():
        with ProcessPoolExecutor(processes, mp_context=context) as pool:
            waiting = {pool.submit(_compiled, names, pair): pair for pair in wanted}
            for done in as_completed(waiting):
                try:
                    found[waiting[done]] = done.result()
                    told()
                except BrokenProcessPool:
                    lost.append(waiting[done])
        # Whose fault it was is not known: each again, alone.
        for pair in lost:
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                try:
                    found[pair] = pool.submit(_compiled, names, pair).result()
                except BrokenProcessPool:
                    found[pair] = "the compiler ended its process"
            told()
    return found


def _compiled(names: Sequence[str] | None, pair: tuple[str, str]) -> Resources | str:
    """Compile one kernel; return what it takes, or why it does not compile."""
    name, target = pair
    try:
        return compiled(builds(names)[name], TARGETS[target])
    except Exception as error:
        # Triton's compiler raises errors of many kinds, most with the whole source in them: the last line says why.
        lines = [line.strip() for line in f"{type(error).__name__}: {error}".splitlines() if line.strip()]
        return lines[0] if len(lines) == 1 else f"{lines[0]} ... {lines[-1]}"


@contextmanager
def _few_threads() -> Iterator[None]:
    """Let processes that begin here compile, and with one thread each."""
    here = dict(os.environ)
    os.environ.pop(FORBIDDEN, None)
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(here)
