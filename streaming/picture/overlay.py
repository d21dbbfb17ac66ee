"""The words and figures around the roll: title, time, what comes next, legend, level, slate."""

from __future__ import annotations

import skia

from streaming.picture import theme
from streaming.picture.scene import Scene

# The level strip shows this much below full scale.
LEVEL_FLOOR_DB = -48.0
LEVEL_STEPS = 24


def clock(seconds: float) -> str:
    """Return a time as `m:ss`, or `h:mm:ss` from an hour on."""
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def draw_header(
    canvas: skia.Canvas, width: int, height: int, *, scene: Scene, elapsed_s: float, next_text: str
) -> None:
    """Draw title and caption at the left, time and what comes next at the right.

    Args:
        canvas: in picture coordinates.
        width: of the picture, in pixels.
        height: of the header, in pixels.
        scene: whose title.
        elapsed_s: seconds since the piece began.
        next_text: a line, or empty.
    """
    unit = height / 84
    _panel(canvas, skia.Rect.MakeWH(width, height))
    margin = 26 * unit
    left_s = max(0.0, scene.duration_s - elapsed_s)
    times = clock(elapsed_s), f"−{clock(left_s + 0.999)}"
    size = 20 * unit
    right = width - margin
    theme.draw_text(canvas, times[1], right, 36 * unit, size, theme.ink(theme.TEXT_SOFT), align=1)
    column = theme.text_width("−00:00", size)
    theme.draw_text(canvas, times[0], right - column - 16 * unit, 36 * unit, size, theme.ink(theme.TEXT), align=1)
    next_size = max(15 * unit, 10.0)
    shown = theme.fit(next_text, next_size, width * 0.4)
    theme.draw_text(canvas, shown, right, 64 * unit, next_size, theme.ink(theme.ACCENT), align=1)
    room = right - 2 * column - 16 * unit - 2 * margin
    title = theme.fit(scene.title, 30 * unit, room, bold=True)
    theme.draw_text(canvas, title, margin, 40 * unit, 30 * unit, theme.ink(theme.TEXT), bold=True)
    room = right - theme.text_width(shown, next_size) - 2 * margin
    size = max(16 * unit, 10.0)
    caption = theme.fit(scene.caption, size, room)
    theme.draw_text(canvas, caption, margin, 65 * unit, size, theme.ink(theme.TEXT_SOFT))


def draw_legend(canvas: skia.Canvas, rect: skia.Rect, instruments: tuple[str, ...]) -> None:
    """Draw a dot and a name for each instrument; what does not fit is left out, the least used first."""
    _panel(canvas, rect)
    unit = rect.height() / 34
    x, y, size = rect.left() + 26 * unit, rect.centerY(), max(14.5 * unit, 8.5)
    room = rect.left() + rect.width() * 0.825 - x
    widths = [17 * unit + theme.text_width(name, size) for name in instruments]
    # Many instruments stand closer.
    gap = min(24 * unit, max(6 * unit, (room - sum(widths)) / max(1, len(widths) - 1)))
    right = x + room
    for name, width in zip(instruments, widths, strict=True):
        if x + width > right:
            break
        paint = skia.Paint(AntiAlias=True, Color=theme.ink(theme.instrument_colour(name)))
        canvas.drawRoundRect(skia.Rect.MakeXYWH(x, y - 5 * unit, 10 * unit, 10 * unit), 3 * unit, 3 * unit, paint)
        theme.draw_text(canvas, name, x + 17 * unit, y + size * 0.35, size, theme.ink(theme.TEXT_SOFT))
        x += width + gap


def draw_slate(canvas: skia.Canvas, width: int, top: int, bottom: int, text: str) -> None:
    """Draw the empty stage with a line of text in its middle.

    Args:
        canvas: in picture coordinates.
        width: of the picture, in pixels.
        top: y of the upper edge.
        bottom: y of the lower edge.
        text: what to tell the audience.
    """
    unit = (bottom - top) / 582
    canvas.drawRect(skia.Rect.MakeLTRB(0, top, width, bottom), skia.Paint(Color=theme.ink(theme.BACKGROUND)))
    middle = skia.Point(width / 2, (top + bottom) / 2)
    haze = skia.GradientShader.MakeRadial(
        middle, width * 0.42, [theme.ink(theme.SLATE_HAZE), theme.ink(theme.BACKGROUND)]
    )
    canvas.drawRect(skia.Rect.MakeLTRB(0, top, width, bottom), skia.Paint(Shader=haze, Dither=True))
    size = 42 * unit
    while size > 16 * unit and theme.text_width(text, size) > width * 0.86:
        size *= 0.92
    shown = theme.fit(text, size, width * 0.9)
    theme.draw_text(canvas, shown, middle.x(), middle.y() + size * 0.3, size, theme.ink(theme.TEXT), align=0.5)
    rule = skia.Rect.MakeXYWH(middle.x() - 36 * unit, middle.y() + size * 0.3 + 30 * unit, 72 * unit, 2 * unit)
    canvas.drawRect(rule, skia.Paint(AntiAlias=True, Color=theme.ink(theme.ACCENT, 0.8)))


def level_steps(level_db: float | None) -> int:
    """Return how many steps of the level strip are lit (0 to `LEVEL_STEPS`)."""
    # Written so that NaN is dark too.
    if level_db is None or not level_db > LEVEL_FLOOR_DB:
        return 0
    return round(min(1.0, 1 - level_db / LEVEL_FLOOR_DB) * LEVEL_STEPS)


def level_colour(step: int, lit: int) -> theme.Rgb:
    """Return the colour of a step of the level strip: green, amber near the top, red in the last 4 dB."""
    db = LEVEL_FLOOR_DB * (1 - (step + 1) / LEVEL_STEPS)
    colour = (222, 84, 60) if db > -4 else (232, 186, 80) if db > -10 else (84, 176, 140)
    return colour if step < lit else theme.mix(theme.PANEL, colour, 0.16)


def _panel(canvas: skia.Canvas, rect: skia.Rect) -> None:
    canvas.drawRect(rect, skia.Paint(Color=theme.ink(theme.PANEL)))
