"""What is different between two states of the console, as a JSON Patch.

Source: RFC 6902, of which `add`, `remove` and `replace` are used; RFC 6901 (paths).
"""

from __future__ import annotations

from typing import Any

Patch = list[dict[str, Any]]


def patch(old: dict[str, Any], new: dict[str, Any]) -> Patch:
    """Return what makes the new state of the old one; both plain JSON values."""
    found: Patch = []
    _mapping(old, new, "", found)
    return found


def _mapping(old: dict[str, Any], new: dict[str, Any], path: str, found: Patch) -> None:
    for key in old.keys() - new.keys():
        found.append({"op": "remove", "path": f"{path}/{_escaped(key)}"})
    for key, value in new.items():
        at = f"{path}/{_escaped(key)}"
        if key in old:
            _value(old[key], value, at, found)
        else:
            found.append({"op": "add", "path": at, "value": value})


def _value(old: Any, new: Any, path: str, found: Patch) -> None:
    if type(old) is type(new) is dict:
        _mapping(old, new, path, found)
    elif type(old) is type(new) is list:
        _list(old, new, path, found)
    elif not _same(old, new):
        found.append({"op": "replace", "path": path, "value": new})


def _list(old: list[Any], new: list[Any], path: str, found: Patch) -> None:
    """Tell what is different in lists: mostly they scroll, or one item is changed, put in or taken out."""
    gone = _scrolled(old, new)
    if gone:
        found.extend({"op": "remove", "path": f"{path}/0"} for _ in range(gone))
        old = old[gone:]
    head = 0
    while head < min(len(old), len(new)) and _same(old[head], new[head]):
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and _same(old[-1 - tail], new[-1 - tail]):
        tail += 1
    before, after = old[head : len(old) - tail], new[head : len(new) - tail]
    shared = min(len(before), len(after))
    for index in range(shared):
        _value(before[index], after[index], f"{path}/{head + index}", found)
    found.extend({"op": "remove", "path": f"{path}/{head + shared}"} for _ in before[shared:])
    found.extend(
        {"op": "add", "path": f"{path}/{head + shared + index}", "value": value}
        for index, value in enumerate(after[shared:])
    )


def _scrolled(old: list[Any], new: list[Any]) -> int:
    """Return how many items a window that only moves on has lost at its head."""
    if not old or not new or old[0] == new[0]:
        return 0
    gone = next((index for index, item in enumerate(old) if item == new[0]), 0)
    return gone if gone and old[gone:] == new[: len(old) - gone] else 0


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and _alike(one, other)


def _alike(one: Any, other: Any) -> bool:
    """Return whether equal values are the same to JSON, too, unlike 1, 1.0 and True."""
    if isinstance(one, dict):
        return all(_alike(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return all(_alike(*pair) for pair in zip(one, other, strict=True))
    return type(one) is type(other)


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
