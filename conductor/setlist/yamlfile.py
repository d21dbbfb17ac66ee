"""Setlists as YAML whose every value knows its line and column, and mistakes that say where."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic_core import ErrorDetails

from conductor.errors import SetlistError
from streaming.yamlmarks import MAX_BYTES, Loc, MarkedYaml, Mistake, did_you_mean, nearest, plain, read_marked, read_raw

__all__ = [
    "MAX_BYTES", "Loc", "Mistake", "YamlFile", "did_you_mean", "explain", "nearest", "plain", "read_text", "read_yaml",
]  # fmt: skip


class YamlFile(MarkedYaml):
    """A read setlist."""

    def refuse(self, mistakes: Iterable[Mistake]) -> SetlistError:
        """Return the error that lists all mistakes, one line each, in the order of the file."""
        return SetlistError(self.told(mistakes))


def read_text(path: Path) -> bytes:
    """Return what is in a setlist's file, unchecked.

    Raises:
        SetlistError: it is missing, or cannot be read.
    """
    return read_raw(path, refusal=SetlistError)


def read_yaml(path: Path, text: bytes) -> YamlFile:
    """Read the text of a YAML file, whose top is a mapping.

    Raises:
        SetlistError: it is not YAML, or no mapping; says where.
    """
    return YamlFile(*read_marked(path, kind="setlist", first="version: 1", refusal=SetlistError, raw=text))


def explain(error: ErrorDetails) -> str:
    """Return a validation error as a person says it (unknown keys are told elsewhere)."""
    key = f"{error['loc'][-1]}: " if error["loc"] and isinstance(error["loc"][-1], str) else ""
    given = error.get("input")
    match error["type"]:
        case "missing":
            return f'"{error["loc"][-1]}" is missing'
        case "value_error":
            text = str(error["msg"]).removeprefix("Value error, ")
            return text if text.startswith(key.removesuffix(": ") or text) else key + text
        case "int_type" | "int_parsing" | "int_from_float":
            return f"{key}should be a whole number, not {given!r}"
        case "float_type" | "float_parsing":
            return f"{key}should be a number, not {given!r}"
        case "string_type":
            return f'{key}should be text, not {given!r} - put it in "quotes"'
        case "list_type" | "tuple_type":
            return f"{key}should be a list, such as [{given}]"
        case "dict_type" | "model_type" | "model_attributes_type":
            return f"{key}should hold keys of its own, not {given!r}"
    return key + str(error["msg"])[0].lower() + str(error["msg"])[1:]
