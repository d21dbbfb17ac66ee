"""The look of the house: colours that can be told apart, and type that finds its glyphs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import skia

from model.instruments import INSTRUMENTS

Rgb = tuple[int, int, int]

BACKGROUND: Rgb = (11, 13, 19)
PANEL: Rgb = (15, 18, 26)
LANE_DARK: Rgb = (8, 9, 14)
BEAT_LINE: Rgb = (26, 30, 41)
BAR_LINE: Rgb = (48, 55, 72)
OCTAVE_LINE: Rgb = (29, 34, 46)
TEXT: Rgb = (240, 238, 232)
TEXT_SOFT: Rgb = (160, 167, 182)
TEXT_FAINT: Rgb = (98, 106, 124)
ACCENT: Rgb = (232, 186, 110)
SLATE_HAZE: Rgb = (34, 36, 58)

# Found by a search that keeps every pair apart to normal, red-, green- and blue-blind eyes
# (at least 19 apart in CIELAB; the test measures it).
_COLOURS: dict[str, Rgb] = {
    "piano": (36, 165, 255),
    "violin": (255, 225, 37),
    "cello": (248, 93, 21),
    "bass": (145, 77, 255),
    "guitar": (152, 192, 124),
    "flute": (151, 250, 255),
    "clarinet": (15, 132, 143),
    "trumpet": (179, 255, 128),
    "harp": (193, 157, 211),
    "organ": (181, 102, 58),
    "choir": (255, 255, 225),
    "synth": (214, 42, 202),
    "drums": (131, 127, 106),
}
INSTRUMENT_COLOURS: dict[str, Rgb] = {i.name: _COLOURS[i.name] for i in INSTRUMENTS}


def instrument_colour(name: str) -> Rgb:
    """Return the colour of an instrument; grey for a name the table does not have."""
    return INSTRUMENT_COLOURS.get(name, (150, 150, 150))


def mix(a: Rgb, b: Rgb, amount: float) -> Rgb:
    """Return the colour `amount` (0 to 1) of the way from `a` to `b`."""
    return tuple(round(x + (y - x) * amount) for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def ink(colour: Rgb, alpha: float = 1.0) -> int:
    """Return skia's colour for a colour and an opacity (0 to 1)."""
    return int(skia.Color(*colour, round(255 * min(1.0, max(0.0, alpha)))))


# --- type ----------------------------------------------------------------------


@cache
def _manager() -> skia.FontMgr:
    return skia.FontMgr()


@cache
def _face(bold: bool) -> skia.Typeface:
    style = skia.FontStyle.Bold() if bold else skia.FontStyle.Normal()
    for family in ("DejaVu Sans", "Noto Sans", "Liberation Sans"):
        found = _manager().matchFamilyStyle(family, style)
        if found is not None:
            return found
    # No font at all: an empty face draws nothing, and the show goes on.
    return _manager().matchFamilyStyleCharacter("", style, ["en"], ord("A")) or skia.Typeface.MakeEmpty()


@cache
def _face_of(character: str, bold: bool) -> skia.Typeface | None:
    """The face that has this character: the house's own, else the system's choice, else none."""
    own = _face(bold)
    if own.unicharToGlyph(ord(character)):
        return own
    style = skia.FontStyle.Bold() if bold else skia.FontStyle.Normal()
    return _manager().matchFamilyStyleCharacter("", style, ["en"], ord(character))


def _runs(text: str, bold: bool) -> Iterator[tuple[str, skia.Typeface]]:
    """Split a text where its font changes; characters that no font has are left out."""
    run, face = "", None
    for character in text:
        wanted = _face_of(character, bold) if character.isprintable() else None
        if wanted is None:
            continue
        if face is not None and wanted is not face:
            yield run, face
            run = ""
        run, face = run + character, wanted
    if face is not None:
        yield run, face


def _font(face: skia.Typeface, size_px: float) -> skia.Font:
    font = skia.Font(face, size_px)
    font.setEdging(skia.Font.Edging.kAntiAlias)
    font.setSubpixel(True)
    return font


def text_width(text: str, size_px: float, *, bold: bool = False) -> float:
    """Return the width of a text in pixels."""
    return float(sum(_font(face, size_px).measureText(run) for run, face in _runs(text, bold)))


def fit(text: str, size_px: float, width_px: float, *, bold: bool = False) -> str:
    """Return the text, cut with an ellipsis where it is wider than `width_px`."""
    if text_width(text, size_px, bold=bold) <= width_px:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        fits = text_width(text[:middle].rstrip() + "…", size_px, bold=bold) <= width_px
        low, high = (middle, high) if fits else (low, middle - 1)
    return text[:low].rstrip() + "…" if low else ""


def draw_text(
    canvas: skia.Canvas,
    text: str,
    x: float,
    y: float,
    size_px: float,
    colour: int,
    *,
    bold: bool = False,
    align: float = 0,
) -> None:
    """Draw a line of text.

    Args:
        canvas: to draw on.
        text: one line.
        x: left edge for `align` 0, middle for 0.5, right edge for 1.
        y: baseline.
        size_px: type size in pixels.
        colour: of skia (see `ink`).
        bold: heavier face.
        align: 0 to 1.
    """
    paint = skia.Paint(Color=colour, AntiAlias=True)
    if align:
        x -= text_width(text, size_px, bold=bold) * align
    for run, face in _runs(text, bold):
        font = _font(face, size_px)
        canvas.drawString(run, x, y, font, paint)
        x += font.measureText(run)
