from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.instruments import INSTRUMENTS
from streaming.picture.theme import Rgb, Theme, contrast, luminance
from streaming.picture.themefile import read_theme, theme_names

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


def lab(colour: Rgb, eyes: NDArray[np.float64]) -> NDArray[np.float64]:
    part = np.array(colour) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(eyes @ linear, 0, 1) / np.array([0.95047, 1, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


THEMES = [read_theme(name) for name in theme_names()]


def each_theme() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)


def test_there_are_a_dark_a_light_and_a_transparent_theme_and_others() -> None:
    assert theme_names()[0] == "dark"
    assert len(theme_names()) >= 4
    assert not read_theme().is_light
    assert any(theme.is_light for theme in THEMES)
    assert any(theme.transparent for theme in THEMES)


@each_theme()
@pytest.mark.parametrize("eyes", SEEN_BY)
def test_every_two_instruments_can_be_told_apart(theme: Theme, eyes: str) -> None:
    assert set(theme.instruments) == {i.name for i in INSTRUMENTS}
    seen = {name: lab(colour, SEEN_BY[eyes]) for name, colour in theme.instruments.items()}
    distances = {(a, b): float(np.linalg.norm(seen[a] - seen[b])) for a, b in combinations(seen, 2)}
    closest = min(distances, key=distances.__getitem__)
    assert distances[closest] >= 19, f"{closest} look alike"


@each_theme()
def test_every_instrument_stands_out_from_the_background(theme: Theme) -> None:
    behind = lab(theme.colours.background, SEEN_BY["normal"])
    for name, colour in theme.instruments.items():
        assert np.linalg.norm(lab(colour, SEEN_BY["normal"]) - behind) > 30, name
        if not theme.transparent:
            assert abs(lab(colour, SEEN_BY["normal"])[0] - behind[0]) > 25, name


@each_theme()
def test_words_are_read_on_what_they_stand_on(theme: Theme) -> None:
    colours = theme.colours
    for behind in (colours.panel, colours.card):
        assert contrast(colours.text, behind) >= 7
        assert contrast(colours.text_soft, behind) >= 4.5
        assert contrast(colours.accent, behind) >= 4.5
        assert contrast(colours.text_faint, behind) >= 3


def test_an_instrument_nobody_knows_is_grey() -> None:
    red, green, blue = read_theme().instrument("kazoo")
    assert red == green == blue


@pytest.mark.parametrize(("a", "b", "expected"), [((0, 0, 0), (255, 255, 255), 21.0), ((9, 9, 9), (9, 9, 9), 1.0)])
def test_contrast_is_what_the_guidelines_say(a: Rgb, b: Rgb, expected: float) -> None:
    assert contrast(a, b) == pytest.approx(contrast(b, a)) == pytest.approx(expected)
    assert luminance((255, 0, 0)) == pytest.approx(0.2126)
