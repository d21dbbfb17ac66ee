"""Small pictures with see-through parts, laid over an I420 picture plane by plane."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import skia
from numpy.typing import NDArray

from streaming.picture.i420 import Planes, from_rgba

_UNSCALED = skia.SamplingOptions()


class Sheet:
    """The planes of a picture as things to draw on.

    Args:
        planes: of the picture; drawn into.
    """

    def __init__(self, planes: Planes) -> None:
        self.planes = planes
        self.y, self.u, self.v = (
            skia.Canvas(plane.reshape(*plane.shape, 1), colorType=skia.kGray_8_ColorType)
            for plane in (planes.y, planes.u, planes.v)
        )


class Sprite:
    """A picture with opacity, ready to be laid over others.

    Args:
        width: pixels; made even.
        height: pixels; made even.
        draw: draws it on a clear canvas.
    """

    def __init__(self, width: int, height: int, draw: Callable[[skia.Canvas], None]) -> None:
        self.width, self.height = width + width % 2, height + height % 2
        # A surface keeps colours multiplied by their opacity, which a canvas over an array does not.
        surface = skia.Surface.MakeRaster(
            skia.ImageInfo.Make(self.width, self.height, skia.kRGBA_8888_ColorType, skia.kPremul_AlphaType)
        )
        canvas = surface.getCanvas()
        canvas.clear(0)
        draw(canvas)
        pixels = np.empty((self.height, self.width, 4), np.uint8)
        surface.readPixels(
            skia.ImageInfo.Make(self.width, self.height, skia.kRGBA_8888_ColorType, skia.kPremul_AlphaType),
            pixels,
            self.width * 4,
            0,
            0,
        )
        planes = Planes(self.height, self.width)
        from_rgba(pixels, planes)
        alpha = pixels[..., 3]
        quarter = alpha.reshape(self.height // 2, 2, self.width // 2, 2).mean(axis=(1, 3), dtype=np.float32)
        half = quarter.astype(np.uint8)
        self._y = _image(planes.y, alpha, 16)
        self._u, self._v = _image(planes.u, half, 128), _image(planes.v, half, 128)

    def lay(self, sheet: Sheet, x: int, y: int, opacity: float = 1.0) -> None:
        """Lay it over a picture.

        Args:
            sheet: of the picture.
            x: of the left edge; even.
            y: of the upper edge; even.
            opacity: 0 to 1.
        """
        paint = skia.Paint()
        paint.setAlphaf(opacity)
        sheet.y.drawImage(self._y, x, y, _UNSCALED, paint)
        sheet.u.drawImage(self._u, x // 2, y // 2, _UNSCALED, paint)
        sheet.v.drawImage(self._v, x // 2, y // 2, _UNSCALED, paint)


def _image(plane: NDArray[np.uint8], alpha: NDArray[np.uint8], zero: int) -> skia.Image:
    """A plane of colours that were multiplied by their opacity, with that opacity.

    The conversion to YUV added all of `zero` where only a share of it belongs: p' = p - zero * (1 - a).
    """
    share = alpha.astype(np.int16)
    value = plane.astype(np.int16) - zero + (zero * share + 127) // 255
    out = np.empty((*plane.shape, 4), np.uint8)
    out[..., :3] = np.clip(value, 0, share)[..., None]
    out[..., 3] = alpha
    return skia.Image.fromarray(out, skia.kRGBA_8888_ColorType, skia.kPremul_AlphaType)
