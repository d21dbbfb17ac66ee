"""Which implementation of an operation runs: Triton where the device can, torch everywhere else.

An operation is a torch reference and, beside it, Triton kernels that compute
the same. `register` makes one operator of both, `torch.ops.conductor.NAME`, that
autograd, `torch.compile` and fake tensors know: CUDA and ROCm tensors go to
Triton, all others to the reference. Calling an operator costs about 50 us, so
that what runs on the CPU many times a second calls the reference itself.

Where TRITON_INTERPRET=1 is set before Triton is imported, the operators run the
kernels in Triton's interpreter on CPU tensors: that is how they are tested
without a GPU.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["HAS_TRITON", "INTERPRETED", "jit", "register", "tl", "triton", "uses_triton"]

log = logging.getLogger(__name__)

try:
    triton: Any = importlib.import_module("triton")
    tl: Any = importlib.import_module("triton.language")
except ImportError:
    triton = tl = None

HAS_TRITON = triton is not None
INTERPRETED = HAS_TRITON and bool(triton.knobs.runtime.interpret)
# The oldest NVIDIA generation whose matrix instructions know bfloat16.
OLDEST = (8, 0)


def jit(function: Callable[..., None]) -> Any:
    """Return a function as a Triton kernel; without Triton as it is, never to be called."""
    return triton.jit(function) if HAS_TRITON else function


def uses_triton(x: Tensor) -> bool:
    """Return whether operations on a tensor's device run as Triton kernels."""
    if x.device.type == "cpu":
        return INTERPRETED
    return x.device.type == "cuda" and _able(x.device.index or 0)


@functools.cache
def _able(index: int) -> bool:
    """Return whether a GPU can run the kernels; say so once where it cannot."""
    if not HAS_TRITON:
        log.warning("Triton is not installed: the GPU computes with plain torch (pip install triton)")
        return False
    if torch.version.hip is None and torch.cuda.get_device_capability(index) < OLDEST:
        log.warning(
            "%s is older than Ampere: it computes with plain torch, without Triton's kernels",
            torch.cuda.get_device_name(index),
        )
        return False
    return True


def register(
    name: str,
    reference: Callable[..., Any],
    launch: Callable[..., Any],
    fake: Callable[..., Any],
    mutates: tuple[str, ...] = (),
) -> Any:
    """Register an operation as `torch.ops.conductor.NAME`; return the operator.

    Gradients are added by the caller with `register_autograd`; a backward is an
    operation of its own.

    Args:
        name: of the operator.
        reference: torch code that computes it on any device; its annotations are the operator's schema.
        launch: the same with Triton kernels.
        fake: what comes back for fake tensors: shapes and dtypes alone.
        mutates: names of arguments that are written to.
    """

    @functools.wraps(reference)
    def chosen(*args: Any, **kwargs: Any) -> Any:
        first = next(x for x in (*args, *kwargs.values()) if isinstance(x, Tensor))
        return launch(*args, **kwargs) if uses_triton(first) else reference(*args, **kwargs)

    operator = torch.library.custom_op(f"conductor::{name}", chosen, mutates_args=mutates)
    operator.register_fake(fake)
    return operator
