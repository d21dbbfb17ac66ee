"""What makes a new state of an old one, and whoever applies it has the new one to the letter."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from conductor.console.deltas import patch

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 0.5]) | st.text("a/~", max_size=2)
VALUES = st.recursive(
    SCALARS,
    lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text("ab/~", max_size=2), v, max_size=4),
    max_leaves=10,
)
STATES = st.dictionaries(st.text("abc/~", max_size=2), VALUES, max_size=5)


def applied(state: Any, operations: list[dict[str, Any]]) -> Any:
    """Apply a JSON Patch as RFC 6902 says."""
    state = copy.deepcopy(state)
    for operation in operations:
        keys = [k.replace("~1", "/").replace("~0", "~") for k in operation["path"].split("/")[1:]]
        into = state
        for key in keys[:-1]:
            into = into[int(key) if isinstance(into, list) else key]
        key = keys[-1]
        if isinstance(into, list):
            at = int(key)
            match operation["op"]:
                case "add":
                    assert 0 <= at <= len(into)
                    into.insert(at, operation["value"])
                case "remove":
                    del into[at]
                case "replace":
                    into[at] = operation["value"]
        elif operation["op"] == "remove":
            del into[key]
        else:
            assert (key in into) == (operation["op"] == "replace")
            into[key] = operation["value"]
    return state


def text(value: Any) -> str:
    # Unlike Python's equality it tells 1, 1.0 and true apart.
    return json.dumps(value, sort_keys=True)


@given(STATES, STATES)
def test_a_patch_makes_the_new_state_of_the_old_one(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert text(applied(old, patch(old, new))) == text(new)


@given(STATES)
def test_nothing_different_is_nothing_told(state: dict[str, Any]) -> None:
    assert patch(state, copy.deepcopy(state)) == []


@given(st.lists(st.integers(0, 5), max_size=6), st.integers(0, 6), st.lists(st.integers(0, 5), max_size=3))
def test_a_log_that_scrolls_is_right_whatever_repeats_in_it(lines: list[int], gone: int, new: list[int]) -> None:
    old, after = {"log": lines}, {"log": lines[gone:] + new}
    assert applied(old, patch(old, after)) == after


def test_a_cue_that_composes_tells_its_progress_alone() -> None:
    cues = [{"id": str(n), "fraction": 0.0, "name": "x" * 50} for n in range(50)]
    after = copy.deepcopy(cues)
    after[7]["fraction"] = 0.5
    assert patch({"cues": cues}, {"cues": after}) == [{"op": "replace", "path": "/cues/7/fraction", "value": 0.5}]


def test_a_log_that_scrolls_tells_the_new_line_alone() -> None:
    lines = [{"event": str(n)} for n in range(60)]
    found = patch({"log": lines}, {"log": [*lines[1:], {"event": "go"}]})
    assert found == [
        {"op": "remove", "path": "/log/0"},
        {"op": "add", "path": "/log/59", "value": {"event": "go"}},
    ]


def test_a_cue_put_in_or_taken_out_tells_itself_alone() -> None:
    cues = [{"id": str(n)} for n in range(9)]
    new = {"id": "new"}
    assert patch({"c": cues}, {"c": [*cues[:4], new, *cues[4:]]}) == [{"op": "add", "path": "/c/4", "value": new}]
    assert patch({"c": cues}, {"c": cues[:4] + cues[5:]}) == [{"op": "remove", "path": "/c/4"}]
