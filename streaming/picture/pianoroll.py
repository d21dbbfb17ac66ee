"""The picture: notes fall onto a keyboard, coloured by instrument, lit while they sound.

Most of a frame is copied: the roll from tiles drawn once, header and footer from
when their words last changed. Only the band around the keyboard is drawn anew.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict

import numpy as np
import skia
from numpy.typing import NDArray

from model.notes import Note
from streaming.errors import StreamingError
from streaming.picture import overlay, theme
from streaming.picture.i420 import Planes, from_rgba
from streaming.picture.keyboard import Keyboard, is_black
from streaming.picture.rolltiles import TILE_ROWS, Bar, RollTiles
from streaming.picture.scene import Scene
from streaming.picture.scoreimage import draw_score

__all__ = ["PianoRoll", "Scene", "brightness", "draw_score"]

PIXELS_PER_S = 120  # at a height of 720
# A struck key is lit at least this long, and dies away in this time.
LEAST_LIT_S = 0.09
DYING_S = 0.22
_FLASH_S = 0.16
_KEPT_VIEWS = 3
_KEPT_BLOOMS = 512
_WHITE = (255, 255, 255)


def _even(value: float) -> int:
    return 2 * round(value / 2)


class _View:
    """All that is drawn or computed once for a scene."""

    def __init__(self, scene: Scene | None, keyboard: Keyboard, speed: float) -> None:
        self.scene = scene
        self.keyboard = keyboard
        self.tiles = RollTiles(scene, keyboard, speed) if scene else None
        self._by_second: dict[int, list[Bar]] = {}
        for bar in self.tiles.bars if self.tiles else ():
            end_s = max(bar.note.offset_s, bar.note.onset_s + LEAST_LIT_S) + DYING_S
            for second in range(math.floor(bar.note.onset_s), math.floor(end_s) + 1):
                self._by_second.setdefault(second, []).append(bar)

    def lit(self, position_s: float) -> list[tuple[Bar, float]]:
        """Bars whose keys are lit, with how much (0 to 1)."""
        found = ((bar, brightness(bar.note, position_s)) for bar in self._by_second.get(math.floor(position_s), ()))
        return [(bar, amount) for bar, amount in found if amount > 0]


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


class PianoRoll:
    """Draws the programme's pictures."""

    def __init__(self, width: int = 1280, height: int = 720, *, fps: int = 30) -> None:
        """Prepare for pictures of one size.

        Args:
            width: pixels, even.
            height: pixels, even.
            fps: pictures a second; the roll moves by the same whole number of pixels between them.

        Raises:
            StreamingError: the size is odd or too small to draw in.
        """
        if width % 2 or height % 2 or width < 160 or height < 90:
            raise StreamingError(f"a picture must be even in width and height, at least 160x90, not {width}x{height}")
        self.width, self.height = width, height
        unit = height / 720
        # Even pixels a frame: luma and chroma move together, and no frame moves further than another.
        self.pixels_per_frame = max(2, _even(PIXELS_PER_S * unit / fps))
        self.pixels_per_s = float(self.pixels_per_frame * fps)
        self._unit = unit
        self.header_px = _even(84 * unit)
        self.footer_px = _even(34 * unit)
        self.keyboard_px = _even(104 * unit)
        self.playhead_y = height - self.footer_px - self.keyboard_px
        self._zone_top = max(self.header_px, self.playhead_y - _even(100 * unit))
        self._rgba = np.zeros((height, width, 4), np.uint8)
        self._rgba[..., 3] = 255
        self._canvas = skia.Canvas(self._rgba, colorType=skia.kRGBA_8888_ColorType)
        self._planes = Planes(height, width)
        self._views: OrderedDict[int, _View] = OrderedDict()
        self._lock = threading.Lock()
        self._drawn: dict[str, object] = {}
        self._level: int | None = None
        self._slate_zone = np.zeros((0, width, 4), np.uint8)
        self._blooms: dict[tuple[theme.Rgb, int, int], skia.Image] = {}
        self._fade = _even(44 * unit)
        ends = [skia.Point(0, self._zone_top), skia.Point(0, self.playhead_y)]
        self._heat = skia.GradientShader.MakeLinear(ends, [theme.ink(_WHITE, 0), theme.ink(_WHITE)])

    def prepare(self, scene: Scene, position_s: float = 0.0) -> None:
        """Lay a scene out before its first frame is due; may be called from another thread.

        Args:
            scene: the very object that `draw` will be given.
            position_s: where it will be then; a piece that was changed is in the midst of it.
        """
        tiles = self._view(scene).tiles
        assert tiles is not None
        reached = self.scroll_px(position_s) // TILE_ROWS
        for index in range(reached - 1, reached + (self.playhead_y - self.header_px) // TILE_ROWS + 2):
            tiles.tile(index)

    def keyboard(self, scene: Scene | None) -> Keyboard:
        """Return the keyboard a scene is drawn with, for where its keys lie."""
        return self._view(scene).keyboard

    def draw(
        self, scene: Scene | None, position_s: float, *, next_text: str = "", level_db: float | None = None
    ) -> NDArray[np.uint8]:
        """Draw a frame.

        Args:
            scene: what plays; None for the slate, which shows `next_text`.
            position_s: seconds since the piece began; negative before it does. For the slate, any running time.
            next_text: a line about what comes next.
            level_db: for the level strip, in dB or LUFS; None leaves it dark.

        Returns:
            uint8 [height * 3 // 2, width], I420, BT.709, limited range; the caller's own.
        """
        self._compose(scene, position_s, next_text, level_db, rgb=False)
        return self._planes.array.copy()

    def draw_rgb(
        self, scene: Scene | None, position_s: float, *, next_text: str = "", level_db: float | None = None
    ) -> NDArray[np.uint8]:
        """Draw a frame as RGB, uint8 [height, width, 3]; arguments as of `draw`."""
        self._compose(scene, position_s, next_text, level_db, rgb=True)
        return np.ascontiguousarray(self._rgba[..., :3])

    def scroll_px(self, position_s: float) -> int:
        """Return how far the roll has moved since the piece began, in whole, even pixels."""
        # The small push keeps positions that lie exactly between two pixels from jumping to and fro.
        return 2 * math.floor(position_s * self.pixels_per_s / 2 + 0.5 + 1e-6)

    # --- a frame, from top to bottom -----------------------------------------------

    def _compose(
        self, scene: Scene | None, position_s: float, next_text: str, level_db: float | None, *, rgb: bool
    ) -> None:
        view = self._view(scene)
        if scene is None or view.tiles is None:
            self._compose_slate(next_text or "back in a moment")
            lights = self._slate_lights(view, position_s)
        else:
            self._compose_header(scene, position_s, next_text)
            self._compose_roll(view.tiles, self.scroll_px(position_s), rgb=rgb)
            self._compose_progress(position_s / scene.duration_s if scene.duration_s > 0 else 0.0)
            lit = view.lit(position_s)
            lights = [(bar.note, theme.instrument_colour(bar.note.instrument), amount) for bar, amount in lit]
            self._brighten(lit, self.scroll_px(position_s))
        self._compose_keyboard(view, lights)
        self._compose_footer(view, level_db)

    def _compose_header(self, scene: Scene, position_s: float, next_text: str) -> None:
        if self._same("top", (id(scene), max(0, int(position_s)), next_text)):
            return
        overlay.draw_header(
            self._canvas,
            self.width,
            self.header_px,
            scene=scene,
            elapsed_s=max(0.0, float(int(position_s))),
            next_text=next_text,
        )
        from_rgba(self._rgba[: self.header_px], self._planes)

    def _compose_slate(self, text: str) -> None:
        if not self._same("top", ("slate", text)):
            overlay.draw_slate(self._canvas, self.width, 0, self.playhead_y, text)
            from_rgba(self._rgba[: self._zone_top], self._planes)
            self._slate_zone = self._rgba[self._zone_top : self.playhead_y].copy()
        self._rgba[self._zone_top : self.playhead_y] = self._slate_zone

    def _compose_roll(self, tiles: RollTiles, scroll: int, *, rgb: bool) -> None:
        y = self.header_px
        while y < self.playhead_y:
            above = scroll + self.playhead_y - 1 - y
            index = above // TILE_ROWS
            first = (index + 1) * TILE_ROWS - 1 - above
            limit = self._zone_top if y < self._zone_top else self.playhead_y
            count = min(TILE_ROWS - first, limit - y)
            tile = tiles.tile(index)
            in_zone = y >= self._zone_top
            if not in_zone:
                self._planes.paste(tile.planes, y, first, count)
            if rgb or in_zone:
                self._rgba[y : y + count] = tile.rgba[first : first + count]
            y += count
        self._planes.fade_in(self.header_px, self._fade, theme.PANEL)
        if rgb:
            _fade_rgba(self._rgba[self.header_px : self.header_px + self._fade], theme.PANEL)

    def _compose_progress(self, fraction: float) -> None:
        thick = max(2, _even(3 * self._unit))
        reached = 2 * round(self.width * min(1.0, max(0.0, fraction)) / 2)
        top, bottom = self.header_px - thick, self.header_px
        self._fill(0, top, reached, bottom, theme.ACCENT)
        self._fill(reached, top, self.width, bottom, theme.mix(theme.PANEL, theme.TEXT_FAINT, 0.35))

    def _brighten(self, lit: list[tuple[Bar, float]], scroll: int) -> None:
        """Lighten the part of a sounding note that is near the keyboard."""
        for bar, amount in lit:
            top = max(self._zone_top, self.playhead_y - (bar.high - scroll))
            if top >= self.playhead_y:
                continue
            paint = skia.Paint(Shader=self._heat, AntiAlias=True)
            paint.setAlphaf(0.6 * amount)
            rect = skia.Rect.MakeLTRB(bar.lane.x, top, bar.lane.x + bar.lane.width, self.playhead_y)
            self._canvas.drawRect(rect, paint)

    def _compose_keyboard(self, view: _View, lights: list[tuple[Note, theme.Rgb, float]]) -> None:
        canvas, keyboard = self._canvas, view.keyboard
        self._rgba[self.playhead_y : self.playhead_y + self.keyboard_px] = keyboard.picture
        canvas.save()
        canvas.clipRect(skia.Rect.MakeLTRB(0, self._zone_top, self.width, self.playhead_y + self.keyboard_px))
        for note, colour, amount in lights:
            keyboard.light(canvas, note, colour, amount)
        line = max(1.0, 2 * self._unit)
        canvas.drawRect(
            skia.Rect.MakeXYWH(0, self.playhead_y - line, self.width, line),
            skia.Paint(Color=theme.ink(theme.ACCENT, 0.55)),
        )
        # Many lights at once glow closer, or they would melt into one white.
        crowd = 1.0 if len(lights) <= 14 else 0.75 if len(lights) <= 28 else 0.5
        for note, colour, amount in lights:
            self._bloom(keyboard, note, colour, amount, crowd)
        canvas.restore()
        end = self.playhead_y + self.keyboard_px
        from_rgba(self._rgba[self._zone_top : end], self._planes, self._zone_top)

    def _bloom(self, keyboard: Keyboard, note: Note, colour: theme.Rgb, amount: float, crowd: float) -> None:
        lane = keyboard.lane(note)
        # Few sizes, so that the sprites are drawn once and kept.
        reach = (26 + 5 * math.ceil(6 * amount)) * crowd * self._unit
        sprite = self._bloom_sprite(colour, _even(lane.width + 1.6 * reach), _even(2.2 * reach))
        left = round(lane.x + (lane.width - sprite.width()) / 2)
        paint = skia.Paint(BlendMode=skia.BlendMode.kPlus)
        paint.setAlphaf(amount * (0.35 + 0.5 * note.velocity / 127))
        self._canvas.drawImage(
            sprite, left, self.playhead_y - round(0.68 * sprite.height()), skia.SamplingOptions(), paint
        )

    def _bloom_sprite(self, colour: theme.Rgb, width: int, height: int) -> skia.Image:
        """A glow of this size, kept: drawn unscaled it costs a third of a scaled one."""
        key = (colour, width, height)
        sprite = self._blooms.get(key)
        if sprite is None:
            if len(self._blooms) >= _KEPT_BLOOMS:
                self._blooms.clear()
            sprite = self._blooms[key] = _draw_bloom(colour, width, height)
        return sprite

    def _slate_lights(self, view: _View, position_s: float) -> list[tuple[Note, theme.Rgb, float]]:
        """Soft waves wandering over the keys."""
        keyboard = view.keyboard
        lights = []
        for pitch in range(keyboard.low, keyboard.high + 1):
            place = (pitch - keyboard.low) / (keyboard.high - keyboard.low)
            wave = math.sin(2 * math.pi * (1.1 * place - 0.07 * position_s)) * math.sin(
                2 * math.pi * (0.6 * place + 0.05 * position_s)
            )
            amount = 0.5 * max(0.0, wave) ** 2
            if amount > 0.02:
                lights.append((Note(0.0, pitch, "piano", 0.0, 64), theme.ACCENT, amount))
        return sorted(lights, key=lambda light: is_black(light[0].pitch))

    def _compose_footer(self, view: _View, level_db: float | None) -> None:
        top = self.height - self.footer_px
        if not self._same("footer", id(view)):
            instruments = view.scene.instruments if view.scene else ()
            overlay.draw_legend(self._canvas, skia.Rect.MakeLTRB(0, top, self.width, self.height), instruments)
            from_rgba(self._rgba[top:], self._planes, top)
            self._level = None
        self._compose_level(overlay.level_steps(level_db))

    def _compose_level(self, lit: int) -> None:
        before = self._level
        changed = range(overlay.LEVEL_STEPS) if before is None else range(min(before, lit), max(before, lit))
        self._level = lit
        step, size = max(4, _even(7 * self._unit)), max(2, _even(6 * self._unit))
        left = _even(self.width - 26 * self._unit - overlay.LEVEL_STEPS * step)
        y = _even(self.height - (self.footer_px + size) / 2)
        for index in changed:
            x = left + index * step
            self._fill(x, y, x + step - 2, y + size, overlay.level_colour(index, lit))

    # --- kept between frames -----------------------------------------------------------

    def _view(self, scene: Scene | None) -> _View:
        with self._lock:
            view = self._views.get(id(scene))
            # An id may be used again once its scene is gone.
            if view is not None and view.scene is scene:
                self._views.move_to_end(id(scene))
                return view
            earlier = [v for v in self._views.values() if scene and v.scene and v.scene.number == scene.number]
        notes = scene.notes if scene else ()
        # A piece that was changed keeps its keys where they are, if they are enough.
        kept = next((v.keyboard for v in reversed(earlier) if v.keyboard.fits(notes)), None)
        keyboard = kept or Keyboard(notes, self.width, self.playhead_y, self.keyboard_px)
        view = _View(scene, keyboard, self.pixels_per_s)
        with self._lock:
            self._views[id(scene)] = view
            if len(self._views) > _KEPT_VIEWS:
                self._views.popitem(last=False)
        return view

    def _same(self, what: str, key: object) -> bool:
        """Whether this part was last drawn with this key; remembers it."""
        if what in self._drawn and self._drawn[what] == key:
            return True
        self._drawn[what] = key
        return False

    def _fill(self, left: int, top: int, right: int, bottom: int, colour: theme.Rgb) -> None:
        self._rgba[top:bottom, left:right, :3] = colour
        self._planes.fill(left, top, right, bottom, colour)


def _draw_bloom(colour: theme.Rgb, width: int, height: int) -> skia.Image:
    surface = skia.Surface(width, height)
    stops = [
        theme.ink(theme.mix(colour, _WHITE, 0.6)),
        theme.ink(colour, 0.45),
        theme.ink(colour, 0.12),
        theme.ink(colour, 0),
    ]
    shader = skia.GradientShader.MakeRadial(skia.Point(0, 0), 1, stops, [0.0, 0.25, 0.6, 1.0])
    canvas = surface.getCanvas()
    canvas.clear(0)
    canvas.translate(width / 2, height / 2)
    canvas.scale(width / 2, height / 2)
    canvas.drawPaint(skia.Paint(Shader=shader))
    return surface.makeImageSnapshot()


def _fade_rgba(rows: NDArray[np.uint8], colour: theme.Rgb) -> None:
    weight = np.linspace(0, 1, len(rows) + 2, dtype=np.float32)[1:-1, None, None]
    rows[..., :3] = rows[..., :3] * weight + np.asarray(colour, np.float32) * (1 - weight)
