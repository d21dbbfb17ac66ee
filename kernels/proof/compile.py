"""Compiling a kernel for a device that is not here, and reading back what it takes there.

Triton compiles to machine code without a device; what a program then takes is
in what ptxas says (NVIDIA) or in the assembly itself (AMD). Both stay in
Triton's own cache, so that a second run reads and does not compile.
"""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import dataclass, field
from typing import Any

from kernels.dispatch import INTERPRETED, triton
from kernels.proof.build import Build
from kernels.proof.targets import Target

__all__ = ["Resources", "compiled", "read_amdgcn", "read_ptxas", "signature"]

LOG = "ptxas.log"
NOT_COMPILED = "kernels are interpreted here (TRITON_INTERPRET is set): they cannot be compiled in this process"


@dataclass(frozen=True, slots=True)
class Resources:
    """What one program of a kernel takes on a device.

    Attributes:
        registers: a thread.
        spilled_bytes: a thread, kept in memory for want of registers.
        stack_bytes: a thread, of local memory in all: spills, and arrays that a function keeps.
        shared_bytes: a program.
        matrix: matrix instructions in the code, by name; those that are not there are left out.
        copies: instructions that load into shared memory asynchronously.
        wide: loads of 16 bytes a thread.
    """

    registers: int
    spilled_bytes: int
    stack_bytes: int
    shared_bytes: int
    matrix: dict[str, int] = field(default_factory=dict)
    copies: int = 0
    wide: int = 0


def signature(build: Build, target: Target) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the types of all of a kernel's arguments, and its constants, on a target.

    Raises:
        ValueError: an argument of the kernel is not said, said twice, or is none of the kernel's.
    """
    blocks = build.tuned(target.name).blocks
    said = [*build.types, *build.constants, *blocks]
    names = list(build.kernel.arg_names)
    for what, wrong in (
        ("says nothing of", [name for name in names if name not in said]),
        ("says twice", sorted({name for name in said if said.count(name) > 1})),
        ("names what is no argument,", [name for name in [*said, *build.divisible] if name not in names]),
    ):
        if wrong:
            raise ValueError(f"the build {build.name!r} {what} {', '.join(wrong)}")
    types = {name: build.types.get(name, "constexpr") for name in names}
    return types, {**build.constants, **blocks}


def compiled(build: Build, target: Target) -> Resources:
    """Compile a kernel for a target; return what it takes there.

    Args:
        build: the kernel, its types and constants.
        target: the device, which need not be here.

    Raises:
        ValueError: the build does not fit its kernel.
        RuntimeError: this process interprets kernels, or has no Triton.
        Exception: whatever Triton raises for what does not compile.
    """
    if triton is None or INTERPRETED:
        raise RuntimeError("Triton is not installed" if triton is None else NOT_COMPILED)
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    types, constants = signature(build, target)
    names = list(types)
    # What a launch finds out from the arguments themselves: without it nothing is loaded in more than 4 bytes.
    aligned = [n for n, name in enumerate(names) if types[name].startswith("*") or name in build.divisible]
    source = ASTSource(
        fn=build.kernel,
        signature=types,
        constexprs={(names.index(name),): value for name, value in constants.items()},
        attrs={(n,): [["tt.divisibility", 16]] for n in aligned},
    )
    tuning = build.tuned(target.name)
    gpu = GPUTarget(target.backend, target.arch, target.warp)
    options = {"num_warps": tuning.warps, "num_stages": tuning.stages}

    def compile_() -> tuple[Any, str]:
        heard = io.StringIO()
        with contextlib.redirect_stdout(heard), triton.knobs.nvidia.scope():
            triton.knobs.nvidia.dump_ptxas_log = True
            return triton.compile(source, target=gpu, options=options), heard.getvalue()

    kernel, heard = compile_()
    if target.backend == "hip":
        return read_amdgcn(kernel.asm["amdgcn"], kernel.metadata.shared, target)
    return read_ptxas(_log(kernel, heard, compile_), kernel.asm["ptx"], kernel.metadata.shared, target)


def _log(kernel: Any, heard: str, again: Any) -> str:
    """Return what ptxas said of a kernel: just now, or when it was compiled."""
    from triton.runtime.cache import get_cache_manager

    cache = get_cache_manager(kernel.hash)
    if "Used" not in heard:
        if (path := cache.get_file(LOG)) is not None:
            with open(path, encoding="utf-8") as file:
                return file.read()
        # Compiled by somebody who did not listen.
        with triton.knobs.compilation.scope():
            triton.knobs.compilation.always_compile = True
            heard = again()[1]
    cache.put(heard, LOG, binary=False)
    return heard


def read_ptxas(log: str, ptx: str, shared_bytes: int, target: Target) -> Resources:
    """Return what ptxas -v and the PTX say of a kernel.

    Args:
        log: of ptxas.
        ptx: the assembly.
        shared_bytes: which the launch asks for; ptxas does not know of them.
        target: the device.

    Raises:
        ValueError: the log says nothing of registers.
    """
    used = re.search(r"Used (\d+) registers", log)
    if used is None:
        raise ValueError(f"ptxas did not say what the kernel takes: {log.strip()[-200:]!r}")
    stack, stores, loads = (
        # Functions that were not inlined have a line each.
        sum(int(count) for count in re.findall(rf"(\d+) bytes {what}", log))
        for what in ("stack frame", "spill stores", "spill loads")
    )
    wide = re.findall(r"\bld\.global(?:\.\w+(?:::\w+)*)*\.v4\.b?[uf]?32|\bld\.global(?:\.\w+(?:::\w+)*)*\.v2\.b64", ptx)
    return Resources(int(used[1]), max(stores, loads), stack, shared_bytes, *_counted(ptx, target), len(wide))


def read_amdgcn(text: str, shared_bytes: int, target: Target) -> Resources:
    """Return what an assembly for AMD says of its kernel.

    Args:
        text: with the metadata at its end.
        shared_bytes: which the launch asks for, beside those that are in the metadata.
        target: the device.

    Raises:
        ValueError: the metadata is not there.
    """

    def said(name: str) -> int:
        found = re.search(rf"^\s*\.{name}:\s*(\d+)", text, re.MULTILINE)
        if found is None:
            raise ValueError(f"the assembly does not say .{name}")
        return int(found[1])

    wide = re.findall(r"\b(?:global|buffer)_load_dwordx4\b", text)
    return Resources(
        said("vgpr_count"),
        # A scalar register that is spilled goes to a lane of a vector register, not to memory.
        4 * said("vgpr_spill_count"),
        said("private_segment_fixed_size"),
        max(shared_bytes, said("group_segment_fixed_size")),
        *_counted(text, target),
        len(wide),
    )


def _counted(text: str, target: Target) -> tuple[dict[str, int], int]:
    found = {name: len(re.findall(pattern, text)) for name, pattern in target.matrix.items()}
    return {name: count for name, count in found.items() if count}, len(re.findall(target.copies, text))
