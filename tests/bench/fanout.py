"""Sends the packets of one encoder to viewers, by our own way and by aiortc's, for `tests.bench.viewers`.

    python -m tests.bench.fanout ours|aiortc [--size 1280x720] [--bitrate 4500000]

Encodes two seconds of noise in motion, then sends them over and over in real time: what the processor does from then
on is for the viewers alone. Prints its address; the viewers connect by WHEP.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from av.packet import Packet

from streaming.programme.encoder import Encoder
from streaming.programme.ice import Ways
from streaming.programme.webrtc import Viewers
from streaming.timeline import SAMPLE_RATE

Kind = Literal["audio", "video"]
FPS, SECONDS = 30, 2
Answer = Callable[[str], Awaitable[str]]
Push = Callable[[Kind, "Packet[Any]"], None]


def programme(width: int, height: int, bitrate: int) -> list[tuple[Kind, bytes, int, bool]]:
    """Return two seconds as (kind, data, pts, keyframe), in the order of the encoder."""
    made: list[tuple[Kind, bytes, int, bool]] = []

    def keep(stream: str, packet: Packet[Any]) -> None:
        if stream != "aac":
            assert packet.pts is not None
            kind: Kind = "video" if stream == "video" else "audio"
            made.append((kind, bytes(packet), packet.pts, packet.is_keyframe))

    encoder = Encoder(width, height, FPS, video_bitrate=bitrate, preset="ultrafast", on_packet=keep)
    rng = np.random.default_rng(0)
    noise = rng.integers(40, 200, (height * 3 // 2, width * 2), np.uint8)
    step = SAMPLE_RATE // FPS
    for index in range(FPS * SECONDS):
        encoder.video(np.ascontiguousarray(noise[:, index * 8 : index * 8 + width]), index)
        encoder.audio(rng.normal(0, 0.1, (step, 2)).astype(np.float32), index * step)
    return made


class Queue(MediaStreamTrack):
    """A track as aiortc wants it: its sender waits for each packet."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind
        self.packets: asyncio.Queue[Packet[Any]] = asyncio.Queue()

    async def recv(self) -> Packet[Any]:
        return await self.packets.get()


class Stock:
    """Viewers by aiortc's own senders, with the packets passed through."""

    def __init__(self) -> None:
        self._tracks: list[Queue] = []
        self._peers: list[RTCPeerConnection] = []

    async def answer(self, sdp: str) -> str:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peers.append(peer)
        for kind, mime in (("video", "video/h264"), ("audio", "audio/opus")):
            track = Queue("video" if kind == "video" else "audio")
            transceiver = peer.addTransceiver(track, direction="sendonly")
            known = RTCRtpReceiver.getCapabilities(kind)
            assert known is not None
            transceiver.setCodecPreferences([c for c in known.codecs if c.mimeType.lower() == mime])
            self._tracks.append(track)
        await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        return peer.localDescription.sdp

    def push(self, kind: Kind, packet: Packet[Any]) -> None:
        for track in self._tracks:
            if track.kind == kind:
                track.packets.put_nowait(packet)


async def send(made: list[tuple[Kind, bytes, int, bool]], push: Push) -> None:
    """Send the two seconds over and over, each packet at its time."""
    began_s, lap = time.monotonic(), 0
    base = {"video": Fraction(1, FPS), "audio": Fraction(1, SAMPLE_RATE)}
    while True:
        for kind, data, pts, keyframe in made:
            packet: Packet[Any] = Packet(data)
            packet.pts = max(0, pts + lap * SECONDS * (FPS if kind == "video" else SAMPLE_RATE))
            packet.time_base, packet.is_keyframe = base[kind], keyframe
            wait_s = began_s + float(packet.pts * base[kind]) - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            push(kind, packet)
        lap += 1


async def serve(way: str, width: int, height: int, bitrate: int) -> None:
    """Serve viewers until killed."""
    made = programme(width, height, bitrate)
    answer: Answer
    push: Push
    if way == "ours":
        viewers = Viewers(lambda: None, Ways(viewers=200))
        sessions = iter(range(10_000))

        async def answer_ours(sdp: str) -> str:
            return await viewers.answer(str(next(sessions)), sdp)

        answer, push = answer_ours, viewers._push
    else:
        stock = Stock()
        answer, push = stock.answer, stock.push

    async def post(request: web.Request) -> web.Response:
        return web.Response(status=201, text=await answer(await request.text()))

    app = web.Application()
    app.add_routes([web.post("/whep", post)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await send(made, push)


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=("ours", "aiortc"))
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--bitrate", type=int, default=4_500_000)
    got = parser.parse_args()
    width, _, height = got.size.partition("x")
    asyncio.run(serve(got.way, int(width), int(height), got.bitrate))


if __name__ == "__main__":
    main()
