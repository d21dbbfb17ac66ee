"""How a setlist wants the show to look; its theme is checked before a show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conductor.setlist.yamlfile import Mistake, YamlFile
from streaming.errors import ThemeError
from streaming.picture.themefile import read_theme, theme_names


def theme_of(said: str, folder: Path) -> str:
    """Return the name of a theme that comes with the program, or the whole path of a file.

    Args:
        said: as in the setlist, from whose folder a path counts.
        folder: of the setlist.
    """
    return said if said in theme_names() else str((folder / Path(said).expanduser()).resolve())


def theme_mistakes(file: YamlFile, raw: dict[str, Any]) -> list[Mistake]:
    """Return what is wrong with the theme of a setlist, or in its file."""
    show = raw.get("show")
    said = show.get("theme") if isinstance(show, dict) else None
    if not isinstance(said, str):
        return []
    try:
        read_theme(said, file.path.parent)
    except ThemeError as error:
        return [file.mistake(("show", "theme"), line) for line in str(error).splitlines()]
    return []
