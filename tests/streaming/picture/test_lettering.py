"""Text finds its glyphs, and nowhere is a box drawn in the place of one."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import skia

from streaming.picture import lettering
from streaming.picture.lettering import Lettering

TITLES = (
    "Nocturne", "雨の歌", "봄의 노래", "夜曲 No. 3", "Ноктюрн", "Νυχτερινό", "Étude é\u0301", "🎵 Night 🌙",
    "👩\u200d🚀",     "❤\ufe0f", "\u200d\x07\n", "\ue000\U0010ffff", "𝄞 G-clef", "",
)  # fmt: skip


@pytest.fixture
def type_() -> Lettering:
    return Lettering()


def ink_of(type_: Lettering, text: str) -> int:
    """Columns in which a text leaves ink."""
    pixels = np.zeros((40, 400, 4), np.uint8)
    type_.draw(skia.Canvas(pixels, colorType=skia.kRGBA_8888_ColorType), text, 2, 30, 24, 0xFFFFFFFF)
    return int(pixels[..., 3].any(axis=0).sum())


def test_text_leaves_ink_where_it_is_drawn(type_: Lettering) -> None:
    assert ink_of(type_, "Nocturne") > 60
    assert ink_of(type_, "") == 0


@pytest.mark.parametrize("text", TITLES)
@pytest.mark.parametrize("bold", [False, True])
def test_no_box_is_drawn_in_the_place_of_a_character(type_: Lettering, text: str, bold: bool) -> None:
    for run, face in type_.runs(text, bold):
        # Glyph 0 of every font is its box.
        assert all(face.unicharToGlyph(ord(character)) for character in run), run


@pytest.mark.parametrize("text", TITLES)
def test_a_character_is_drawn_where_any_font_of_the_machine_has_it_and_leaves_no_gap_elsewhere(
    type_: Lettering, text: str
) -> None:
    manager = skia.FontMgr()
    there = []
    for character in text:
        face = manager.matchFamilyStyleCharacter("", skia.FontStyle(), ["en"], ord(character))
        drawable = character.isprintable() and not character.isspace() and character not in lettering._JOINING
        there.append(bool(drawable and face and face.unicharToGlyph(ord(character))))
    assert (ink_of(type_, text) > 0) == any(there), repr(text)
    parts = type_.width("a", 20) + type_.width(text, 20) + type_.width("b", 20)
    assert type_.width(f"a{text}b", 20) == pytest.approx(parts, abs=1.0)


def test_what_no_font_has_is_told_once_with_the_package_that_has_it(
    type_: Lettering, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lettering, "_manager", lambda: Nothing())
    with caplog.at_level(logging.WARNING):
        type_.width("雨の歌", 20)
        type_.width("夜曲", 30)
        type_.width("🎵", 30)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "fonts-noto-cjk" in told[0]
    assert "fonts-noto-color-emoji" in told[1]


def test_text_that_is_too_wide_is_cut_with_an_ellipsis(type_: Lettering) -> None:
    text = "The Well-Tempered Clavier, Book One"
    assert type_.fit(text, 20, 1000) == text
    cut = type_.fit(text, 20, 120)
    assert cut.endswith("…")
    assert text.startswith(cut[:-1])
    assert len(cut) > 3
    assert type_.width(cut, 20) <= 120
    assert type_.fit(text, 20, 1) == ""


def test_a_long_title_is_broken_between_words_and_only_its_last_line_is_cut(type_: Lettering) -> None:
    lines = type_.lines("A very long name for a very short piece of music", 20, 200, 2)
    assert len(lines) == 2
    assert all(type_.width(line, 20) <= 200 for line in lines)
    assert lines[0] in "A very long name for a very short piece of music"
    assert lines[1].endswith("…")
    assert type_.lines("Rain", 20, 200, 2) == ["Rain"]
    assert type_.lines("", 20, 200, 2) == []


def test_a_font_that_is_not_there_is_told_in_one_line_and_another_takes_its_place() -> None:
    found = Lettering(("No Such Font 42", "DejaVu Sans"))
    assert '"No Such Font 42"' in found.missing
    assert found.family in found.missing
    assert "\n" not in found.missing
    assert ink_of(found, "Nocturne") > 60
    assert Lettering((found.family,)).missing == ""


def test_a_font_may_be_a_file(tmp_path: Path) -> None:
    face = next(path for path in Path("/usr/share/fonts").rglob("DejaVuSerif.ttf"))
    kept = tmp_path / "own.ttf"
    kept.write_bytes(face.read_bytes())
    assert Lettering((kept,)).family == "DejaVu Serif"
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    assert str(broken) in Lettering((broken,)).missing
    assert ink_of(Lettering((broken,)), "Nocturne") > 60


class Nothing:
    """A machine without fonts."""

    def matchFamilyStyle(self, *_: object) -> None:  # noqa: N802
        return None

    def matchFamilyStyleCharacter(self, *_: object) -> None:  # noqa: N802
        return None


def test_a_machine_without_fonts_draws_no_text_and_does_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering, "_manager", lambda: Nothing())
    bare = Lettering()
    assert ink_of(bare, "Nocturne") == 0
    assert bare.width("Nocturne", 20) == 0
    assert "no text is drawn" in bare.missing
