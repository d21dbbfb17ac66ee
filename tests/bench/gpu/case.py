"""One operation at one size: what goes in, what must come out, who else computes it, and whether it is right."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from kernels.proof.build import Work

__all__ = ["TOLERANCES", "Case", "Function", "compiled", "faults", "results", "run"]

Function = Callable[..., Tensor | tuple[Tensor, ...]]
# Of the length of a tensor as a vector: what may be wrong with it in each dtype, accumulation being in float32.
TOLERANCES = {torch.float32: 1e-4, torch.float16: 5e-3, torch.bfloat16: 2e-2}


@dataclass(frozen=True, slots=True)
class Case:
    """An operation at a size.

    Attributes:
        name: for the table.
        inputs: makes what goes in, floats in a dtype; the same every time.
        ours: the public function.
        kernel: the same through the operator, which the interpreter can run too.
        exact: the same in plain torch, written out; right in float64.
        peers: who else computes it, by name.
        work: of a run, the backward included where there is one.
        gradients: places of the inputs that have gradients; none: forward alone.
        same: whether results must be equal number by number, not only nearly.
    """

    name: str
    inputs: Callable[[torch.device, torch.dtype], list[Tensor]]
    ours: Function
    kernel: Function
    exact: Function
    peers: Mapping[str, Function]
    work: Work
    gradients: tuple[int, ...] = ()
    same: bool = field(default=False)


def run(case: Case, function: Function, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Return the results and the gradients of a fixed weighing of them, one for each input that has one."""
    leaves = [x.detach().requires_grad_(n in case.gradients) for n, x in enumerate(inputs)]
    out = results(function(*leaves))
    if not case.gradients:
        return out
    generator = torch.Generator().manual_seed(7)
    above = [torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x.device, x.dtype) for x in out]
    return [*(x.detach() for x in out), *torch.autograd.grad(out, [leaves[n] for n in case.gradients], above)]


def compiled(function: Function) -> Function:
    """Return a function as `torch.compile` makes it, once it is called."""

    def lazily(*inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        out: Tensor | tuple[Tensor, ...] = _compiled(function)(*inputs)
        return out

    return lazily


@functools.cache
def _compiled(function: Function) -> Function:
    made: Function = torch.compile(function, dynamic=False)
    return made


def results(out: Tensor | tuple[Tensor, ...]) -> list[Tensor]:
    """Return what a function returned, one or several, as a list."""
    return [out] if isinstance(out, Tensor) else list(out)


def faults(case: Case, function: Function, device: torch.device, dtype: torch.dtype) -> list[str]:
    """Return what is wrong with a function's result and gradients, a line each; none: it is right.

    Args:
        case: at a size small enough for float64.
        function: ours or a peer.
        device: where it runs.
        dtype: of its floats.
    """
    inputs = case.inputs(device, dtype)
    exact = [x.double() if x.is_floating_point() else x for x in inputs]
    found, wanted = run(case, function, inputs), run(case, case.exact, exact)
    outs = len(wanted) - len(case.gradients)
    names = [*(f"result {n}" for n in range(outs)), *(f"gradient {n}" for n in case.gradients)]
    lines = []
    for name, x, right in zip(names, found, wanted, strict=True):
        if x.shape != right.shape:
            lines.append(f"{name}: shape {list(x.shape)} instead of {list(right.shape)}")
        elif not bool(x.isfinite().all()):
            lines.append(f"{name}: {int((~x.isfinite()).sum())} of {x.numel()} numbers are not finite")
        elif case.same:
            if not torch.equal(x, right.to(x.dtype)):
                lines.append(f"{name}: {int((x != right).sum())} of {x.numel()} are not the same")
        elif (error := _error(x, right)) > TOLERANCES[dtype]:
            lines.append(f"{name}: error {error:.1e}, {TOLERANCES[dtype]:.0e} is allowed")
    return [f"{case.name}, {str(dtype).removeprefix('torch.')}, {line}" for line in lines]


def _error(x: Tensor, right: Tensor) -> float:
    """Return how long the difference is, of the length of what is right."""
    # What is all zeros must be zeros.
    length = float(right.double().norm())
    return float((x.double() - right.double()).norm()) / (length or 1e-30)
