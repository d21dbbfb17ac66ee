"""Patch files: what they say is read, what is wrong in them is told with its place, one's own come first."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.instruments import BY_NAME, INSTRUMENTS
from streaming.errors import PatchError
from streaming.patches import BY_INSTRUMENT, FOLDER, KIT, PATCHES, library, zone_of, zones
from streaming.patches.reading import pitch_of, read_patch
from streaming.patches.recipe import Curve, DrumPart, Played, StringSound, ToneSound, knobs
from streaming.synthesis.percussion import sound_of

WHISTLE = """\
instrument: flute
title: Tin whistle
tone:
  slope: {C4: 1.5, C6: 2.5}
played: {level_db: -9}
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def refused(path: Path) -> list[str]:
    with pytest.raises(PatchError) as error:
        read_patch(path, bases={p.stem: p for p in FOLDER.glob("*.yaml")})
    return [line.removeprefix(f"{path}:") for line in str(error.value).splitlines()]


def test_every_instrument_has_a_patch_and_the_thirteen_keep_their_order() -> None:
    assert [patch.name for patch in PATCHES] == [i.name for i in INSTRUMENTS]
    assert list(BY_INSTRUMENT) == [i.name for i in INSTRUMENTS]
    assert {"solo", "section"} == set(library().variants("violin"))
    assert {"upright", "electric"} == set(library().variants("bass"))
    assert {"nylon", "steel", "clean"} == set(library().variants("guitar"))
    assert {"solo", "brass"} == set(library().variants("trumpet"))


def test_the_zones_of_a_patch_cover_its_instrument() -> None:
    for patch in library().patches.values():
        instrument = BY_NAME[patch.name]
        for pitch in range(instrument.low, instrument.high + 1):
            assert abs(zones(patch)[zone_of(patch, pitch)] - pitch) <= patch.zone / 2
        assert zone_of(patch, 0) == 0
        assert zone_of(patch, 127) == len(zones(patch)) - 1


def test_the_kit_has_a_sound_of_its_own_for_every_general_midi_key() -> None:
    keys = [key for sound in KIT for key in sound.keys]
    assert sorted(keys) == list(range(27, 88))
    assert sound_of(42).chokes == sound_of(44).chokes == sound_of(46).chokes == "hat"
    assert sound_of(36).chokes == ""
    assert sound_of(3) == sound_of(27)


def test_a_value_may_follow_the_keyboard() -> None:
    assert [pitch_of(n) for n in ("C4", "A0", "F#3", "Bb2", "C-1", "H2", "c4")] == [60, 21, 54, 46, 0, None, None]
    curve = Curve(((60.0, 100.0), (72.0, 400.0)))
    assert [curve.at(p) for p in (0, 60, 66, 72, 100)] == pytest.approx([100, 100, 200, 400, 400])
    falling = Curve(((60.0, 0.0), (70.0, -10.0)))
    assert falling.at(65) == pytest.approx(-5.0)


def test_a_patch_is_read_with_the_defaults_of_all_it_does_not_say(tmp_path: Path) -> None:
    patch = read_patch(written(tmp_path, "flute-whistle.yaml", WHISTLE))
    assert (patch.key, patch.name, patch.variant, patch.title) == ("flute-whistle", "flute", "whistle", "Tin whistle")
    assert patch.tone is not None
    assert patch.tone.slope.at(60) == pytest.approx(1.5)
    assert patch.tone.slope.at(84) == pytest.approx(2.5)
    assert patch.tone.cutoff_hz == ToneSound().cutoff_hz
    assert patch.played == Played(level_db=-9.0)
    assert (patch.loud, patch.onset, patch.string) == (None, None, None)
    assert not patch.decays


def test_a_patch_that_extends_another_changes_only_what_it_says(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "guitar-ukulele.yaml",
        "extends: guitar-nylon\ninstrument: guitar\nstring: {decay_s: 1}\nloud: {slope: 0.5}\nstage: {place: -1}\n",
    )
    patch = read_patch(path, bases={p.stem: p for p in FOLDER.glob("*.yaml")})
    nylon = library().patches["guitar-nylon"]
    assert patch.string is not None
    assert nylon.string is not None
    assert patch.string.decay_s.at(60) == 1.0
    assert patch.string.softness_hz == nylon.string.softness_hz
    assert isinstance(patch.loud, StringSound)
    # The hardest touch is the plain string, but for what is said of it, here or there.
    assert patch.loud.decay_s.at(60) == 1.0
    assert patch.loud.slope.at(60) == 0.5
    assert isinstance(nylon.loud, StringSound)
    assert patch.loud.softness_hz == nylon.loud.softness_hz
    assert (patch.place, patch.width, patch.played) == (-1.0, nylon.width, nylon.played)


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("instrument: flute\ntone: {slop: 1}\n", "2:8", '"slop" is not known here - did you mean "slope"?'),
        ("instrument: flute\ntonne: {}\n", "2:1", 'did you mean "tone"?'),
        ("instrument: flute\ntone: {slope: 9}\n", "2:15", "slope: 9 is out of range (0 to 4)"),
        ("instrument: flute\ntone: {slope: {C4: 1, X: 2}}\n", "2:23", '"X" is no pitch'),
        ("instrument: flute\ntone: {slope: {C4: 99}}\n", "2:20", "out of range"),
        ("instrument: flute\ntone: {slope: loud}\n", "2:15", "should be a number, not 'loud'"),
        ("instrument: flute\ntone: 7\n", "2:7", "should hold keys of its own"),
        ("instrument: flute\ntone: {body: [[1, 2]]}\n", "2:15", "each resonance is"),
        ("instrument: flute\ntone: {}\nplayed: {ears_apart: 2}\n", "3:22", "yes or no"),
        ("instrument: flut\ntone: {}\n", "1:13", 'did you mean "flute"?'),
        ("instrument: cello\ntone: {}\n", "1:13", "a patch of cello lies in cello.yaml"),
        ("instrument: flute\n", "1:1", "made as one of string, tone, kit; here are 0"),
        ("instrument: flute\ntone: {}\nstring: {}\n", "1:1", "here are 2"),
        ("title: none\ntone: {}\n", "1:1", '"instrument" is missing'),
        ("extends: flut\ninstrument: flute\n", "1:10", 'did you mean "flute"?'),
        ("instrument: flute\ntone: {}\nzone: 40\n", "3:7", "out of range"),
        ("instrument: flute\nkit: {a: {keys: [40], parts: [{hz: [9]}]}}\n", "2:37", "out of range"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_column(tmp_path: Path, text: str, place: str, says: str) -> None:
    told = refused(written(tmp_path, "flute-odd.yaml", text))
    assert any(line.startswith(f"{place}: ") and says in line for line in told), told


@pytest.mark.parametrize(
    ("kit", "says"),
    [
        ("{a: {keys: [40], parts: []}}", "has no parts"),
        ("{a: {keys: [40], parts: [{hz: [100], noise_hz: [100, 200]}]}}", "one of hz, noise_hz and metal_hz"),
        ("{a: {keys: [40], parts: [{noise_hz: [200, 100]}]}}", "[low, high]"),
        ("{a: {keys: [40], parts: [{hz: [100]}]}, b: {keys: [40], parts: [{hz: [100]}]}}", 'played by "a" already'),
        ("{a: {keys: [40], part: [{hz: [100]}]}}", 'did you mean "parts"'),
        ("{}", "holds no sounds"),
    ],
)
def test_a_kit_is_checked_too(tmp_path: Path, kit: str, says: str) -> None:
    told = refused(written(tmp_path, "drums-odd.yaml", f"instrument: drums\nkit: {kit}\n"))
    assert any(line.startswith("2:") and says in line for line in told), told


def test_all_mistakes_of_a_file_are_told_at_once_in_their_order(tmp_path: Path) -> None:
    told = refused(written(tmp_path, "flute-odd.yaml", "instrument: flute\ntone: {slop: 1, even: 7}\nplaid: {}\n"))
    assert [line.split(" ")[0] for line in told] == ["2:8:", "2:23:", "3:1:"]


def test_a_file_that_is_no_yaml_or_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refused(written(tmp_path, "flute.yaml", "a: [1,\nb: 2\n"))[0].startswith("3:1: not YAML")
    assert "there is no such file" in refused(tmp_path / "gone.yaml")[0]


def test_a_folder_of_ones_own_adds_and_takes_the_place_of_patches(tmp_path: Path) -> None:
    written(tmp_path, "flute.yaml", "extends: flute\ninstrument: flute\ntitle: Mine\nplayed: {level_db: -20}\n")
    written(tmp_path, "flute-whistle.yaml", WHISTLE)
    written(tmp_path, "styles.yaml", "folk: {flute: whistle}\n")
    own = library(tmp_path)
    assert own.patches["flute"].title == "Mine"
    assert own.patches["flute"].tone == library().patches["flute"].tone
    assert own.ensemble("folk")["flute"].title == "Tin whistle"
    assert own.ensemble("folk")["guitar"].variant == "steel"
    assert own.ensemble()["flute"].title == "Mine"
    assert own.patches["piano"] == library().patches["piano"]


def test_every_wrong_file_of_a_folder_is_told(tmp_path: Path) -> None:
    written(tmp_path, "flute.yaml", "instrument: flute\n")
    written(tmp_path, "cello.yaml", "instrument: cello\n")
    with pytest.raises(PatchError) as error:
        library(tmp_path)
    assert {line.split(":")[0] for line in str(error.value).splitlines()} == {
        str(tmp_path / "flute.yaml"),
        str(tmp_path / "cello.yaml"),
    }
    with pytest.raises(PatchError, match="no such folder"):
        library(tmp_path / "gone")


def test_a_table_of_styles_is_checked(tmp_path: Path) -> None:
    written(tmp_path, "styles.yaml", "rock: {guitar: steal}\n")
    with pytest.raises(PatchError, match=r'styles.yaml:1:16: there is no guitar "steal" - did you mean "steel"\?'):
        library(tmp_path)


def test_style_chooses_who_plays_and_the_caller_before_it() -> None:
    def played(style: str, **variants: str) -> dict[str, str]:
        return {name: patch.variant for name, patch in library().ensemble(style, variants).items()}

    assert played("") == played("nobody knows") == {**played(""), "violin": "section", "bass": "upright"}
    assert {**played("rock"), "bass": "electric", "guitar": "clean", "violin": "section"} == played("Rock")
    assert played("rock", guitar="steel") == {**played("rock"), "guitar": "steel"}
    assert played("", guitar="guitar-steel")["guitar"] == "steel"
    with pytest.raises(PatchError, match='no guitar "steal" - did you mean "steel"'):
        played("", guitar="steal")
    with pytest.raises(PatchError, match='no instrument "gitar" - did you mean "guitar"'):
        played("", gitar="steel")


def test_every_key_says_what_it_means_and_its_default_is_in_its_range() -> None:
    for kind in (StringSound, ToneSound, Played, DrumPart):
        said = knobs(kind)
        assert len(said) > 8
        for name, knob in said.items():
            assert len(knob["says"]) > 3, name
            default = getattr(kind(), name)
            value = default.at(60) if isinstance(default, Curve) else default
            if isinstance(value, float):
                assert knob["low"] <= value <= knob["high"], name


def test_the_patch_in_the_documentation_can_be_used(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "sound.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    written(tmp_path, "guitar-ukulele.yaml", example)
    ukulele = library(tmp_path).ensemble("", {"guitar": "ukulele"})["guitar"]
    assert ukulele.title == "Ukulele"
    written(tmp_path, "guitar-ukulele.yaml", example.replace("decay_s", "decay"))
    with pytest.raises(PatchError, match=r'guitar-ukulele.yaml:7:3: "decay" is not known.*"decay_s"'):
        library(tmp_path)
