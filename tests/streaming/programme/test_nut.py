"""OBS's listener: exact timing for every reader, and no reader can hurt another."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import av
import numpy as np
import pytest

from streaming.errors import FeedError
from streaming.programme.nut import STALL_S, VIDEO_QUEUE, NutServer
from streaming.programme.program import ProgramFrame, first_sample
from streaming.timeline import SAMPLE_RATE

WIDTH, HEIGHT, FPS = 320, 180, 30


@pytest.fixture
def server() -> Iterator[NutServer]:
    listening = NutServer(0, WIDTH, HEIGHT, FPS)
    yield listening
    listening.close()


def frame(index: int) -> ProgramFrame:
    """Return a frame whose picture and sound both tell its index."""
    samples = first_sample(index + 1, FPS) - first_sample(index, FPS)
    picture = np.full((HEIGHT * 3 // 2, WIDTH), 16 + index % 200, np.uint8)
    audio = np.full((samples, 2), (index % 200) / 256, np.float32)
    return ProgramFrame(index, first_sample(index, FPS), audio, picture, True)


@dataclass
class Seen:
    """What a reader decoded: times in seconds, and the values of picture and sound."""

    pictures: list[tuple[float, int]] = field(default_factory=list)
    sounds: list[tuple[float, float]] = field(default_factory=list)
    shape: tuple[int, ...] = ()
    rate: int = 0
    channels: int = 0


def read(port: int, pictures: int, seen: Seen) -> None:
    with av.open(f"tcp://127.0.0.1:{port}", format="nut", timeout=10) as container:
        seen.rate, seen.channels = container.streams.audio[0].rate, container.streams.audio[0].channels
        for packet in container.demux():
            for decoded in packet.decode():
                assert isinstance(decoded, av.VideoFrame | av.AudioFrame)
                assert decoded.pts is not None
                assert decoded.time_base is not None
                at_s = float(decoded.pts * decoded.time_base)
                array = decoded.to_ndarray()
                if isinstance(decoded, av.VideoFrame):
                    seen.shape = array.shape
                    seen.pictures.append((at_s, int(array[0, 0])))
                else:
                    seen.sounds.append((at_s, float(array.flat[0]) / 32767))
            if len(seen.pictures) >= pictures:
                return


def reader(port: int, pictures: int) -> tuple[threading.Thread, Seen]:
    seen = Seen()
    thread = threading.Thread(target=read, args=(port, pictures, seen), daemon=True)
    thread.start()
    return thread, seen


def wait_for(what: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def test_a_reader_gets_pictures_and_sound_with_times_from_the_sample_index(server: NutServer) -> None:
    thread, seen = reader(server.port, 30)
    wait_for(lambda: server.readers == 1)
    begin = 30 * 3600 * 47 + 7  # a show that has run for two days
    for index in range(begin, begin + 45):
        server.frame(frame(index))
        time.sleep(0.005)
    thread.join(10)
    assert seen.shape == (HEIGHT * 3 // 2, WIDTH)
    assert (seen.rate, seen.channels) == (SAMPLE_RATE, 2)
    assert len(seen.pictures) >= 30
    assert len(seen.sounds) >= 25
    for at_s, value in seen.pictures:
        index = round(at_s * FPS)
        assert at_s == pytest.approx(index / FPS, abs=0.001)
        assert value == 16 + index % 200
    for at_s, level in seen.sounds:
        assert level == pytest.approx(round(at_s * FPS) % 200 / 256, abs=1e-4)
    assert np.diff([at_s for at_s, _ in seen.sounds]) == pytest.approx(1 / FPS, abs=1e-4)


def test_readers_come_and_go(server: NutServer) -> None:
    stop = threading.Event()

    def feed() -> None:
        index = 0
        while not stop.wait(0.005):
            server.frame(frame(index))
            index += 1

    feeding = threading.Thread(target=feed)
    feeding.start()
    try:
        for _ in range(10):
            thread, seen = reader(server.port, 3)
            thread.join(10)
            assert len(seen.pictures) >= 3
            # Some hang up at once.
            socket.create_connection(("127.0.0.1", server.port)).close()
        wait_for(lambda: server.readers == 0)
    finally:
        stop.set()
        feeding.join()
    assert not server.wanted


def test_a_reader_that_stalls_is_disconnected_and_the_others_do_not_notice(server: NutServer) -> None:
    stalled = socket.create_connection(("127.0.0.1", server.port))
    thread, seen = reader(server.port, 10**9)
    wait_for(lambda: server.readers == 2)
    index = 0
    began = time.monotonic()
    pushes_s: list[float] = []
    while server.readers == 2:
        assert time.monotonic() - began < STALL_S + 10
        before = time.monotonic()
        server.frame(frame(index))
        pushes_s.append(time.monotonic() - before)
        index += 1
        time.sleep(0.004)
    for _ in range(50):
        server.frame(frame(index))
        index += 1
        time.sleep(0.004)
    wait_for(lambda: len(seen.pictures) > index - 5)
    assert server.readers == 1
    assert np.diff([at_s for at_s, _ in seen.sounds]) == pytest.approx(1 / FPS, abs=1e-4)
    assert len(seen.pictures) > index - 5, "the other reader missed nothing"
    # Nothing waited for the reader that stalled.
    assert np.median(pushes_s) < 0.05
    stalled.close()
    server.close()
    thread.join(10)


def test_a_slow_reader_loses_the_oldest_pictures_and_no_sound(server: NutServer) -> None:
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.settimeout(10)
    wait_for(lambda: server.readers == 1)
    frames = 100
    for index in range(frames):
        server.frame(frame(index))
    # Read only now, all that is there.
    server_done = threading.Timer(0.5, server.close)
    server_done.start()
    data = b""
    while chunk := connection.recv(1 << 20):
        data += chunk
    server_done.join()
    connection.close()
    pictures: list[int] = []
    sounds: list[int] = []
    with av.open(io.BytesIO(data), "r", format="nut") as container:
        for packet in container.demux():
            if packet.pts is not None and packet.time_base is not None:
                kept = pictures if packet.stream.type == "video" else sounds
                kept.append(round(packet.pts * packet.time_base * FPS))
    assert sounds == list(range(len(sounds)))
    assert len(sounds) >= frames - 1
    assert pictures == sorted(set(pictures))
    assert len(pictures) < len(sounds)
    assert pictures[-1] >= frames - 2, "the newest is kept"
    assert len(pictures) >= VIDEO_QUEUE


def test_a_port_in_use_is_told_in_one_line_with_the_way_out(server: NutServer) -> None:
    with pytest.raises(FeedError, match=rf"port {server.port}: it is in use.*another port") as caught:
        NutServer(server.port, WIDTH, HEIGHT, FPS)
    assert "\n" not in str(caught.value)


def test_a_port_that_is_none_is_told() -> None:
    with pytest.raises(FeedError, match="port 99999"):
        NutServer(99999, WIDTH, HEIGHT, FPS)


def test_sound_beyond_full_scale_is_clipped_not_wrapped(server: NutServer) -> None:
    thread, seen = reader(server.port, 3)
    wait_for(lambda: server.readers == 1)
    index = 0
    while thread.is_alive():
        loud = frame(index)
        server.frame(ProgramFrame(index, loud.sample, np.full_like(loud.audio, 1.5), loud.picture, True))
        index += 1
        time.sleep(0.005)
    assert seen.sounds
    assert all(level == pytest.approx(1.0, abs=1e-4) for _, level in seen.sounds)
