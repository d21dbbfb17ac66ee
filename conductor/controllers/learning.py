"""Learning: what was pressed or moved, told from its messages, and written into a map."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from conductor.controllers.message import KINDS, Key, heard
from conductor.controllers.takeover import Encoding
from conductor.errors import MapError
from model.whole import write_whole
from streaming.yamlmarks import plain, read_marked

# A fader that moved over so many places is one; a key sends two.
_PLACES = 4
# Encoders turned to one side send one or two values that are small steps.
_TURNS = 6
_STEPS = 7


@dataclass(frozen=True, slots=True)
class Found:
    """A control that was found.

    Attributes:
        key: what it sends.
        encoding: of an encoder; None: it is a key or a fader.
    """

    key: Key
    encoding: Encoding | None = None


def pressed(messages: Sequence[bytes]) -> Found | None:
    """Return the key, pad, pedal or program that was pressed first, None where nothing was."""
    for message in messages:
        said = heard(message)
        # A pedal that is let go, or a key, was pressed before it was listened to.
        if said is not None and said[1] >= (64 if said[0].kind == "cc" else 1):
            return Found(said[0])
    return None


def moved(messages: Sequence[bytes]) -> Found | None:
    """Return the fader or encoder that was moved, None where none was far enough to be sure."""
    values: dict[Key, list[int]] = {}
    for message in messages:
        said = heard(message)
        if said is not None and said[0].kind == "cc":
            values.setdefault(said[0], []).append(said[1])
    for key, came in values.items():
        if encoding := _encoding(came):
            return Found(key, encoding)
        if len(set(came)) >= _PLACES and not _small_steps(came):
            return Found(key)
    return None


def _small_steps(values: Sequence[int]) -> bool:
    return all(1 <= value <= _STEPS or value >= 128 - _STEPS or abs(value - 64) <= _STEPS for value in values)


def _encoding(values: Sequence[int]) -> Encoding | None:
    """Return how an encoder says its steps; it has to be turned to both sides for that."""
    if len(values) < _TURNS or not _small_steps(values):
        return None
    right = any(1 <= value <= _STEPS for value in values)
    if right and any(value >= 128 - _STEPS for value in values):
        return "twos_complement"
    if right and any(65 <= value <= 64 + _STEPS for value in values):
        return "sign_bit"
    if any(64 - _STEPS <= value < 64 for value in values) and any(64 < value <= 64 + _STEPS for value in values):
        return "offset"
    return None


def control_of(found: Found, does: Mapping[str, Any]) -> dict[str, Any]:
    """Return a control as a map has it.

    Args:
        found: the control.
        does: what it is to do: `does`, or `sets` with its `range`.
    """
    key = found.key
    # The channel is always said: a map may have another default.
    where: dict[str, Any] = {key.kind: key.number, "channel": key.channel}
    if found.encoding is None:
        return {**where, **does}
    turned = {("turns" if name == "sets" else name): value for name, value in does.items()}
    return {**where, **turned, "encoding": found.encoding}


def write_control(path: Path, control: Mapping[str, Any], *, port: str, replace: bool = False) -> str:
    """Write a control into a map; what else is in the file stays as it is, to the last comment.

    Args:
        path: of the map; made where there is none.
        control: as `control_of` returns it.
        port: for a map that is made.
        replace: take the place of what the same key did so far.

    Returns:
        What was done, for a person.

    Raises:
        MapError: the file cannot be read or written, or the key does something already.
    """
    line = f"- {_one_line(control)}"
    if not path.exists():
        # The numbers that ALSA ends a name with are others the next time.
        named = DoubleQuotedScalarString(re.sub(r" \d+:\d+$", "", port))
        head = {"version": 1, "name": DoubleQuotedScalarString(path.stem), "port": named, "lights": "none"}
        top = "".join(f"{name}: {_one_line(value)}\n" for name, value in head.items())
        _write(path, f"{top}\ncontrols:\n  {line}\n")
        return f"written to the new map {path}"
    _, data = read_marked(path, kind="map of a controller", first="version: 1", refusal=MapError)
    lines = path.read_text(encoding="utf-8").splitlines()
    controls = data.get("controls")
    if controls is None:
        _write(path, "\n".join([*lines, "", "controls:", f"  {line}", ""]))
        return f"added to {path}"
    if not isinstance(controls, CommentedSeq) or not controls or controls.fa.flow_style():
        row = data.lc.key("controls")[0] + 1
        raise MapError(f"{path}:{row}: controls: should be a list with a line for each, beginning with - (see --help)")
    default = plain(data).get("channel", 1)
    starts = [controls.lc.item(index)[0] for index in range(len(controls))]
    indent = " " * lines[starts[0]].index("-")
    for index, each in enumerate(plain(controls)):
        if isinstance(each, dict) and _key(each, default) == _key(control, 1):
            if not replace:
                what = next((each[name] for name in ("does", "sets", "turns") if name in each), "something")
                raise MapError(f"{path}:{starts[index] + 1}: it does {what} already - press another, or give --replace")
            end = _end(lines, starts[index], indent)
            _write(path, "\n".join([*lines[: starts[index]], indent + line, *lines[end:], ""]))
            return f"put in the place of line {starts[index] + 1} of {path}"
    end = _end(lines, starts[-1], indent)
    _write(path, "\n".join([*lines[:end], indent + line, *lines[end:], ""]))
    return f"added to {path}"


def _key(node: Mapping[str, Any], channel: int) -> tuple[Any, ...]:
    return (*(node.get(kind) for kind in KINDS), node.get("channel", channel))


def _end(lines: Sequence[str], start: int, indent: str) -> int:
    """Return the line after a control that begins on a line."""
    end = start + 1
    for number in range(start + 1, len(lines)):
        text = lines[number]
        if text.strip() and len(text) - len(text.lstrip()) <= len(indent):
            break
        if text.strip() and not text.lstrip().startswith("#"):
            end = number + 1
    return end


def _one_line(value: Any) -> str:
    yaml = YAML(typ="rt")
    yaml.width = 10_000
    yaml.default_flow_style = True
    text = io.StringIO()
    yaml.dump(value, text)
    return text.getvalue().removesuffix("\n...\n").rstrip("\n")


def _write(path: Path, text: str) -> None:
    try:
        # A line that others refer to cannot be taken out from under them.
        read_marked(path, kind="map of a controller", first="version: 1", refusal=MapError, raw=text.encode())
        write_whole(path, text.encode())
    except OSError as error:
        raise MapError(f"{path}: cannot be written ({error.strerror}) - choose another file: --map") from None
    except MapError as error:
        why = str(error).split(": ", 1)[-1]
        raise MapError(f"{path}: left as it is, since it would be no map any more ({why}) - edit it by hand") from None
