from __future__ import annotations

import gc
import itertools
import os
import re
from collections import defaultdict
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from av.packet import Packet
from numpy.typing import NDArray

from streaming.errors import EncodeError
from streaming.programme.encoder import AAC_BITRATE, Encoder, Stream, bitrate_of

WIDTH, HEIGHT = 320, 180


class Sink:
    def __init__(self) -> None:
        self.packets: dict[Stream, list[Packet[Any]]] = defaultdict(list)

    def __call__(self, stream: Stream, packet: Packet[Any]) -> None:
        self.packets[stream].append(packet)

    def keyframes(self) -> list[int | None]:
        return [packet.pts for packet in self.packets["video"] if packet.is_keyframe]


def picture(seed: int) -> NDArray[np.uint8]:
    return np.full((HEIGHT * 3 // 2, WIDTH), 16 + seed * 7 % 200, np.uint8)


def make(sink: Sink, **options: Any) -> Encoder:
    return Encoder(WIDTH, HEIGHT, 30, preset="ultrafast", on_packet=sink, **options)


def nal_types(packet: Packet[Any]) -> list[int]:
    data = bytes(packet)
    return [data[found.end()] & 31 for found in re.finditer(b"\0\0\1", data)]


def test_every_picture_is_one_packet_at_once_with_its_own_index() -> None:
    sink = Sink()
    encoder = make(sink)
    for frame in (100, 101, 102, 105, 106):
        encoder.video(picture(frame), frame)
        assert sink.packets["video"][-1].pts == sink.packets["video"][-1].dts == frame
    assert [p.pts for p in sink.packets["video"]] == [100, 101, 102, 105, 106]
    assert {p.time_base for p in sink.packets["video"]} == {Fraction(1, 30)}


def test_a_keyframe_comes_first_and_every_two_seconds_and_when_asked_for() -> None:
    sink = Sink()
    encoder = make(sink)
    for frame in range(190):
        if frame == 75:
            encoder.force_keyframe()
        # A cut is no reason for a keyframe: the bit rate stays even.
        encoder.video(picture(frame * (1 + frame // 50)), frame)
    assert sink.keyframes() == [0, 60, 75, 135]


def test_where_pictures_are_left_out_a_keyframe_still_comes_every_two_seconds() -> None:
    sink = Sink()
    encoder = make(sink)
    for frame in range(0, 360, 3):
        encoder.video(picture(frame), frame)
    assert np.diff([at for at in sink.keyframes() if at is not None]).max() <= 60


def test_the_bit_rate_suits_the_size_and_leaves_room_for_the_sound() -> None:
    assert bitrate_of(1280, 720, 30) == 4_500_000
    assert bitrate_of(640, 360, 30) == 1_500_000
    assert bitrate_of(1920, 1080, 60) + AAC_BITRATE < 6_000_000


def test_every_keyframe_brings_its_headers_and_no_picture_waits_for_a_later_one() -> None:
    sink = Sink()
    encoder = make(sink)
    for frame in range(70):
        encoder.video(picture(frame), frame)
    sequence, parameters, keyframe, inter = 7, 8, 5, 1
    for packet in sink.packets["video"]:
        kinds = nal_types(packet)
        assert kinds.count(keyframe) + kinds.count(inter) >= 1
        assert ({sequence, parameters, keyframe} <= set(kinds)) == packet.is_keyframe


def test_a_viewer_who_joins_at_a_forced_keyframe_decodes_pictures_in_their_colours() -> None:
    sink = Sink()
    encoder = make(sink)
    for frame in range(20):
        if frame == 10:
            encoder.force_keyframe()
        encoder.video(picture(frame), frame)
    decoder: Any = av.CodecContext.create("h264", "r")
    late = [Packet(bytes(p)) for p in sink.packets["video"][10:]]
    frames = [frame for packet in [*late, None] for frame in decoder.decode(packet)]
    assert len(frames) == 10
    assert frames[0].colorspace == 1
    for index, decoded in enumerate(frames, start=10):
        assert np.abs(decoded.to_ndarray().astype(int) - picture(index)).max() <= 3


def test_the_bit_rate_keeps_near_what_was_asked_for() -> None:
    sink = Sink()
    encoder = make(sink, video_bitrate=800_000)
    noise = np.random.default_rng(0)
    for frame in range(120):
        encoder.video(noise.integers(16, 235, (HEIGHT * 3 // 2, WIDTH), np.uint8), frame)
    bits_per_s = sum(p.size for p in sink.packets["video"]) * 8 / 4
    assert 600_000 < bits_per_s < 1_100_000


@pytest.mark.parametrize("chunk", [1, 256, 1000, 1600, 48_000])
def test_sound_of_any_block_size_gives_the_same_packets(chunk: int) -> None:
    total = 300 if chunk == 1 else 48_000
    sound = np.random.default_rng(1).uniform(-0.3, 0.3, (total, 2)).astype(np.float32)
    whole, cut = Sink(), Sink()
    encoder = make(whole)
    encoder.audio(sound, 0)
    encoder.flush()
    encoder = make(cut)
    for start in range(0, total, chunk):
        encoder.audio(sound[start : start + chunk], start)
    encoder.flush()
    for stream in ("aac", "opus"):
        packets = whole.packets[stream]
        assert packets
        assert [(p.pts, bytes(p)) for p in packets] == [(p.pts, bytes(p)) for p in cut.packets[stream]]


@pytest.mark.parametrize(("stream", "codec", "size"), [("aac", "aac", 1024), ("opus", "libopus", 960)])
def test_sound_is_decoded_at_the_samples_its_packets_say(stream: Stream, codec: str, size: int) -> None:
    sink = Sink()
    encoder = make(sink)
    start = 480_000
    sound = np.random.default_rng(2).uniform(-0.3, 0.3, (48_000, 1)).astype(np.float32).repeat(2, axis=1)
    encoder.audio(sound, start)
    encoder.flush()
    packets = sink.packets[stream]
    assert {p.duration for p in packets[:-1]} == {size}
    steps = {b.pts - a.pts for a, b in itertools.pairwise(packets) if a.pts is not None and b.pts is not None}
    assert steps == {size}
    decoder: Any = av.CodecContext.create(codec, "r")
    decoder.extradata = encoder.template(stream).codec_context.extradata
    decoder.sample_rate, decoder.layout = 48_000, "stereo"
    heard = np.zeros(60_000, np.float32)
    for packet in packets:
        copy: Packet[Any] = Packet(bytes(packet))
        copy.pts, copy.time_base = packet.pts, Fraction(1, 48_000)
        for frame in decoder.decode(copy):
            block = frame.to_ndarray()
            left = block[0] if block.shape[0] == 2 else block[0, ::2]
            # Room for a decoder that is early.
            at = int(frame.pts) - start + 2_000
            heard[at : at + len(left)] = left
    spectrum = np.fft.rfft(heard, 1 << 17) * np.conj(np.fft.rfft(sound[:, 0], 1 << 17))
    lag = int(np.fft.irfft(spectrum).argmax())
    assert abs(lag - 2_000) <= 2


def test_a_gap_in_the_sound_is_filled_with_silence() -> None:
    sink = Sink()
    encoder = make(sink)
    encoder.audio(np.zeros((1000, 2), np.float32), 0)
    encoder.audio(np.zeros((1000, 2), np.float32), 100_000)
    encoder.flush()
    stamps = [p.pts for p in sink.packets["opus"]]
    assert all(b - a == 960 for a, b in itertools.pairwise(stamps) if a is not None and b is not None)
    assert stamps[-1] is not None
    assert stamps[-1] > 98_000


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads of a library are counted by /proc")
def test_a_closed_encoder_leaves_no_thread_to_the_garbage_collector() -> None:
    def threads() -> int:
        return len(os.listdir("/proc/self/task"))

    gc.collect()
    gc.disable()
    try:
        before = threads()
        for _ in range(3):
            encoder = make(Sink())
            encoder.audio(np.zeros((4800, 2), np.float32), 0)
            opened = threads()
            encoder.close()
            del encoder
        assert opened > before >= threads()
    finally:
        gc.enable()


def test_what_cannot_be_encoded_is_refused_in_words() -> None:
    sink = Sink()
    with pytest.raises(EncodeError, match="even"):
        Encoder(321, 180, 30, on_packet=sink)
    with pytest.raises(EncodeError, match="frame rate"):
        Encoder(320, 180, 0, on_packet=sink)
    with pytest.raises(EncodeError, match="cannot open the encoder"):
        Encoder(320, 180, 30, preset="nonsense", on_packet=sink)
    encoder = make(sink)
    with pytest.raises(EncodeError, match="does not fit"):
        encoder.video(np.zeros((100, 100), np.uint8), 0)
    encoder.video(picture(0), 5)
    with pytest.raises(EncodeError, match="comes after"):
        encoder.video(picture(0), 5)
    encoder.audio(np.zeros((100, 2), np.float32), 0)
    with pytest.raises(EncodeError, match="comes after"):
        encoder.audio(np.zeros((100, 2), np.float32), 50)
