"""All kernels there are: every module of this package that lists how its own are built."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence

import kernels
from kernels.proof.build import Build

__all__ = ["builds", "modules"]


def modules() -> list[str]:
    """Return the names of the modules that hold operations, in alphabetical order."""
    return [f"kernels.{found.name}" for found in pkgutil.iter_modules(kernels.__path__) if not found.ispkg]


def builds(names: Sequence[str] | None = None) -> dict[str, Build]:
    """Return every build by its name.

    Args:
        names: modules to look into; those of this package by default.

    Raises:
        ImportError: there is no such module.
        ValueError: two builds have the same name.
    """
    found: dict[str, Build] = {}
    for name in modules() if names is None else names:
        if name == __name__:
            continue
        for build in getattr(importlib.import_module(name), "BUILDS", ()):
            # A module may import those of another.
            if found.setdefault(build.name, build) is not build:
                raise ValueError(f"two builds are called {build.name!r}")
    return found
