"""The maps of controllers that a setlist names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conductor.controllers.shelf import find_map
from conductor.errors import MapError
from conductor.setlist.yamlfile import Mistake, YamlFile


def map_mistakes(file: YamlFile, raw: dict[str, Any]) -> list[Mistake]:
    """Return the maps that are not there, each where it is named; what is in them is read when a show starts."""
    named = raw.get("controllers")
    mistakes, seen = list[Mistake](), set[Path]()
    for index, name in enumerate(named if isinstance(named, list) else []):
        if isinstance(name, list | dict):
            continue
        try:
            path = find_map(str(name), file.path.parent)
        except MapError as error:
            mistakes.append(file.mistake(("controllers", index), str(error)))
            continue
        if path in seen:
            mistakes.append(
                file.mistake(("controllers", index), f"{name} is there already: each press would count twice")
            )
        seen.add(path)
    return mistakes
