"""A YAML file holds only so much: what would be more once it is written out is refused before it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor.errors import SetlistError
from conductor.setlist import load_setlist
from streaming.yamlbounds import MOST_DEPTH, MOST_VALUES, too_much

LAUGHS = "a: &a [x]\n" + "\n".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]" for n in range(9)
)
HEAD = "version: 1\nshow: {title: Trial}\n"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (LAUGHS, 8, f"more than {MOST_VALUES} values, counting each"),
        ("x: " + "[" * 5000, 3, f"nested deeper than {MOST_DEPTH}"),
        ("x: " + "{a: " * 5000, 3, "nested deeper"),
        ("x:\n" + "\n".join(" " * n + "-" for n in range(1000)), 3 + MOST_DEPTH, "nested deeper"),
        ("cues: &c [x, *c]", 3, "*c is inside of what it stands for"),
        ("cues: [" + "x," * (MOST_VALUES + 1) + "]", 3, f"more than {MOST_VALUES} values"),
    ],
    ids=["a billion laughs", "brackets", "braces", "dashes", "itself", "a long list"],
)
def test_what_is_too_much_is_refused_with_its_place(tmp_path: Path, text: str, line: int, reason: str) -> None:
    path = tmp_path / "show.yaml"
    path.write_text(HEAD + text)
    with pytest.raises(SetlistError) as error:
        load_setlist(path)
    assert str(error.value).startswith(f"{path}:{line}:")
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    ["", "x", "a: [", "a: &a {b: 1}\nc: [*a, *a]", "&a x: *a", "*nobody", "a: &a [x]\nb: &a [*a]", "[" * 20 + "]" * 20],
)
def test_what_is_little_or_no_yaml_is_for_others_to_judge(text: str) -> None:
    found = too_much(text)
    # The name of an anchor may be given again inside of its second bearer, which YAML allows and we do not.
    assert found is None or text == "a: &a [x]\nb: &a [*a]"


def test_aliases_that_are_a_convenience_stay(tmp_path: Path) -> None:
    path = tmp_path / "show.yaml"
    path.write_text(HEAD + "cues:\n  - {style: bach, instruments: &band [piano, flute]}\n  - {instruments: *band}\n")
    assert [cue.instruments for cue in load_setlist(path).cues] == [("piano", "flute")] * 2
