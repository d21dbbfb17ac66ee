"""Where the parts of a picture lie, upright or lying, at any size."""

from __future__ import annotations

import math
from dataclasses import dataclass

from streaming.errors import StreamingError
from streaming.picture.theme import Measures

# What themes are measured in: the short side of a picture, and the long one.
SHORT_PX, LONG_PX = 720, 1280
LEAST_WIDTH, LEAST_HEIGHT = 160, 90
# Upright there is width for little, and height for more lines.
_UPRIGHT_HEADER = 1.62
_UPRIGHT_FOOTER = 1.9
_UPRIGHT_KEYBOARD = 1.2
# Upright, notes are seen coming for so much longer.
_UPRIGHT_AHEAD = 1.3
# The height of the roll that a theme's speed is meant for.
_ROLL_PX = 476


def even(value: float) -> int:
    """Return the nearest even whole number: where luma and half-size chroma can both begin."""
    return 2 * round(value / 2)


@dataclass(frozen=True, slots=True)
class Layout:
    """Places in pixels, from top to bottom: header, roll, keyboard, footer.

    Attributes:
        width, height: of the picture.
        unit: a theme's pixel.
        upright: whether the picture is higher than wide.
        header, keyboard, footer: heights.
        playhead: y where notes arrive at the keyboard.
        zone: y from where on the roll is lit.
        step: pixels that the roll moves at a time, and `every` how many pictures.
        pixels_per_s: how far the roll moves in a second.
        type: size of words.
    """

    width: int
    height: int
    unit: float
    upright: bool
    header: int
    keyboard: int
    footer: int
    playhead: int
    zone: int
    step: int
    every: int
    pixels_per_s: float
    type: float

    @classmethod
    def of(cls, width: int, height: int, fps: int, measures: Measures) -> Layout:
        """Return the layout of a picture.

        Args:
            width: pixels, even.
            height: pixels, even.
            fps: pictures a second; the roll moves by the same whole number of pixels each time.
            measures: of the theme.

        Raises:
            StreamingError: the size is odd or too small to draw in.
        """
        if width % 2 or height % 2 or width < LEAST_WIDTH or height < LEAST_HEIGHT:
            raise StreamingError(
                f"a picture must be even in width and height, at least {LEAST_WIDTH}x{LEAST_HEIGHT},"
                f" not {width}x{height} - try {max(LEAST_WIDTH, even(width))}x{max(LEAST_HEIGHT, even(height))}"
            )
        upright = height > width
        unit = min(width / SHORT_PX, height / LONG_PX) if upright else min(width / LONG_PX, height / SHORT_PX)
        header = even(measures.header * unit * (_UPRIGHT_HEADER if upright else 1))
        footer = even(measures.footer * unit * (_UPRIGHT_FOOTER if upright else 1))
        keyboard = even(measures.keyboard * unit * (_UPRIGHT_KEYBOARD if upright else 1))
        playhead = height - footer - keyboard
        ahead = (playhead - header) / _ROLL_PX / (_UPRIGHT_AHEAD if upright else 1)
        step, every = _stride(measures.speed * max(ahead, 0.1) / fps)
        return cls(
            width=width,
            height=height,
            unit=unit,
            upright=upright,
            header=header,
            keyboard=keyboard,
            footer=footer,
            playhead=playhead,
            zone=max(header, playhead - even(88 * unit)),
            step=step,
            every=every,
            pixels_per_s=step * fps / every,
            type=measures.type,
        )


def _stride(wanted: float) -> tuple[int, int]:
    """Return by how many pixels the roll moves at a time, and in how many pictures, to be near so many pixels each.

    Even pixels: luma and chroma move together, and no step is longer than another.
    """
    slow = [(2, every) for every in range(2, 6)]
    steps = [(step, 1) for step in range(2, 66, 2)]
    return min(slow + steps, key=lambda stride: abs(math.log(stride[0] / stride[1] / wanted)))
