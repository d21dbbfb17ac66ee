"""The picture: notes fall onto a keyboard, coloured by instrument, lit while they sound.

Most of a frame is copied: the roll from tiles drawn once, header and footer from
when their words last changed. Only the band around the keyboard is drawn anew.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import skia
from numpy.typing import NDArray

from streaming.picture import overlay
from streaming.picture.cards import THANKS, Cards
from streaming.picture.i420 import Planes, from_rgba, to_rgb
from streaming.picture.keyboard import Keyboard
from streaming.picture.layout import Layout, even
from streaming.picture.lettering import Lettering
from streaming.picture.lights import DYING_S, LEAST_LIT_S, Lamp, Light, LitBars, brightness, wandering
from streaming.picture.meters import Meters, Spectrum
from streaming.picture.overlay import Look
from streaming.picture.poll import Ballot, PollCard
from streaming.picture.rolltiles import TILE_ROWS, RollTiles
from streaming.picture.scene import BED, NOTHING, Coming, Scene
from streaming.picture.scoreimage import draw_score
from streaming.picture.slate import Slate
from streaming.picture.sprite import Sheet, Sprite
from streaming.picture.theme import Theme, ink, mix
from streaming.picture.themefile import read_theme

__all__ = ["DYING_S", "LEAST_LIT_S", "PianoRoll", "Scene", "brightness", "draw_score"]

_KEPT_VIEWS = 3


class _View:
    """All that is drawn or computed once for a scene."""

    def __init__(self, scene: Scene | None, keyboard: Keyboard, look: Look) -> None:
        self.scene = scene
        self.keyboard = keyboard
        self.tiles: RollTiles | None = None
        if scene:
            self.tiles = RollTiles(
                scene,
                keyboard,
                pixels_per_s=look.layout.pixels_per_s,
                unit=look.layout.unit,
                theme=look.theme,
                lettering=look.lettering,
                seen_px=look.layout.playhead - look.layout.header,
            )
        self.lit = LitBars(self.tiles.bars if self.tiles else ())


class PianoRoll:
    """Draws the programme's pictures."""

    def __init__(
        self,
        width: int = 1280,
        height: int = 720,
        *,
        fps: int = 30,
        theme: Theme | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Prepare for pictures of one size.

        Args:
            width: pixels, even.
            height: pixels, even.
            fps: pictures a second; the roll moves by the same whole number of pixels between them.
            theme: the look; None: the default.
            wall: seconds since 1970, for how long ago a piece was composed.

        Raises:
            StreamingError: the size is odd or too small to draw in.
        """
        theme = theme or read_theme()
        self.layout = layout = Layout.of(width, height, fps, theme.measures)
        self.width, self.height = width, height
        self.look = Look(theme, Lettering(theme.fonts), layout)
        self._rgba = np.zeros((height, width, 4), np.uint8)
        self._rgba[..., 3] = 255
        self._canvas = skia.Canvas(self._rgba, colorType=skia.kRGBA_8888_ColorType)
        self._sheet = Sheet(Planes(height, width))
        self._planes = self._sheet.planes
        self._views: OrderedDict[int, _View] = OrderedDict()
        self._lock = threading.Lock()
        self._drawn: dict[str, object] = {}
        self._lamp = Lamp(self.look, self._canvas)
        self._cards = Cards(self.look, wall)
        self._poll = PollCard(self.look)
        self._slate = Slate(self.look)
        self._spectrum = Spectrum(fps)
        self._meters = Meters(self.look)
        self._empty_zone = np.full((layout.playhead - layout.zone, width, 4), 255, np.uint8)
        self._empty_zone[..., :3] = theme.colours.background
        # Notes come out of the header, where there is one and it hides nothing that lies behind.
        self._veil = None if theme.transparent or not layout.header else _veil(width, even(38 * layout.unit), theme)

    def prepare(self, scene: Scene, position_s: float = 0.0) -> None:
        """Lay a scene out before its first frame is due; may be called from another thread.

        Args:
            scene: the very object that `draw` will be given.
            position_s: where it will be then; a piece that was changed is in the midst of it.
        """
        tiles = self._view(scene).tiles
        assert tiles is not None
        reached = self.scroll_px(position_s) // TILE_ROWS
        for index in range(reached - 1, reached + (self.layout.playhead - self.layout.header) // TILE_ROWS + 2):
            tiles.tile(index)

    def keyboard(self, scene: Scene | None) -> Keyboard:
        """Return the keyboard a scene is drawn with, for where its keys lie."""
        return self._view(scene).keyboard

    def draw(
        self,
        scene: Scene | None,
        position_s: float,
        *,
        coming: Coming = NOTHING,
        level_db: float | None = None,
        sound: NDArray[np.float32] | None = None,
    ) -> NDArray[np.uint8]:
        """Draw a frame.

        Args:
            scene: what plays; None for the slate.
            position_s: seconds since the piece began; negative before it does. For the slate, any running time.
            coming: what comes next.
            level_db: for the level strip, in dB or LUFS; None leaves it dark.
            sound: of this frame, for the spectrum, float32 [n, 2].

        Returns:
            uint8 [height * 3 // 2, width], I420, BT.709, limited range; the caller's own.
        """
        view = self._view(scene)
        if scene is None or view.tiles is None:
            self._compose_slate(coming, position_s)
            lights = wandering(view.keyboard, self.look.theme.colours.accent, position_s)
        else:
            self._compose_header(scene, position_s, coming)
            self._compose_roll(view.tiles, self.scroll_px(position_s))
            self._compose_progress(position_s / scene.duration_s if scene.duration_s > 0 else 0.0)
            lit = view.lit.at(position_s)
            theme = self.look.theme
            lights = [Light(bar.note, theme.instrument(bar.note.instrument), amount) for bar, amount in lit]
            self._lamp.heat(lit, self.scroll_px(position_s))
        self._compose_keyboard(view, lights)
        if scene is not None:
            self._cards.draw(self._sheet, scene, position_s, coming)
            self._poll.draw(self._sheet)
        self._compose_footer(view)
        self._meters.draw(self._planes, level_db, self._spectrum.hear(sound))
        return self._planes.array.copy()

    def draw_rgb(
        self,
        scene: Scene | None,
        position_s: float,
        *,
        coming: Coming = NOTHING,
        level_db: float | None = None,
        sound: NDArray[np.float32] | None = None,
    ) -> NDArray[np.uint8]:
        """Draw a frame as viewers see it, RGB uint8 [height, width, 3]; arguments as of `draw`."""
        return to_rgb(self.draw(scene, position_s, coming=coming, level_db=level_db, sound=sound))

    def ask(self, ballot: Ballot | None) -> None:
        """Show a poll from the next frame on, or none; may be called from another thread."""
        self._poll.tell(ballot)

    def scroll_px(self, position_s: float) -> int:
        """Return how far the roll has moved since the piece began, in whole, even pixels."""
        # The small push keeps positions that lie exactly between two pixels from jumping to and fro.
        return 2 * int(np.floor(position_s * self.layout.pixels_per_s / 2 + 0.5 + 1e-6))

    # --- a frame, from top to bottom -----------------------------------------------

    def _compose_header(self, scene: Scene, position_s: float, coming: Coming) -> None:
        if not self.layout.header:
            return
        elapsed_s = max(0.0, float(int(position_s)))
        if scene.number == BED and coming.farewell:
            scene = replace(scene, title=coming.farewell, caption=THANKS)
        line = overlay.coming_line(coming, max(0.0, scene.duration_s - elapsed_s))
        shares = scene.shares(elapsed_s) if scene.is_blend else ()
        if self._same("top", (scene.title, scene.caption, scene.duration_s, elapsed_s, line, shares)):
            return
        overlay.draw_header(self._canvas, self.look, scene=scene, elapsed_s=elapsed_s, coming=line, shares=shares)
        from_rgba(self._rgba[: self.layout.header], self._planes)

    def _compose_slate(self, coming: Coming, position_s: float) -> None:
        self._drawn.pop("top", None)
        self._slate.draw(self._sheet, coming, position_s)
        self._rgba[self.layout.zone : self.layout.playhead] = self._empty_zone

    def _compose_roll(self, tiles: RollTiles, scroll: int) -> None:
        layout = self.layout
        y = layout.header
        while y < layout.playhead:
            above = scroll + layout.playhead - 1 - y
            index = above // TILE_ROWS
            first = (index + 1) * TILE_ROWS - 1 - above
            limit = layout.zone if y < layout.zone else layout.playhead
            count = min(TILE_ROWS - first, limit - y)
            tile = tiles.tile(index)
            if y < layout.zone:
                self._planes.paste(tile.planes, y, first, count)
            else:
                self._rgba[y : y + count] = tile.rgba[first : first + count]
            y += count
        if self._veil is not None:
            self._veil.lay(self._sheet, 0, layout.header)

    def _compose_progress(self, fraction: float) -> None:
        if not self.layout.header:
            return
        colours = self.look.theme.colours
        thick = max(2, even(4 * self.layout.unit))
        reached = 2 * round(self.width * min(1.0, max(0.0, fraction)) / 2)
        top, bottom = self.layout.header - thick, self.layout.header
        self._planes.fill(0, top, reached, bottom, colours.accent)
        self._planes.fill(reached, top, self.width, bottom, mix(colours.panel, colours.text_faint, 0.35))

    def _compose_keyboard(self, view: _View, lights: list[Light]) -> None:
        canvas, keyboard, layout = self._canvas, view.keyboard, self.layout
        end = layout.playhead + layout.keyboard
        if layout.keyboard:
            self._rgba[layout.playhead : end] = keyboard.picture
        canvas.save()
        canvas.clipRect(skia.Rect.MakeLTRB(0, layout.zone, self.width, end))
        for light in lights if layout.keyboard else ():
            keyboard.light(canvas, light.note, light.colour, light.amount)
        line = max(1.0, 2 * layout.unit)
        accent = skia.Paint(Color=ink(self.look.theme.colours.accent, 0.55))
        canvas.drawRect(skia.Rect.MakeXYWH(0, layout.playhead - line, self.width, line), accent)
        self._lamp.bloom(keyboard, lights)
        canvas.restore()
        if end > layout.zone:
            from_rgba(self._rgba[layout.zone : end], self._planes, layout.zone)

    def _compose_footer(self, view: _View) -> None:
        layout = self.layout
        top = self.height - layout.footer
        if not layout.footer or self._same("footer", id(view)):
            return
        overlay.panel(self._canvas, self.look, skia.Rect.MakeLTRB(0, top, self.width, self.height))
        if view.scene:
            margin = overlay.MARGIN * layout.unit
            right = self.width - margin if layout.upright else self._meters.left - margin
            bottom = top + layout.footer / 2 if layout.upright else self.height
            rect = skia.Rect.MakeLTRB(margin, top, right, bottom)
            overlay.draw_legend(self._canvas, self.look, rect, view.scene.instruments)
        from_rgba(self._rgba[top:], self._planes, top)
        self._meters.forget()

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
        layout, look = self.layout, self.look
        keyboard = kept or Keyboard(notes, self.width, layout.playhead, layout.keyboard, look.theme, look.lettering)
        view = _View(scene, keyboard, look)
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


def _veil(width: int, height: int, theme: Theme) -> Sprite:
    """What notes come out of: the panel, fading downwards."""

    def draw(canvas: skia.Canvas) -> None:
        ends = [skia.Point(0, 0), skia.Point(0, height)]
        panel = theme.colours.panel
        shader = skia.GradientShader.MakeLinear(ends, [ink(panel), ink(panel, 0)])
        canvas.drawPaint(skia.Paint(Shader=shader))

    return Sprite(width, height, draw)
