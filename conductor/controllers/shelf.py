"""Where maps lie: beside a setlist, or among those that come with the program."""

from __future__ import annotations

from pathlib import Path

from conductor.errors import MapError
from streaming.yamlmarks import nearest

SHIPPED = Path(__file__).with_name("maps")


def shipped() -> dict[str, Path]:
    """Return the maps that come with the program, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def find_map(name: str, folder: Path) -> Path:
    """Return the file of a map: a path, or the name of one that comes with the program.

    Args:
        name: as a setlist or a command line gives it.
        folder: where paths begin.

    Raises:
        MapError: there is none; says what was meant perhaps.
    """
    path = folder / name
    if path.is_file():
        return path
    known = shipped()
    if name in known:
        return known[name]
    beside = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
    found = nearest(path.name, [*known, *beside])
    hint = f' - did you mean "{found[0]}"?' if found else f" - maps that come with the program: {', '.join(known)}"
    raise MapError(f"{path}: there is no such map{hint}")
