"""Viewers in a browser: WebRTC peers that all get the packets of the one encoder.

aiortc packs an `av.Packet` as it is, so that a viewer costs packing and encryption but no encoding.
All of it lives in one asyncio loop; `Viewers.packet` is what other threads may call.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

from aiortc import (
    RTCConfiguration,
    RTCIceCandidate,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.sdp import candidate_from_sdp
from av.packet import Packet

from streaming.errors import FeedError

logger = logging.getLogger(__name__)

Kind = Literal["audio", "video"]

MAX_VIEWERS = 8
# About a second of each; beyond it, old packets are of no use to somebody who watches live.
VIDEO_QUEUE = 30
AUDIO_QUEUE = 50
CONNECT_S = 10.0
# Chromium reports on what it receives every second or so; so long without a word, it is gone.
SILENT_S = 6.0
KEYFRAME_EVERY_S = 0.3
CODECS: dict[Kind, str] = {"video": "video/h264", "audio": "audio/opus"}


class PacketTrack(MediaStreamTrack):
    """A track of encoded packets, with a bounded queue.

    Nothing is queued before the first `recv` (the peer is not connected yet). Video starts with a keyframe, and
    when its queue overflows it goes on with the next one; audio drops the oldest.

    Args:
        kind: "audio" or "video".
        want_keyframe: called when video cannot go on without one.
    """

    def __init__(self, kind: Kind, want_keyframe: Callable[[], None]) -> None:
        super().__init__()
        self.kind = kind
        self.dropped = 0
        self._want_keyframe = want_keyframe
        self._queue: deque[Packet[Any]] = deque()
        self._ready = asyncio.Event()
        self._started = False
        self._skipping = kind == "video"

    def push(self, packet: Packet[Any]) -> None:
        """Queue a packet; never blocks."""
        if not self._started or self.readyState != "live":
            return
        if self.kind == "video":
            if len(self._queue) >= VIDEO_QUEUE:
                self.dropped += len(self._queue)
                self._queue.clear()
                self._skipping = True
                self._want_keyframe()
            if self._skipping and not packet.is_keyframe:
                self.dropped += 1
                return
            self._skipping = False
        elif len(self._queue) >= AUDIO_QUEUE:
            self.dropped += 1
            self._queue.popleft()
        self._queue.append(packet)
        self._ready.set()

    async def recv(self) -> Packet[Any]:
        """Return the next packet."""
        if not self._started:
            self._started = True
            if self.kind == "video":
                self._want_keyframe()
        while not self._queue:
            if self.readyState != "live":
                raise MediaStreamError
            self._ready.clear()
            await self._ready.wait()
        return self._queue.popleft()

    def stop(self) -> None:
        """End the track; a `recv` that waits ends with MediaStreamError."""
        super().stop()
        self._queue.clear()
        self._ready.set()


class _Viewer:
    """One peer connection and its two tracks."""

    def __init__(self, want_keyframe: Callable[[], None]) -> None:
        # No STUN server: the viewers are on this machine or network, and none must be asked on air.
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.tracks = {kind: PacketTrack(kind, want_keyframe) for kind in CODECS}
        self._want_keyframe = want_keyframe
        self._hidden: list[RTCIceCandidate] = []

    async def answer(self, sdp: str) -> str:
        """Return the answer to an offer."""
        for kind, mime in CODECS.items():
            transceiver = self.peer.addTransceiver(self.tracks[kind], direction="sendonly")
            # Before the offer is set, or VP8 would be agreed on.
            known = RTCRtpReceiver.getCapabilities(kind)
            codecs = known.codecs if known else []
            transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType.lower() == mime])
            if kind == "video":
                self._listen_for_losses(transceiver.sender)
        sdp, self._hidden = _split_hidden(sdp)
        await self.peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await self.peer.setLocalDescription(await self.peer.createAnswer())
        answer = self.peer.localDescription.sdp
        if not all(any(codec in line for line in answer.splitlines()) for codec in ("H264/", "opus/")):
            raise FeedError("the viewer does not take H.264 with Opus")
        return answer

    def _listen_for_losses(self, sender: RTCRtpSender) -> None:
        # aiortc tells its own encoder of a picture loss indication and nobody else.
        setattr(sender, "_send_keyframe", self._want_keyframe)  # noqa: B010

    async def watch(self) -> None:
        """Return when the viewer is gone, or never came."""
        resolving = asyncio.create_task(self._resolve_hidden())
        try:
            await self._watch()
        finally:
            resolving.cancel()

    async def _watch(self) -> None:
        asked_s = heard_s = time.monotonic()
        heard_bytes = 0
        while self.peer.connectionState not in ("failed", "closed"):
            await asyncio.sleep(0.5)
            now = time.monotonic()
            if self.peer.connectionState != "connected":
                if now - asked_s > CONNECT_S:
                    return
                heard_s = now
                continue
            received = await self._received_bytes()
            if received != heard_bytes:
                heard_bytes, heard_s = received, now
            elif now - heard_s > SILENT_S:
                return

    async def _resolve_hidden(self) -> None:
        # Behind the answer: where names cannot be resolved, it takes a second to find out, and the browser's
        # own checks have connected us long before.
        while not self.peer.localDescription:
            await asyncio.sleep(0.02)
        for candidate in self._hidden:
            await self.peer.addIceCandidate(candidate)

    async def close(self) -> None:
        """End tracks and connection."""
        for track in self.tracks.values():
            track.stop()
        await self.peer.close()

    async def _received_bytes(self) -> int:
        reports = (await self.peer.getStats()).values()
        return sum(report.bytesReceived for report in reports if report.type == "transport")


class Viewers:
    """All WebRTC peers.

    Args:
        want_keyframe: called, in the loop, when a viewer needs a keyframe; at most every `KEYFRAME_EVERY_S`.
        limit: how many viewers may watch at once.
    """

    def __init__(self, want_keyframe: Callable[[], None], *, limit: int = MAX_VIEWERS) -> None:
        self._force_keyframe = want_keyframe
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._viewers: dict[_Viewer, asyncio.Task[None]] = {}
        self._keyframe_s = 0.0
        self._keyframe_timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._viewers)

    async def answer(self, sdp: str) -> str:
        """Return the SDP answer to a viewer's offer, and serve it from then on.

        Raises:
            FeedError: the offer cannot be read or served, or there are too many viewers.
        """
        if len(self._viewers) >= self._limit:
            raise FeedError(f"{self._limit} viewers watch already; close one of them")
        viewer = _Viewer(self._want_keyframe)
        # Counted from here on, so that the encoder runs when the connection stands.
        self._viewers[viewer] = self._loop.create_task(self._keep(viewer))
        try:
            return await viewer.answer(sdp)
        except FeedError:
            await self._drop(viewer)
            raise
        except Exception as error:
            # aiortc raises whatever its parser stumbled over.
            await self._drop(viewer)
            raise FeedError(f"the viewer's offer cannot be answered: {error or type(error).__name__}") from error

    def packet(self, kind: Kind, packet: Packet[Any]) -> None:
        """Hand a packet to every viewer; from any thread."""
        if self._viewers:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody watches
                self._loop.call_soon_threadsafe(self._push, kind, packet)

    async def close(self) -> None:
        """Disconnect everybody."""
        await asyncio.gather(*(self._drop(viewer) for viewer in list(self._viewers)))
        if self._keyframe_timer is not None:
            self._keyframe_timer.cancel()

    def _push(self, kind: Kind, packet: Packet[Any]) -> None:
        for viewer in self._viewers:
            viewer.tracks[kind].push(packet)

    async def _keep(self, viewer: _Viewer) -> None:
        await viewer.watch()
        self._viewers.pop(viewer, None)
        await viewer.close()
        logger.info("a viewer is gone, %d left", len(self._viewers))

    async def _drop(self, viewer: _Viewer) -> None:
        task = self._viewers.pop(viewer, None)
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await viewer.close()

    def _want_keyframe(self) -> None:
        """Ask for a keyframe, now or when the last one is long enough ago."""
        if self._keyframe_timer is not None:
            return
        wait_s = max(0.0, self._keyframe_s + KEYFRAME_EVERY_S - self._loop.time())
        if wait_s:
            self._keyframe_timer = self._loop.call_later(wait_s, self._ask_keyframe)
        else:
            self._ask_keyframe()

    def _ask_keyframe(self) -> None:
        self._keyframe_timer = None
        self._keyframe_s = self._loop.time()
        self._force_keyframe()


def _split_hidden(sdp: str) -> tuple[str, list[RTCIceCandidate]]:
    """Return an offer without the addresses that a browser hides behind mDNS names, and those."""
    kept: list[str] = []
    hidden: list[RTCIceCandidate] = []
    section = -1
    for line in sdp.splitlines():
        section += line.startswith("m=")
        if line.startswith("a=candidate:") and line.split()[4:5] and line.split()[4].endswith(".local"):
            candidate = candidate_from_sdp(line.removeprefix("a=candidate:"))
            candidate.sdpMLineIndex = section
            hidden.append(candidate)
        # The end of candidates is never told: a connection that does not come up is given up by `watch`.
        elif line != "a=end-of-candidates":
            kept.append(line)
    return "\r\n".join(kept) + "\r\n", hidden
