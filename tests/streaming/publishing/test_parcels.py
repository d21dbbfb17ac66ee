from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.publishing.parcels import HEADER_BYTES, Origin, Parcel, ParcelQueue, Stream, unpack_header

FPS = 30


def picture(index: int, *, gop: int = 60) -> Parcel:
    return Parcel("video", index, index % gop == 0, b"p")


def sound(index: int) -> Parcel:
    return Parcel("aac", index * 1024, True, b"s")


def programme(seconds: float, *, gop: int = 60) -> list[Parcel]:
    """Return pictures and sound in the order in which the encoder makes them."""
    pictures = [picture(index, gop=gop) for index in range(int(seconds * FPS))]
    sounds = [sound(index) for index in range(int(seconds * 48_000 / 1024))]
    return sorted(pictures + sounds, key=lambda parcel: parcel.time(FPS))


class Asked:
    count = 0

    def __call__(self) -> None:
        self.count += 1


@given(st.sampled_from(["video", "aac", "opus"]), st.integers(-(2**40), 2**62), st.booleans(), st.binary(max_size=2000))
def test_a_parcel_comes_out_of_its_bytes_as_it_went_in(stream: Stream, pts: int, keyframe: bool, data: bytes) -> None:
    packed = Parcel(stream, pts, keyframe, data).pack()
    assert unpack_header(packed[:HEADER_BYTES]) == (stream, keyframe, pts, len(data))
    assert packed[HEADER_BYTES:] == data


@pytest.mark.parametrize("header", [b"\xff" * HEADER_BYTES, bytes([0] * 12) + b"\xff" * 8])
def test_what_is_no_header_is_refused(header: bytes) -> None:
    with pytest.raises(ValueError, match="no parcel"):
        unpack_header(header)


def test_nothing_is_taken_before_there_is_a_connection() -> None:
    asked = Asked()
    queue = ParcelQueue(FPS, asked)
    assert not any(queue.put(parcel) for parcel in programme(3))
    assert len(queue) == queue.dropped == asked.count == 0


def test_a_connection_asks_for_a_keyframe_and_begins_with_one() -> None:
    asked = Asked()
    queue = ParcelQueue(FPS, asked)
    queue.begin()
    assert asked.count == 1
    for parcel in programme(3.5)[20:]:
        queue.put(parcel)
    first = queue.take()
    assert first is not None
    assert (first.stream, first.pts) == ("video", 60)
    assert queue.dropped == 0, "what comes before it is not missed"


def test_too_much_is_dropped_from_its_oldest_end_up_to_a_keyframe() -> None:
    asked = Asked()
    queue = ParcelQueue(FPS, asked, limit_s=2.0)
    queue.begin()
    parcels = programme(2.1, gop=30)
    for parcel in parcels:
        queue.put(parcel)
    first = queue.take()
    assert first is not None
    assert (first.stream, first.pts) == ("video", 30), "the next keyframe"
    assert queue.dropped == parcels.index(first)
    assert asked.count == 1, "there was one to go on with"


def test_with_no_keyframe_to_go_on_with_one_is_asked_for_and_sound_waits_for_it() -> None:
    asked = Asked()
    queue = ParcelQueue(FPS, asked, limit_s=2.0)
    queue.begin()
    parcels = programme(5, gop=10_000)
    for parcel in parcels:
        queue.put(parcel)
    assert asked.count == 2
    assert queue.take() is None
    queue.put(Parcel("video", 150, True, b"p"))
    assert queue.take() == Parcel("video", 150, True, b"p")
    assert queue.dropped == len(parcels), "all that was lost is counted"


@given(st.lists(st.integers(0, 12), max_size=120), st.integers(2, 70))
def test_however_it_is_emptied_it_is_bounded_and_every_gap_ends_with_a_keyframe(takes: list[int], gop: int) -> None:
    queue = ParcelQueue(FPS, lambda: None, limit_s=1.0)
    queue.begin()
    parcels, taken = programme(4, gop=gop), list[Parcel]()
    longest = 0.0
    for index, parcel in enumerate(parcels):
        queue.put(parcel)
        longest = max(longest, len(queue))
        for _ in range(takes[index] if index < len(takes) else 0):
            if (one := queue.take()) is not None:
                taken.append(one)
    assert longest <= FPS + 48_000 / 1024 + 4
    order = {id(parcel): index for index, parcel in enumerate(parcels)}
    for before, after in itertools.pairwise(taken):
        step = order[id(after)] - order[id(before)]
        assert step == 1 or (step > 1 and after.stream == "video" and after.keyframe)


def test_times_begin_at_the_first_keyframe_for_sound_and_picture_together() -> None:
    origin = Origin(FPS)
    hours = 5 * 3600
    assert origin.seconds(Parcel("aac", hours * 48_000, True, b"")) is None
    assert origin.seconds(Parcel("video", hours * FPS - 1, False, b"")) is None
    assert origin.seconds(Parcel("video", hours * FPS, True, b"")) == 0
    assert origin.seconds(Parcel("aac", hours * 48_000 - 1024, True, b"")) is None, "sound from before"
    assert origin.seconds(Parcel("aac", hours * 48_000 + 24, True, b"")) == Fraction(24, 48_000)
    assert origin.seconds(Parcel("video", hours * FPS + 45, True, b"")) == Fraction(3, 2)
