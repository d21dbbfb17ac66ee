"""What is heard, in the footer: the spectrum as bars, and the level beside it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streaming.picture.i420 import Planes, yuv
from streaming.picture.layout import even
from streaming.picture.overlay import Look
from streaming.picture.theme import Colours, Rgb, mix
from streaming.timeline import SAMPLE_RATE

# The level strip shows this much below full scale.
LEVEL_FLOOR_DB = -48.0
LEVEL_STEPS = 24
BANDS = 28
LOWEST_HZ, HIGHEST_HZ = 45.0, 12_000.0
# A band shows this much; music falls with frequency, and is lifted by as much to fill the strip.
_SPAN_DB, _TILT_DB = 52.0, 3.0
_TOP_DB = -3.0
_WINDOW = 2048
# Bars rise at once and fall at this rate.
_FALL_PER_S = 1.6


def level_steps(level_db: float | None) -> int:
    """Return how many steps of the level strip are lit (0 to `LEVEL_STEPS`)."""
    # Written so that NaN is dark too.
    if level_db is None or not level_db > LEVEL_FLOOR_DB:
        return 0
    return round(min(1.0, 1 - level_db / LEVEL_FLOOR_DB) * LEVEL_STEPS)


def level_colour(colours: Colours, step: int, lit: int) -> Rgb:
    """Return the colour of a step of the level strip; from -10 dB and from -4 dB on it is another."""
    db = LEVEL_FLOOR_DB * (1 - (step + 1) / LEVEL_STEPS)
    colour = colours.high if db > -4 else colours.middle if db > -10 else colours.low
    return colour if step < lit else mix(colours.panel, colour, 0.2)


class Spectrum:
    """The loudness of bands of pitch, as the eye follows it.

    Args:
        fps: how often `hear` is called a second.
    """

    def __init__(self, fps: int) -> None:
        self._heard = np.zeros(_WINDOW, np.float32)
        self._window = np.hanning(_WINDOW).astype(np.float32)
        edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1) * _WINDOW / SAMPLE_RATE
        # Below, several bands share a line of the transform; each has at least one.
        self._first = np.floor(edges[:-1]).astype(int)
        self._edges = np.maximum(self._first + 1, np.ceil(edges[1:]).astype(int))
        octaves = np.log2(np.geomspace(1.0, HIGHEST_HZ / LOWEST_HZ, BANDS))
        self._lift_db = _TILT_DB * octaves
        self._fall = _FALL_PER_S / fps
        self._total = np.zeros(_WINDOW // 2 + 2)
        self.bands = np.zeros(BANDS)

    def hear(self, sound: NDArray[np.float32] | None) -> NDArray[np.float64]:
        """Follow the sound; return the height of each band, 0 to 1.

        Args:
            sound: of one picture, float32 [n, 2]; None: silence.
        """
        if sound is None or not len(sound):
            sound = np.zeros((SAMPLE_RATE // 30, 2), np.float32)
        new = sound[-_WINDOW:]
        keep = _WINDOW - len(new)
        self._heard[:keep] = self._heard[len(new) :]
        np.add(new[:, 0], new[:, 1], out=self._heard[keep:])
        lines = np.fft.rfft(self._heard * self._window)
        # Sums of neighbouring lines as differences of one running sum.
        np.cumsum(lines.real**2 + lines.imag**2, out=self._total[1:])
        bands = self._total[self._edges] - self._total[self._first]
        if not np.isfinite(self._total[-1]):
            self._heard[:] = bands[:] = 0
        bands = np.maximum(bands, 0) * (2 / _WINDOW) ** 2 + 1e-12
        heights = (10 * np.log10(bands) + self._lift_db - _TOP_DB) / _SPAN_DB + 1
        self.bands = np.clip(np.maximum(heights, self.bands - self._fall), 0.0, 1.0)
        return self.bands


class Meters:
    """Draws spectrum and level into the footer, only what changes.

    Args:
        look: theme, type and layout.
    """

    def __init__(self, look: Look) -> None:
        layout, self._colours = look.layout, look.theme.colours
        u = layout.unit
        self._level: int | None = None
        row = even(layout.footer / 2) if layout.upright else layout.footer
        top = layout.height - row
        self.height = even(row * 0.62)
        self.top = even(top + (row - self.height) / 2)
        self._step, self._size = max(4, even(6 * u)), max(2, even(8 * u))
        self.right = even(layout.width - 26 * u)
        self._level_left = self.right - LEVEL_STEPS * self._step
        self._level_top = even(top + (row - self._size) / 2)
        self._bar = max(4, even(6 * u)) if look.theme.measures.spectrum else 0
        self.left = self._level_left - (BANDS * self._bar + even(18 * u) if self._bar else 0)
        if layout.upright and self._bar:
            # The row is theirs alone.
            self._bar = max(4, 2 * math.floor((self._level_left - 26 * u - even(18 * u)) / BANDS / 2))
            self.left = even(26 * u)
        self._mask = np.arange(BANDS * self._bar) % max(1, self._bar) < self._bar - 2
        self._rows = np.arange(self.height)[::-1, None]
        # Of each plane: which, how much smaller, the colours of bars from top to bottom, and of what is behind.
        soft = mix(self._colours.panel, self._colours.accent, 0.55)
        lower, upper, dark = yuv(soft), yuv(self._colours.accent), yuv(self._colours.panel)
        self._tints = [
            (
                plane,
                half,
                np.linspace(upper[plane], lower[plane], self.height // half)[:, None].astype(np.uint8),
                np.uint8(dark[plane]),
            )
            for plane, half in ((0, 1), (1, 2), (2, 2))
        ]
        self._fits = layout.footer > 0 and self.left > 0 and self.height >= 4

    def forget(self) -> None:
        """Draw everything anew the next time: the footer was drawn over."""
        self._level = None

    def draw(self, planes: Planes, level_db: float | None, bands: NDArray[np.float64]) -> None:
        """Draw both.

        Args:
            planes: of the picture.
            level_db: of the sound; None leaves the strip dark.
            bands: heights of `Spectrum`, 0 to 1.
        """
        if not self._fits:
            return
        self._draw_level(planes, level_steps(level_db))
        if self._bar:
            self._draw_bands(planes, bands)

    def _draw_level(self, planes: Planes, lit: int) -> None:
        before = self._level
        changed = range(LEVEL_STEPS) if before is None else range(min(before, lit), max(before, lit))
        self._level = lit
        for index in changed:
            x, y = self._level_left + index * self._step, self._level_top
            colour = level_colour(self._colours, index, lit)
            planes.fill(x, y, x + self._step - 2, y + self._size, colour)

    def _draw_bands(self, planes: Planes, bands: NDArray[np.float64]) -> None:
        # At least a line, so that silence is seen as silence.
        heights = np.repeat(np.maximum(2, 2 * np.round(bands * self.height / 2)), self._bar)
        lit = (self._rows < heights) & self._mask
        for plane, half, ramp, dark in self._tints:
            part = (planes.y, planes.u, planes.v)[plane][
                self.top // half : (self.top + self.height) // half,
                self.left // half : (self.left + len(self._mask)) // half,
            ]
            part[:] = np.where(lit[::half, ::half], ramp, dark)
