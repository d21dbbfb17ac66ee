"""Pictures as I420, BT.709, limited range: what the encoder and OBS take."""

from __future__ import annotations

import av
import numpy as np
from numpy.typing import NDArray

# Luma weights of BT.709 (ITU-R BT.709-6, 3.2).
_RED, _GREEN, _BLUE = 0.2126, 0.7152, 0.0722


class Planes:
    """An I420 picture and its three planes as views: `y` [height, width], `u` and `v` half of both."""

    def __init__(self, height: int, width: int) -> None:
        self.array: NDArray[np.uint8] = np.empty((height * 3 // 2, width), np.uint8)
        quarter = height * width // 4
        chroma = self.array[height:].reshape(-1)
        self.y = self.array[:height]
        self.u = chroma[:quarter].reshape(height // 2, width // 2)
        self.v = chroma[quarter:].reshape(height // 2, width // 2)

    def paste(self, other: Planes, row: int, first: int, count: int) -> None:
        """Copy `count` rows of another picture of the same width, from its row `first`, to `row`; all even."""
        self.y[row : row + count] = other.y[first : first + count]
        half = slice(row // 2, (row + count) // 2)
        other_half = slice(first // 2, (first + count) // 2)
        self.u[half] = other.u[other_half]
        self.v[half] = other.v[other_half]

    def fill(self, left: int, top: int, right: int, bottom: int, colour: tuple[int, int, int]) -> None:
        """Fill a rectangle with a colour; all edges even."""
        y, u, v = yuv(colour)
        self.y[top:bottom, left:right] = y
        chroma = (slice(top // 2, bottom // 2), slice(left // 2, right // 2))
        self.u[chroma] = u
        self.v[chroma] = v


def yuv(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return Y (16-235), U and V (16-240) of an RGB colour (0-255)."""
    red, green, blue = (c / 255 for c in colour)
    luma = _RED * red + _GREEN * green + _BLUE * blue
    u, v = (blue - luma) / (2 * (1 - _BLUE)), (red - luma) / (2 * (1 - _RED))
    return round(16 + 219 * luma), round(128 + 224 * u), round(128 + 224 * v)


def from_rgba(rgba: NDArray[np.uint8], planes: Planes, row: int = 0) -> None:
    """Convert rows of an RGBA picture.

    Args:
        rgba: uint8 [rows, width, 4], contiguous, rows and width even; alpha is ignored.
        planes: written from `row` on.
        row: even.
    """
    rows = len(rgba)
    frame = av.VideoFrame.from_numpy_buffer(rgba, "rgba")
    # Without a word libswscale takes BT.601.
    out = frame.reformat(
        format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", interpolation="POINT", threads=1
    )
    targets = (
        planes.y[row : row + rows],
        planes.u[row // 2 : (row + rows) // 2],
        planes.v[row // 2 : (row + rows) // 2],
    )
    for plane, target in zip(out.planes, targets, strict=True):
        source = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        target[:] = source[: target.shape[0], : target.shape[1]]


def to_rgb(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture as a viewer's player shows it.

    Args:
        picture: I420 uint8 [height * 3 // 2, width], BT.709, limited range.

    Returns:
        RGB uint8 [height, width, 3].
    """
    frame = av.VideoFrame.from_ndarray(picture, "yuv420p")
    found: NDArray[np.uint8] = np.asarray(
        frame.to_ndarray(format="rgb24", src_colorspace="ITU709", src_color_range="MPEG"), np.uint8
    )
    return found
