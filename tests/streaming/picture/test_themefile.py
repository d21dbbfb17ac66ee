"""A theme is read from YAML; whatever is wrong in one is told where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.errors import ThemeError
from streaming.picture.theme import Rgb
from streaming.picture.themefile import chroma_distance, find_theme, read_theme, theme_names


def written(folder: Path, text: str, name: str = "mine.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def told(folder: Path, text: str) -> list[str]:
    """What is told of a theme, without the name of its file."""
    path = written(folder, text)
    with pytest.raises(ThemeError) as caught:
        read_theme(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:") for line in lines]


@pytest.mark.parametrize("name", theme_names())
def test_every_theme_that_comes_with_the_program_is_read_and_says_what_it_is(name: str) -> None:
    theme = read_theme(name)
    assert theme.name == name
    assert theme.title
    assert find_theme(name).read_text(encoding="utf-8").startswith("#")


def test_a_theme_changes_what_it_names_and_keeps_the_rest_of_what_it_extends(tmp_path: Path) -> None:
    text = """
extends: neon
title: Mine
colours: {accent: "#123456", text: "#abc"}
instruments: {piano: "#FF0000"}
notes: {glow: 0.5}
measures: {cards: false, speed: 200}
fonts: [DejaVu Serif]
"""
    theme, below = read_theme(written(tmp_path, text)), read_theme("neon")
    assert (theme.name, theme.title) == ("mine", "Mine")
    assert theme.colours.accent == (0x12, 0x34, 0x56)
    assert theme.colours.text == (0xAA, 0xBB, 0xCC)
    assert theme.colours.panel == below.colours.panel != read_theme().colours.panel
    assert theme.instrument("piano") == (255, 0, 0)
    assert theme.instrument("violin") == below.instrument("violin")
    assert (theme.notes.glow, theme.notes.bloom) == (0.5, below.notes.bloom)
    assert (theme.measures.cards, theme.measures.speed, theme.measures.header) == (False, 200, below.measures.header)
    assert theme.fonts == ("DejaVu Serif",)


def test_a_theme_extends_the_default_and_may_extend_a_file_beside_it(tmp_path: Path) -> None:
    written(tmp_path, 'colours: {accent: "#010203"}', "base.yaml")
    theme = read_theme(written(tmp_path, "extends: base.yaml\ntitle: Own"))
    assert theme.colours.accent == (1, 2, 3)
    assert theme.colours.panel == read_theme().colours.panel


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('colors: {text: "#fff"}', '1:1: "colors" is not known here - did you mean "colours"?'),
        ('colours:\n  accnt: "#fff"', '2:3: "accnt" is not known here - did you mean "accent"?'),
        ("colours:\n  text: #fff", '2:3: text: nothing is said here - write it in quotes, such as "#e8ba6e"'),
        ("colours: {text: red}", "1:17: text: 'red' is no colour - write it in quotes, such as \"#e8ba6e\""),
        ('colours: "#fff"', "1:10: colours: should hold keys of its own, such as background, not '#fff'"),
        ('instruments: {pianno: "#fff"}', '1:15: "pianno" is not known here - did you mean "piano"?'),
        ("notes: {glow: 3}", "1:15: glow: 3 is out of range (0 to 1)"),
        ("notes: {glow: much}", "1:15: glow: should be a number, not 'much'"),
        ("notes: {glow: .nan}", "1:15: glow: nan is out of range (0 to 1)"),
        ("measures: {header: 9000}", "1:20: header: 9000 is out of range (0 to 240)"),
        ("measures: {cards: 1}", "1:19: cards: should be true or false, not 1"),
        ("transparent: maybe", "1:14: transparent: should be true or false, not 'maybe'"),
        ("extends: drak", '1:10: extends: there is no theme "drak" - did you mean "dark"?'),
        ("extends: mine.yaml", '1:10: extends: "mine.yaml" comes back to this file - extend dark'),
        ("fonts: [3]", "1:9: fonts: 3 is no family - write such as [Noto Serif, DejaVu Serif]"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_the_way_out(tmp_path: Path, text: str, line: str) -> None:
    assert told(tmp_path, text) == [line]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    lines = told(tmp_path, 'notes: {glow: 2}\ncolours: {text: "#12", panel: "x"}\nfont: [A]')
    assert [line.split(":")[0] for line in lines] == ["1", "2", "2", "3"]


def test_a_theme_that_is_not_there_is_told_with_one_that_is(tmp_path: Path) -> None:
    with pytest.raises(ThemeError, match='there is no theme "neonn" - did you mean "neon"'):
        read_theme("neonn")
    written(tmp_path, "title: A", "mine.yaml")
    with pytest.raises(ThemeError, match=r"there is no such file - did you mean \".*mine.yaml\""):
        read_theme("mien.yaml", tmp_path)
    with pytest.raises(ThemeError, match="such file"):
        read_theme(written(tmp_path, "fonts: [own.ttf]"))


@pytest.mark.parametrize("text", ["", "- a list", "colours: {text: [", "\x00"])
def test_what_is_no_theme_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ThemeError, match=r"mine\.yaml"):
        read_theme(written(tmp_path, text))


def test_a_transparent_theme_keeps_its_notes_away_from_the_colour_that_is_taken_out(tmp_path: Path) -> None:
    lines = told(tmp_path, 'extends: overlay\ninstruments:\n  piano: "#20e020"')
    assert lines == ["3:10: piano: is too near to the background that is keyed out - its notes would have holes"]
    for theme in map(read_theme, theme_names()):
        if theme.transparent:
            key = theme.colours.background
            assert min(chroma_distance(colour, key) for colour in theme.instruments.values()) > 0.3


# What docs/picture.md tells to set in OBS, in thousandths.
SIMILARITY, SMOOTHNESS, SPILL = 0.12, 0.06, 0.10


def obs_opacity(colour: Rgb, key: Rgb) -> tuple[float, float]:
    """Return what OBS's chroma key leaves of a colour: its opacity, and how much of its own tint.

    Source: OBS Studio, plugins/obs-filters/data/chroma_key_filter.effect.
    """
    distance = chroma_distance(colour, key) * 224 / 255
    base = distance - SIMILARITY
    opacity, tint = (min(1.0, max(0.0, base / width)) ** 1.5 for width in (SMOOTHNESS, SPILL))
    return opacity, tint


@pytest.mark.parametrize("name", [name for name in theme_names() if read_theme(name).transparent])
def test_what_is_keyed_out_in_obs_is_the_background_and_nothing_else(name: str) -> None:
    theme = read_theme(name)
    key = theme.colours.background
    assert key == (0, 255, 0)
    assert obs_opacity(key, key) == (0.0, 0.0)
    colours = theme.colours
    words = [colours.panel, colours.card, colours.text, colours.text_soft, colours.accent, colours.low, colours.high]
    keys = [colours.white_upper, colours.white_lower, colours.black_upper, colours.black_lower]
    for colour in (*theme.instruments.values(), *words, *keys):
        assert obs_opacity(colour, key) == (1.0, 1.0), colour
