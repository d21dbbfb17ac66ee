"""Maps and messages for the tests of controllers."""

from __future__ import annotations

from pathlib import Path

from conductor.controllers.plan import ControllerMap
from conductor.controllers.reading import read_map
from conductor.controllers.table import VERBS


def made(folder: Path, controls: str, head: str = "port: pads") -> ControllerMap:
    """Return a map with controls, each a line of YAML."""
    path = folder / "map.yaml"
    body = "".join(f"  - {line}\n" for line in controls.strip().splitlines())
    path.write_text(f"version: 1\n{head}\ncontrols:\n{body}")
    return read_map(path, VERBS)


def on(note: int, velocity: int = 100, channel: int = 1) -> bytes:
    return bytes((0x8F + channel, note, velocity))


def off(note: int, channel: int = 1) -> bytes:
    return bytes((0x7F + channel, note, 64))


def cc(number: int, value: int, channel: int = 1) -> bytes:
    return bytes((0xAF + channel, number, value))
