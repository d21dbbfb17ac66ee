"""YAML whose every value knows its line and column, and mistakes that say where."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from streaming.yamlbounds import too_much

# These files are written by hand; more than this is another kind of file.
MAX_BYTES = 1_000_000

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing that is wrong in a file; `line` and `column` count from 1."""

    line: int
    column: int
    text: str


def nearest(word: str, known: Iterable[str], count: int = 1) -> list[str]:
    """Return the known words most like a word, best first."""
    return difflib.get_close_matches(word.lower(), list(known), n=count, cutoff=0.5)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` - did you mean "x"?`, or what is known when nothing is near."""
    known = list(known)
    found = nearest(word, known)
    if found:
        return f' - did you mean "{found[0]}"?'
    return f" - known are {', '.join(known)}" if known else ""


@dataclass(frozen=True, slots=True)
class MarkedYaml:
    """A read YAML file.

    Attributes:
        path: for messages.
        data: the top mapping, with ruamel's line marks.
    """

    path: Path
    data: CommentedMap

    def place(self, loc: Loc, *, of_key: bool = False) -> tuple[int, int]:
        """Return line and column (from 1) of a value, or of the nearest thing around it.

        Args:
            loc: keys and indices from the top.
            of_key: point at the key in place of its value.
        """
        node: Any = self.data
        line, column = 0, 0
        for depth, step in enumerate(loc):
            try:
                if isinstance(node, CommentedMap):
                    last = depth == len(loc) - 1
                    line, column = node.lc.key(step) if of_key and last else node.lc.value(step)
                elif isinstance(node, CommentedSeq):
                    line, column = node.lc.item(step)
                else:
                    break
                node = node[step]
            except (KeyError, IndexError, TypeError):
                break
        return line + 1, column + 1

    def mistake(self, loc: Loc, text: str, *, of_key: bool = False) -> Mistake:
        """Return a mistake at a place."""
        return Mistake(*self.place(loc, of_key=of_key), text)

    def told(self, mistakes: Iterable[Mistake]) -> str:
        """Return all mistakes with their places, one line each, in the order of the file."""
        return "\n".join(f"{self.path}:{m.line}:{m.column}: {m.text}" for m in sorted(set(mistakes)))


def read_marked(
    path: Path, *, kind: str, first: str, refusal: type[Exception], raw: bytes | None = None
) -> tuple[Path, CommentedMap]:
    """Read a YAML file whose top is a mapping.

    Args:
        path: the file.
        kind: what it should be ("setlist", "patch"), for messages.
        first: a key such a file begins with, for messages.
        refusal: raised with what is wrong, and where.
        raw: what is in the file; None: it is read.

    Returns:
        What a `MarkedYaml` is made of.
    """
    raw = read_raw(path, refusal=refusal) if raw is None else raw
    if len(raw) > MAX_BYTES:
        raise refusal(f"{path}: {len(raw)} bytes is no {kind} (at most {MAX_BYTES})")
    yaml = YAML(typ="rt")
    try:
        text = raw.decode()
        if wrong := too_much(text):
            line, column, problem = wrong
            raise refusal(f"{path}:{line}:{column}: {problem}")
        data = yaml.load(text)
    except UnicodeDecodeError as error:
        raise refusal(f"{path}: not UTF-8 text (byte {error.start})") from None
    except DuplicateKeyError as error:
        # Its values are left out: one may be a key that should not have been there.
        problem = _first_line(error.problem).partition(" with value ")[0]
        raise refusal(f"{_where(path, error)}: {problem}") from None
    except MarkedYAMLError as error:
        raise refusal(f"{_where(path, error)}: not YAML: {_first_line(error.problem or error.context)}") from None
    except (YAMLError, ValueError) as error:
        raise refusal(f"{path}: not YAML: {_first_line(str(error))}") from None
    if not isinstance(data, CommentedMap):
        raise refusal(f"{path}:1:1: a {kind} begins with keys such as {first}")
    return path, data


def read_raw(path: Path, *, refusal: type[Exception]) -> bytes:
    """Return what is in a file that may be YAML.

    Args:
        path: the file.
        refusal: raised where it cannot be read.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        beside = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        found = nearest(path.name, beside)
        hint = f' - did you mean "{path.parent / found[0]}"?' if found else ""
        raise refusal(f"{path}: there is no such file{hint}") from None
    except OSError as error:
        raise refusal(f"{path}: cannot be read ({error.strerror}) - check its permissions") from None
    return raw


def _where(path: Path, error: MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)


def _first_line(text: str | None) -> str:
    return (text or "cannot be read").strip().splitlines()[0]


def plain(node: Any) -> Any:
    """Return the node as plain dicts, lists and scalars."""
    if isinstance(node, dict):
        return {str(k): plain(v) for k, v in node.items()}
    if isinstance(node, list):
        return [plain(v) for v in node]
    if isinstance(node, str):
        return str(node)
    if isinstance(node, float):
        return float(node)
    if isinstance(node, int) and not isinstance(node, bool):
        return int(node)
    return node
