"""One viewer: the connection, the two streams over it, and what waits to be sent."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import time
from collections import deque
from collections.abc import Callable

from aiortc import RTCConfiguration, RTCIceCandidate, RTCIceServer, RTCPeerConnection, RTCRtpReceiver
from aiortc import RTCSessionDescription as Description

from streaming.errors import OfferError
from streaming.programme.ice import Ways
from streaming.programme.offer import Fragment, Offer
from streaming.programme.outlet import Outlet, Parked, Wire
from streaming.programme.rtp import Burst, Kind, SampleClock

CODECS: dict[Kind, str] = {"video": "video/h264", "audio": "audio/opus"}
# About a second; beyond it, old pictures are of no use to somebody who watches live.
VIDEO_QUEUE = 30
# A picture goes out at once; a keyframe in parts, so that no router on the way is flooded.
PACKETS_AT_ONCE = 20
# So much that socket or relay do not take, and the viewer is left out until they do.
BACKLOG_BYTES = 128 * 1024
GATHER_S = 2
CONNECT_S = 10.0
# Viewers report every second or so, some every five; who is silent is asked, and given up if there is no answer.
SILENT_S = 4.0
_LOOK_EVERY_S = 0.5
_MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
_OPUS = "minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1"


class Peer:
    """A viewer, from its offer to its end.

    Args:
        ways: by which servers it is reached.
        clock: of all streams.
        want_keyframe: called when this viewer cannot go on without one.
    """

    def __init__(self, ways: Ways, clock: SampleClock, want_keyframe: Callable[[], None]) -> None:
        servers = [RTCIceServer(url) for url in ways.stun]
        servers += [RTCIceServer(url, username, password) for url, username, password in ways.turn]
        self.dropped = 0
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        self._clock, self._want_keyframe = clock, want_keyframe
        self._tracks = {kind: Parked(kind, functools.partial(self._begin, kind)) for kind in CODECS}
        self._outlets: dict[Kind, Outlet] = {}
        self._wire: Wire | None = None
        self._started: set[Kind] = set()
        self._queue: deque[Burst] = deque()
        # How many packets of the first burst in the queue have been sent.
        self._sent = 0
        self._skipping = True
        self._user = ""
        # Addresses that are still to be tried.
        self._late: list[RTCIceCandidate] = []
        self._later = asyncio.Event()
        self._heard_s = time.monotonic()

    @property
    def connected(self) -> bool:
        """Whether pictures and sound can reach the viewer."""
        return self._peer.connectionState == "connected"

    # --- agreeing ---

    async def answer(self, offer: Offer) -> str:
        """Return the SDP answer.

        Raises:
            OfferError: the offer cannot be answered.
        """
        self._user = offer.user
        self._late += offer.hidden
        self._later.set()
        for track in self._tracks.values():
            transceiver = self._peer.addTransceiver(track, direction="sendonly")
            # Before the offer is set, or VP8 would be agreed on.
            known = RTCRtpReceiver.getCapabilities(track.kind)
            mime, codecs = CODECS[track.kind], known.codecs if known else []
            transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType.lower() == mime])
        try:
            await self._peer.setRemoteDescription(Description(offer.sdp, "offer"))
            self._gather_in_time()
            await self._peer.setLocalDescription(await self._peer.createAnswer())
        except Exception as error:
            # aiortc raises whatever its parser stumbled over.
            raise OfferError(f"the viewer's offer cannot be answered: {str(error) or type(error).__name__}") from error
        answer = _stereo(self._peer.localDescription.sdp)
        for sender in self._peer.getSenders():
            kind: Kind = "video" if sender.kind == "video" else "audio"
            wire = Wire(sender.transport)
            payload_type, extension = _numbers(answer, kind)
            self._outlets[kind] = Outlet(
                sender,
                wire,
                self._clock,
                payload_type=payload_type,
                extension=extension,
                on_loss=self._want_keyframe,
                on_heard=self._hear,
            )
            self._wire = wire
        return answer

    def _gather_in_time(self) -> None:
        """Let a STUN or TURN server that does not answer hold up nobody for long."""
        for transceiver in self._peer.getTransceivers():
            connection = transceiver.sender.transport.transport.iceGatherer._connection
            gather = functools.partial(connection.get_component_candidates, timeout=GATHER_S)
            setattr(connection, "get_component_candidates", gather)  # noqa: B010

    def add(self, fragment: Fragment) -> None:
        """Take addresses that the viewer tells of later.

        Raises:
            OfferError: they belong to another ICE session.
        """
        if fragment.user and fragment.user != self._user:
            raise OfferError("ICE restarts are not served: make a new offer")
        self._late += fragment.candidates
        self._later.set()

    # --- sending ---

    def push(self, burst: Burst) -> bool:
        """Take a picture or a piece of sound; return whether something waits for `drain`."""
        if burst.kind not in self._started or self._wire is None:
            return False
        if burst.kind == "audio":
            # Sound is small, and is not made to wait behind a picture.
            if self._wire.backlog > BACKLOG_BYTES:
                self.dropped += 1
            else:
                self._outlets["audio"].send(burst)
            return bool(self._queue)
        if len(self._queue) >= VIDEO_QUEUE:
            self._leave_out()
        if self._skipping and not burst.keyframe:
            self.dropped += 1
        else:
            self._skipping = False
            self._queue.append(burst)
        return self.drain()

    def drain(self) -> bool:
        """Send what waits, a part at a time; return whether more does."""
        room = PACKETS_AT_ONCE
        if not self._queue or self._wire is None or self._wire.backlog > BACKLOG_BYTES:
            return bool(self._queue)
        while self._queue and room > 0:
            burst = self._queue[0]
            end = min(len(burst.payloads), self._sent + room)
            self._outlets["video"].send(burst, self._sent, end)
            room -= end - self._sent
            self._sent = end
            if end == len(burst.payloads):
                self._queue.popleft()
                self._sent = 0
        return bool(self._queue)

    def _leave_out(self) -> None:
        """Drop what waits and go on with a keyframe; a picture that is half sent is sent to its end."""
        begun = self._queue.popleft() if self._sent else None
        self.dropped += len(self._queue)
        self._queue.clear()
        if begun is not None:
            self._queue.append(begun)
        self._skipping = True
        self._want_keyframe()

    def _begin(self, kind: Kind) -> None:
        self._started.add(kind)
        if kind == "video":
            self._want_keyframe()

    # --- ending ---

    async def watch(self) -> None:
        """Return when the viewer is gone, or never came."""
        reaching = asyncio.create_task(self._reach())
        try:
            await self._watch()
        finally:
            reaching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reaching

    async def _watch(self) -> None:
        asked_s = time.monotonic()
        while self._peer.connectionState not in ("failed", "closed"):
            await asyncio.sleep(_LOOK_EVERY_S)
            if not self.connected:
                if time.monotonic() - asked_s > CONNECT_S:
                    return
                self._hear()
            elif time.monotonic() - self._heard_s > SILENT_S:
                assert self._wire is not None
                if not await self._wire.probe():
                    return
                self._hear()

    async def _reach(self) -> None:
        """Try the addresses that are told later, and those behind names.

        Where names cannot be resolved, it takes a second to find out, and nobody is to wait for it: the browser's
        own checks have connected us long before.
        """
        transport = self._peer.getSenders()[0].transport.transport
        while True:
            await self._later.wait()
            self._later.clear()
            while self._late:
                with contextlib.suppress(ValueError):  # not an address, nor a name on this network
                    await transport.addRemoteCandidate(self._late.pop(0))

    def _hear(self) -> None:
        self._heard_s = time.monotonic()

    async def close(self) -> None:
        """End the connection."""
        self._queue.clear()
        self._started.clear()
        for track in self._tracks.values():
            track.stop()
        await self._peer.close()


def _sections(sdp: str) -> dict[str, str]:
    """Return the part of each kind of stream."""
    parts = re.split(r"(?m)^(?=m=)", sdp)[1:]
    return {part[2:].partition(" ")[0]: part for part in parts}


def _numbers(answer: str, kind: Kind) -> tuple[int, tuple[int, bytes] | None]:
    """Return payload type and header extension that were agreed on for a stream."""
    section = _sections(answer)[kind]
    payload_type = int(section.partition("\n")[0].split()[3])
    number = re.search(rf"(?m)^a=extmap:(\d+)\S* {re.escape(_MID)}", section)
    name = re.search(r"(?m)^a=mid:(\S+)", section)
    if number is None or name is None or int(number[1]) > 14 or len(name[1]) > 16:
        return payload_type, None
    return payload_type, (int(number[1]), name[1].encode())


def _stereo(answer: str) -> str:
    """Say of the sound that it has two sides: a player may take it for mono."""
    number, _ = _numbers(answer, "audio")
    return re.sub(rf"(?m)^(a=rtpmap:{number} .*\r?\n)", rf"\g<1>a=fmtp:{number} {_OPUS}\r\n", answer, count=1)
