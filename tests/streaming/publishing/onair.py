"""A programme that can be measured from what an ingest recorded: stamped pictures, a flash and a beep each second."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from streaming.picture.stamp import stamp
from streaming.programme.encoder import AAC_BITRATE, Encoder, Stream
from streaming.publishing.publisher import Programme
from streaming.publishing.publishers import Publishers
from tests.air.beeper import second

RATE = 48_000
PROGRAMME = Programme(320, 180, 30, 1_000_000, AAC_BITRATE)


class OnAir:
    """Encodes in real time, in a thread of its own, and hands the packets to publishers.

    Args:
        first: number of the first picture; a programme may have run for hours.
    """

    def __init__(self, *, first: int = 0) -> None:
        self.publishers: Publishers | None = None
        self.slowest_s = 0.0
        self._first = first
        self._keyframe = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="programme")

    def start(self, publishers: Publishers) -> None:
        self.publishers = publishers
        self._thread.start()

    def want_keyframe(self) -> None:
        self._keyframe.set()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _packet(self, stream: Stream, packet: Any) -> None:
        assert self.publishers is not None
        before_s = time.perf_counter()
        self.publishers.packet(stream, packet)
        self.slowest_s = max(self.slowest_s, time.perf_counter() - before_s)

    def _run(self) -> None:
        p = PROGRAMME
        encoder = Encoder(
            p.width, p.height, p.fps, video_bitrate=p.video_bitrate, preset="ultrafast", on_packet=self._packet
        )
        make_frames(encoder, self._keyframe, self._ended, first=self._first)


def make_frames(encoder: Encoder, keyframe: threading.Event, ended: threading.Event, *, first: int) -> None:
    """Encode stamped pictures and the beeping second in real time until `ended`."""
    fps, sound, each = encoder.fps, second(), RATE // encoder.fps
    noise = np.random.default_rng(0).integers(60, 200, (8, encoder.height * 3 // 2, encoder.width), np.uint8)
    start_s = time.monotonic()
    frame = first
    while not ended.is_set():
        due_s = start_s + (frame - first) / fps
        time.sleep(max(0.0, due_s - time.monotonic()))
        if keyframe.is_set():
            keyframe.clear()
            encoder.force_keyframe()
        encoder.video(stamp(noise[frame // fps % 8], frame, frame * each, fps=fps), frame)
        at = frame * each % RATE
        encoder.audio(sound[at : at + each], frame * each)
        frame += 1
