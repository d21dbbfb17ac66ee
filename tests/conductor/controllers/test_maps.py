"""A map says what its controls do, or every mistake with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conductor.controllers.message import Key, heard
from conductor.controllers.plan import Deed, Glow, Light
from conductor.controllers.reading import read_map, read_maps
from conductor.controllers.shelf import find_map, shipped
from conductor.controllers.table import VERBS
from conductor.controllers.takeover import Scale
from conductor.errors import MapError, SetlistError
from tests.conductor.controllers.making import made


def mistakes(folder: Path, text: str) -> list[str]:
    path = folder / "bad.yaml"
    path.write_text(text)
    with pytest.raises(MapError) as caught:
        read_map(path, VERBS)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines), lines
    return [line.removeprefix(f"{path}:") for line in lines]


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_map_that_comes_with_the_program_is_right_and_gives_go(name: str) -> None:
    plan = read_map(shipped()[name], VERBS)
    assert any(button.does.verb == "go" for button in plan.buttons)


def test_maps_come_with_the_program() -> None:
    assert {"footswitch", "launchpad", "nanokontrol2"} <= shipped().keys()


def test_the_map_that_the_documentation_shows_is_right(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "controllers.md").read_text()
    [shown] = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.S) if block.startswith("version")]
    path = tmp_path / "map.yaml"
    path.write_text(shown)
    plan = read_map(path, VERBS)
    assert (len(plan.buttons), len(plan.dials)) == (4, 2)


def test_a_key_has_all_that_was_said_of_it(tmp_path: Path) -> None:
    plan = made(
        tmp_path,
        """
        {name: GO, note: 36, does: go, light: {ready: 21, composing: {blink: [13, 3], every: 1s}, at: {cc: 9}}}
        {cc: 64, channel: 2, does: hold, undoes: release, threshold: 100, hysteresis: 30, latching: true}
        {program: 3, does: {fade: {seconds: 6}}, debounce: 120ms}
        """,
        "name: Box\nport: pads\nlights: other\nchannel: 3\ndebounce: 20ms\nhello: [F0 7E F7]\ngoodbye: ['B0 00 00']",
    )
    go, hold, fade = plan.buttons
    assert (plan.name, plan.port, plan.lights_port) == ("Box", "pads", "other")
    assert (plan.hello, plan.goodbye) == ((b"\xf0\x7e\xf7",), (b"\xb0\0\0",))
    assert (go.name, go.key, go.does, go.debounce_s) == ("GO", Key("note", 36, 3), Deed("go"), 0.02)
    assert go.light == Light(Key("cc", 9, 3), {"ready": Glow(21), "composing": Glow(13, 3, 1.0)})
    assert (hold.key, hold.does, hold.undoes) == (Key("cc", 64, 2), Deed("hold"), Deed("release"))
    assert (hold.on, hold.off, hold.latching) == (100, 70, True)
    assert (fade.key, fade.does, fade.debounce_s) == (Key("program", 3, 3), Deed("fade", {"seconds": 6}), 0.12)
    assert (go.on, go.off) == (1, 1)


def test_a_fader_and_an_encoder_have_all_that_was_said_of_them(tmp_path: Path) -> None:
    plan = made(
        tmp_path,
        """
        {cc: 0, sets: change.energy, range: [20, 110], start: 64, pickup: false, after: 500ms}
        {cc: 1, turns: fade.seconds, range: [1, 20.0], step: 0.5, encoding: sign_bit}
        """,
    )
    fader, knob = plan.dials
    assert (fader.verb, fader.argument, fader.scale) == ("change", "energy", Scale(20, 110, whole=True))
    assert (fader.start, fader.soft, fader.after_s, fader.encoding) == (64, False, 0.5, None)
    assert (knob.verb, knob.argument, knob.scale) == ("fade", "seconds", Scale(1, 20.0))
    assert (knob.step, knob.encoding, knob.soft, knob.after_s) == (0.5, "sign_bit", True, None)


def test_lights_go_to_the_port_that_is_heard_unless_it_is_said_otherwise(tmp_path: Path) -> None:
    assert made(tmp_path, "{note: 1, does: go}").lights_port == "pads"
    assert made(tmp_path, "{note: 1, does: go}", "port: pads\nlights: none").lights_port == ""


@pytest.mark.parametrize(
    ("control", "place", "text"),
    [
        ("{note: 36, dos: go}", "4:16", 'unknown key "dos" - did you mean "does"?'),
        ("{note: 36, does: hodl}", "4:22", 'does: there is no verb "hodl" - did you mean "hold"?'),
        ("{note: 128, does: go}", "4:12", "note: a whole number of 0 to 127, not 128"),
        ("{note: 36, cc: 1, does: go}", "4:5", "give one of note, cc, program, not note and cc"),
        ("{does: go}", "4:5", "give one of note, cc, program, not none of them"),
        ("{note: 36, channel: 17, does: go}", "4:25", "channel: a whole number of 1 to 16, not 17"),
        ("{note: 36, does: standby}", "4:22", "standby: cue is missing, such as {standby: {cue: ...}}"),
        ("{note: 36, does: {fade: {second: 3}}}", "4:30", 'fade: unknown argument "second" - did you mean "seconds"?'),
        ("{note: 36, does: {hold: {x: 1}}}", "4:30", 'hold: unknown argument "x" - it takes none'),
        ("{note: 36, does: [go]}", "4:22", "does: a verb, such as go"),
        ("{note: 36, does: go, sets: fade.seconds}", "4:5", "not does and sets"),
        ("{note: 36, does: go, debounce: 50}", "4:36", "debounce: should be a time such as 50ms or 1.5s, not 50"),
        ("{note: 36, does: go, latching: 1}", "4:36", "latching: should be true or false, not 1"),
        ("{note: 36, does: go, light: 5}", "4:33", "light: what it shows in which state"),
        ("{note: 36, does: go, light: {redy: 1}}", "4:34", 'unknown key "redy" - did you mean "ready"?'),
        ("{note: 36, does: go, light: {ready: 200}}", "4:41", "ready: a whole number of 0 to 127, not 200"),
        ("{note: 36, does: go, light: {ready: {blink: 1, value: 1}}}", "4:41", "give one of value and blink"),
        ("{note: 36, does: go, light: {ready: {blink: 1, every: 1ms}}}", "4:59", "every: at least 100ms"),
        ("{program: 3, does: go, light: {ready: 1}}", "4:35", "a program lights nothing"),
        ("{note: 1, sets: change.energy, range: [20, 110]}", "4:12", "only a cc sets a value, not a note"),
        ("{cc: 1, sets: change.enrgy, range: [20, 110]}", "4:19", 'change takes no "enrgy" - did you mean "energy"?'),
        ("{cc: 1, sets: energy, range: [20, 110]}", "4:19", "write it as sets: change.energy"),
        ("{cc: 1, sets: change.energy}", "4:5", "range: the values at its ends, such as [20, 110]"),
        ("{cc: 1, sets: change.energy, range: [20, 900]}", "4:46", "range: 900: "),
        ("{cc: 1, sets: change.energy, range: [20, 90], start: 5}", "4:58", "start: from 20 to 90, not 5"),
        ("{cc: 1, turns: fade.seconds, range: [1, 9], step: 0.5}", "4:55", "step: above 0, and whole where"),
        ("{cc: 1, turns: fade.seconds, range: [1, 9], encoding: offse}", "4:59", 'did you mean "offset"?'),
        ("{cc: 1, sets: fade.seconds, range: [1, 9], step: 2}", "4:48", 'unknown key "step"'),
        ("3", "4:5", "a control holds keys of its own"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, control: str, place: str, text: str) -> None:
    told = mistakes(tmp_path, f"version: 1\nport: x\ncontrols:\n  - {control}\n")
    assert any(line.startswith(f"{place}: ") and text in line for line in told), told


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    told = mistakes(tmp_path, "version: 2\nprt: x\nhello: [90 00]\ncontrols: []\n")
    assert [line.split(": ", 1)[0] for line in told] == ["1:1", "1:10", "2:1", "3:9", "4:11"]


@pytest.mark.parametrize("message", ["90 00", "B0 00 80", "F0 7E", "F0 90 F7", "F8", "C0 00 00", "00 00", "xx", ""])
def test_what_is_no_message_is_refused(tmp_path: Path, message: str) -> None:
    told = mistakes(tmp_path, f'version: 1\nport: x\nhello: ["{message}"]\ncontrols:\n  - {{note: 1, does: go}}\n')
    assert [line.split(", such")[0] for line in told] == ["3:9: hello: a message is its bytes"]


def test_two_controls_of_one_key_are_refused_with_the_line_of_the_first(tmp_path: Path) -> None:
    text = "version: 1\nport: x\ncontrols:\n  - {note: 1, does: go}\n  - {note: 1, channel: 2, does: go}\n"
    assert mistakes(tmp_path, text + "  - {note: 1, does: hold}\n") == ["6:5: note 1 on channel 1 is taken by line 4"]


def test_the_mistakes_of_several_maps_are_told_together(tmp_path: Path) -> None:
    paths = [tmp_path / "one.yaml", tmp_path / "two.yaml"]
    for path in paths:
        path.write_text("version: 1\nport: x\ncontrols: []\n")
    with pytest.raises(SetlistError) as caught:
        read_maps(paths, VERBS)
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [str(path) for path in paths]


def test_a_map_is_found_beside_or_among_those_that_come_with_the_program(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("")
    assert find_map("mine.yaml", tmp_path) == tmp_path / "mine.yaml"
    assert find_map("launchpad", tmp_path) == shipped()["launchpad"]
    with pytest.raises(MapError, match=r'no such map - did you mean "mine\.yaml"\?'):
        find_map("mien.yaml", tmp_path)
    with pytest.raises(MapError, match=r'did you mean "launchpad"\?'):
        find_map("lauchpad", tmp_path)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"\x90\x24\x40", (Key("note", 36), 64)),
        (b"\x91\x24\x00", (Key("note", 36, 2), 0)),
        (b"\x80\x24\x40", (Key("note", 36), 0)),
        (b"\xbf\x07\x7f", (Key("cc", 7, 16), 127)),
        (b"\xc0\x05", (Key("program", 5), 127)),
        (b"\xf8", None),
        (b"\xfe", None),
        (b"\xf0\x7e\x7f\x06\x01\xf7", None),
        (b"\xe0\x00\x40", None),
        (b"\xd0\x10", None),
        (b"\xa0\x24\x10", None),
        (b"\x90\x24", None),
        (b"\x90\x90\x90", None),
        (b"\x90\x24\xff", None),
        (b"", None),
    ],
)
def test_messages_of_keys_are_understood_and_no_others(message: bytes, said: tuple[Key, int] | None) -> None:
    assert heard(message) == said


@pytest.mark.parametrize("key", [Key("note", 36, 2), Key("cc", 7, 16), Key("program", 5)])
def test_what_a_key_sends_is_heard_as_that_key(key: Key) -> None:
    assert heard(key.message(127)) == (key, 127)
