"""The maps of controllers read: every mistake told at once, with file, line and column."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from conductor.controllers.controls import ControlReader
from conductor.controllers.plan import Button, ControllerMap, Dial
from conductor.controllers.table import Verbs
from conductor.errors import MapError
from streaming.yamlmarks import MarkedYaml, plain, read_marked

_TOP = ("version", "name", "port", "lights", "channel", "debounce", "hello", "goodbye", "shapes", "controls")
_MOST_CONTROLS = 1024
_NO_LIGHTS = "none"


def read_map(path: Path, verbs: Verbs) -> ControllerMap:
    """Read and check a map.

    Args:
        path: the file.
        verbs: what can be ordered.

    Raises:
        MapError: all its mistakes, a line each with file:line:column.
    """
    file = MarkedYaml(*read_marked(path, kind="map of a controller", first="version: 1", refusal=MapError))
    raw = plain(file.data)
    reader = ControlReader(file, verbs)
    reader.known(raw, _TOP, ())
    if raw.get("version") != 1:
        reader.wrong(("version",) if "version" in raw else (), "this program reads version: 1")
    channel = reader.whole(raw, "channel", (), 1, 16, 1)
    debounce_s = reader.span_s(raw, "debounce", (), 0.05)
    port = reader.text(raw, "port", ())
    if not port:
        reader.wrong(("port",), 'port: which one? a part of its name is enough ("conductor controllers list")')
    lights = reader.text(raw, "lights", (), port)
    made = ControllerMap(
        name=reader.text(raw, "name", (), path.stem),
        port=port,
        lights_port="" if lights == _NO_LIGHTS else lights,
        hello=reader.messages(raw, "hello"),
        goodbye=reader.messages(raw, "goodbye"),
        path=path,
    )
    controls = raw.get("controls")
    if not isinstance(controls, list) or not controls or len(controls) > _MOST_CONTROLS:
        text = f"controls: should be a list of up to {_MOST_CONTROLS}, such as [{{note: 36, does: go}}]"
        reader.wrong(("controls",) if "controls" in raw else (), text)
        controls = []
    read = [reader.control(each, ("controls", i), channel, debounce_s) for i, each in enumerate(controls)]
    _no_two_alike(reader, read)
    if reader.mistakes:
        raise MapError(file.told(reader.mistakes))
    buttons = tuple(each for each in read if isinstance(each, Button))
    return replace(made, buttons=buttons, dials=tuple(each for each in read if isinstance(each, Dial)))


def _no_two_alike(reader: ControlReader, read: list[Button | Dial | None]) -> None:
    taken: dict[Any, int] = {}
    for index, each in enumerate(read):
        if each is None:
            continue
        if each.key in taken:
            line = reader.file.place(("controls", taken[each.key]))[0]
            reader.wrong(("controls", index), f"{each.key} is taken by line {line}")
        else:
            taken[each.key] = index


def read_maps(paths: Iterable[Path], verbs: Verbs) -> list[ControllerMap]:
    """Read maps, and tell the mistakes of all of them together.

    Raises:
        MapError: a line for each mistake.
    """
    maps, wrong = list[ControllerMap](), list[str]()
    for path in paths:
        try:
            maps.append(read_map(path, verbs))
        except MapError as error:
            wrong.append(str(error))
    if wrong:
        raise MapError("\n".join(wrong))
    return maps
