"""The calibration marks survive what a picture goes through."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.picture.stamp import read_flash, read_stamp, stamp

FPS = 30


def noisy(height: int = 360, width: int = 640) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(1).integers(16, 235, (height * 3 // 2, width), np.uint8)


@given(index=st.integers(0, 10**7))
def test_the_number_is_read_back(index: int) -> None:
    picture = stamp(noisy(), index, index * 1600, fps=FPS)
    assert read_stamp(picture[:360]) == index % 65536
    assert read_flash(picture[:360]) == (index % FPS < 2)


@pytest.mark.parametrize(("height", "width"), [(360, 640), (720, 1280), (1080, 1920), (180, 320), (362, 642)])
def test_any_size_is_marked_within_the_picture(height: int, width: int) -> None:
    before = noisy(height, width)
    after = stamp(before, 0b1010_0101_1100_0011, 0, fps=FPS)
    assert read_stamp(after[:height]) == 0b1010_0101_1100_0011
    assert read_flash(after[:height])
    assert after.shape == before.shape
    assert np.array_equal(before, noisy(height, width)), "the picture that was given is left alone"
    changed = np.mean(after[:height] != before[:height])
    assert changed < 0.1
