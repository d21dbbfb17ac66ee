"""The recording: the encoder's packets in an MP4 that survives being cut off.

A live recording is written in fragments, one a keyframe: whatever kills the
process, all but the last two seconds can be played.
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.packet import Packet

from streaming.errors import EncodeError
from streaming.programme.encoder import SAMPLE_RATE, Encoder, Stream

_FRAGMENTED = "frag_keyframe+empty_moov+default_base_moof"
_FINISHED = "faststart"


class Recorder:
    """Writes the programme's packets to one file."""

    def __init__(self, path: Path, encoder: Encoder, *, fragmented: bool = True) -> None:
        """Open the file; it begins with the next keyframe, which this asks for.

        Args:
            path: of the MP4; an existing file is replaced, missing folders are made.
            encoder: whose packets will be written.
            fragmented: readable at any moment, for what is live; False writes a plain MP4,
                which is whole only after `close`.

        Raises:
            EncodeError: the file cannot be written.
        """
        self.path = path
        self.failed = False
        self._fps = encoder.fps
        self._base: Fraction | None = None
        self._closed = False
        self._fragmented = fragmented
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Without flushing, the system's buffers would hold seconds of a quiet picture back.
            options = {"movflags": _FRAGMENTED if fragmented else _FINISHED, "flush_packets": "1"}
            self._file = av.open(str(path), "w", format="mp4", options=options)
            streams: tuple[Stream, ...] = ("video", "aac")
            self._streams: dict[Stream, Any] = {
                stream: self._file.add_stream_from_template(encoder.template(stream)) for stream in streams
            }
            self._file.start_encoding()
        except (av.FFmpegError, OSError) as error:
            raise EncodeError(f"cannot record to {path}: {_reason(error)}") from error
        encoder.force_keyframe()

    @property
    def recorded_s(self) -> float:
        """Seconds recorded so far."""
        return float(self._end - self._base) if self._base is not None else 0.0

    def write(self, stream: Stream, packet: Packet[Any]) -> None:
        """Take a packet; Opus and what comes before the first keyframe are left out.

        Args:
            stream: what the packet is of.
            packet: of the encoder; it is copied.

        Raises:
            EncodeError: it cannot be written. Raised once: after that, packets are ignored.
        """
        if self.failed or self._closed or stream not in self._streams or packet.pts is None:
            return
        unit = Fraction(1, self._fps if stream == "video" else SAMPLE_RATE)
        start = packet.pts * unit
        if self._base is None:
            if stream != "video" or not packet.is_keyframe:
                return
            self._base = self._end = start
        # AAC's first packet lies before the sound it helps to decode; only a plain MP4 can skip it on playback.
        earliest = self._base if self._fragmented else self._base - 1024 * Fraction(1, SAMPLE_RATE)
        if start < earliest:
            return
        duration = 1 if stream == "video" else (packet.duration or 1024)
        try:
            self._file.mux_one(self._copy(stream, packet, unit, duration))
        except (av.FFmpegError, OSError) as error:
            self._fail(error)
        self._end = max(self._end, start + duration * unit)

    def close(self) -> None:
        """Finish the file; twice does nothing.

        Raises:
            EncodeError: its end cannot be written, and nothing was reported before.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._file.close()
        except (av.FFmpegError, OSError) as error:
            if not self.failed:
                self._fail(error)

    def abandon(self) -> None:
        """Close without a word and remove the file, for one that is not worth keeping."""
        self.failed = True
        self.close()
        self.path.unlink(missing_ok=True)

    def _copy(self, stream: Stream, packet: Packet[Any], unit: Fraction, duration: int) -> Packet[Any]:
        assert packet.pts is not None
        assert self._base is not None
        # Muxing rewrites a packet's times in place, and the encoder's packets are shared.
        copy: Packet[Any] = Packet(bytes(packet))
        copy.stream = self._streams[stream]
        copy.time_base = unit
        copy.pts = copy.dts = packet.pts - round(self._base / unit)
        copy.duration = duration
        copy.is_keyframe = packet.is_keyframe
        return copy

    def _fail(self, error: Exception) -> None:
        self.failed = True
        raise EncodeError(f"recording to {self.path} stopped: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) and 0 < number < 200 else str(error)
