"""Type that finds its glyphs: the theme's font where it has them, else another, never a box."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import skia

logger = logging.getLogger(__name__)

# What is tried when no font of a theme is there.
HOUSE_FAMILIES = ("DejaVu Sans", "Noto Sans", "Liberation Sans")
# Marks that change the character before them; drawn alone they would be boxes.
_JOINING = frozenset("\u200b\u200c\u200d\u2060\ufe0e\ufe0f")
# Where many characters of one kind are missing, a package has them.
_PACKAGES = ((0x1F000, 0x1FAFF, "fonts-noto-color-emoji"), (0x2600, 0x27BF, "fonts-noto-color-emoji"),
             (0x2E80, 0x9FFF, "fonts-noto-cjk"), (0xAC00, 0xD7AF, "fonts-noto-cjk"),
             (0xF900, 0xFAFF, "fonts-noto-cjk"), (0x20000, 0x323AF, "fonts-noto-cjk"))  # fmt: skip


@cache
def _manager() -> skia.FontMgr:
    return skia.FontMgr()


class Lettering:
    """Draws and measures lines of text.

    Args:
        fonts: families or font files, the wanted one first; the first that is there is used.
    """

    def __init__(self, fonts: Sequence[str | Path] = HOUSE_FAMILIES) -> None:
        self._fonts = tuple(fonts)
        self._own: dict[bool, skia.Typeface] = {}
        self._of: dict[tuple[str, bool], skia.Typeface | None] = {}
        self._sized: dict[tuple[int, float], skia.Font] = {}
        self._lacking: set[str] = set()
        self.family = self._face(False).getFamilyName()
        # One line for a person when the theme's own font is not there; empty: it is.
        self.missing = self._told_missing()

    def width(self, text: str, size_px: float, *, bold: bool = False) -> float:
        """Return the width of a text in pixels."""
        return float(sum(self._font(face, size_px).measureText(run) for run, face in self.runs(text, bold)))

    def fit(self, text: str, size_px: float, width_px: float, *, bold: bool = False) -> str:
        """Return the text, cut with an ellipsis where it is wider than `width_px`."""
        if self.width(text, size_px, bold=bold) <= width_px:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            fits = self.width(text[:middle].rstrip() + "…", size_px, bold=bold) <= width_px
            low, high = (middle, high) if fits else (low, middle - 1)
        return text[:low].rstrip() + "…" if low else ""

    def lines(self, text: str, size_px: float, width_px: float, most: int, *, bold: bool = False) -> list[str]:
        """Return the text in at most so many lines, broken between words, the last cut where it must be."""
        lines: list[str] = []
        words = text.split()
        while words and len(lines) < most:
            count = len(words)
            if len(lines) + 1 < most:
                while count > 1 and self.width(" ".join(words[:count]), size_px, bold=bold) > width_px:
                    count -= 1
            lines.append(self.fit(" ".join(words[:count]), size_px, width_px, bold=bold))
            words = words[count:]
        return lines

    def draw(
        self,
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
            colour: see `theme.ink`.
            bold: heavier face.
            align: 0 to 1.
        """
        paint = skia.Paint(Color=colour, AntiAlias=True)
        if align:
            x -= self.width(text, size_px, bold=bold) * align
        for run, face in self.runs(text, bold):
            font = self._font(face, size_px)
            canvas.drawString(run, x, y, font, paint)
            x += font.measureText(run)

    def runs(self, text: str, bold: bool = False) -> Iterator[tuple[str, skia.Typeface]]:
        """Split a text where its font changes; characters that no font has are left out."""
        run, face = "", None
        for character in text:
            if not character.isprintable() or character in _JOINING:
                continue
            wanted = self._face_of(character, bold)
            if wanted is None:
                self._tell_lack(character)
                continue
            if face is not None and wanted is not face:
                yield run, face
                run = ""
            run, face = run + character, wanted
        if face is not None:
            yield run, face

    # --- fonts -----------------------------------------------------------------------

    def _face(self, bold: bool) -> skia.Typeface:
        """The theme's face, or the first of the house's that is there."""
        face = self._own.get(bold)
        if face is None:
            face = self._own[bold] = self._find(bold)
        return face

    def _find(self, bold: bool) -> skia.Typeface:
        style = skia.FontStyle.Bold() if bold else skia.FontStyle.Normal()
        for font in (*self._fonts, *HOUSE_FAMILIES):
            found = skia.Typeface.MakeFromFile(str(font)) if isinstance(font, Path) else _family(font, style)
            if found is not None:
                return found
        # No font at all: an empty face draws nothing, and the show goes on.
        return _manager().matchFamilyStyleCharacter("", style, ["en"], ord("A")) or skia.Typeface.MakeEmpty()

    def _face_of(self, character: str, bold: bool) -> skia.Typeface | None:
        """The face that has this character: the theme's own, else the system's choice, else none."""
        key = (character, bold)
        if key not in self._of:
            own = self._face(bold)
            style = skia.FontStyle.Bold() if bold else skia.FontStyle.Normal()
            found = own
            if not own.unicharToGlyph(ord(character)):
                found = _manager().matchFamilyStyleCharacter("", style, ["en"], ord(character))
                if found is not None and not found.unicharToGlyph(ord(character)):
                    found = None
                # One object a font, so that neighbouring characters make one run.
                found = next((f for f in self._of.values() if f and found and f.uniqueID() == found.uniqueID()), found)
            self._of[key] = found
        return self._of[key]

    def _font(self, face: skia.Typeface, size_px: float) -> skia.Font:
        key = (face.uniqueID(), size_px)
        font = self._sized.get(key)
        if font is None:
            font = self._sized[key] = skia.Font(face, size_px)
            font.setEdging(skia.Font.Edging.kAntiAlias)
            font.setSubpixel(True)
        return font

    def _told_missing(self) -> str:
        wanted = self._fonts[0] if self._fonts else None
        if wanted is None:
            return ""
        style = skia.FontStyle.Normal()
        if isinstance(wanted, Path):
            there = skia.Typeface.MakeFromFile(str(wanted)) is not None
        else:
            there = _family(wanted, style) is not None
        if there:
            return ""
        instead = f"{self.family} is drawn in its place" if self.family else "no text is drawn"
        return f'the font "{wanted}" is not on this machine - {instead}; install it, or name another in the theme'

    def _tell_lack(self, character: str) -> None:
        """Say once for each kind of character that it cannot be drawn, and which package has it."""
        code = ord(character)
        package = next((name for low, high, name in _PACKAGES if low <= code <= high), "")
        kind = package or character
        if kind in self._lacking or len(self._lacking) > 20:
            return
        self._lacking.add(kind)
        hint = f"install {package}" if package else "it is left out"
        logger.warning('no font on this machine has "%s" (U+%04X) - %s', character, code, hint)


def _family(name: str, style: skia.FontStyle) -> skia.Typeface | None:
    """A face of a family; none where the system would give another family in its place."""
    face = _manager().matchFamilyStyle(name, style)
    return face if face is not None and face.getFamilyName().lower() == name.lower() else None
