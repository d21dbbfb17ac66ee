"""All kernels there are: every module of operations that lists how its own are built."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence

from kernels.proof.build import Build

__all__ = ["builds", "modules"]

FOLDERS = ("kernels.attention", "kernels.training", "kernels.decoding")


def modules() -> list[str]:
    """Return the names of the modules of operations."""
    return [
        found.name
        for folder in FOLDERS
        for found in pkgutil.iter_modules(importlib.import_module(folder).__path__, f"{folder}.")
    ]


def builds(names: Sequence[str] | None = None) -> dict[str, Build]:
    """Return every build by its name.

    Args:
        names: modules to look into; all modules of operations by default.

    Raises:
        ImportError: there is no such module.
        ValueError: two builds have the same name.
    """
    found: dict[str, Build] = {}
    for name in modules() if names is None else names:
        for build in getattr(importlib.import_module(name), "BUILDS", ()):
            # A module may import those of another.
            if found.setdefault(build.name, build) is not build:
                raise ValueError(f"two builds are called {build.name!r}")
    return found
