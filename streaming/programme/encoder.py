"""One encoder for every listener: H.264, AAC and Opus packets on the programme's sample clock.

A picture is encoded once, whoever looks on: the packets go to WebRTC peers, to
publishers and to the recording as they are. Baseline H.264 without B-frames and
with its headers before every keyframe is what all of them can take up midway.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal

import av
import numpy as np
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.frame import PictureType
from av.video.stream import VideoStream
from numpy.typing import NDArray

from streaming.errors import EncodeError

Stream = Literal["video", "aac", "opus"]
PacketSink = Callable[[Stream, "Packet[Any]"], None]

SAMPLE_RATE = 48_000
KEYFRAME_EVERY_S = 2
AAC_BITRATE = 160_000
OPUS_BITRATE = 128_000
# What pictures like ours need to look well; with its sound, below the 6 Mb/s that ingests take.
_BITS_PER_PIXEL = 0.163
_LEAST_BITRATE, _MOST_BITRATE = 1_500_000, 5_800_000
# A picture of more than this many pixels a second does not fit one core at `veryfast`.
_ONE_CORE_PIXELS_PER_S = 1280 * 720 * 45
_BT709 = 1
_LIMITED_RANGE = 1
_GLOBAL_HEADER = av.codec.context.Flags.global_header


def bitrate_of(width: int, height: int, fps: int) -> int:
    """Return the bit rate that pictures of a size are encoded with, in bits a second: 4.5 Mb/s for 1280x720 at 30."""
    wanted = round(width * height * fps * _BITS_PER_PIXEL, -5)
    return int(min(_MOST_BITRATE, max(_LEAST_BITRATE, wanted)))


class _AudioLane:
    """Cuts the samples into the frames one audio codec wants."""

    def __init__(self, stream: AudioStream, sample_format: str, emit: Callable[[Packet[Any]], None]) -> None:
        self._stream = stream
        self._format = sample_format
        self._emit = emit
        self._pending = np.zeros((0, 2), np.float32)
        self._next_sample = 0

    def write(self, samples: NDArray[np.float32], sample_index: int) -> None:
        if not len(self._pending):
            self._next_sample = sample_index
        held = np.concatenate((self._pending, samples)) if len(self._pending) else samples
        size = self._stream.codec_context.frame_size
        whole = len(held) - len(held) % size
        for start in range(0, whole, size):
            self._encode(held[start : start + size])
        self._pending = held[whole:].copy()

    def flush(self) -> None:
        if len(self._pending):
            self._encode(self._pending)
            self._pending = self._pending[:0]
        for packet in self._stream.encode(None):
            self._emit(packet)

    def _encode(self, block: NDArray[np.float32]) -> None:
        planar = self._format == "fltp"
        array = np.ascontiguousarray(block.T) if planar else np.ascontiguousarray(block).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(array, self._format, "stereo")
        frame.sample_rate = SAMPLE_RATE
        frame.time_base = Fraction(1, SAMPLE_RATE)
        frame.pts = self._next_sample
        self._next_sample += len(block)
        for packet in self._stream.encode(frame):
            self._emit(packet)


class Encoder:
    """Encodes the programme once and hands the packets on."""

    def __init__(
        self,
        width: int,
        height: int,
        fps: int,
        *,
        video_bitrate: int = 4_500_000,
        preset: str = "veryfast",
        on_packet: PacketSink,
    ) -> None:
        """Open the three codecs.

        Args:
            width: pixels, even.
            height: pixels, even.
            fps: pictures a second.
            video_bitrate: bits a second, held nearly constant (publishers ask for CBR).
            preset: of x264.
            on_packet: called with every packet from within `video`, `audio` and `flush`. The packet is
                shared: whoever changes or muxes it copies it first. Its pts counts frames (video, in
                1 / fps) or samples (audio, in 1 / 48000) of the programme, the codec's delay taken off.

        Raises:
            EncodeError: the size is odd or a codec cannot be opened.
        """
        if width <= 0 or height <= 0 or width % 2 or height % 2:
            raise EncodeError(f"the picture must be even in width and height, not {width}x{height}")
        if fps <= 0:
            raise EncodeError(f"the frame rate must be above 0, not {fps}")
        self.width = width
        self.height = height
        self.fps = fps
        self._on_packet = on_packet
        self._last_frame: int | None = None
        self._next_sample: int | None = None
        self._last_keyframe = 0
        self._keyframe_due = True
        try:
            # The null muxer writes nothing; its streams are the templates of every file and publisher.
            self._home = av.open("-", "w", format="null")
            self._video = self._open_video(video_bitrate, preset)
            self._audio = {
                "aac": self._open_audio("aac", AAC_BITRATE, "fltp", {}),
                "opus": self._open_audio(
                    "libopus", OPUS_BITRATE, "flt", {"application": "audio", "frame_duration": "20"}
                ),
            }
            self._home.start_encoding()
        except (av.FFmpegError, ValueError) as error:
            raise EncodeError(f"cannot open the encoder for {width}x{height} at {fps} fps: {error}") from error
        self._lanes = (
            _AudioLane(self._audio["aac"], "fltp", lambda packet: on_packet("aac", packet)),
            _AudioLane(self._audio["opus"], "flt", lambda packet: on_packet("opus", packet)),
        )

    def template(self, stream: Stream) -> VideoStream | AudioStream:
        """Return the stream to give to `add_stream_from_template` of a file or publisher."""
        return self._video if stream == "video" else self._audio[stream]

    def video(self, i420: NDArray[np.uint8], frame_index: int) -> None:
        """Encode one picture.

        Args:
            i420: uint8 [height * 3 // 2, width], BT.709, limited range.
            frame_index: of the programme, larger than the one before; a gap is a dropped picture.

        Raises:
            EncodeError: the picture has another size or comes out of order.
        """
        if i420.shape != (self.height * 3 // 2, self.width):
            raise EncodeError(f"a picture of shape {i420.shape} does not fit {self.width}x{self.height}")
        if self._last_frame is not None and frame_index <= self._last_frame:
            raise EncodeError(f"picture {frame_index} comes after picture {self._last_frame}")
        self._last_frame = frame_index
        frame = av.VideoFrame.from_ndarray(i420, "yuv420p")
        frame.pts = frame_index
        frame.time_base = Fraction(1, self.fps)
        frame.colorspace = frame.color_primaries = frame.color_trc = _BT709
        frame.color_range = _LIMITED_RANGE
        # The encoder counts pictures; where some are left out, ingests still want one every two seconds.
        if self._keyframe_due or frame_index - self._last_keyframe >= KEYFRAME_EVERY_S * self.fps:
            frame.pict_type = PictureType.I
            self._keyframe_due = False
        for packet in self._video.encode(frame):
            if packet.is_keyframe:
                self._last_keyframe = frame_index
            self._on_packet("video", packet)

    def audio(self, samples: NDArray[np.float32], sample_index: int) -> None:
        """Encode sound, in both audio codecs.

        Args:
            samples: float32 [n, 2], any n, full scale 1.0.
            sample_index: of the first of them; a gap is filled with silence.

        Raises:
            EncodeError: the samples were encoded before.
        """
        if self._next_sample is not None and sample_index != self._next_sample:
            self._fill(sample_index)
        self._next_sample = sample_index + len(samples)
        for lane in self._lanes:
            lane.write(samples, sample_index)

    def force_keyframe(self) -> None:
        """Make the next picture a keyframe, for a viewer who has just come."""
        self._keyframe_due = True

    def flush(self) -> None:
        """Hand out what the codecs still hold; nothing can be encoded after."""
        for packet in self._video.encode(None):
            self._on_packet("video", packet)
        for lane in self._lanes:
            lane.flush()

    def close(self) -> None:
        """End the codecs, with their threads; what they still hold is lost.

        Container and streams hold each other: left to the garbage collector, they stay for minutes, 7 MiB each time.
        """
        self._home.close()

    def _fill(self, until_sample: int) -> None:
        start = self._next_sample or 0
        if until_sample < start:
            raise EncodeError(f"sound of sample {until_sample} comes after sample {start}")
        # A second at a time, so that a long gap takes no memory.
        for index in range(start, until_sample, SAMPLE_RATE):
            silence = np.zeros((min(SAMPLE_RATE, until_sample - index), 2), np.float32)
            for lane in self._lanes:
                lane.write(silence, index)

    def _open_video(self, bitrate: int, preset: str) -> VideoStream:
        stream = self._home.add_stream("libx264", rate=self.fps)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = self.width, self.height, "yuv420p"
        context.time_base = Fraction(1, self.fps)
        context.bit_rate = bitrate
        context.gop_size = KEYFRAME_EVERY_S * self.fps
        context.max_b_frames = 0
        context.thread_count = 1 if self.width * self.height * self.fps <= _ONE_CORE_PIXELS_PER_S else 2
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED_RANGE
        # MP4 wants the headers once in front, viewers who come late want them before every keyframe.
        context.flags |= _GLOBAL_HEADER
        kilobits = bitrate // 1000
        context.options = {
            "preset": preset,
            "tune": "zerolatency",
            "profile": "baseline",
            "forced-idr": "1",
            "x264-params": f"repeat-headers=1:scenecut=0:vbv-maxrate={kilobits}:vbv-bufsize={kilobits}",
        }
        return stream

    def _open_audio(
        self, codec: Literal["aac", "libopus"], bitrate: int, sample_format: str, options: dict[str, str]
    ) -> AudioStream:
        stream = self._home.add_stream(codec, rate=SAMPLE_RATE, options=options)
        context = stream.codec_context
        context.layout, context.format, context.bit_rate = "stereo", sample_format, bitrate
        context.flags |= _GLOBAL_HEADER
        return stream
