"""A whole piece as one image: its roll in systems one under another, as in a printed score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import skia

from model.notes import Note, Piece
from streaming.errors import EncodeError
from streaming.picture.keyboard import PADS, is_black, pad_of
from streaming.picture.lettering import Lettering
from streaming.picture.overlay import clock
from streaming.picture.scene import beats
from streaming.picture.theme import Colours, Theme, ink, mix
from streaming.picture.themefile import read_theme

SYSTEM_S = 30.0
_MOST_SYSTEMS = 24
_LEFT, _RIGHT, _TOP, _GAP = 56, 28, 104, 34
_DRUM_ROW = 7
# A mark stands above its system, over the numbers of the bars.
_MARK_PX = 26


@dataclass(frozen=True, slots=True)
class _Page:
    """Where things lie: pixels and seconds."""

    width: int
    system_s: float
    systems: int
    low: int
    high: int
    row_px: int
    drum_px: int
    theme: Theme
    lettering: Lettering

    @property
    def colours(self) -> Colours:
        return self.theme.colours

    @property
    def system_px(self) -> int:
        return (self.high - self.low + 1) * self.row_px + self.drum_px

    @property
    def height(self) -> int:
        return _TOP + self.systems * (self.system_px + _GAP) + 12

    def top(self, system: int) -> int:
        return _TOP + system * (self.system_px + _GAP)

    def x(self, time_s: float, system: int) -> float:
        return _LEFT + (time_s - system * self.system_s) / self.system_s * (self.width - _LEFT - _RIGHT)

    def pitch_y(self, pitch: int, system: int) -> int:
        return self.top(system) + (self.high - pitch) * self.row_px

    def drum_y(self, key: int, system: int) -> int:
        return self.top(system) + self.system_px - self.drum_px + 8 + pad_of(key) * _DRUM_ROW


def draw_score(
    piece: Piece, path: Path, *, width: int = 1600, caption: str | None = None, theme: Theme | None = None
) -> None:
    """Write a whole piece as a PNG: its roll coloured by instrument, with bars, title and legend.

    Args:
        piece: to draw.
        path: of the PNG.
        width: pixels; the height follows from the length of the piece.
        caption: a line under the title; style and length where None.
        theme: the look; None: the default.

    Raises:
        EncodeError: the file cannot be written.
    """
    page = _layout(piece, width, theme or read_theme())
    surface = skia.Surface(page.width, page.height)
    canvas = surface.getCanvas()
    canvas.clear(ink(page.colours.background))
    _draw_head(canvas, page, piece, caption)
    for system in range(page.systems):
        _draw_staff(canvas, page, system)
    _draw_bars(canvas, page, piece)
    for note in piece.notes:
        _draw_note(canvas, page, note)
    _draw_marks(canvas, page, piece)
    data = surface.makeImageSnapshot().encodeToData(skia.kPNG, 100)
    try:
        path.write_bytes(bytes(data))
    except OSError as error:
        raise EncodeError(f"cannot write {path}: {error.strerror}") from error


def _layout(piece: Piece, width: int, theme: Theme) -> _Page:
    duration_s = max(1.0, piece.duration_s)
    systems = min(_MOST_SYSTEMS, max(1, math.ceil(duration_s / SYSTEM_S)))
    pitches = [n.pitch for n in piece.notes if n.instrument != "drums"]
    low, high = min(pitches, default=48), max(pitches, default=72)
    low, high = max(0, low - 2), min(127, high + 2)
    drums = any(n.instrument == "drums" for n in piece.notes)
    row_px = max(3, min(8, 240 // (high - low + 1)))
    return _Page(
        width,
        duration_s / systems,
        systems,
        low,
        high,
        row_px,
        8 + (len(PADS) + 1) * _DRUM_ROW if drums else 0,
        theme,
        Lettering(theme.fonts),
    )


def _draw_head(canvas: skia.Canvas, page: _Page, piece: Piece, caption: str | None) -> None:
    if caption is None:
        words = ((piece.style or "").replace("_", " "), clock(piece.duration_s), f"{len(piece.notes)} notes")
        caption = "  ·  ".join(word for word in words if word)
    room = page.width - 2 * _LEFT
    title = page.lettering.fit(piece.title or "Untitled", 30, room, bold=True)
    page.lettering.draw(canvas, title, _LEFT, 44, 30, ink(page.colours.text), bold=True)
    page.lettering.draw(canvas, page.lettering.fit(caption, 16, room * 0.5), _LEFT, 70, 16, ink(page.colours.text_soft))
    x: float = page.width - _RIGHT
    for name in reversed(piece.instruments):
        x -= page.lettering.width(name, 15)
        page.lettering.draw(canvas, name, x, 70, 15, ink(page.colours.text_soft))
        dot = skia.Rect.MakeXYWH(x - 18, 59, 11, 11)
        canvas.drawRoundRect(dot, 3, 3, skia.Paint(AntiAlias=True, Color=ink(page.theme.instrument(name))))
        x -= 40


def _draw_staff(canvas: skia.Canvas, page: _Page, system: int) -> None:
    top, right = page.top(system), page.width - _RIGHT
    canvas.drawRect(
        skia.Rect.MakeLTRB(_LEFT, top, right, top + page.system_px), skia.Paint(Color=ink(page.colours.panel))
    )
    dark = skia.Paint(Color=ink(page.colours.lane))
    line = skia.Paint(Color=ink(page.colours.octave))
    for pitch in range(page.low, page.high + 1):
        y = page.pitch_y(pitch, system)
        if is_black(pitch):
            canvas.drawRect(skia.Rect.MakeLTRB(_LEFT, y, right, y + page.row_px), dark)
        elif pitch % 12 == 0:
            canvas.drawRect(skia.Rect.MakeLTRB(_LEFT, y + page.row_px, right, y + page.row_px + 1), line)
            label_y = y + page.row_px
            page.lettering.draw(
                canvas, f"C{pitch // 12 - 1}", _LEFT - 8, label_y, 11, ink(page.colours.text_faint), align=1
            )
    if page.drum_px:
        y = top + page.system_px - page.drum_px
        canvas.drawRect(skia.Rect.MakeLTRB(_LEFT, y, right, y + 2), skia.Paint(Color=ink(page.colours.background)))
    start = clock(system * page.system_s)
    page.lettering.draw(canvas, start, _LEFT - 8, top - 7, 11, ink(page.colours.accent), align=1)


def _draw_bars(canvas: skia.Canvas, page: _Page, piece: Piece) -> None:
    end_s = page.systems * page.system_s
    marks = list(beats(piece.tempi, piece.beats_per_bar, end_s))
    per_bar_px = (page.width - _LEFT) / page.system_s * end_s / max(1, sum(beat.is_bar for beat in marks))
    # Numbers that would run into each other say nothing.
    number_every = max(1, math.ceil(26 / per_bar_px))
    for beat in marks:
        if not beat.is_bar and per_bar_px < 48:
            continue
        system = min(page.systems - 1, int(beat.time_s / page.system_s))
        x, top = round(page.x(beat.time_s, system)), page.top(system)
        paint = skia.Paint(Color=ink(page.colours.bar if beat.is_bar else page.colours.beat))
        canvas.drawRect(skia.Rect.MakeXYWH(x, top, 1, page.system_px), paint)
        if beat.is_bar and (beat.bar - 1) % number_every == 0:
            page.lettering.draw(canvas, str(beat.bar), x + 2, top - 7, 11, ink(page.colours.text_faint))


def _draw_marks(canvas: skia.Canvas, page: _Page, piece: Piece) -> None:
    """Draw a line where each mark is, and its text where there is room: at its right, or at its left."""
    paint = skia.Paint(Color=ink(page.colours.accent))
    places: list[tuple[int, float, str]] = []
    for mark in sorted(piece.marks):
        system = min(page.systems - 1, int(mark.time_s / page.system_s))
        places.append((system, page.x(mark.time_s, system), mark.text))
    for system in range(page.systems):
        row = [(x, text) for at, x, text in places if at == system]
        y, size, gap = page.top(system) - _MARK_PX, 13, 6
        free = 8.0
        for (x, text), (end, _) in pairwise([*row, (page.width - 8.0, "")]):
            canvas.drawRect(skia.Rect.MakeXYWH(round(x), y, 2, page.system_px + _MARK_PX), paint)
            right, left = end - x - 2 * gap, x - free - 2 * gap
            leftwards = page.lettering.width(text, size, bold=True) > right and left > right
            shown = page.lettering.fit(text, size, max(0.0, left if leftwards else right), bold=True)
            at = x - gap if leftwards else x + 2 + gap
            page.lettering.draw(
                canvas, shown, at, y + 9, size, ink(page.colours.accent), align=int(leftwards), bold=True
            )
            free = x if leftwards else at + page.lettering.width(shown, size, bold=True)


def _draw_note(canvas: skia.Canvas, page: _Page, note: Note) -> None:
    strength = 0.55 + 0.45 * note.velocity / 127
    colour = mix(page.colours.background, page.theme.instrument(note.instrument), strength)
    paint = skia.Paint(AntiAlias=True, Color=ink(colour))
    drums = note.instrument == "drums"
    first = min(page.systems - 1, int(note.onset_s / page.system_s))
    last = first if drums else min(page.systems - 1, int(note.offset_s / page.system_s))
    # A note that is held over the end of a system goes on in the next.
    for system in range(first, last + 1):
        left = max(_LEFT, page.x(note.onset_s, system))
        y = page.drum_y(note.pitch, system) if drums else page.pitch_y(note.pitch, system)
        right = left + 4 if drums else min(page.width - _RIGHT, page.x(note.offset_s, system) - 0.5)
        height = _DRUM_ROW - 2 if drums else page.row_px
        canvas.drawRoundRect(skia.Rect.MakeLTRB(left, y, max(right, left + 2), y + height), 1.5, 1.5, paint)
