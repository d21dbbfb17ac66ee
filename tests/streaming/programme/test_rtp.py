"""Cutting up packets: every decoder must get back what the encoder made, on the programme's clock."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

import pytest
from aiortc.codecs.h264 import h264_depayload
from av.packet import Packet
from hypothesis import given
from hypothesis import strategies as st

from streaming.programme.rtp import PAYLOAD_MAX, SampleClock, burst_of, h264_payloads

START = b"\0\0\0\1"


def unit(kind: int, size: int) -> bytes:
    """A NAL unit without start codes in it, of a size in bytes."""
    return bytes([0x60 | kind]) + bytes(1 + n % 251 for n in range(size - 1))


def packet(data: bytes, pts: int, base: Fraction, *, keyframe: bool = False) -> Packet[Any]:
    made: Packet[Any] = Packet(data)
    made.pts, made.time_base, made.is_keyframe = pts, base, keyframe
    return made


@given(st.lists(st.tuples(st.sampled_from([1, 5, 6, 7, 8]), st.integers(2, 5000)), min_size=1, max_size=6))
def test_a_decoder_gets_every_unit_back(units: list[tuple[int, int]]) -> None:
    whole = [unit(kind, size) for kind, size in units]
    payloads = list(h264_payloads(b"".join(START + one for one in whole)))
    assert max(map(len, payloads)) <= PAYLOAD_MAX
    assert b"".join(h264_depayload(payload) for payload in payloads) == b"".join(START + one for one in whole)


def test_headers_and_a_small_picture_share_a_packet() -> None:
    data = START + unit(7, 20) + b"\0\0\1" + unit(8, 5) + START + unit(5, 900)
    assert len(list(h264_payloads(data))) == 1


def test_what_fills_a_constant_rate_is_not_sent_to_viewers() -> None:
    picture = unit(1, 300)
    padded = START + unit(9, 2) + START + picture + b"\0" + START + bytes([12]) + b"\xff" * 4000 + b"\x80"
    assert list(h264_payloads(padded)) == [picture]


@pytest.mark.parametrize("fps", [24, 25, 30, 50, 60])
def test_sound_and_picture_of_one_moment_have_one_time(fps: int) -> None:
    hours = 30 * 3600
    picture = burst_of("video", packet(START + unit(5, 50), hours * fps, Fraction(1, fps), keyframe=True))
    sound = burst_of("audio", packet(b"opus", hours * 48_000, Fraction(1, 48_000)))
    assert picture.sample == sound.sample == hours * 48_000
    assert (picture.timestamp, sound.timestamp) == (hours * 90_000, hours * 48_000)
    assert picture.keyframe
    step = burst_of("video", packet(START + unit(1, 50), hours * fps + 1, Fraction(1, fps)))
    assert step.timestamp - picture.timestamp == 90_000 // fps
    assert not step.keyframe


def test_the_clock_keeps_its_zero_however_late_packets_come() -> None:
    clock = SampleClock()
    clock.heed(48_000, now_s=1001.0)
    for late_s in (0.0, 0.03, 0.2, 0.01):
        clock.heed(96_000, now_s=1002.0 + late_s)
    assert clock.ntp(96_000) - clock.ntp(48_000) == 1 << 32
    assert clock.ntp(48_000) >> 32 == 1001 + 2_208_988_800


def test_the_clock_is_set_anew_when_the_programme_stood_still() -> None:
    clock = SampleClock()
    clock.heed(0, now_s=1000.0)
    clock.heed(48_000, now_s=1003.0)
    assert clock.ntp(48_000) >> 32 == 1003 + 2_208_988_800


def test_a_time_is_64_bits_of_seconds_and_their_fraction() -> None:
    clock = SampleClock()
    clock.heed(0, now_s=0.0)
    seconds, fraction = struct.unpack("!II", clock.ntp(24_000).to_bytes(8, "big"))
    assert (seconds, fraction) == (2_208_988_800, 1 << 31)
