"""A setlist says what it means, or every mistake with its place."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.errors import SetlistError
from conductor.setlist import Cue, Setlist, load_setlist
from conductor.setlist.values import parse_duration
from model.composing.blend import Blend, Morph
from model.composing.course import Course
from model.composing.prompt import Prompt
from model.midi import write_midi
from tests.model.making import tune

SETLISTS = Path(__file__).parents[2] / "setlists"


def read(folder: Path, text: str) -> Setlist:
    path = folder / "show.yaml"
    path.write_text(text)
    return load_setlist(path)


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(SetlistError) as caught:
        read(folder, text)
    prefix = f"{folder / 'show.yaml'}:"
    lines = str(caught.value).splitlines()
    assert all(line.startswith(prefix) for line in lines), lines
    return [line.removeprefix(prefix) for line in lines]


@pytest.mark.parametrize("name", sorted(p.name for p in SETLISTS.glob("*.yaml")))
def test_every_setlist_that_comes_with_the_program_is_right(name: str) -> None:
    setlist = load_setlist(SETLISTS / name)
    assert setlist.cues or setlist.endless


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("4m", 240), ("3:30", 210), ("1m30s", 90), ("0.5m", 30), ("4 min", 240)]
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@given(st.integers(5, 1800))
def test_minutes_and_seconds_are_read_back(seconds: int) -> None:
    assert parse_duration(f"{seconds // 60}:{seconds % 60:02d}") == seconds
    assert parse_duration(f"{seconds}s") == seconds


@pytest.mark.parametrize("text", ["90", "4 parsecs", "", "m", "3:75", "1s", "2h", "-4m"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|range"):
        parse_duration(text)


def test_defaults_reach_cues_and_the_endless_part(tmp_path: Path) -> None:
    setlist = read(
        tmp_path,
        "version: 1\nshow: {title: T, ahead: 3}\n"
        "defaults: {duration: 1m, candidates: 8, follow: hold, instruments: [strings]}\n"
        "cues: [{style: bach}, {style: chopin, duration: 2m, follow: {hang: -3s}}]\nendless: {styles: {jazz: 2}}\n",
    )
    first, second = setlist.cues
    assert (first.id, first.number, first.name, first.duration_s, first.candidates) == ("bach", "1", "Bach", 60, 8)
    assert first.instruments == ("violin", "cello")
    assert first.follow.kind == "hold"
    assert (second.duration_s, second.follow.kind, second.follow.hang_s) == (120, "hang", 3)
    assert setlist.ahead == 3
    assert setlist.endless is not None
    assert (setlist.endless.styles, setlist.endless.duration_s) == ((("jazz", 2.0),), 60)


def test_a_cue_without_a_seed_has_the_same_one_every_time_and_another_than_its_neighbour(tmp_path: Path) -> None:
    text = "version: 1\ncues: [{style: bach}, {style: bach}]\n"
    first, second = read(tmp_path, text).cues
    assert first.id != second.id
    assert first.seed != second.seed
    assert read(tmp_path, text).cues == (first, second)


def test_all_mistakes_are_told_at_once_with_their_places(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        """version: 1
show: {title: T, ahed: 3}
cues:
  - id: one
    style: shopin
    instruments: [piano, vilin]
    prompt: {midi: own.mid, notes: 6}
    duration: 90
  - id: one
    candidates: 0
    obs: {scen: Main}
endless: {styles: {jaz: 1}}
""",
    )
    assert found[0] == '2:18: unknown key "ahed" - did you mean "ahead"?'
    assert found[1] == '5:12: style: the style "shopin" is unknown; nearest: chopin'
    assert found[2] == '6:18: instruments: the instrument "vilin" is unknown - did you mean "violin"?'
    assert found[3].startswith("7:20: ")
    assert "no such file" in found[3]
    assert found[4].startswith("8:15: duration: ")
    assert found[4].endswith('did you mean "90s"?')
    assert found[5] == '9:9: id "one" is taken by line 4'
    assert found[6].startswith("10:17: candidates: ")
    assert any('unknown key "scen" - did you mean "scene"?' in line for line in found)
    assert found[-1].startswith('12:20: the style "jaz" is unknown; nearest: jazz')


def test_a_cue_says_how_its_piece_should_be(tmp_path: Path) -> None:
    setlist = read(
        tmp_path,
        """version: 1
defaults: {style: {chopin: 0.6, jazz: 0.4}, key: d minor, density: low, silence: 4s, form: song}
cues:
  - {duration: 2m}
  - style: {from: chopin, to: jazz, over: 60s}
    key: Eb major
    density: {0s: low, 60s: 12}
    energy: high
    tempo: 96
    form: A B A
    follow: {morph: 20s}
  - {style: bach, key: null}
endless: {styles: {jazz: 1}, energy: mid}
""",
    )
    first, second, third = setlist.cues
    assert str(first.style) == "chopin and jazz"
    assert first.name == "Chopin And Jazz"
    assert (first.controls.key, first.controls.silence_s, first.controls.form) == ("D_minor", 4.0, "song")
    assert second.style == Morph(Blend((("chopin", 1.0),)), Blend((("jazz", 1.0),)), 60.0)
    assert (second.controls.key, second.controls.tempo_bpm, second.controls.form) == ("D#_major", 96.0, "A B A")
    assert second.controls.density == Course(((0.0, 2.5), (60.0, 12.0)))
    assert second.controls.energy == Course(((0.0, 100.0),))
    assert (second.follow.kind, second.follow.morph_s) == ("morph", 20.0)
    assert (third.style, third.controls.key, third.controls.silence_s) == ("bach", None, 4.0)
    assert setlist.endless is not None
    assert (setlist.endless.controls.key, setlist.endless.controls.density) == ("D_minor", Course(((0.0, 2.5),)))
    assert setlist.endless.controls.energy == Course(((0.0, 72.0),))


def test_a_cue_is_played_as_people_would_unless_it_says_otherwise(tmp_path: Path) -> None:
    text = "version: 1\n{}cues: [{{style: bach}}, {{style: jazz, expression: off}}, {{style: folk, expression: on}}]\n"
    endless = "endless: {styles: {jazz: 1}}\n"
    usual = read(tmp_path, text.format("") + endless)
    exact = read(tmp_path, text.format("defaults: {expression: off}\n") + endless)
    assert [cue.expression for cue in usual.cues] == [True, False, True]
    assert [cue.expression for cue in exact.cues] == [False, False, True]
    assert usual.endless is not None
    assert exact.endless is not None
    assert (usual.endless.expression, exact.endless.expression) == (True, False)
    (wrong,) = mistakes(tmp_path, "version: 1\ncues: [{style: bach, expression: of}]\n")
    assert wrong.endswith(
        "2:34: expression: should be on or off (exactly as written), not 'of' - did you mean \"off\"?"
    )


def test_a_cue_is_a_prompt_and_comes_back_from_plain_values(tmp_path: Path) -> None:
    tokens = "start piano:v80:C4"
    wishes = f"style: {{chopin: 3, jazz: 1}}, energy: {{0s: low, 9s: 80}}, prompt: {{tokens: '{tokens}'}}"
    (cue,) = read(tmp_path, f"version: 1\ncues: [{{{wishes}}}]\n").cues
    prompt = cue.prompt(9)
    assert Prompt.of(json.loads(json.dumps(prompt.as_dict()))) == prompt
    assert (prompt.style, prompt.seed, prompt.opening_tokens) == (Blend((("chopin", 0.75), ("jazz", 0.25))), 9, tokens)
    assert Cue.of(json.loads(json.dumps(cue.as_dict()))) == cue


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 1\n", "nothing to play"),
        ("version: 2\ncues: [{style: bach}]\n", "version: 1"),
        ("cues: [{style: bach}]\n", '"version" is missing'),
        ("version: 1\nversion: 1\n", "duplicate"),
        ("version: 1\ncues: [{style: bach\n", "not YAML"),
        ("- a\n- b\n", "begins with keys"),
        ("version: 1\ncues: {style: bach}\n", "should be a list"),
        ("version: 1\ncues: [{style: bach, follow: 3}]\n", "auto, hold, {hang"),
        (
            "version: 1\ncues: [{style: bach}, {follow: {morph: 1s}}]\n",
            "2:32: follow: morph takes 2s to 120s, not '1s'",
        ),
        ("version: 1\ncues: [{style: bach, follow: {morph: 9s}}]\n", "2:30: the first cue has nothing to morph out"),
        (
            "version: 1\ncues: [{style: {chopin: 0.6, jaz: 1}}]\n",
            "2:16: style 'jaz' is not known to the checkpoint; did",
        ),
        (
            "version: 1\ncues: [{style: {from: bach, to: jazz}}]\n",
            "2:16: style: a style that changes has from, to and over",
        ),
        ("version: 1\ncues: [{style: [bach]}]\n", "2:16: style ['bach']: write a name, {chopin"),
        ("version: 1\ncues: [{key: H moll}]\n", "2:14: key 'H moll' is unknown"),
        ("version: 1\ndefaults: {density: thick}\ncues: [{}]\n", "2:21: density 'thick': write low, mid, high"),
        ("version: 1\ncues: [{energy: {soon: low}}]\n", "2:17: energy: 'soon' is no time; write 90s"),
        ("version: 1\ncues: [{tempo: 9}]\n", "2:16: tempo: input should be greater than or equal to 20"),
        ("version: 1\ncues: [{silence: 90s}]\n", "2:18: silence: the longest silence is 0.5s to 30s, not '90s'"),
        ("version: 1\ncues: [{prompt: {notes: 4}}]\n", "give one of midi, opening and tokens, not none"),
        (
            "version: 1\ncues: [{prompt: {opening: a, tokens: a}}]\n",
            "give one of midi, opening and tokens, not opening and tokens",
        ),
        ("version: 1\ncues: [{style: bach, follow: {hang: 3s}}]\n", "hang is"),
        ("version: 1\ncues: [{style: bach, number: 1.10}]\n", "quotes"),
        ("version: 1\nshow: {loudness: {lufs: -40}}\ncues: [{style: bach}]\n", "greater than or equal to -30"),
        ("version: 1\nendless: {styles: {}}\n", "at least one"),
        ("version: 1\nendless: {styles: {jazz: 0}}\n", "greater than 0"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    (line,) = mistakes(tmp_path, text)
    assert said in line


def test_a_prompt_must_be_a_midi_file(tmp_path: Path) -> None:
    (tmp_path / "own.mid").write_text("MTrk")
    text = "version: 1\ncues: [{prompt: {midi: own.mid}}]\n"
    assert "no MIDI file" in mistakes(tmp_path, text)[0]
    (tmp_path / "own.mid").write_bytes(b"MThd\0\0\0\6")
    assert mistakes(tmp_path, text) == [
        f"2:17: {tmp_path / 'own.mid'}: the header is cut off; export or download it again"
    ]
    write_midi(tune(8.0), tmp_path / "own.mid")
    assert read(tmp_path, text).cues[0].opening == str(tmp_path / "own.mid")


@pytest.mark.parametrize(
    ("cue", "said"),
    [
        ("prompt: {opening: luluby}", "2:17: opening 'luluby' is unknown; did you mean lullaby?"),
        ("prompt: {tokens: 'start piano:v80:H4'}", "2:17: opening tokens: line 1, column 7: unknown token"),
        ("instruments: [organ], prompt: {opening: air}", "2:39: air: it plays guitar, flute, none of the instruments"),
        ("duration: 8s, prompt: {opening: air, seconds: 7.5}", "2:31: air: 7.5 s of it leave nothing to compose"),
        ("prompt: {opening: air, notes: 4, seconds: 4}", "2:17: notes and seconds of an opening at once"),
        ("duration: 30s, form: rondo", "2:30: form 'rondo' has 5 sections, for which 30 s is too short"),
        ("key: C minor, instruments: [drums]", "2:14: key C_minor: drums have none"),
    ],
)
def test_what_cannot_be_composed_is_told_before_the_show(tmp_path: Path, cue: str, said: str) -> None:
    (line,) = mistakes(tmp_path, f"version: 1\ncues: [{{{cue}}}]\n")
    assert line.startswith(said)


@pytest.mark.parametrize(
    ("cue", "said"),
    [
        ("follow: {morph: 20s}, duration: 30s", "3:15: a morph of 20 s takes more than half of Bach or of Untitled"),
        ("follow: {morph: 20s}, prompt: {opening: air}", "3:37: Untitled begins as a morph out of Bach; leave out"),
    ],
)
def test_a_morph_that_cannot_be_is_told(tmp_path: Path, cue: str, said: str) -> None:
    (line,) = mistakes(tmp_path, f"version: 1\ncues: [{{style: bach}},\n  {{   {cue}}}]\n")
    assert line.startswith(said)


def test_openings_are_the_shipped_ones_or_files_beside_the_setlist(tmp_path: Path) -> None:
    write_midi(tune(8.0), tmp_path / "own.mid")
    text = "version: 1\ncues: [{prompt: {opening: air, seconds: 8s}}, {prompt: {midi: own.mid, notes: 6}}]\n"
    first, second = read(tmp_path, text).cues
    assert (first.opening, first.opening_s) == ("air", 8.0)
    assert (second.opening, second.opening_notes) == (str(tmp_path / "own.mid"), 6)


def test_styles_can_be_written_in_a_line(tmp_path: Path) -> None:
    first, second = read(tmp_path, "version: 1\ncues: [{style: 'chopin:3,jazz:1'}, {style: chopin>jazz@60s}]\n").cues
    assert first.style == Blend((("chopin", 0.75), ("jazz", 0.25)))
    assert str(second.style) == "from chopin to jazz"


def test_a_missing_file_is_told_with_its_nearest_neighbour(tmp_path: Path) -> None:
    (tmp_path / "concert.yaml").write_text("version: 1")
    with pytest.raises(SetlistError, match=r"no such file - did you mean .*concert\.yaml"):
        load_setlist(tmp_path / "concrt.yaml")
