"""The words around the roll: title, time, style, what comes next, and who plays."""

from __future__ import annotations

from dataclasses import dataclass

import skia

from streaming.picture.layout import Layout
from streaming.picture.lettering import Lettering
from streaming.picture.scene import Coming, Scene, Shares
from streaming.picture.theme import Rgb, Theme, ink, mix

MARGIN = 26


@dataclass(frozen=True, slots=True)
class Look:
    """What all that is drawn goes by: the theme, its type, and where things lie."""

    theme: Theme
    lettering: Lettering
    layout: Layout

    def size(self, px: float) -> float:
        """Return a size of type in pixels of the picture; so small that nobody could read it, it is larger."""
        return max(px * self.layout.unit * self.layout.type, 10.0)


def clock(seconds: float) -> str:
    """Return a time as `m:ss`, or `h:mm:ss` from an hour on."""
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def coming_line(coming: Coming, left_s: float | None) -> str:
    """Return the line about what comes next.

    Args:
        coming: what.
        left_s: seconds until what plays is over; None: nothing plays that has an end.
    """
    if not coming.text:
        return ""
    if 0 < coming.ready < 1:
        return f"Next: {coming.text} · composing {coming.ready:.0%}"
    if coming.gap_s is None or left_s is None or not coming.ready:
        return f"Next: {coming.text}"
    return f"Next: {coming.text} in {clock(max(0.0, left_s + coming.gap_s) + 0.999)}"


def draw_header(
    canvas: skia.Canvas, look: Look, *, scene: Scene, elapsed_s: float, coming: str, shares: Shares = ()
) -> None:
    """Draw title, caption or styles, time and what comes next: two lines, or three of an upright picture.

    Args:
        canvas: in picture coordinates.
        look: theme, type and layout.
        scene: whose title.
        elapsed_s: seconds since the piece began.
        coming: a line about what comes next, or empty.
        shares: of the styles in force, where there are several.
    """
    layout, type_, colours = look.layout, look.lettering, look.theme.colours
    u = layout.unit
    panel(canvas, look, skia.Rect.MakeWH(layout.width, layout.header))
    left, right = MARGIN * u, layout.width - MARGIN * u
    rows = 155.5 if layout.upright else 96
    stretch = layout.header / (rows * u) if layout.header else 1
    first, second, third = (y * u * stretch for y in ((50, 92, 128) if layout.upright else (45, 78, 78)))
    title_px, small_px, time_px = map(look.size, (38, 24, 24) if layout.upright else (34, 20, 22))
    times = clock(elapsed_s), f"−{clock(max(0.0, scene.duration_s - elapsed_s) + 0.999)}"
    column = type_.width("−00:00", time_px)
    type_.draw(canvas, times[1], right, first, time_px, ink(colours.text_soft), align=1)
    type_.draw(canvas, times[0], right - column - 12 * u, first, time_px, ink(colours.text), align=1)
    room = right - 2 * column - 12 * u - left - MARGIN * u
    title = type_.fit(scene.title, title_px, room, bold=True)
    type_.draw(canvas, title, left, first, title_px, ink(colours.text), bold=True)
    room = right - left
    if layout.upright:
        shown = type_.fit(coming, small_px, room)
        type_.draw(canvas, shown, left, third, small_px, ink(colours.accent))
    else:
        shown = type_.fit(coming, small_px, layout.width * 0.46)
        type_.draw(canvas, shown, right, second, small_px, ink(colours.accent), align=1)
        room -= type_.width(shown, small_px) + MARGIN * u
    if len(shares) > 1 or (shares and scene.is_blend):
        draw_shares(canvas, look, shares, skia.Rect.MakeXYWH(left, second - small_px, room, small_px))
    else:
        type_.draw(canvas, type_.fit(scene.caption, small_px, room), left, second, small_px, ink(colours.text_soft))


def draw_shares(canvas: skia.Canvas, look: Look, shares: Shares, rect: skia.Rect) -> None:
    """Draw each style with its share, and a bar that is divided as they are; `rect` stands on the baseline."""
    colours, type_, u = look.theme.colours, look.lettering, look.layout.unit
    size, y = rect.height(), rect.bottom()
    tints = [mix(colours.accent, colours.text_faint, i / max(1, len(shares) - 1)) for i in range(len(shares))]
    words = [f"{name.replace('_', ' ')} {share:.0%}" for name, share in shares]
    width = sum(type_.width(word, size) for word in words) + (len(words) - 1) * 18 * u
    bar = min(180 * u, rect.width() - width - 16 * u)
    x = rect.left()
    if bar > 40 * u:
        thick, start = 8 * u, x
        for (_, share), tint in zip(shares, tints, strict=True):
            part = skia.Rect.MakeXYWH(start, y - size * 0.36 - thick / 2, max(0.0, bar * share - 2 * u), thick)
            canvas.drawRoundRect(part, thick / 3, thick / 3, skia.Paint(AntiAlias=True, Color=ink(tint)))
            start += bar * share
        x += bar + 16 * u
    for word, tint in zip(words, tints, strict=True):
        shown = type_.fit(word, size, rect.right() - x)
        type_.draw(canvas, shown, x, y, size, ink(mix(tint, colours.text, 0.45)))
        x += type_.width(shown, size) + 18 * u


def draw_legend(canvas: skia.Canvas, look: Look, rect: skia.Rect, instruments: tuple[str, ...]) -> None:
    """Draw a dot and a name for each instrument; what does not fit is left out, the least used first.

    Args:
        canvas: in picture coordinates.
        look: theme, type and layout.
        rect: where there is room.
        instruments: by name.
    """
    u, wanted = look.layout.unit, min(look.size(18), rect.height() * 0.62)
    # Many instruments stand closer, then smaller, then in two rows.
    for size in (wanted, wanted * 0.82, wanted * 0.66):
        if _legend_row(canvas, look, rect, instruments, size, 8 * u):
            return
    half, middle = (len(instruments) + 1) // 2, rect.centerY()
    upper = skia.Rect.MakeLTRB(rect.left(), rect.top() + rect.height() * 0.1, rect.right(), middle)
    lower = skia.Rect.MakeLTRB(rect.left(), middle, rect.right(), rect.bottom() - rect.height() * 0.1)
    size = min(wanted * 0.74, rect.height() * 0.36)
    for row, names in ((upper, instruments[:half]), (lower, instruments[half:])):
        _legend_row(canvas, look, row, names, size, None)


def _legend_row(
    canvas: skia.Canvas, look: Look, rect: skia.Rect, names: tuple[str, ...], size: float, least_gap: float | None
) -> bool:
    """Draw a row of the legend and return true, or draw nothing where the names stand too close."""
    u, type_ = look.layout.unit, look.lettering
    widths = [1.02 * size + type_.width(name, size) for name in names]
    gap = min(24 * u, (rect.width() - sum(widths)) / max(1, len(widths) - 1))
    if least_gap is not None and gap < least_gap:
        return False
    x, y, dot = rect.left(), rect.centerY(), size * 0.62
    for name, width in zip(names, widths, strict=True):
        if x + width > rect.right() + 1:
            break
        paint = skia.Paint(AntiAlias=True, Color=ink(look.theme.instrument(name)))
        canvas.drawRoundRect(skia.Rect.MakeXYWH(x, y - dot / 2, dot, dot), dot * 0.3, dot * 0.3, paint)
        soft = ink(look.theme.colours.text_soft)
        type_.draw(canvas, name, x + 1.02 * size, y + size * 0.36, size, soft)
        x += width + max(gap, 3 * u)
    return True


def panel(canvas: skia.Canvas, look: Look, rect: skia.Rect, colour: Rgb | None = None) -> None:
    """Fill what words stand on."""
    canvas.drawRect(rect, skia.Paint(Color=ink(colour or look.theme.colours.panel)))
