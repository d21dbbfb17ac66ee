from itertools import combinations

import numpy as np
import pytest
import skia
from numpy.typing import NDArray

from model.instruments import INSTRUMENTS
from streaming.picture import theme

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
SEEN_BY = {
    "normal": np.eye(3),
    "protanope": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranope": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanope": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def lab(colour: theme.Rgb, eyes: NDArray[np.float64]) -> NDArray[np.float64]:
    part = np.array(colour) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(eyes @ linear, 0, 1) / np.array([0.95047, 1, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("eyes", SEEN_BY)
def test_every_two_instruments_can_be_told_apart(eyes: str) -> None:
    assert set(theme.INSTRUMENT_COLOURS) == {i.name for i in INSTRUMENTS}
    seen = {name: lab(colour, SEEN_BY[eyes]) for name, colour in theme.INSTRUMENT_COLOURS.items()}
    distances = {(a, b): float(np.linalg.norm(seen[a] - seen[b])) for a, b in combinations(seen, 2)}
    closest = min(distances, key=distances.__getitem__)
    assert distances[closest] >= 19, f"{closest} look alike"


def test_every_instrument_stands_out_from_the_background() -> None:
    for name, colour in theme.INSTRUMENT_COLOURS.items():
        assert lab(colour, SEEN_BY["normal"])[0] - lab(theme.BACKGROUND, SEEN_BY["normal"])[0] > 40, name


def test_text_that_is_too_wide_is_cut_with_an_ellipsis() -> None:
    text = "The Well-Tempered Clavier, Book One"
    assert theme.fit(text, 20, 1000) == text
    cut = theme.fit(text, 20, 120)
    assert cut.endswith("…")
    assert text.startswith(cut[:-1])
    assert len(cut) > 3
    assert theme.text_width(cut, 20) <= 120
    assert theme.fit(text, 20, 1) == ""


def drawn_width(text: str) -> int:
    """Columns in which a text leaves ink."""
    pixels = np.zeros((40, 400, 4), np.uint8)
    theme.draw_text(skia.Canvas(pixels, colorType=skia.kRGBA_8888_ColorType), text, 2, 30, 24, theme.ink(theme.TEXT))
    return int(pixels[..., 3].any(axis=0).sum())


def test_text_leaves_ink_where_it_is_drawn() -> None:
    assert drawn_width("Nocturne") > 60
    assert drawn_width("") == 0


def test_what_the_house_font_lacks_is_taken_from_another_or_left_out() -> None:
    manager = skia.FontMgr()
    for text in ("雨の歌", "🎵", "é\u0301", "\u200d\x07"):
        found = any(
            not character.isspace()
            and character.isprintable()
            and manager.matchFamilyStyleCharacter("", skia.FontStyle(), ["en"], ord(character))
            for character in text
        )
        assert (drawn_width(text) > 0) == found, repr(text)
        # What has no font leaves no gap either.
        assert theme.text_width(f"a{text}b", 20) == pytest.approx(
            theme.text_width("a", 20) + theme.text_width(text, 20) + theme.text_width("b", 20), abs=1.0
        )


def test_a_machine_without_fonts_draws_no_text_and_does_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing:
        def matchFamilyStyle(self, *_: object) -> None:  # noqa: N802
            return None

        def matchFamilyStyleCharacter(self, *_: object) -> None:  # noqa: N802
            return None

    caches = (theme._face, theme._face_of)
    monkeypatch.setattr(theme, "_manager", Nothing)
    for kept in caches:
        kept.cache_clear()
    try:
        assert drawn_width("Nocturne") == 0
        assert theme.text_width("Nocturne", 20) == 0
    finally:
        for kept in caches:
            kept.cache_clear()
