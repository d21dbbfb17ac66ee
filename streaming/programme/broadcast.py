"""Encodes the programme once, and only while somebody needs it: viewers, destinations, or a recording."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol

from av.packet import Packet

from streaming.errors import StreamingError
from streaming.programme.encoder import Encoder, Stream, bitrate_of
from streaming.programme.program import ProgramFrame
from streaming.programme.recorder import Recorder

logger = logging.getLogger(__name__)


class Audience(Protocol):
    """What the broadcast needs of `streaming.programme.webrtc.Viewers`."""

    def __len__(self) -> int: ...

    def packet(self, kind: Literal["audio", "video"], packet: Packet[Any]) -> None: ...  # noqa: D102


class Outlets(Protocol):
    """What the broadcast needs of `streaming.publishing.publishers.Publishers`."""

    @property
    def wanted(self) -> bool: ...  # noqa: D102

    def packet(self, stream: Stream, packet: Packet[Any]) -> None: ...  # noqa: D102


class Broadcast:
    """A sink of the programme. All methods are for the programme's thread, save `force_keyframe`.

    Args:
        width, height: of the pictures, in pixels.
        fps: pictures per second.
        audience: gets H.264 and Opus packets while it is not empty.
        outlets: get H.264, AAC and Opus packets while any of them wants some; None: there are none.
        on_fault: told, in one line, when a recording ended by an error.
        video_bitrate: bits per second; None: what suits the size.
        preset: of x264.
        live: a recording can be played at any moment, whatever becomes of this process; else it is a plain MP4.
    """

    def __init__(
        self,
        width: int,
        height: int,
        fps: int,
        *,
        audience: Audience,
        on_fault: Callable[[str], None],
        outlets: Outlets | None = None,
        video_bitrate: int | None = None,
        preset: str = "veryfast",
        live: bool = True,
    ) -> None:
        self._size = (width, height, fps)
        self._audience, self._outlets, self._on_fault = audience, outlets, on_fault
        self._video_bitrate, self._preset = video_bitrate or bitrate_of(*self._size), preset
        self._live = live
        self._encoder: Encoder | None = None
        self._recorder: Recorder | None = None
        self._keyframe = False
        self.recording = ""

    @property
    def wanted(self) -> bool:
        """Whether anybody takes it or a recording runs; an encoder nobody needs any more is closed here."""
        if self._taken or self._recorder is not None:
            return True
        self._close()
        return False

    @property
    def _taken(self) -> bool:
        return bool(len(self._audience)) or (self._outlets is not None and self._outlets.wanted)

    def force_keyframe(self) -> None:
        """Make the next picture a keyframe; from any thread."""
        self._keyframe = True

    def frame(self, frame: ProgramFrame) -> None:
        """Encode one picture and its sound."""
        encoder = self._open()
        if self._keyframe:
            self._keyframe = False
            encoder.force_keyframe()
        try:
            if frame.picture is not None:
                encoder.video(frame.picture, frame.index)
            encoder.audio(frame.audio, frame.sample)
        except StreamingError as error:
            logger.error("the programme could not be encoded: %s", error)
            self._close()

    def record(self, path: str) -> None:
        """Record to a file from the next picture on; a running recording is finished first.

        Args:
            path: of the file; empty: only finish.
        """
        self._finish()
        if not path:
            return
        try:
            self._recorder = Recorder(Path(path), self._open(), fragmented=self._live)
        except StreamingError as error:
            self._on_fault(str(error))
            return
        self.recording = path
        self._keyframe = True
        logger.info("recording to %s", path)

    def _open(self) -> Encoder:
        if self._encoder is None:
            width, height, fps = self._size
            self._encoder = Encoder(
                width,
                height,
                fps,
                video_bitrate=self._video_bitrate,
                preset=self._preset,
                on_packet=self._packet,
            )
        return self._encoder

    def _close(self) -> None:
        if self._encoder is not None:
            self._encoder.close()
            self._encoder = None

    def _packet(self, stream: Stream, packet: Packet[Any]) -> None:
        if stream != "aac":
            self._audience.packet("video" if stream == "video" else "audio", packet)
        if self._outlets is not None:
            self._outlets.packet(stream, packet)
        if self._recorder is not None and stream != "opus":
            try:
                self._recorder.write(stream, packet)
            except StreamingError as error:
                self._recorder.close()
                self._recorder, self.recording = None, ""
                self._on_fault(str(error))

    def _finish(self) -> None:
        """Close the file; the last packets of an encoder that serves nobody else go into it."""
        if self._recorder is None:
            return
        if not self._taken and self._encoder is not None:
            self._encoder.flush()
            self._close()
        # A last packet may have met a full disk.
        if self._recorder is not None:
            try:
                self._recorder.close()
            except StreamingError as error:
                self._on_fault(str(error))
            else:
                logger.info("recorded %s", self.recording)
        self._recorder, self.recording = None, ""
