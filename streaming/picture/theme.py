"""The look of a show as values: colours, type, light and measures, read by `themefile` from YAML.

No drawing here, so that a setlist's theme can be checked without a graphics library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Rgb = tuple[int, int, int]

# What an instrument is drawn with that the table does not have.
UNKNOWN: Rgb = (150, 150, 150)


@dataclass(frozen=True, slots=True)
class Colours:
    """The colours of a theme, RGB 0 to 255.

    Attributes:
        background: behind the notes.
        panel: behind words: header, footer.
        lane: where black keys' notes fall.
        beat, bar, octave: lines of the roll.
        text, text_soft, text_faint: words, by weight.
        accent: what comes next, marks, the line that notes arrive at.
        card: behind a title card.
        haze: the middle of the slate.
        shade: what soft notes are mixed with.
        edge: the outline of a note.
        light: what a colour turns to where it is struck.
        white_upper, white_lower, black_upper, black_lower: keys from back to front.
        key_gap: between keys; pad: drums at rest; key_label: names on keys.
        low, middle, high: the level, up to -10 dB, -4 dB and full scale.
    """

    background: Rgb
    panel: Rgb
    lane: Rgb
    beat: Rgb
    bar: Rgb
    octave: Rgb
    text: Rgb
    text_soft: Rgb
    text_faint: Rgb
    accent: Rgb
    card: Rgb
    haze: Rgb
    shade: Rgb
    edge: Rgb
    light: Rgb
    white_upper: Rgb
    white_lower: Rgb
    black_upper: Rgb
    black_lower: Rgb
    key_gap: Rgb
    pad: Rgb
    key_label: Rgb
    low: Rgb
    middle: Rgb
    high: Rgb


@dataclass(frozen=True, slots=True)
class Notes:
    """How notes shine: all from 0 (not at all) to 1 but for `rounding`.

    Attributes:
        glow: around a note that is to come.
        bloom: where a note is struck.
        heat: how far a sounding note turns to light near the keys.
        fade: how dark the softest notes are.
        edge: opacity of the outline.
        cap: opacity of the lighter end that is struck.
        rounding: of corners, in pixels at a height of 720.
    """

    glow: float
    bloom: float
    heat: float
    fade: float
    edge: float
    cap: float
    rounding: float


@dataclass(frozen=True, slots=True)
class Measures:
    """Where things lie, in pixels of a picture of 1280x720 (or 720x1280); a part of 0 pixels is left out.

    Attributes:
        header: of the band with title and times.
        footer: of the band with legend and level.
        keyboard: of the keys.
        speed: how far the roll moves in a second.
        type: size of words, 1 as designed.
        spectrum: whether the footer shows one.
        cards: whether pieces are announced on a card, and closed with one.
    """

    header: float
    footer: float
    keyboard: float
    speed: float
    type: float
    spectrum: bool
    cards: bool


@dataclass(frozen=True, slots=True)
class Theme:
    """A look.

    Attributes:
        name: of the theme, or of its file.
        title: for people.
        colours: of everything but notes.
        instruments: colour of each instrument by its name.
        notes: how they shine.
        measures: where things lie.
        fonts: families or font files (as absolute paths), the wanted one first.
        transparent: whether what lies behind is seen where only the background is drawn.
    """

    name: str
    title: str
    colours: Colours
    instruments: Mapping[str, Rgb]
    notes: Notes
    measures: Measures
    fonts: tuple[str | Path, ...]
    transparent: bool = False

    def instrument(self, name: str) -> Rgb:
        """Return the colour of an instrument; grey for a name the table does not have."""
        return self.instruments.get(name, UNKNOWN)

    @property
    def is_light(self) -> bool:
        """Whether the background is nearer to white: light is then drawn as colour."""
        return luminance(self.colours.background) > 0.35 and not self.transparent


def mix(a: Rgb, b: Rgb, amount: float) -> Rgb:
    """Return the colour `amount` (0 to 1) of the way from `a` to `b`."""
    red, green, blue = (round(x + (y - x) * amount) for x, y in zip(a, b, strict=True))
    return red, green, blue


def ink(colour: Rgb, alpha: float = 1.0) -> int:
    """Return a colour and an opacity (0 to 1) as ARGB in one number, as skia takes it."""
    red, green, blue = colour
    return round(255 * min(1.0, max(0.0, alpha))) << 24 | red << 16 | green << 8 | blue


def luminance(colour: Rgb) -> float:
    """Return the relative luminance of a colour, 0 (black) to 1 (white).

    Source: WCAG 2.2, relative luminance.
    """
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour))
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a: Rgb, b: Rgb) -> float:
    """Return the contrast of two colours, 1 to 21.

    Source: WCAG 2.2, contrast ratio.
    """
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)
