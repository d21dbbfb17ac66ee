"""The card of a poll: what is asked, a bar with votes for each choice, and the seconds that are left."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import skia

from streaming.picture.overlay import Look
from streaming.picture.sprite import Sheet, Sprite
from streaming.picture.theme import ink

# A card that nobody takes away goes by itself so long after the poll's end.
LINGERS_S = 15.0
_COMES_S = 0.4
MOST_CHOICES = 6


@dataclass(frozen=True, slots=True)
class Ballot:
    """A poll as the picture shows it.

    Attributes:
        title: what is asked, or what came of it.
        choices: as people read them.
        counts: votes for each.
        left_s: until its end, when it was told; 0: it is over.
        winner: the place of the choice that won; None: none did, or it is open.
        hint: how to vote.
    """

    title: str
    choices: tuple[str, ...]
    counts: tuple[int, ...]
    left_s: float = 0.0
    winner: int | None = None
    hint: str = ""


class PollCard:
    """Draws the card of a poll, anew only when a count or a second changes.

    Args:
        look: theme, type and layout.
        now_s: monotonic time.
    """

    def __init__(self, look: Look, now_s: Callable[[], float] = time.monotonic) -> None:
        self._look, self._now_s = look, now_s
        # Told by one thread, drawn by another: one assignment.
        self._told: tuple[Ballot, float, float] | None = None
        self._drawn: tuple[Ballot, int] | None = None
        self._sprite: Sprite | None = None

    def tell(self, ballot: Ballot | None) -> None:
        """Show a poll from now on, or none."""
        before, now_s = self._told, self._now_s()
        if ballot is None or not ballot.choices:
            self._told = None
            return
        self._told = (ballot, now_s, before[2] if before else now_s)

    def draw(self, sheet: Sheet) -> None:
        """Lay the card over the roll, while there is a poll."""
        told = self._told
        if told is None:
            self._drawn = self._sprite = None
            return
        ballot, at_s, since_s = told
        now_s = self._now_s()
        left_s = at_s + ballot.left_s - now_s
        # Whoever holds the poll is gone.
        if left_s < -LINGERS_S:
            self._told = None
            return
        key = (ballot, max(0, math.ceil(left_s)))
        if self._sprite is None or self._drawn != key:
            self._sprite, self._drawn = self._card(ballot, key[1]), key
        layout, sprite = self._look.layout, self._sprite
        room = layout.playhead - layout.header
        if sprite.height > room:
            return
        margin = round(18 * layout.unit)
        x = (layout.width - sprite.width) // 2 if layout.upright else layout.width - sprite.width - margin
        y = layout.header + min(margin, (room - sprite.height) // 2)
        sprite.lay(sheet, x - x % 2, y - y % 2, min(1.0, max(0.0, (now_s - since_s) / _COMES_S)))

    def _card(self, ballot: Ballot, left_s: int) -> Sprite:
        look, type_, u = self._look, self._look.lettering, self._look.layout.unit
        colours, layout = look.theme.colours, look.layout
        choices, counts = ballot.choices[:MOST_CHOICES], ballot.counts[:MOST_CHOICES]
        width = layout.width * (0.86 if layout.upright else 0.3)
        # In a low picture all of it is smaller rather than cut.
        rows = 62 + 50 * len(choices) + (30 if ballot.hint else 0)
        scale = min(1.0, (layout.playhead - layout.header - 12 * u) / (rows * u))
        v = u * scale
        title_px, name_px, hint_px = (look.size(px) * scale for px in (24, 22, 17))
        margin, inner, height = 20 * v, width - 40 * v, rows * v
        most = max(1, *counts)

        def draw(canvas: skia.Canvas) -> None:
            rect = skia.Rect.MakeXYWH(1, 1, width - 2, height - 2)
            opacity = 1.0 if look.theme.transparent else 0.92
            canvas.drawRoundRect(rect, 12 * v, 12 * v, skia.Paint(AntiAlias=True, Color=ink(colours.card, opacity)))
            clock = f"{left_s} s" if ballot.left_s > 0 else ""
            column = type_.width("00 s ", title_px, bold=True) if clock else 0.0
            title = type_.fit(ballot.title, title_px, inner - column, bold=True)
            type_.draw(canvas, title, margin, 36 * v, title_px, ink(colours.text), bold=True)
            type_.draw(canvas, clock, width - margin, 36 * v, title_px, ink(colours.accent), bold=True, align=1)
            y = 54 * v
            for place, (name, count) in enumerate(zip(choices, counts, strict=True)):
                won = place == ballot.winner
                lost = ballot.winner is not None and not won
                votes = f"{count}"
                room = inner - type_.width(f" {votes}", name_px, bold=won)
                text = type_.fit(f"{place + 1}  {name}", name_px, room, bold=won)
                colour = ink(colours.text_faint if lost else colours.text)
                type_.draw(canvas, text, margin, y + 24 * v, name_px, colour, bold=won)
                type_.draw(canvas, votes, width - margin, y + 24 * v, name_px, colour, bold=won, align=1)
                bar = skia.Rect.MakeXYWH(margin, y + 32 * v, inner, 8 * v)
                canvas.drawRoundRect(bar, 4 * v, 4 * v, _paint(ink(colours.text_faint, 0.3)))
                if count:
                    part = skia.Rect.MakeXYWH(margin, y + 32 * v, max(8 * v, inner * count / most), 8 * v)
                    canvas.drawRoundRect(part, 4 * v, 4 * v, _paint(ink(colours.accent, 0.35 if lost else 1.0)))
                y += 50 * v
            hint = type_.fit(ballot.hint, hint_px, inner)
            type_.draw(canvas, hint, margin, y + 18 * v, hint_px, ink(colours.text_soft))

        return Sprite(round(width), round(height), draw)


def _paint(colour: int) -> skia.Paint:
    return skia.Paint(AntiAlias=True, Color=colour)
