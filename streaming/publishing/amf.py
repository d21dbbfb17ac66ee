"""AMF0: the values that RTMP's commands are written in.

Source: Adobe, Action Message Format AMF 0.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

Value = float | bool | str | None | Mapping[str, "Value"] | list["Value"]

_NUMBER, _BOOLEAN, _STRING, _OBJECT, _NULL = 0, 1, 2, 3, 5
_ECMA_ARRAY, _END, _STRICT_ARRAY, _LONG_STRING = 8, 9, 10, 12
_DEEPEST = 16


def encode(*values: Value) -> bytes:
    """Return values as bytes; mappings as objects."""
    return b"".join(_encode(value) for value in values)


def ecma_array(entries: Mapping[str, Value]) -> bytes:
    """Return a mapping as the kind of array that metadata is written as."""
    return struct.pack(">BI", _ECMA_ARRAY, len(entries)) + _entries(entries)


def decode(data: bytes) -> list[Value]:
    """Return the values that bytes hold.

    Raises:
        ValueError: they are not AMF0, or of a kind that servers do not send.
    """
    values: list[Value] = []
    at = 0
    try:
        while at < len(data):
            value, at = _decode(data, at, 0)
            values.append(value)
    except (struct.error, IndexError, UnicodeDecodeError):
        raise ValueError("a command of the server is cut off or no AMF0") from None
    return values


def _encode(value: Value) -> bytes:
    # bool before float: it is a kind of int.
    if value is None:
        return bytes([_NULL])
    if isinstance(value, bool):
        return bytes([_BOOLEAN, value])
    if isinstance(value, int | float):
        return struct.pack(">Bd", _NUMBER, value)
    if isinstance(value, str):
        text = value.encode()
        if len(text) > 0xFFFF:
            return struct.pack(">BI", _LONG_STRING, len(text)) + text
        return struct.pack(">BH", _STRING, len(text)) + text
    if isinstance(value, Mapping):
        return bytes([_OBJECT]) + _entries(value)
    return struct.pack(">BI", _STRICT_ARRAY, len(value)) + encode(*value)


def _entries(entries: Mapping[str, Value]) -> bytes:
    named = b"".join(struct.pack(">H", len(name.encode())) + name.encode() + _encode(v) for name, v in entries.items())
    return named + bytes([0, 0, _END])


def _decode(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    if depth > _DEEPEST:
        raise ValueError("a command of the server is nested too deep")
    kind, at = data[at], at + 1
    match kind:
        case 0:
            return struct.unpack_from(">d", data, at)[0], at + 8
        case 1:
            return bool(data[at]), at + 1
        case 2:
            return _text(data, at + 2, struct.unpack_from(">H", data, at)[0])
        case 12:
            return _text(data, at + 4, struct.unpack_from(">I", data, at)[0])
        case 3:
            return _object(data, at, depth)
        case 8:
            return _object(data, at + 4, depth)
        case 10:
            length, at = struct.unpack_from(">I", data, at)[0], at + 4
            found: list[Value] = []
            for _ in range(length):
                value, at = _decode(data, at, depth + 1)
                found.append(value)
            return found, at
        # A date, with its time zone.
        case 11:
            return struct.unpack_from(">d", data, at)[0], at + 10
        # Null, and undefined.
        case 5 | 6:
            return None, at
    raise ValueError(f"a command of the server has a value of kind {kind}")


def _text(data: bytes, at: int, length: int) -> tuple[str, int]:
    if at + length > len(data):
        raise ValueError("a command of the server is cut off")
    return data[at : at + length].decode(), at + length


def _object(data: bytes, at: int, depth: int) -> tuple[dict[str, Value], int]:
    found: dict[str, Value] = {}
    while True:
        name, at = _text(data, at + 2, struct.unpack_from(">H", data, at)[0])
        if not name and data[at] == _END:
            return found, at + 1
        found[name], at = _decode(data, at, depth + 1)
