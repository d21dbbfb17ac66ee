"""The keyboard the notes fall on: where each key lies, and how it looks dark and lit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import skia
from numpy.typing import NDArray

from model.notes import Note
from streaming.picture.kept import MIB, Kept
from streaming.picture.lettering import Lettering
from streaming.picture.theme import Rgb, Theme, ink, mix

LOWEST, HIGHEST = 21, 108
# Fewer white keys than these look like a toy.
_LEAST_WHITE_KEYS = 29
_BLACK = frozenset({1, 3, 6, 8, 10})
# Black keys do not sit in the middle between their neighbours.
_BLACK_SHIFT = {1: -0.10, 3: 0.10, 6: -0.13, 8: 0.0, 10: 0.13}
_BLACK_WIDTH = 0.58
_BLACK_LENGTH = 0.62
_SHADES = 5
# What is kept of lit keys: the pixels of so many whole keyboards, 6 MiB at 1280x720.
_KEPT_LIT, _LEAST_LIT_BYTES = 10, MIB // 2
_UNSCALED = skia.SamplingOptions()

# Drums play on pads at the left of the keyboard: name, General MIDI keys.
PADS: tuple[tuple[str, frozenset[int]], ...] = (
    ("kick", frozenset({35, 36})),
    ("snare", frozenset({37, 38, 39, 40})),
    ("toms", frozenset({41, 43, 45, 47, 48, 50, *range(60, 69)})),
    ("hat", frozenset({42, 44, 46, 69, 70, 82})),
    ("cymbal", frozenset({49, 51, 52, 53, 55, 57, 59, 80, 81})),
)


def is_black(pitch: int) -> bool:
    """Return whether a MIDI pitch is a black key."""
    return pitch % 12 in _BLACK


def pad_of(key: int) -> int:
    """Return the pad (index into `PADS`) of a General MIDI percussion key; unlisted ones go to the last."""
    return next((i for i, (_, keys) in enumerate(PADS) if key in keys), len(PADS))


@dataclass(frozen=True, slots=True)
class Lane:
    """A column a note falls in: left edge and width in pixels."""

    x: float
    width: float


class Keyboard:
    """The keys a piece needs, laid out over the width of the picture."""

    def __init__(
        self, notes: tuple[Note, ...], width: int, top: int, height: int, theme: Theme, lettering: Lettering
    ) -> None:
        """Lay out the keyboard.

        Args:
            notes: of the piece; their range decides which keys are shown.
            width: of the picture, in pixels.
            top: y of the upper edge, where notes arrive.
            height: in pixels; 0: notes fall on nothing.
            theme: its colours.
            lettering: for the names of keys.
        """
        self.width, self.top, self.height = width, top, height
        self._theme, self._lettering = theme, lettering
        # On paper a key that is lit is coloured, not bright.
        self._lift = 0.1 if theme.is_light else 0.48
        pitches = [n.pitch for n in notes if n.instrument != "drums"]
        self.low, self.high = _span(pitches)
        self.has_pads = any(n.instrument == "drums" for n in notes)
        pad_count = len(PADS) + 1
        self._pad_width = round(width * 0.022) if self.has_pads else 0
        self._left = self._pad_width * pad_count + (round(width * 0.012) if self.has_pads else 0)
        whites = [p for p in range(self.low, self.high + 1) if not is_black(p)]
        self._white_width = (width - self._left) / len(whites)
        self._white_index = {pitch: i for i, pitch in enumerate(whites)}
        self._shapes = {pitch: self._shape(pitch) for pitch in range(self.low, self.high + 1)}
        self._lanes: dict[int, Lane] = {}
        self._lit: Kept[tuple[int, Rgb, int], tuple[skia.Image, int, int]] = Kept(
            max(_LEAST_LIT_BYTES, _KEPT_LIT * 4 * width * height)
        )
        self._paint = skia.Paint()
        self.picture = self._draw()

    def fits(self, notes: tuple[Note, ...]) -> bool:
        """Whether all notes have their key, or their pad, here."""
        drums = any(n.instrument == "drums" for n in notes)
        pitched = all(self.low <= n.pitch <= self.high for n in notes if n.instrument != "drums")
        return pitched and (self.has_pads or not drums)

    # --- where ---------------------------------------------------------------------

    def lane(self, note: Note) -> Lane:
        """Return the column a note falls in."""
        if note.instrument == "drums":
            return Lane(self._pad_width * pad_of(note.pitch) + 2.0, self._pad_width - 4.0)
        lane = self._lanes.get(note.pitch)
        if lane is None:
            pitch = min(max(note.pitch, self.low), self.high)
            left, right = self.key_edges(pitch)
            inset = 0.0 if is_black(pitch) else (right - left) * 0.13
            lane = self._lanes[note.pitch] = Lane(left + inset, right - left - 2 * inset)
        return lane

    def key_edges(self, pitch: int) -> tuple[float, float]:
        """Return x of the left and right edge of a key in pixels."""
        if is_black(pitch):
            middle = self._left + (self._white_index_below(pitch) + 1 + _BLACK_SHIFT[pitch % 12]) * self._white_width
            half = _BLACK_WIDTH * self._white_width / 2
            return middle - half, middle + half
        left = self._left + self._white_index[pitch] * self._white_width
        return left, left + self._white_width

    @property
    def left(self) -> int:
        """X of the lowest key in pixels; the pads are left of it."""
        return self._left

    def _white_index_below(self, pitch: int) -> int:
        return self._white_index[pitch - 1]

    # --- how it looks ----------------------------------------------------------------

    def light(self, canvas: skia.Canvas, note: Note, colour: Rgb, amount: float) -> None:
        """Light the key (or pad) of a note.

        Args:
            canvas: in picture coordinates.
            note: whose key.
            colour: of its instrument.
            amount: 0 (dark) to 1 (just struck).
        """
        drums = note.instrument == "drums"
        place = -1 - pad_of(note.pitch) if drums else min(max(note.pitch, self.low), self.high)
        # Few shades, each drawn once: laid over, it costs a fifth of drawing it.
        key = (place, colour, math.ceil(_SHADES * amount))
        image, x, y = self._lit.get(key, lambda: self._draw_lit(*key))
        self._paint.setAlphaf(amount)
        canvas.drawImage(image, x, y, _UNSCALED, self._paint)

    def _draw_lit(self, place: int, colour: Rgb, shade: int) -> tuple[tuple[skia.Image, int, int], int]:
        """Draw a lit key, or a pad (below 0); return it, where it lies, and its bytes."""
        bright = mix(colour, self._theme.colours.light, self._lift * shade / _SHADES)
        paint = skia.Paint(AntiAlias=True, Color=ink(bright))
        path = skia.Path()
        if place < 0:
            lane = Lane(self._pad_width * (-1 - place) + 2.0, self._pad_width - 4.0)
            path.addRoundRect(self._pad_rect(lane), 4, 4)
        else:
            path = self._shapes[place]
            length = _BLACK_LENGTH if is_black(place) else 1.0
            ends = [skia.Point(0, self.top), skia.Point(0, self.top + self.height * length)]
            paint.setShader(skia.GradientShader.MakeLinear(ends, [ink(bright), ink(colour, 0.85)]))
        bounds = path.getBounds()
        x, y = math.floor(bounds.left()), math.floor(bounds.top())
        width, height = max(1, math.ceil(bounds.right()) - x), max(1, math.ceil(bounds.bottom()) - y)
        surface = skia.Surface(width, height)
        canvas = surface.getCanvas()
        canvas.clear(0)
        canvas.translate(-x, -y)
        canvas.drawPath(path, paint)
        return (surface.makeImageSnapshot(), x, y), 4 * width * height

    def _pad_rect(self, lane: Lane) -> skia.Rect:
        return skia.Rect.MakeXYWH(lane.x, self.top + self.height * 0.10, lane.width, self.height * 0.78)

    def _shape(self, pitch: int) -> skia.Path:
        """The outline of a key; white keys leave room for their black neighbours, so that lighting one is one path."""
        left, right = self.key_edges(pitch)
        top, radius = float(self.top), max(1.5, self.height * 0.035)
        path = skia.Path()
        if is_black(pitch):
            rect = skia.Rect.MakeLTRB(left, top, right, top + self.height * _BLACK_LENGTH)
            path.addRoundRect(rect, [0, 0, 0, 0, radius, radius, radius, radius])
            return path
        rect = skia.Rect.MakeLTRB(left + 0.75, top, right - 0.75, top + self.height - 1)
        path.addRoundRect(rect, [0, 0, 0, 0, radius, radius, radius, radius])
        for neighbour in (pitch - 1, pitch + 1):
            if is_black(neighbour) and self.low <= neighbour <= self.high:
                n_left, n_right = self.key_edges(neighbour)
                cut = skia.Path()
                cut.addRect(skia.Rect.MakeLTRB(n_left - 1, top - 1, n_right + 1, top + self.height * _BLACK_LENGTH + 1))
                path = skia.Op(path, cut, skia.PathOp.kDifference_PathOp) or path
        return path

    def _draw(self) -> NDArray[np.uint8]:
        """The keyboard unlit, RGBA [height, width, 4]."""
        picture = np.zeros((self.height, self.width, 4), np.uint8)
        if not self.height:
            return picture
        colours = self._theme.colours
        canvas = skia.Canvas(picture, colorType=skia.kRGBA_8888_ColorType)
        canvas.clear(ink(colours.key_gap))
        canvas.translate(0, -self.top)
        white = skia.Paint(AntiAlias=True, Shader=self._shade(colours.white_upper, colours.white_lower))
        black = skia.Paint(AntiAlias=True, Shader=self._shade(colours.black_upper, colours.black_lower, _BLACK_LENGTH))
        for pitch, shape in self._shapes.items():
            canvas.drawPath(shape, black if is_black(pitch) else white)
            if pitch % 12 == 0:
                left, right = self.key_edges(pitch)
                name, size = f"C{pitch // 12 - 1}", min(self.height * 0.14, self._white_width * 0.5)
                y = self.top + self.height * 0.93
                self._lettering.draw(canvas, name, (left + right) / 2, y, size, ink(colours.key_label), align=0.5)
        if self.has_pads:
            self._draw_pads(canvas)
        return picture

    def _draw_pads(self, canvas: skia.Canvas) -> None:
        paint = skia.Paint(AntiAlias=True, Color=ink(self._theme.colours.pad))
        for index in range(len(PADS) + 1):
            lane = Lane(self._pad_width * index + 2.0, self._pad_width - 4.0)
            canvas.drawRoundRect(self._pad_rect(lane), 4, 4, paint)

    def _shade(self, upper: Rgb, lower: Rgb, length: float = 1.0) -> skia.Shader:
        ends = [skia.Point(0, self.top), skia.Point(0, self.top + self.height * length)]
        return skia.GradientShader.MakeLinear(ends, [ink(upper), ink(lower)])


def _span(pitches: list[int]) -> tuple[int, int]:
    """The lowest and highest key to show: both white, at least `_LEAST_WHITE_KEYS` of them."""
    low, high = min(pitches, default=48), max(pitches, default=84)
    low, high = max(LOWEST, low - 1), min(HIGHEST, high + 1)
    down = True
    while is_black(low) or is_black(high) or sum(not is_black(p) for p in range(low, high + 1)) < _LEAST_WHITE_KEYS:
        if is_black(low) or (not is_black(high) and (down or high >= HIGHEST) and low > LOWEST):
            low -= 1
        else:
            high += 1
        down = not down
    return low, high
