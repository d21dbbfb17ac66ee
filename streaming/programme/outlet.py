"""The way of the programme to one viewer: RTP streams over a connection that aiortc has made.

aiortc agrees on everything, connects and encrypts. Its own sender then cuts up every picture for every viewer and wakes
a task for each packet; here all viewers share what is cut up, and a packet is a header, a cipher and a system call.
What is used of aiortc's and aioice's inner parts is in this file, and its tests hold it against a real peer.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
from collections.abc import Callable, Sequence
from typing import Any

from aioice.stun import TransactionError
from aiortc import RTCDtlsTransport, RTCRtpSender
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtp import (
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpRtpfbPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
)
from pylibsrtp import Error as CipherError

from streaming.programme.rtp import Burst, Kind, SampleClock

_HEADER = struct.Struct("!BBHII")
_PLAIN, _EXTENDED = 0x80, 0x90
_MARKER = 0x80
_ONE_BYTE_EXTENSIONS = 0xBEDE
# More than a second of it, so that what a viewer has missed can be sent again.
KEPT_PACKETS = 1024
# A viewer who asks for more than this at once is not helped by having it.
RESENT_AT_ONCE = 64


class Parked(MediaStreamTrack):
    """A track that gives aiortc nothing to send, and tells when the connection stands.

    Args:
        kind: "audio" or "video".
        on_started: called once, when packets can be sent.
    """

    def __init__(self, kind: Kind, on_started: Callable[[], None]) -> None:
        super().__init__()
        self.kind: Kind = kind
        self._on_started = on_started

    async def recv(self) -> Any:
        """Wait for ever: aiortc asks once the connection stands, and cancels this at its end."""
        self._on_started()
        await asyncio.get_running_loop().create_future()
        raise MediaStreamError


class Wire:
    """What one viewer is sent by: encrypts and hands over to the socket, or to the relay.

    Args:
        dtls: of the connection, which must stand when something is sent.
    """

    def __init__(self, dtls: RTCDtlsTransport) -> None:
        self._dtls = dtls
        self._ice = dtls.transport.iceGatherer._connection

    def send(self, packets: Sequence[bytes]) -> None:
        """Send RTP packets; what cannot be sent is lost, as on any network."""
        pair = self._ice._nominated.get(1)
        if pair is None or self._dtls.state != "connected":
            return
        protect, sendto, address = self._dtls._tx_srtp.protect, pair.protocol.transport.sendto, pair.remote_addr
        with contextlib.suppress(CipherError):
            for packet in packets:
                sendto(protect(packet), address)

    @property
    def backlog(self) -> int:
        """Bytes that wait in this process, since socket or relay do not take them."""
        pair = self._ice._nominated.get(1)
        if pair is None:
            return 0
        transport: Any = pair.protocol.transport
        # A relay's transport wraps the one to the relay.
        inner = getattr(transport, "_TurnTransport__inner_protocol", None)
        if inner is not None:
            transport = inner.transport
        return int(transport.get_write_buffer_size())

    async def probe(self) -> bool:
        """Ask the viewer whether it is there (RFC 7675); return whether it answered."""
        pair = self._ice._nominated.get(1)
        if pair is None or self._ice.remote_password is None:
            return False
        request = self._ice.build_request(pair, nominate=False)
        key = self._ice.remote_password.encode()
        try:
            await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=2)
        except (TransactionError, ConnectionError, OSError):
            return False
        return True


class Outlet:
    """One RTP stream to one viewer.

    Args:
        sender: aiortc's, whose reports and replies become those of this stream.
        wire: what is sent by.
        clock: of all streams.
        payload_type: agreed on.
        extension: header extensions of every packet (id, value), such as the stream's name.
        on_loss: called when the viewer asks for a keyframe.
        on_heard: called with every report of the viewer.
    """

    def __init__(
        self,
        sender: RTCRtpSender,
        wire: Wire,
        clock: SampleClock,
        *,
        payload_type: int,
        extension: tuple[int, bytes] | None = None,
        on_loss: Callable[[], None],
        on_heard: Callable[[], None],
    ) -> None:
        self.packets = 0
        self._wire, self._clock = wire, clock
        self._payload_type = payload_type
        self._on_loss, self._on_heard = on_loss, on_heard
        self._ssrc = sender._ssrc
        # As RFC 3550 asks; the sequence in the lower half, since SRTP does not bear an early wrap.
        self._origin = random.getrandbits(32)
        self._sequence = random.getrandbits(15)
        self._octets = 0
        self._last: Burst | None = None
        self._kept: list[tuple[int, bytes, bytes] | None] = [None] * KEPT_PACKETS
        self._extension = _extension(extension)
        self._first = _EXTENDED if extension else _PLAIN
        self._send_rtcp = sender._send_rtcp
        for name, own in {"_send_rtcp": self._report, "_handle_rtcp_packet": self._hear}.items():
            setattr(sender, name, own)

    def send(self, burst: Burst, start: int = 0, end: int | None = None) -> None:
        """Send payloads of a burst.

        Args:
            burst: of this stream's kind.
            start: index of the first payload.
            end: index after the last; None: all.
        """
        last = len(burst.payloads) - 1
        timestamp = (self._origin + burst.timestamp) & 0xFFFFFFFF
        ready: list[bytes] = []
        for index in range(start, len(burst.payloads) if end is None else end):
            marker = _MARKER if index == last else 0
            sequence = self._sequence
            payload = burst.payloads[index]
            header = _HEADER.pack(self._first, self._payload_type | marker, sequence, timestamp, self._ssrc)
            header += self._extension
            # The payload is every viewer's.
            self._kept[sequence % KEPT_PACKETS] = (sequence, header, payload)
            ready.append(header + payload)
            self._sequence = (sequence + 1) & 0xFFFF
            self._octets += len(payload)
            self.packets += 1
        self._wire.send(ready)
        self._last = burst

    async def _report(self, packets: list[Any]) -> None:
        """Send aiortc's report, with what it cannot know: what was sent, and when that is."""
        if self._last is None and not any(isinstance(packet, RtcpByePacket) for packet in packets):
            return
        for packet in packets:
            if isinstance(packet, RtcpSrPacket) and self._last is not None:
                packet.sender_info = RtcpSenderInfo(
                    ntp_timestamp=self._clock.ntp(self._last.sample),
                    rtp_timestamp=(self._origin + self._last.timestamp) & 0xFFFFFFFF,
                    packet_count=self.packets & 0xFFFFFFFF,
                    octet_count=self._octets & 0xFFFFFFFF,
                )
        await self._send_rtcp(packets)

    async def _hear(self, packet: Any) -> None:
        self._on_heard()
        match packet:
            case RtcpRtpfbPacket(fmt=fmt, lost=lost) if fmt == RTCP_RTPFB_NACK:
                found = [(sequence, self._kept[sequence % KEPT_PACKETS]) for sequence in lost[:RESENT_AT_ONCE]]
                self._wire.send([kept[1] + kept[2] for sequence, kept in found if kept and kept[0] == sequence])
            case RtcpPsfbPacket(fmt=fmt) if fmt in (RTCP_PSFB_PLI, RTCP_PSFB_FIR):
                self._on_loss()


def _extension(extension: tuple[int, bytes] | None) -> bytes:
    """Return one header extension in RFC 8285's short form, padded to whole words."""
    if extension is None:
        return b""
    number, value = extension
    body = bytes([number << 4 | len(value) - 1]) + value
    body += bytes(-len(body) % 4)
    return struct.pack("!HH", _ONE_BYTE_EXTENSIONS, len(body) // 4) + body
