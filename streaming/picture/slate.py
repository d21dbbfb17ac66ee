"""The slate: what is seen while nothing plays. Lights rise over a soft haze, so that nobody takes it for a fault."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
import skia

from model.instruments import INSTRUMENTS
from streaming.picture.cards import THANKS
from streaming.picture.i420 import Planes, from_rgba
from streaming.picture.layout import even
from streaming.picture.overlay import Look, coming_line
from streaming.picture.scene import Coming
from streaming.picture.sprite import Sheet, Sprite
from streaming.picture.theme import ink

HEADLINE = "Back in a moment"
_LIGHTS = 20


@dataclass(frozen=True, slots=True)
class _Light:
    """A light that rises: where it begins (0 to 1), how fast (pictures a second), how it sways."""

    x: float
    start: float
    per_s: float
    sway: float
    sprite: int


class Slate:
    """Draws the empty stage above the keyboard.

    Args:
        look: theme, type and layout.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        layout = look.layout
        # The stage with its words, drawn anew when these change.
        self._stage: tuple[Coming, Planes] | None = None
        self._words = (0, 0, 0, 0)
        dice = random.Random(7)
        names = [i.name for i in INSTRUMENTS][:6]
        self._sprites = [self._light(look.theme.instrument(name)) for name in names]
        self._lights = [
            _Light(dice.random(), dice.random(), dice.uniform(0.018, 0.05), dice.uniform(0, 6.28), i % len(names))
            for i in range(_LIGHTS)
        ]
        self._height = layout.zone

    def draw(self, sheet: Sheet, coming: Coming, position_s: float) -> None:
        """Draw what is above the keys, down to where light is drawn on them.

        Args:
            sheet: of the picture.
            coming: what is waited for.
            position_s: any running time.
        """
        if self._stage is None or self._stage[0] != coming:
            self._stage = (coming, self._draw_stage(coming))
        sheet.planes.paste(self._stage[1], 0, 0, self._height)
        if not self._look.theme.transparent:
            self._rise(sheet, position_s)

    def _rise(self, sheet: Sheet, position_s: float) -> None:
        layout = self._look.layout
        for light in self._lights:
            sprite = self._sprites[light.sprite]
            part = (light.start + light.per_s * position_s) % 1.0
            x = (
                light.x * layout.width
                + 24 * layout.unit * math.sin(light.sway + 2.1 * math.pi * part)
                - sprite.width / 2
            )
            y = (1 - part) * (self._height + sprite.height) - sprite.height
            # They come out of the keys and are gone before the top.
            opacity = 0.75 * min(1.0, 5 * part) * min(1.0, 2.2 * (1 - part))
            left, top, right, bottom = self._words
            # Behind the words, where they meet them.
            hidden = left - sprite.width < x < right and top - sprite.height < y < bottom
            if 0 <= x <= layout.width - sprite.width and y <= self._height - sprite.height and not hidden:
                sprite.lay(sheet, 2 * round(x / 2), 2 * round(y / 2), opacity)

    def _light(self, colour: tuple[int, int, int]) -> Sprite:
        size = max(8, round(46 * self._look.layout.unit))

        def draw(canvas: skia.Canvas) -> None:
            stops = [ink(colour, 0.9), ink(colour, 0.24), ink(colour, 0)]
            middle = skia.Point(size / 2, size / 2)
            shader = skia.GradientShader.MakeRadial(middle, size / 2, stops, [0.0, 0.24, 1.0])
            canvas.drawPaint(skia.Paint(Shader=shader))

        return Sprite(size, size, draw)

    def _draw_stage(self, coming: Coming) -> Planes:
        layout, colours = self._look.layout, self._look.theme.colours
        rgba = np.zeros((self._height, layout.width, 4), np.uint8)
        canvas = skia.Canvas(rgba, colorType=skia.kRGBA_8888_ColorType)
        canvas.clear(ink(colours.background))
        middle = skia.Point(layout.width / 2, layout.playhead * 0.46)
        # Gone before the keys, where light is drawn on the plain background.
        reach = layout.playhead * 0.46 if not layout.upright else layout.width * 0.8
        shader = skia.GradientShader.MakeRadial(
            skia.Point(0, 0), reach, [ink(colours.haze), ink(colours.haze, 0.5), ink(colours.background, 0)]
        )
        canvas.translate(middle.x(), middle.y())
        canvas.scale(1.0 if layout.upright else 1.6, 1.0)
        canvas.drawPaint(skia.Paint(Shader=shader, Dither=True))
        planes = Planes(self._height, layout.width)
        from_rgba(rgba, planes)
        words = self._draw_words(coming)
        x, y = even((layout.width - words.width) / 2), even((layout.playhead - words.height) / 2)
        self._words = (x, y, x + words.width, y + words.height)
        words.lay(Sheet(planes), x, y)
        return planes

    def _draw_words(self, coming: Coming) -> Sprite:
        look, type_, u = self._look, self._look.lettering, self._look.layout.unit
        colours, room = look.theme.colours, look.layout.width * 0.86
        headline = THANKS if coming.farewell else HEADLINE
        size = look.size(44)
        while size > look.size(20) and type_.width(headline, size, bold=True) > room:
            size *= 0.92
        small = look.size(25)
        line = type_.fit(coming.farewell or coming_line(coming, None), small, room)
        width = max(type_.width(headline, size, bold=True), type_.width(line, small), 80 * u) + 60 * u
        height = size * 1.2 + 22 * u + (small * 1.6 if line else 0) + 40 * u

        def draw(canvas: skia.Canvas) -> None:
            if look.theme.transparent:
                canvas.drawRoundRect(
                    skia.Rect.MakeWH(width, height), 14 * u, 14 * u, skia.Paint(AntiAlias=True, Color=ink(colours.card))
                )
            y = 20 * u + size
            type_.draw(canvas, headline, width / 2, y, size, ink(colours.text), bold=True, align=0.5)
            rule = skia.Rect.MakeXYWH(width / 2 - 36 * u, y + 20 * u, 72 * u, max(2.0, 2 * u))
            canvas.drawRect(rule, skia.Paint(AntiAlias=True, Color=ink(colours.accent, 0.8)))
            type_.draw(canvas, line, width / 2, y + 26 * u + small * 1.5, small, ink(colours.accent), align=0.5)

        return Sprite(round(width), round(height), draw)
