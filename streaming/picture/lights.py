"""What is lit: which keys sound and how brightly, and the bloom where a note is struck."""

from __future__ import annotations

import math
from dataclasses import dataclass

import skia

from model.notes import Note
from streaming.picture.kept import MIB, Kept
from streaming.picture.keyboard import Keyboard, is_black
from streaming.picture.layout import even
from streaming.picture.overlay import Look
from streaming.picture.rolltiles import Bar
from streaming.picture.theme import Rgb, ink, mix

# A struck key is lit at least this long, and dies away in this time.
LEAST_LIT_S = 0.09
DYING_S = 0.22
_FLASH_S = 0.16
# For each pixel of the picture: 7 MiB at 1280x720.
_BLOOM_BYTES = 8
_UNSCALED = skia.SamplingOptions()


@dataclass(frozen=True, slots=True)
class Light:
    """A lit key: whose, in which colour, and how brightly (0 to 1)."""

    note: Note
    colour: Rgb
    amount: float


def brightness(note: Note, position_s: float) -> float:
    """Return how brightly a note's key is lit: 0 before its onset, 1 at its onset, less while it sounds.

    Args:
        note: the note.
        position_s: seconds since the piece began.
    """
    age_s = position_s - note.onset_s
    if age_s < 0:
        return 0.0
    after_s = position_s - max(note.offset_s, note.onset_s + LEAST_LIT_S)
    held = 0.6 + 0.4 * math.exp(-age_s / _FLASH_S)
    return held if after_s <= 0 else held * max(0.0, 1 - after_s / DYING_S)


class LitBars:
    """Finds what sounds at a time without looking at a whole piece.

    Args:
        bars: of the piece.
    """

    def __init__(self, bars: tuple[Bar, ...]) -> None:
        self._by_second: dict[int, list[Bar]] = {}
        for bar in bars:
            end_s = max(bar.note.offset_s, bar.note.onset_s + LEAST_LIT_S) + DYING_S
            for second in range(math.floor(bar.note.onset_s), math.floor(end_s) + 1):
                self._by_second.setdefault(second, []).append(bar)

    def at(self, position_s: float) -> list[tuple[Bar, float]]:
        """Return the bars whose keys are lit, with how much (0 to 1)."""
        found = ((bar, brightness(bar.note, position_s)) for bar in self._by_second.get(math.floor(position_s), ()))
        return [(bar, amount) for bar, amount in found if amount > 0]


class Lamp:
    """Draws light: on bars near the keys, on keys, and around where they are struck.

    Args:
        look: theme, type and layout.
        canvas: RGBA, in picture coordinates.
    """

    def __init__(self, look: Look, canvas: skia.Canvas) -> None:
        self._look, self._canvas = look, canvas
        self._blooms: Kept[tuple[Rgb, int, int], skia.Image] = Kept(
            max(MIB, _BLOOM_BYTES * look.layout.width * look.layout.height)
        )
        layout, light = look.layout, look.theme.colours.light
        ends = [skia.Point(0, layout.zone), skia.Point(0, max(layout.playhead, layout.zone + 1))]
        self._heat = skia.Paint(
            Shader=skia.GradientShader.MakeLinear(ends, [ink(light, 0), ink(light)]), AntiAlias=True
        )

    def heat(self, lit: list[tuple[Bar, float]], scroll: int) -> None:
        """Lighten the part of a sounding note that is near the keyboard."""
        layout, heat = self._look.layout, self._look.theme.notes.heat
        for bar, amount in lit:
            top = max(layout.zone, layout.playhead - (bar.high - scroll))
            if top < layout.playhead:
                self._heat.setAlphaf(heat * amount)
                rect = skia.Rect.MakeLTRB(bar.lane.x, top, bar.lane.x + bar.lane.width, layout.playhead)
                self._canvas.drawRect(rect, self._heat)

    def bloom(self, keyboard: Keyboard, lights: list[Light]) -> None:
        """Let light spread from where notes arrive."""
        strength = self._look.theme.notes.bloom
        if strength <= 0:
            return
        # Many lights at once glow closer, or they would melt into one white.
        crowd = 1.0 if len(lights) <= 14 else 0.75 if len(lights) <= 28 else 0.5
        # On paper light is colour; in the dark it adds up.
        mode = skia.BlendMode.kSrcOver if self._look.theme.is_light else skia.BlendMode.kPlus
        paint = skia.Paint(BlendMode=mode)
        for light in lights:
            lane = keyboard.lane(light.note)
            # Few sizes, so that the sprites are drawn once and kept: unscaled they cost a third.
            reach = (17 + 5.5 * math.ceil(6 * light.amount)) * crowd * self._look.layout.unit
            sprite = self._sprite(light.colour, even(lane.width + 1.6 * reach), even(2.2 * reach))
            left = round(lane.x + (lane.width - sprite.width()) / 2)
            paint.setAlphaf(1.25 * strength * light.amount * (0.35 + 0.45 * light.note.velocity / 127))
            top = self._look.layout.playhead - round(0.68 * sprite.height())
            self._canvas.drawImage(sprite, left, top, _UNSCALED, paint)

    def _sprite(self, colour: Rgb, width: int, height: int) -> skia.Image:
        width, height = max(2, width), max(2, height)

        def draw() -> tuple[skia.Image, int]:
            light, paper = self._look.theme.colours.light, self._look.theme.is_light
            return _draw_bloom(colour, light, width, height, paper=paper), 4 * width * height

        return self._blooms.get((colour, width, height), draw)


def wandering(keyboard: Keyboard, colour: Rgb, position_s: float) -> list[Light]:
    """Return soft waves of light that wander over the keys while nothing plays."""
    lights = []
    for pitch in range(keyboard.low, keyboard.high + 1):
        place = (pitch - keyboard.low) / (keyboard.high - keyboard.low)
        wave = math.sin(2 * math.pi * (1.1 * place - 0.07 * position_s)) * math.sin(
            2 * math.pi * (0.6 * place + 0.05 * position_s)
        )
        amount = 0.5 * max(0.0, wave) ** 2
        if amount > 0.02:
            lights.append(Light(Note(0.0, pitch, "piano", 0.0, 64), colour, amount))
    return sorted(lights, key=lambda light: is_black(light.note.pitch))


def _draw_bloom(colour: Rgb, light: Rgb, width: int, height: int, *, paper: bool) -> skia.Image:
    """A glow; on paper it is colour, in the dark it is lighter in its middle."""
    surface = skia.Surface(width, height)
    if paper:
        stops = [ink(colour, 0.6), ink(colour, 0.34), ink(colour, 0.1), ink(colour, 0)]
    else:
        stops = [ink(mix(colour, light, 0.6)), ink(colour, 0.45), ink(colour, 0.12), ink(colour, 0)]
    shader = skia.GradientShader.MakeRadial(skia.Point(0, 0), 1, stops, [0.0, 0.27, 0.66, 1.0])
    canvas = surface.getCanvas()
    canvas.clear(0)
    canvas.translate(width / 2, height / 2)
    canvas.scale(width / 2, height / 2)
    canvas.drawPaint(skia.Paint(Shader=shader))
    return surface.makeImageSnapshot()
