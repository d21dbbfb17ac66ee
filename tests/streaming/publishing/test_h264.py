from __future__ import annotations

import struct

import numpy as np
import pytest

from streaming.publishing import flv, h264

SPS, PPS, IDR = b"\x67\x42\xc0\x1f\xda", b"\x68\xce\x3c\x80", b"\x65\x88\x84\x01"
KEYFRAME = b"\x00\x00\x00\x01" + SPS + b"\x00\x00\x00\x01" + PPS + b"\x00\x00\x01" + IDR


def test_units_are_found_after_long_and_short_start_codes() -> None:
    assert h264.units(KEYFRAME) == [SPS, PPS, IDR]
    assert h264.units(b"") == []
    assert h264.units(b"no start") == []


def test_a_keyframe_brings_the_decoders_configuration_and_is_sent_without_it() -> None:
    units = h264.units(KEYFRAME)
    assert flv.video_header(units) == (
        b"\x17\x00\x00\x00\x00" b"\x01\x42\xc0\x1f\xff\xe1\x00\x05" + SPS + b"\x01\x00\x04" + PPS
    )  # fmt: skip
    assert flv.video(units, keyframe=True) == b"\x17\x01\x00\x00\x00" + struct.pack(">I", len(IDR)) + IDR
    assert flv.video([IDR], keyframe=False)[:1] == b"\x27"


def test_a_keyframe_without_headers_is_refused() -> None:
    with pytest.raises(ValueError, match="without its headers"):
        h264.configuration([IDR])


def filler_sizes(filler: bytes) -> int:
    if not filler:
        return 0
    (length,) = struct.unpack(">I", filler[:4])
    assert length == len(filler) - 4
    assert filler[4] == h264.FILLER
    assert filler[5:-1] == b"\xff" * (length - 2)
    assert filler[-1] == 0x80
    return len(filler)


@pytest.mark.parametrize("seed", range(3))
def test_with_filler_the_rate_is_constant_over_every_second_and_a_half(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rate, fps = 1_000_000, 30
    filling = h264.Filling(rate, fps)
    # From an empty stage to a full one, below the rate on average, as an encoder with such a bucket keeps it.
    sizes = rng.integers(100, 6000, 600) // rng.choice([1, 4, 40], 600)
    sent = [int(size) + filler_sizes(filling.after(int(size), index)) for index, size in enumerate(sizes)]
    assert sum(sizes) < 0.8 * rate / 8 * 20, "there is something to fill"
    assert abs(sum(sent) * 8 / 20 - rate) < 0.06 * rate
    for start in range(0, 600 - 45, 15):
        assert sum(sent[start : start + 45]) * 8 / 1.5 < 1.1 * rate


def test_a_full_picture_is_not_filled() -> None:
    filling = h264.Filling(1_000_000, 30)
    assert all(filling.after(4200, index) == b"" for index in range(100))


def test_a_gap_in_the_pictures_is_not_made_up_for() -> None:
    filling = h264.Filling(1_000_000, 30)
    filling.after(4000, 0)
    assert len(filling.after(4000, 1_000_000)) < 2 * 1_000_000 / 8 / 30
