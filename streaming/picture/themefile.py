"""Theme files into themes; whatever is wrong in one is told with its line and column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from model.instruments import INSTRUMENTS
from streaming.errors import ThemeError
from streaming.picture.theme import Colours, Measures, Notes, Rgb, Theme
from streaming.yamlmarks import Loc, MarkedYaml, Mistake, did_you_mean, plain, read_marked

DEFAULT = "dark"
_COLOUR = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})$", re.IGNORECASE)
_FONT_FILES = (".ttf", ".otf", ".ttc")
_ENDINGS = (".yaml", ".yml")
_KEYS = ("title", "extends", "transparent", "colours", "instruments", "notes", "measures", "fonts")
# Lowest and highest of what has no range of 0 to 1.
_RANGES = {
    "rounding": (0, 20), "header": (0, 240), "footer": (0, 120), "keyboard": (0, 300), "speed": (20, 600),
    "type": (0.7, 1.6),
}  # fmt: skip
_INSTRUMENTS = tuple(i.name for i in INSTRUMENTS)
# Colours nearer to the one that is keyed out, in Cb and Cr from -0.5 to 0.5, lose their notes in OBS.
NEAREST_TO_KEY = 0.3


def theme_names() -> tuple[str, ...]:
    """Return the names of the themes that come with the program, the default first."""
    found = sorted(path.stem for path in _shipped().glob("*.yaml"))
    return tuple(sorted(found, key=lambda name: name != DEFAULT))


def find_theme(name: str, base: Path | None = None) -> Path:
    """Return the file of a theme.

    Args:
        name: of a theme that comes with the program, or a YAML file.
        base: folder that a relative file is looked for in; None: the present one.

    Raises:
        ThemeError: there is no such theme; one line.
    """
    if name.endswith(_ENDINGS):
        return (base or Path()) / Path(name).expanduser()
    if name not in theme_names():
        raise ThemeError(f'there is no theme "{name}"{did_you_mean(name, (*theme_names(), "FILE.yaml"))}')
    return _shipped() / f"{name}.yaml"


def read_theme(name: str = DEFAULT, base: Path | None = None) -> Theme:
    """Return a theme.

    Args:
        name: of a theme that comes with the program, or a YAML file.
        base: folder that a relative file is looked for in; None: the present one.

    Raises:
        ThemeError: there is none, or something in it is wrong; one line FILE:LINE:COLUMN for each mistake.
    """
    path = find_theme(name, base)
    return _shipped_theme(path) if path.parent == _shipped() else _theme(path)


@cache
def _shipped_theme(path: Path) -> Theme:
    return _theme(path)


def _shipped() -> Path:
    return Path(str(resources.files("streaming.picture"))) / "themes"


class _Reader:
    """Reads one file; collects its mistakes in place of stopping at the first."""

    def __init__(self, file: MarkedYaml) -> None:
        self.file = file
        self.mistakes: list[Mistake] = []

    def wrong(self, loc: Loc, text: str, *, of_key: bool = False) -> None:
        self.mistakes.append(self.file.mistake(loc, text, of_key=of_key))

    def known(self, node: Any, loc: Loc, names: tuple[str, ...]) -> dict[str, Any]:
        """Return the keys of a mapping that are known."""
        if not isinstance(node, dict):
            self.wrong(loc, f"{loc[-1]}: should hold keys of its own, such as {names[0]}, not {node!r}")
            return {}
        for name in node:
            if name not in names:
                self.wrong((*loc, name), f'"{name}" is not known here{did_you_mean(name, names)}', of_key=True)
        return {name: value for name, value in node.items() if name in names}

    def colours(self, node: Any, loc: Loc, names: tuple[str, ...]) -> dict[str, Rgb]:
        """Return the colours of a mapping."""
        found = {}
        for name, value in self.known(node, loc, names).items():
            if not isinstance(value, str) or not _COLOUR.match(value):
                # An unquoted # begins a comment in YAML.
                said = "nothing is said here" if value is None else f"{value!r} is no colour"
                self.wrong(
                    (*loc, name), f'{name}: {said} - write it in quotes, such as "#e8ba6e"', of_key=value is None
                )
                continue
            digits = value[1:] if len(value) == 7 else "".join(2 * digit for digit in value[1:])
            red, green, blue = bytes.fromhex(digits)
            found[name] = (red, green, blue)
        return found

    def numbers(self, node: Any, loc: Loc, kind: type) -> dict[str, Any]:
        """Return the numbers and switches of a mapping."""
        kinds = {field.name: field.type for field in fields(kind)}
        found: dict[str, Any] = {}
        for name, value in self.known(node, loc, tuple(kinds)).items():
            low, high = _RANGES.get(name, (0, 1))
            if kinds[name] == "bool":
                found[name] = self.switch(value, (*loc, name), name)
            elif isinstance(value, bool) or not isinstance(value, int | float):
                self.wrong((*loc, name), f"{name}: should be a number, not {value!r}")
            elif not low <= value <= high:
                self.wrong((*loc, name), f"{name}: {value:g} is out of range ({low:g} to {high:g})")
            else:
                found[name] = float(value)
        return found

    def switch(self, value: Any, loc: Loc, name: str) -> bool:
        if not isinstance(value, bool):
            self.wrong(loc, f"{name}: should be true or false, not {value!r}")
        return value is True

    def fonts(self, node: Any) -> tuple[str | Path, ...]:
        """Return families and files of type."""
        names = node if isinstance(node, list) else [node]
        found: list[str | Path] = []
        for index, name in enumerate(names):
            loc: Loc = ("fonts", index) if isinstance(node, list) else ("fonts",)
            if not isinstance(name, str) or not name.strip():
                self.wrong(loc, f"fonts: {name!r} is no family - write such as [Noto Serif, DejaVu Serif]")
            elif name.endswith(_FONT_FILES):
                file = self.file.path.parent / name
                if not file.is_file():
                    self.wrong(loc, f"fonts: {file}: there is no such file")
                found.append(file.resolve())
            else:
                found.append(name)
        return tuple(found)


def _theme(path: Path) -> Theme:
    found = _sections(path, ())
    return Theme(
        name=path.stem,
        title=found["title"],
        colours=Colours(**found["colours"]),
        instruments=found["instruments"],
        notes=Notes(**found["notes"]),
        measures=Measures(**found["measures"]),
        fonts=found["fonts"],
        transparent=found["transparent"],
    )


def _sections(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """Return what a file says over what the theme says that it extends; all but the default extend another."""
    file = MarkedYaml(*read_marked(path, kind="theme", first="colours", refusal=ThemeError))
    reader, data = _Reader(file), plain(file.data)
    for name in data:
        if name not in _KEYS:
            reader.wrong((name,), f'"{name}" is not known here{did_you_mean(name, _KEYS)}', of_key=True)
    found = _below(reader, data, path, seen)
    for name, kind in (("colours", Colours), ("instruments", None), ("notes", Notes), ("measures", Measures)):
        given: dict[str, Any] = {}
        if name in data and kind in (Colours, None):
            known = tuple(field.name for field in fields(Colours)) if kind else _INSTRUMENTS
            given = reader.colours(data[name], (name,), known)
        elif name in data and kind:
            given = reader.numbers(data[name], (name,), kind)
        found[name] = {**found.get(name, {}), **given}
    if "fonts" in data:
        found["fonts"] = reader.fonts(data["fonts"])
    if "transparent" in data:
        found["transparent"] = reader.switch(data["transparent"], ("transparent",), "transparent")
    found["title"] = str(data.get("title") or path.stem)
    if found.get("transparent"):
        _keep_from_key(reader, found)
    if reader.mistakes:
        raise ThemeError(file.told(reader.mistakes))
    return found


def _below(reader: _Reader, data: dict[str, Any], path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """Return what the theme says that this one extends."""
    own = path.resolve()
    if own == (_shipped() / f"{DEFAULT}.yaml").resolve():
        return {}
    name = data.get("extends", DEFAULT)
    try:
        base = find_theme(str(name), path.parent)
    except ThemeError as error:
        reader.wrong(("extends",), f"extends: {error}")
        base = find_theme(DEFAULT)
    if base.resolve() in (own, *seen):
        reader.wrong(("extends",), f'extends: "{name}" comes back to this file - extend {DEFAULT}')
        base = find_theme(DEFAULT)
    return _sections(base, (*seen, own))


def _keep_from_key(reader: _Reader, found: Mapping[str, Any]) -> None:
    """Refuse colours of notes that OBS would take out together with the background."""
    key = found["colours"]["background"]
    for name, colour in found["instruments"].items():
        if chroma_distance(colour, key) < NEAREST_TO_KEY:
            place: Loc = ("instruments", name)
            text = f"{name}: is too near to the background that is keyed out - its notes would have holes"
            reader.wrong(place, text)


def chroma_distance(a: Rgb, b: Rgb) -> float:
    """Return how far two colours are apart in Cb and Cr (BT.709, each -0.5 to 0.5): what a chroma key looks at."""
    (blue_a, red_a), (blue_b, red_b) = _chroma(a), _chroma(b)
    return float(((blue_a - blue_b) ** 2 + (red_a - red_b) ** 2) ** 0.5)


def _chroma(colour: Rgb) -> tuple[float, float]:
    red, green, blue = (part / 255 for part in colour)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (blue - luma) / 1.8556, (red - luma) / 1.5748
