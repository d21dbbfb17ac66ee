"""What was pressed or moved is told from its messages, and written into a map that stays as it was."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor.controllers.learning import Found, control_of, moved, pressed, write_control
from conductor.controllers.message import Key
from conductor.controllers.plan import Deed
from conductor.controllers.reading import read_map
from conductor.controllers.shelf import shipped
from conductor.controllers.table import VERBS
from conductor.controllers.takeover import Encoding
from conductor.controllers.wish import wish_of
from conductor.errors import MapError, UsageError
from tests.conductor.controllers.making import cc, off, on

GO = {"does": "go"}
ENERGY = {"sets": "change.energy", "range": [20, 110]}


def write(path: Path, key: Key, does: Mapping[str, object], *, replace: bool = False) -> str:
    return write_control(path, control_of(Found(key), does), port="Box:Box MIDI 1 20:0", replace=replace)


def test_the_first_key_that_goes_down_is_meant_and_none_that_comes_up() -> None:
    assert pressed([off(35), b"\xf8", cc(64, 10), on(36), on(37)]) == Found(Key("note", 36))
    assert pressed([off(36), on(36, 0), cc(64, 0)]) is None
    assert pressed([cc(64, 127)]) == Found(Key("cc", 64))
    assert pressed([b"\xc1\x05"]) == Found(Key("program", 5, 2))


def test_a_fader_is_what_moves_over_many_places_and_not_a_key_or_a_pedal() -> None:
    assert moved([cc(7, value) for value in range(20, 60, 5)]) == Found(Key("cc", 7))
    assert moved([on(36), off(36), cc(64, 127), cc(64, 0), cc(64, 127)]) is None
    assert moved([]) is None


@pytest.mark.parametrize(
    ("encoding", "right", "left"),
    [("twos_complement", 1, 127), ("sign_bit", 1, 65), ("offset", 65, 63), ("twos_complement", 3, 126)],
)
def test_an_encoder_is_known_by_its_steps_to_both_sides(encoding: Encoding, right: int, left: int) -> None:
    turned = [cc(16, value) for value in [right] * 5 + [left] * 5]
    assert moved(turned) == Found(Key("cc", 16), encoding)
    assert moved(turned[:5]) is None, "turned to one side it might say so in two ways"


@settings(deadline=None)
@given(st.integers(0, 127), st.integers(0, 127), st.integers(1, 16))
def test_a_sweep_over_half_of_a_fader_is_a_fader(low: int, number: int, channel: int) -> None:
    places = [place for place in range(0, 128, 2) if low / 2 <= place < low / 2 + 64]
    assert moved([cc(number, place, channel) for place in places]) == Found(Key("cc", number, channel))


def test_a_map_is_made_that_reads_as_what_was_learnt(tmp_path: Path) -> None:
    path = tmp_path / "my box.yaml"
    assert write(path, Key("note", 36), GO) == f"written to the new map {path}"
    assert write(path, Key("cc", 7, 2), ENERGY) == f"added to {path}"
    write_control(path, control_of(Found(Key("cc", 8), "offset"), ENERGY), port="")
    write(path, Key("note", 37), {"does": {"standby": {"cue": "2"}}})
    plan = read_map(path, VERBS)
    assert (plan.name, plan.port) == ("my box", "Box:Box MIDI 1"), "ALSA's numbers are others the next time"
    assert [(button.key, button.does) for button in plan.buttons] == [
        (Key("note", 36), Deed("go")),
        (Key("note", 37), Deed("standby", {"cue": "2"})),
    ]
    assert [(dial.key, dial.verb, dial.argument, dial.encoding) for dial in plan.dials] == [
        (Key("cc", 7, 2), "change", "energy", None),
        (Key("cc", 8), "change", "energy", "offset"),
    ]


@pytest.mark.parametrize("name", sorted(shipped()))
def test_what_else_is_in_a_map_stays_to_the_last_byte(tmp_path: Path, name: str) -> None:
    path = tmp_path / "map.yaml"
    shutil.copy(shipped()[name], path)
    before = path.read_text().splitlines()
    write(path, Key("note", 99), GO)
    after = path.read_text().splitlines()
    assert [line for line in after if line in before] == before
    assert [line for line in after if line not in before] == ["  - {note: 99, channel: 1, does: go}"]
    assert read_map(path, VERBS).buttons[-1].key == Key("note", 99)


def test_a_key_that_does_something_already_is_refused_with_its_line_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    controls = "  - note: 36\n    does: skip\n    # why\n  - {note: 36, channel: 1, does: hold}\n"
    text = f"version: 1\nport: x\nchannel: 2\ncontrols:\n{controls}"
    path.write_text(text)
    with pytest.raises(MapError, match=rf"{path}:5: it does skip already - press another, or give --replace"):
        write(path, Key("note", 36, 2), GO)
    assert path.read_text() == text
    assert write(path, Key("note", 36, 2), GO, replace=True) == f"put in the place of line 5 of {path}"
    assert read_map(path, VERBS).buttons[0].does == Deed("go")
    assert read_map(path, VERBS).buttons[1].does == Deed("hold")


def test_a_map_that_would_be_none_any_more_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    shutil.copy(shipped()["launchpad"], path)
    before = path.read_text()
    with pytest.raises(MapError, match=r"left as it is.*cue"):
        write(path, Key("note", 81), GO, replace=True)
    assert path.read_text() == before
    assert [each.name for each in tmp_path.iterdir()] == ["map.yaml"]


def test_controls_that_are_not_a_line_each_are_not_written_into(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("version: 1\nport: x\ncontrols: [{note: 1, does: go}]\n")
    with pytest.raises(MapError, match=rf"{path}:3: controls: should be a list with a line for each"):
        write(path, Key("note", 2), GO)


def test_a_folder_that_takes_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(MapError, match="cannot be written"):
        write(tmp_path / "no" / "map.yaml", Key("note", 2), GO)


@pytest.mark.parametrize(
    ("order", "arguments", "does"),
    [
        ("go", [], {"does": "go"}),
        ("standby", ["cue=2"], {"does": {"standby": {"cue": "2"}}}),
        ("fade", ["seconds=2.5"], {"does": {"fade": {"seconds": 2.5}}}),
        ("endless", ["on=off"], {"does": {"endless": {"on": False}}}),
        ("change.energy", ["20", "110"], ENERGY),
    ],
)
def test_a_wish_is_read_from_the_command_line(order: str, arguments: list[str], does: dict[str, object]) -> None:
    assert wish_of(order, arguments) == does


@pytest.mark.parametrize(
    ("order", "arguments", "text"),
    [
        ("hodl", [], 'there is no verb "hodl" - did you mean "hold"?'),
        ("standby", [], "standby: cue is missing: give cue=..."),
        ("standby", ["2"], "write arguments as NAME=VALUE"),
        ("standby", ["cue=1", "x=2"], 'standby: unknown argument "x"'),
        ("fade", ["seconds=900"], "fade: seconds: "),
        ("change.enrgy", ["1", "2"], 'change takes no "enrgy" - did you mean "energy"?'),
        ("change.energy", ["20"], "give the values at the two ends of the fader"),
        ("change.energy", ["20", "many"], "give the values at the two ends of the fader"),
        ("change.energy", ["20", "900"], "change.energy: 900: "),
    ],
)
def test_a_wish_that_is_none_is_refused(order: str, arguments: list[str], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        wish_of(order, arguments)
    assert text in str(caught.value)
