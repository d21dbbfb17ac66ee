"""Cards that come and go over the roll: one announces a piece, another closes it; between them, who plays it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import skia

from streaming.picture.overlay import Look, clock
from streaming.picture.scene import BED, Coming, Scene
from streaming.picture.sprite import Sheet, Sprite
from streaming.picture.theme import ink

# A card comes within this time, is read, and goes.
COMES_S, STAYS_S, GOES_S = 0.5, 5.0, 0.9
# Of a short piece it covers no more than this part.
MOST_OF_PIECE = 0.4
# The closing card is there for this long before what comes next.
CLOSING_S = 3.0
_SHORTEST_CLOSED_S = 12.0
# The station says who it is half way through a piece that is not too short.
IDENT_S = 6.0
_SHORTEST_IDENT_S = 24.0
THANKS = "Thank you for listening"


def opening_opacity(position_s: float, duration_s: float) -> float:
    """Return how much of the card at the start of a piece is seen, 0 to 1."""
    stays_s = min(STAYS_S, max(1.0, MOST_OF_PIECE * duration_s))
    return _ramp(position_s / COMES_S) * _ramp((stays_s + GOES_S - position_s) / GOES_S)


def closing_opacity(position_s: float, duration_s: float, gap_s: float | None) -> float:
    """Return how much of the card at the end of a piece is seen, 0 to 1.

    Args:
        position_s: in the piece, or after it.
        duration_s: of the piece.
        gap_s: until the next one begins, negative if before its end; None: nobody knows.
    """
    if duration_s < _SHORTEST_CLOSED_S:
        return 0.0
    begins_s = duration_s + min(0.0, gap_s or 0.0) - CLOSING_S
    return _ramp((position_s - begins_s) / COMES_S)


def ident_opacity(position_s: float, duration_s: float) -> float:
    """Return how much of the station's card is seen, 0 to 1; arguments as for `opening_opacity`."""
    if duration_s < _SHORTEST_IDENT_S:
        return 0.0
    since_s = position_s - (duration_s - IDENT_S) / 2
    return _ramp(since_s / COMES_S) * _ramp((IDENT_S - since_s) / GOES_S)


def _ramp(part: float) -> float:
    """0 to 1, with soft ends."""
    part = min(1.0, max(0.0, part))
    return part * part * (3 - 2 * part)


def age(seconds: float) -> str:
    """Return how long ago something was, as people say it."""
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= (90 if unit == "minute" else size):
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return f"{max(0, int(seconds))} s ago"


def provenance(scene: Scene, now_s: float) -> str:
    """Return the line that tells how new a piece is; empty where nobody knows.

    Args:
        scene: of the piece.
        now_s: seconds since 1970.
    """
    origin = scene.origin
    composed = "" if origin.composed_s is None else f"composed {age(now_s - origin.composed_s)}"
    if not composed:
        return ""
    return f"{composed}, {'heard before' if origin.heard else 'never heard before'}"


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a card: the size of its type, its colour, and the room above it, in a theme's pixels."""

    text: str
    px: float
    colour: int
    above: float
    bold: bool = False


class Cards:
    """Draws the cards of a picture, each once.

    Args:
        look: theme, type and layout.
        wall: seconds since 1970.
    """

    def __init__(self, look: Look, wall: Callable[[], float]) -> None:
        self._look, self._wall = look, wall
        self._opening: tuple[Scene, Sprite] | None = None
        self._closing: tuple[Scene, Coming, Sprite] | None = None
        self._farewell: tuple[str, float, Sprite] | None = None
        self._ident: tuple[str, Sprite] | None = None

    def draw(self, sheet: Sheet, scene: Scene, position_s: float, coming: Coming) -> None:
        """Lay the card of this moment over the roll, if there is one."""
        if not self._look.theme.measures.cards or position_s < 0:
            return
        if scene.number == BED:
            if coming.farewell:
                self._draw_farewell(sheet, coming.farewell, position_s)
            return
        opening = opening_opacity(position_s, scene.duration_s)
        if opening > 0:
            self._lay(sheet, self._opening_card(scene), opening)
            return
        closing = closing_opacity(position_s, scene.duration_s, coming.gap_s)
        if closing > 0:
            self._lay(sheet, self._closing_card(scene, coming), closing)
            return
        ident = ident_opacity(position_s, scene.duration_s) if scene.ident else 0.0
        if ident > 0:
            self._lay(sheet, self._ident_card(scene.ident), ident)

    def _draw_farewell(self, sheet: Sheet, title: str, position_s: float) -> None:
        if self._farewell is None or self._farewell[0] != title:
            colours = self._look.theme.colours
            lines = [_Line("That was", 23, ink(colours.text_faint), 0)]
            lines += [_Line(text, 52, ink(colours.text), 8, True) for text in self._title(title, 52)]
            lines.append(_Line(THANKS, 25, ink(colours.accent), 20))
            self._farewell = (title, position_s, self._card(lines))
        self._lay(sheet, self._farewell[2], _ramp((position_s - self._farewell[1]) / COMES_S))

    def _lay(self, sheet: Sheet, card: Sprite, opacity: float) -> None:
        layout = self._look.layout
        room = layout.zone - layout.header
        x, y = (layout.width - card.width) // 2, layout.header + (room - card.height) // 2
        if card.height <= room:
            card.lay(sheet, x - x % 2, y - y % 2, opacity)

    def _opening_card(self, scene: Scene) -> Sprite:
        if self._opening is None or self._opening[0] is not scene:
            colours = self._look.theme.colours
            lines = [_Line(text, 52, ink(colours.text), 6, True) for text in self._title(scene.title, 52)]
            lines.append(_Line(scene.caption, 25, ink(colours.text_soft), 18))
            lines.append(_Line(provenance(scene, self._wall()), 25, ink(colours.accent), 16))
            self._opening = (scene, self._card(lines))
        return self._opening[1]

    def _closing_card(self, scene: Scene, coming: Coming) -> Sprite:
        if self._closing is None or self._closing[0] is not scene or self._closing[1] != coming:
            colours = self._look.theme.colours
            lines = [_Line("You heard", 23, ink(colours.text_faint), 0)]
            lines += [_Line(text, 44, ink(colours.text), 8, True) for text in self._title(scene.title, 44)]
            parts = (scene.caption, clock(scene.duration_s))
            lines.append(_Line(" · ".join(part for part in parts if part), 23, ink(colours.text_soft), 14))
            last = THANKS if coming.farewell else f"Next: {coming.text}" if coming.text else ""
            lines.append(_Line(last, 25, ink(colours.accent), 22))
            self._closing = (scene, coming, self._card(lines))
        return self._closing[2]

    def _ident_card(self, text: str) -> Sprite:
        if self._ident is None or self._ident[0] != text:
            colours = self._look.theme.colours
            lines = [_Line(line, 40, ink(colours.text), 6, True) for line in self._title(text, 40)]
            self._ident = (text, self._card(lines))
        return self._ident[1]

    def _title(self, title: str, px: float) -> list[str]:
        return self._look.lettering.lines(title, self._look.size(px), self._inner(), 2, bold=True)

    def _inner(self) -> float:
        """The widest that a line may be."""
        layout = self._look.layout
        return layout.width * (0.84 if layout.upright else 0.66)

    def _card(self, lines: list[_Line]) -> Sprite:
        look, type_, u = self._look, self._look.lettering, self._look.layout.unit
        room = look.layout.zone - look.layout.header - 16 * u
        shown = [line for line in lines if line.text]
        # In a low picture all of it is smaller rather than cut.
        needed = sum(look.size(line.px) * 1.12 + line.above * u for line in shown) + 56 * u
        scale = min(1.0, room / needed)
        sizes = [look.size(line.px) * scale for line in shown]
        texts = [
            type_.fit(line.text, size, self._inner(), bold=line.bold) for line, size in zip(shown, sizes, strict=True)
        ]
        widest = max(
            (type_.width(text, size, bold=line.bold) for text, size, line in zip(texts, sizes, shown, strict=True)),
            default=0.0,
        )
        width, height = widest + 96 * u, needed * scale
        colours = look.theme.colours

        def draw(canvas: skia.Canvas) -> None:
            rect = skia.Rect.MakeXYWH(1, 1, width - 2, height - 2)
            opacity = 1.0 if look.theme.transparent else 0.9
            canvas.drawRoundRect(rect, 14 * u, 14 * u, skia.Paint(AntiAlias=True, Color=ink(colours.card, opacity)))
            rule = skia.Paint(AntiAlias=True, Color=ink(colours.accent, 0.45), Style=skia.Paint.kStroke_Style)
            rule.setStrokeWidth(max(1.0, 1.5 * u))
            canvas.drawRoundRect(rect, 14 * u, 14 * u, rule)
            y = 26 * u * scale
            for line, text, size in zip(shown, texts, sizes, strict=True):
                y += line.above * u * scale + size * 1.12
                type_.draw(canvas, text, width / 2, y - size * 0.2, size, line.colour, bold=line.bold, align=0.5)

        return Sprite(round(width), round(height), draw)
