"""A calibration aid: the picture's number and a flash on every second, drawn into the picture.

With them a machine reads from a recording which picture it sees, and how far sound and picture are apart. The marks
are large and black or white, so that they outlive a strong compression.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streaming.timeline import SAMPLE_RATE

BITS = 16
FLASH_FRAMES = 2
# Limited range; kept off its ends, where a codec rings.
_BLACK, _WHITE, _GREY = 24, 226, 128

Picture = npt.NDArray[np.uint8]


def stamp(picture: Picture, index: int, sample: int, *, fps: int) -> Picture:
    """Return a copy with 16 squares along the bottom (the index, lowest bit left) and the flash, top right.

    Args:
        picture: I420 uint8 [height * 3 // 2, width].
        index: number of the picture; the lowest 16 bits are shown.
        sample: the picture's first sample; the flash shows for the first 2 pictures of every second.
        fps: pictures per second.
    """
    out = picture.copy()
    height, width = out.shape[0] * 2 // 3, out.shape[1]
    bottom, square = _geometry(height, width)
    bits = (index >> np.arange(BITS)) & 1
    levels = np.where(bits, _WHITE, _BLACK).astype(np.uint8)
    row = np.repeat(levels, square)
    out[bottom:height, : len(row)] = row
    out[bottom:height, len(row) :] = _BLACK
    flash = sample % SAMPLE_RATE < FLASH_FRAMES * SAMPLE_RATE // fps
    side = _flash_side(height)
    out[:side, width - side : width] = _WHITE if flash else _BLACK
    _colourless(out, height, bottom, height, 0, width)
    _colourless(out, height, 0, side, width - side, width)
    return out


def read_stamp(luma: Picture) -> int:
    """Return the index that a picture's squares show (0 to 65535).

    Args:
        luma: uint8 [height, width] of the whole picture.
    """
    height, width = luma.shape
    bottom, square = _geometry(height, width)
    middle = (bottom + height) // 2
    index = 0
    for bit in range(BITS):
        x = bit * square + square // 2
        if luma[middle - 2 : middle + 2, x - 2 : x + 2].mean() > _GREY:
            index |= 1 << bit
    return index


def read_flash(luma: Picture) -> bool:
    """Return whether a picture shows the flash.

    Args:
        luma: uint8 [height, width] of the whole picture.
    """
    height, width = luma.shape
    side = _flash_side(height)
    inner = luma[side // 4 : side * 3 // 4, width - side * 3 // 4 : width - side // 4]
    return bool(inner.mean() > _GREY)


def _geometry(height: int, width: int) -> tuple[int, int]:
    """Return the first row of the squares and their width, in pixels."""
    return height - max(8, height // 18 & ~1), width // BITS


def _flash_side(height: int) -> int:
    return max(16, height // 8 & ~1)


def _colourless(picture: Picture, height: int, top: int, bottom: int, left: int, right: int) -> None:
    """Make a rectangle grey in both chroma planes."""
    width = picture.shape[1]
    chroma = picture[height:].reshape(2, height // 2, width // 2)
    chroma[:, top // 2 : bottom // 2, left // 2 : right // 2] = 128
