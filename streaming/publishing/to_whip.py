"""The programme to a WHIP ingest: one HTTP request, then WebRTC.

Source: RFC 9725 (WHIP), RFC 7675 (consent: an ingest that has stopped answers no check).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Callable
from fractions import Fraction
from typing import Any, Literal
from urllib.parse import urljoin

import aiohttp
import aioice.ice
import aioice.stun
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.packet import Packet

from streaming.errors import ClosedError, PublishError, RefusedError
from streaming.publishing.job import Job, Report, Teller
from streaming.publishing.parcels import SAMPLE_RATE, Origin, Parcel

ANSWER_S = 8.0
CONNECT_S = 10.0
# The request counts, not the answer.
LEAVE_S = 0.3
REPORT_EVERY_S = 0.1
# Asked so often, three times without an answer in time: 2 s at most. A lost packet or two are no fault.
CONSENT_EVERY_S = 0.2
CONSENT_ANSWER_S = 0.4
CONSENT_FAILURES = 3
_QUEUE = 64
_CODECS: dict[Literal["video", "audio"], str] = {"video": "video/h264", "audio": "audio/opus"}


class _Track(MediaStreamTrack):
    """A track of encoded packets."""

    def __init__(self, kind: Literal["video", "audio"]) -> None:
        super().__init__()
        self.kind = kind
        self.sent = 0
        self._packets: asyncio.Queue[Packet[Any]] = asyncio.Queue(_QUEUE)

    async def put(self, parcel: Parcel, at_s: Fraction, unit: Fraction) -> None:
        packet: Packet[Any] = Packet(parcel.data)
        packet.time_base = unit
        packet.pts = round(at_s / unit)
        packet.is_keyframe = parcel.keyframe
        await self._packets.put(packet)

    async def recv(self) -> Packet[Any]:
        """Return the next packet."""
        if self.readyState != "live":
            raise MediaStreamError
        packet = await self._packets.get()
        self.sent += packet.size
        return packet


async def publish(job: Job, parcels: AsyncIterator[Parcel], teller: Teller) -> None:
    """Publish until there are no more parcels.

    Raises:
        PublishError: it cannot, or cannot any longer.
    """
    # This process is for one connection alone.
    aioice.ice.CONSENT_INTERVAL = CONSENT_EVERY_S  # type: ignore[assignment]
    aioice.ice.CONSENT_FAILURES = CONSENT_FAILURES
    aioice.stun.RETRY_RTO = CONSENT_ANSWER_S
    tracks = {kind: _Track(kind) for kind in _CODECS}
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    wishes: list[None] = []
    offer = await _offer(peer, tracks, lambda: wishes.append(None))
    connector = aiohttp.TCPConnector(ssl=_trust(job))
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(ANSWER_S)) as session:
        headers = {"Authorization": f"Bearer {job.key}"} if job.key else {}
        resource = ""
        try:
            answer, resource = await _ask(session, job.url, headers, offer)
            try:
                await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            except Exception as error:
                # aiortc raises whatever its parser stumbled over.
                raise PublishError(f"its answer cannot be used ({type(error).__name__})") from None
            await _connected(peer)
            await _send(job, parcels, teller, peer, tracks, wishes)
            # After a fault nobody is there to say goodbye to; the process ends with it.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(peer.close(), 0.5)
        finally:
            if resource:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    await session.delete(resource, headers=headers, timeout=aiohttp.ClientTimeout(LEAVE_S))


async def _offer(peer: RTCPeerConnection, tracks: dict[Any, _Track], want_keyframe: Callable[[], None]) -> str:
    for kind, mime in _CODECS.items():
        transceiver = peer.addTransceiver(tracks[kind], direction="sendonly")
        known = RTCRtpReceiver.getCapabilities(kind)
        codecs = known.codecs if known else []
        transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType.lower() == mime])
        if kind == "video":
            _listen_for_losses(transceiver.sender, want_keyframe)
    await peer.setLocalDescription(await peer.createOffer())
    return _stereo(peer.localDescription.sdp)


def _listen_for_losses(sender: RTCRtpSender, want_keyframe: Callable[[], None]) -> None:
    # aiortc tells its own encoder of a picture loss indication and nobody else.
    setattr(sender, "_send_keyframe", want_keyframe)  # noqa: B010


def _stereo(sdp: str) -> str:
    """Return an offer that says that the sound has two channels, which Opus leaves open."""
    lines: list[str] = []
    for line in sdp.splitlines():
        lines.append(line)
        if line.startswith("a=rtpmap:") and "opus/" in line:
            payload = line.removeprefix("a=rtpmap:").split()[0]
            lines.append(f"a=fmtp:{payload} stereo=1;sprop-stereo=1;useinbandfec=0")
    return "\r\n".join(lines) + "\r\n"


def _trust(job: Job) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if job.ca_file:
        context.load_verify_locations(job.ca_file)
    return context


async def _ask(session: aiohttp.ClientSession, url: str, headers: dict[str, str], offer: str) -> tuple[str, str]:
    """Return the answer to the offer, and the address by which the session is ended."""
    try:
        async with session.post(url, data=offer, headers={**headers, "Content-Type": "application/sdp"}) as response:
            body = (await response.content.read(200_000)).decode(errors="replace")
            status, location = response.status, response.headers.get("Location", "")
            place = str(response.url)
    except aiohttp.ClientConnectorCertificateError as error:
        raise PublishError(f"its certificate is not trusted ({error.certificate_error.args[-1]})") from None
    except aiohttp.ClientConnectorError as error:
        number = error.os_error.errno or 0
        raise PublishError(os.strerror(number).lower() if number > 0 else "no such host") from None
    except TimeoutError:
        raise PublishError(f"no answer within {ANSWER_S:.0f} s") from None
    except aiohttp.ClientError as error:
        raise PublishError(f"the request failed ({type(error).__name__})") from None
    if status in (200, 201) and body.startswith("v=0"):
        return body, urljoin(place, location) if location else ""
    words = " ".join(body.split())[:120] if not body.lstrip().startswith("<") else ""
    told = f"HTTP {status}{f': {words}' if words else ''}"
    if status in (401, 403):
        raise RefusedError(f"it does not take the key ({told})")
    if 400 <= status < 500 and status not in (408, 409, 425, 429):
        raise RefusedError(f"it does not take the stream ({told})")
    raise PublishError(f"it answers with {told}")


async def _connected(peer: RTCPeerConnection) -> None:
    loop = asyncio.get_running_loop()
    until_s = loop.time() + CONNECT_S
    while peer.connectionState != "connected":
        if peer.connectionState in ("failed", "closed") or loop.time() > until_s:
            raise PublishError("it answered, but no connection for sound and picture came about (a firewall?)")
        await asyncio.sleep(0.02)


async def _send(
    job: Job,
    parcels: AsyncIterator[Parcel],
    teller: Teller,
    peer: RTCPeerConnection,
    tracks: dict[Literal["video", "audio"], _Track],
    wishes: list[None],
) -> None:
    async def feed() -> None:
        origin = Origin(job.fps)
        async for parcel in parcels:
            at_s = origin.seconds(parcel)
            if at_s is None:
                continue
            if parcel.stream == "video":
                await tracks["video"].put(parcel, at_s, Fraction(1, job.fps))
            elif parcel.stream == "opus":
                await tracks["audio"].put(parcel, at_s, Fraction(1, SAMPLE_RATE))

    async def watch() -> None:
        while True:
            if peer.iceConnectionState in ("failed", "closed", "disconnected"):
                raise PublishError("it does not answer any more")
            if peer.connectionState in ("failed", "closed"):
                raise ClosedError("it ended the connection")
            delivered = sum(track.sent for track in tracks.values())
            teller.tell(Report(ready=True, delivered=delivered, keyframe=bool(wishes)))
            wishes.clear()
            await asyncio.sleep(REPORT_EVERY_S)

    tasks = {asyncio.create_task(feed()), asyncio.create_task(watch())}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
