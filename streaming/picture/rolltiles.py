"""The falling notes, drawn once: tiles of a few hundred milliseconds, kept both as RGBA and as I420.

A frame then copies rows instead of drawing. The roll moves in whole, even pixels,
so that luma and the half-size chroma planes move together.
"""

from __future__ import annotations

import bisect
import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import skia
from numpy.typing import NDArray

from model.notes import Mark, Note
from streaming.picture.i420 import Planes, from_rgba
from streaming.picture.keyboard import Keyboard, Lane, is_black
from streaming.picture.layout import even
from streaming.picture.lettering import Lettering
from streaming.picture.scene import Beat, Scene, beats
from streaming.picture.theme import Rgb, Theme, ink, mix

TILE_ROWS = 64
# Beside those that are seen, which is one more than fits where the edges lie within tiles.
_SPARE_TILES = 2
_LEAST_NOTE_PX = 6.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A note as a bar of the roll, in pixels; `low` and `high` are heights above the start of the piece."""

    note: Note
    lane: Lane
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Tile:
    """Rows `[index * TILE_ROWS, (index + 1) * TILE_ROWS)` of the roll, the latest on top."""

    rgba: NDArray[np.uint8]
    planes: Planes


class RollTiles:
    """Draws and keeps the tiles of one scene."""

    def __init__(
        self,
        scene: Scene,
        keyboard: Keyboard,
        *,
        pixels_per_s: float,
        unit: float,
        theme: Theme,
        lettering: Lettering,
        seen_px: int,
        clear: bool = False,
    ) -> None:
        """Lay out a scene's notes.

        Args:
            scene: whose notes.
            keyboard: where they fall.
            pixels_per_s: how far the roll moves in a second.
            unit: a theme's pixel.
            theme: its colours.
            lettering: for numbers and names.
            seen_px: how high a part of the roll is seen at a time: so much is kept.
            clear: leave out the background.
        """
        self._keyboard = keyboard
        self._scale = pixels_per_s
        self._width = keyboard.width
        self._unit = unit
        self._theme, self._lettering, self._clear = theme, lettering, clear
        self.bars = tuple(self._bar(note, lane) for note, lane in _lanes(scene.notes, keyboard))
        self._by_tile: dict[int, list[Bar]] = {}
        for bar in self.bars:
            # The glow reaches a little over the edges of a bar.
            for tile in range(int(bar.low - 12) // TILE_ROWS, int(bar.high + 12) // TILE_ROWS + 1):
                self._by_tile.setdefault(tile, []).append(bar)
        self._beats = list(beats(scene.tempi, scene.beats_per_bar, scene.duration_s + 1e-3))
        self._beat_times = [beat.time_s for beat in self._beats]
        self._marks = scene.marks
        self._kept: OrderedDict[int, Tile] = OrderedDict()
        self._most = -(-seen_px // TILE_ROWS) + 1 + _SPARE_TILES
        self._lock = threading.Lock()
        self._lanes = self._draw_lanes()

    def tile(self, index: int) -> Tile:
        """Return a tile, drawn now unless it is kept."""
        # A scene may be prepared in one thread while another begins to draw it.
        with self._lock:
            kept = self._kept.get(index)
            if kept is None:
                kept = self._kept[index] = self._draw(index)
                if len(self._kept) > self._most:
                    self._kept.popitem(last=False)
            else:
                self._kept.move_to_end(index)
            return kept

    def _bar(self, note: Note, lane: Lane) -> Bar:
        low = note.onset_s * self._scale
        # A pixel less, so that repeated notes do not melt into one.
        high = max(note.offset_s * self._scale - 1.5, low + _LEAST_NOTE_PX * self._unit)
        if note.instrument == "drums":
            high = low + 10 * self._unit
        return Bar(note, lane, low, high)

    def _draw(self, index: int) -> Tile:
        rgba = np.empty((TILE_ROWS, self._width, 4), np.uint8)
        canvas = skia.Canvas(rgba, colorType=skia.kRGBA_8888_ColorType)
        top = (index + 1) * TILE_ROWS
        canvas.drawImage(self._lanes, 0, 0)
        self._draw_beats(canvas, top)
        # Where bars lie over each other, the narrower is on top and both are seen.
        bars = sorted(self._by_tile.get(index, ()), key=lambda bar: -bar.lane.width)
        for bar in bars:
            self._draw_glow(canvas, bar, top)
        for bar in bars:
            self._draw_bar(canvas, bar, top)
        for mark in self._marks:
            self._draw_mark(canvas, mark, top)
        planes = Planes(TILE_ROWS, self._width)
        from_rgba(rgba, planes)
        return Tile(rgba, planes)

    def _draw_lanes(self) -> skia.Image:
        surface = skia.Surface(self._width, TILE_ROWS)
        canvas, colours = surface.getCanvas(), self._theme.colours
        canvas.clear(0 if self._clear else ink(colours.background))
        if self._theme.transparent:
            return surface.makeImageSnapshot()
        keyboard = self._keyboard
        dark, line = skia.Paint(Color=ink(colours.lane)), skia.Paint(Color=ink(colours.octave))
        for pitch in range(keyboard.low, keyboard.high + 1):
            # On even pixels, or the half-size planes of colour would tint the edges.
            left, right = map(even, keyboard.key_edges(pitch))
            if is_black(pitch):
                canvas.drawRect(skia.Rect.MakeLTRB(left, 0, right, TILE_ROWS), dark)
            elif pitch % 12 == 0:
                canvas.drawRect(skia.Rect.MakeXYWH(left, 0, 1, TILE_ROWS), line)
        if keyboard.has_pads:
            canvas.drawRect(skia.Rect.MakeWH(keyboard.left, TILE_ROWS), dark)
        return surface.makeImageSnapshot()

    def _draw_beats(self, canvas: skia.Canvas, top: int) -> None:
        if self._theme.transparent:
            return
        earliest, latest = (top - TILE_ROWS - 24) / self._scale, (top + 24) / self._scale
        first = bisect.bisect_left(self._beat_times, earliest)
        for beat in self._beats[first : bisect.bisect_right(self._beat_times, latest)]:
            self._draw_beat(canvas, beat, top)

    def _draw_beat(self, canvas: skia.Canvas, beat: Beat, top: int) -> None:
        y = top - round(beat.time_s * self._scale)
        colours = self._theme.colours
        paint = skia.Paint(Color=ink(colours.bar if beat.is_bar else colours.beat))
        canvas.drawRect(skia.Rect.MakeXYWH(0, y - 1, self._width, 1), paint)
        if beat.is_bar:
            size = max(9.0, 13 * self._unit * self._theme.measures.type)
            x = self._keyboard.left + 6 * self._unit
            self._lettering.draw(canvas, str(beat.bar), x, y - 5 * self._unit, size, ink(colours.text_faint))

    def _draw_mark(self, canvas: skia.Canvas, mark: Mark, top: int) -> None:
        y = top - round(mark.time_s * self._scale)
        # Its text stands above the line, and reaches into the next tile.
        if not -2 <= y <= TILE_ROWS + 40 * self._unit:
            return
        line = max(1.0, 2 * self._unit)
        accent = self._theme.colours.accent
        canvas.drawRect(skia.Rect.MakeXYWH(0, y - line, self._width, line), skia.Paint(Color=ink(accent, 0.7)))
        size = max(10.0, 19 * self._unit * self._theme.measures.type)
        text = self._lettering.fit(mark.text, size, self._width * 0.4, bold=True)
        x = self._width - 26 * self._unit
        self._lettering.draw(canvas, text, x, y - 8 * self._unit, size, ink(accent), align=1, bold=True)

    def _draw_glow(self, canvas: skia.Canvas, bar: Bar, top: int) -> None:
        amount = self._theme.notes.glow * (0.17 + 0.27 * bar.note.velocity / 127)
        if amount <= 0:
            return
        paint = skia.Paint(Color=ink(self._theme.instrument(bar.note.instrument), amount), AntiAlias=True)
        # The more glow, the wider.
        reach = (2.7 + 3.3 * self._theme.notes.glow) * self._unit
        paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, reach))
        canvas.drawRect(_rect(bar, top), paint)

    def _draw_bar(self, canvas: skia.Canvas, bar: Bar, top: int) -> None:
        notes, colours = self._theme.notes, self._theme.colours
        rect = _rect(bar, top)
        radius = min(notes.rounding * self._unit, rect.width() / 2, rect.height() / 2)
        strength = 1 - notes.fade * (1 - bar.note.velocity / 127)
        colour = mix(colours.shade, self._theme.instrument(bar.note.instrument), strength)
        if is_black(bar.note.pitch) and bar.note.instrument != "drums":
            colour = mix(colour, (0, 0, 0), 0.18)
        paint = skia.Paint(Color=ink(colour), AntiAlias=True)
        canvas.drawRoundRect(rect, radius, radius, paint)
        if notes.edge > 0:
            edge = skia.Paint(Color=ink(colours.edge, notes.edge), AntiAlias=True, Style=skia.Paint.kStroke_Style)
            edge.setStrokeWidth(1)
            canvas.drawRoundRect(rect, radius, radius, edge)
        if notes.cap > 0:
            self._draw_cap(canvas, rect, radius, colour)

    def _draw_cap(self, canvas: skia.Canvas, rect: skia.Rect, radius: float, colour: Rgb) -> None:
        """The struck end is lighter: the eye finds the onset."""
        thick = max(2.0, max(4.0, self._theme.notes.rounding) * self._unit)
        top = max(rect.top(), rect.bottom() - thick)
        cap = skia.Rect.MakeLTRB(rect.left() + 1, top, rect.right() - 1, rect.bottom() - 1)
        light = mix(colour, self._theme.colours.light, 0.5)
        paint = skia.Paint(Color=ink(light, self._theme.notes.cap), AntiAlias=True)
        canvas.drawRoundRect(cap, radius / 2, radius / 2, paint)


def _rect(bar: Bar, top: int) -> skia.Rect:
    return skia.Rect.MakeLTRB(bar.lane.x, top - bar.high, bar.lane.x + bar.lane.width, top - bar.low)


def _lanes(notes: tuple[Note, ...], keyboard: Keyboard) -> list[tuple[Note, Lane]]:
    """Each note with its column; where instruments meet on a pitch, the later ones are drawn narrower on top."""
    sounding: dict[int, list[tuple[float, str, int]]] = {}
    laid = []
    for note in notes:
        lane = keyboard.lane(note)
        if note.instrument != "drums":
            others = [s for s in sounding.get(note.pitch, []) if s[0] > note.onset_s + 0.02]
            taken = {depth for _, instrument, depth in others if instrument != note.instrument}
            depth = next(d for d in range(len(taken) + 1) if d not in taken)
            sounding[note.pitch] = [*others, (note.offset_s, note.instrument, depth)]
            shrink = lane.width * (1 - 0.62 ** min(depth, 3)) / 2
            lane = Lane(lane.x + shrink, lane.width - 2 * shrink)
        laid.append((note, lane))
    return laid
