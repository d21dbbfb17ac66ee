"""A feed with its conductor's side and a web site, as a show has them, and viewers written with aiortc."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtp import RtcpSrPacket
from av import AudioFrame
from av.frame import Frame

from conductor import wire
from conductor.console.whep import Whep, refuse
from conductor.show.audience import Audience
from conductor.workers import Worker, command
from streaming.programme.ice import Watching

SIZE = "640x360"
PAGE = """<!doctype html><video id=v autoplay playsinline></video><script src=/player.js></script><script>
window.told = [];
window.player = new Player(v, { tell: text => told.push([performance.now(), text]) });
</script>"""


class House:
    """Feed, audience and site of a run folder.

    Args:
        run: its folder.
        watching: who may watch.
        options: more of the feed's command line.
    """

    def __init__(self, run: Path, watching: Watching, *options: str) -> None:
        self.status: wire.FeedStatus | None = None
        self.url = ""
        self._news = asyncio.Event()
        self.worker = Worker(
            "feed",
            command("feed", run, "--size", SIZE, *options),
            run,
            on_message=self._hear,
            on_up=lambda: self.audience.feed_up(),
            on_down=lambda _: self.audience.feed_down(),
        )
        self.audience = Audience(self.worker, watching)
        self.whep = Whep(self.audience)

    def _hear(self, message: wire.Message) -> None:
        if isinstance(message, wire.Answer):
            self.audience.hear(message)
        elif isinstance(message, wire.FeedStatus):
            self.status = message
            self._news.set()

    async def until(self, holds: Callable[[wire.FeedStatus], bool], seconds: float = 15.0) -> wire.FeedStatus:
        """Wait for a status, of those that come from now on."""
        async with asyncio.timeout(seconds):
            while True:
                self._news.clear()
                await self._news.wait()
                assert self.status is not None
                if holds(self.status):
                    return self.status

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[House]:
        """Start the feed and serve the site."""
        app = web.Application(middlewares=[self._guard])
        player = (resources.files("conductor.console") / "player.js").read_text()
        for path, text, kind in (("/", PAGE, "text/html"), ("/player.js", player, "text/javascript")):
            app.router.add_get(path, _page(text, kind))
        app.add_routes(self.whep.routes())
        runner = web.AppRunner(app)
        await self.worker.start()
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()
            await self.worker.stop()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if not self.whep.admits(request):
            return refuse(403, "of another site")
        response: web.StreamResponse = await handler(request)
        self.whep.sign(request, response)
        return response


def _page(text: str, kind: str) -> Callable[[web.Request], Any]:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type=kind)

    return page


class Viewer:
    """A WHEP player: offers, connects, and decodes what comes (unless told not to)."""

    def __init__(self, url: str, *, decode: bool = True) -> None:
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.frames: dict[str, list[tuple[float, Any]]] = {"audio": [], "video": []}
        self.answer = ""
        self.headers: dict[str, str] = {}
        # By kind, the newest report on the stream: its 64-bit time, and the RTP timestamp that is then.
        self.reports: dict[str, tuple[int, int]] = {}
        self._url, self._decode = url, decode
        self._tasks: list[asyncio.Task[None]] = []
        self._more = asyncio.Event()

    async def __aenter__(self) -> Viewer:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def offer(self) -> str:
        """Return an offer, with all its addresses."""
        for kind in ("video", "audio"):
            self.peer.addTransceiver(kind, direction="recvonly")
        self.peer.on("track", self._take)
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return self.peer.localDescription.sdp

    async def connect(self) -> None:
        """Offer, and take the answer."""
        sdp = await self.offer()
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self._url}/whep", data=sdp, headers={"Content-Type": "application/sdp"}) as said,
        ):
            self.answer = await said.text()
            self.headers = dict(said.headers)
            assert said.status == 201, self.answer
        for receiver in self.peer.getReceivers():
            self._listen(receiver)
        await self.peer.setRemoteDescription(RTCSessionDescription(self.answer, "answer"))

    def _listen(self, receiver: Any) -> None:
        handle = receiver._handle_rtcp_packet

        async def listen(packet: Any) -> None:
            if isinstance(packet, RtcpSrPacket):
                self.reports[receiver.track.kind] = packet.sender_info.ntp_timestamp, packet.sender_info.rtp_timestamp
            await handle(packet)

        receiver._handle_rtcp_packet = listen

    def time_s(self, frame: Any) -> float:
        """Return when a frame is, by the reports of the sender: what a player lays sound and picture together by."""
        kind, rate = ("audio", 48_000) if isinstance(frame, AudioFrame) else ("video", 90_000)
        ntp, rtp = self.reports[kind]
        receiver: Any = next(one for one in self.peer.getReceivers() if one.track.kind == kind)
        stamp = round(frame.pts * frame.time_base * rate) + receiver._RTCRtpReceiver__timestamp_mapper._origin
        return float(ntp / 2**32 + ((stamp - rtp + 2**31) % 2**32 - 2**31) / rate)

    async def heard(self, kind: str, count: int = 1, seconds: float = 15.0) -> list[tuple[float, Any]]:
        """Wait until so many frames have come; return all of the kind as (loop time, frame)."""
        async with asyncio.timeout(seconds):
            while len(self.frames[kind]) < count:
                self._more.clear()
                await self._more.wait()
        return self.frames[kind]

    def _take(self, track: MediaStreamTrack) -> None:
        if self._decode:
            self._tasks.append(asyncio.get_running_loop().create_task(self._read(track)))

    async def _read(self, track: MediaStreamTrack) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, Frame)
                self.frames[track.kind].append((loop.time(), frame))
                self._more.set()

    async def close(self) -> None:
        """Hang up, as a player does that is closed."""
        await self.peer.close()
        await asyncio.gather(*self._tasks)
