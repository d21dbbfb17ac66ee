"""The picture as it was when somebody looked at it and found it good, compared by structure and not by bytes.

After a change that is meant, look at what `python -m tests.streaming.picture.test_golden` draws anew.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import skia
from numpy.typing import NDArray

from model.notes import Note, TempoMark
from streaming.picture.pianoroll import PianoRoll
from streaming.picture.scene import Coming, Origin, Scene
from streaming.picture.themefile import read_theme

GOLDEN = Path(__file__).parent / "golden"
BLOCK = 8
# Type is hinted a little differently from one machine to the next; more than that is another picture.
LEAST_MEAN, LEAST_BLOCK_ROW = 0.93, 0.80

VOICES = ("piano", "violin", "cello")
NOTES = (
    *sorted(
        Note(round(0.25 * i, 2), 48 + (i * 7) % 36, VOICES[i % 3], 0.2 + 0.15 * (i % 4), 60 + i % 60)
        for i in range(240)
    ),
    Note(60.0, 60, "piano", 0.5, 90),
)
PIECE = Scene(
    7, "Nocturne", "in the style of chopin · piano, violin, cello", NOTES, (TempoMark(0, 120),), 60.0,
    origin=Origin(1000.0),
)  # fmt: skip
BLEND = Scene(
    8, "The River", "", NOTES, (TempoMark(0, 96),), 60.0, styles=((0.0, (("bach", 1.0),)), (60.0, (("jazz", 1.0),)))
)
COMING = Coming("Lamplight", 1.0)

# Name to theme, size, scene, moment, what comes.
PICTURES: dict[str, tuple[str, tuple[int, int], Scene | None, float, Coming]] = {
    "dark": ("dark", (426, 240), PIECE, 20.0, COMING),
    "dark-opening": ("dark", (426, 240), PIECE, 2.0, COMING),
    "dark-closing": ("dark", (426, 240), PIECE, 59.0, Coming(farewell="First Light")),
    "dark-slate": ("dark", (426, 240), None, 12.0, Coming("Lamplight", ready=0.4)),
    "dark-upright": ("dark", (240, 426), BLEND, 20.0, COMING),
    "paper": ("paper", (426, 240), BLEND, 20.0, COMING),
    "neon": ("neon", (426, 240), PIECE, 20.0, Coming("Lamplight", ready=0.4)),
    "overlay": ("overlay", (426, 240), PIECE, 20.0, COMING),
}


def drawn(name: str) -> NDArray[np.uint8]:
    """Return a picture, RGB."""
    theme, (width, height), scene, position_s, coming = PICTURES[name]
    roll = PianoRoll(width, height, theme=read_theme(theme), wall=lambda: 1041.0)
    time_s = np.arange(1600) / 48_000
    wave = sum(np.sin(2 * np.pi * hz * time_s) / hz for hz in (110, 220, 440, 880, 1760)) * 20
    sound = np.repeat(np.asarray(wave, np.float32)[:, None], 2, axis=1)
    for _ in range(2):
        picture = roll.draw_rgb(scene, position_s, coming=coming, level_db=-12.0, sound=sound)
    return picture


def kept(name: str) -> NDArray[np.uint8]:
    image = skia.Image.open(str(GOLDEN / f"{name}.png"))
    return np.asarray(image.toarray(colorType=skia.kRGBA_8888_ColorType)[..., :3])


def likeness(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the structural likeness of each block of each colour, 1 for the same.

    Source: Wang et al. 2004, SSIM, with blocks for windows.
    """
    rows, columns = a.shape[0] // BLOCK, a.shape[1] // BLOCK

    def blocks(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        cut = picture[: rows * BLOCK, : columns * BLOCK].astype(float)
        return cut.reshape(rows, BLOCK, columns, BLOCK, 3).transpose(0, 2, 4, 1, 3).reshape(rows, columns, 3, -1)

    x, y = blocks(a), blocks(b)
    mean_x, mean_y = x.mean(-1), y.mean(-1)
    both = ((x - mean_x[..., None]) * (y - mean_y[..., None])).mean(-1)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    means = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return np.asarray(means * (2 * both + c2) / (x.var(-1) + y.var(-1) + c2))


def alike(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> bool:
    """Whether two pictures are the same to somebody who looks at them."""
    found = likeness(a, b)
    return bool(found.mean() >= LEAST_MEAN and found.mean(axis=(1, 2)).min() >= LEAST_BLOCK_ROW)


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_the_one_that_was_found_good(name: str) -> None:
    found = likeness(drawn(name), kept(name))
    assert alike(drawn(name), kept(name)), (found.mean(), found.mean(axis=(1, 2)).round(2))


def test_pictures_are_small_to_keep() -> None:
    assert {path.stem for path in GOLDEN.glob("*.png")} == set(PICTURES)
    assert all(path.stat().st_size < 40_000 for path in GOLDEN.glob("*.png"))


@pytest.mark.parametrize(
    ("a", "b"), [("dark", "neon"), ("dark", "dark-opening"), ("dark-slate", "dark"), ("dark", "overlay")]
)
def test_another_picture_is_not_taken_for_it(a: str, b: str) -> None:
    assert not alike(kept(a), kept(b))


@pytest.mark.parametrize("part", ["header", "legend", "keys", "note colours", "a shift"])
def test_a_picture_in_which_a_part_is_missing_or_moved_is_not_taken_for_it(part: str) -> None:
    good = kept("dark")
    bad = good.copy()
    match part:
        case "header":
            bad[:30] = bad[2, 200]
        case "legend":
            bad[-14:] = bad[-2, 200]
        case "keys":
            bad[190:224] = 12
        case "note colours":
            bad[40:180] = bad[40:180, :, ::-1]
        case "a shift":
            bad = np.roll(bad, 6, axis=0)
    assert not alike(bad, good)


def main() -> None:
    """Draw all anew."""
    GOLDEN.mkdir(exist_ok=True)
    for name in PICTURES:
        picture = drawn(name)
        rgba = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
        skia.Image.fromarray(np.ascontiguousarray(rgba), skia.kRGBA_8888_ColorType).save(
            str(GOLDEN / f"{name}.png"), skia.kPNG
        )
        print(name, f"{math.ceil((GOLDEN / f'{name}.png').stat().st_size / 1000)} kB")


if __name__ == "__main__":
    main()
