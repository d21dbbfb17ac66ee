"""The events of a show by WebSocket: a snapshot, numbered deltas, meters."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from aiohttp import WSMsgType, web

from conductor.console.answers import Refusal
from conductor.console.guard import Guard
from conductor.console.stream import Listener, Stream
from conductor.errors import ConductorError
from conductor.show.show import Show
from conductor.show.view import meters, snapshot

LOG = logging.getLogger("conductor.console")

MOST = 64
METERS_EVERY_S = 0.1
# Changes that come together are told together.
GATHERED_S = 0.02
# What changes without anybody saying so, such as a worker that is gone, is looked at this often.
LOOK_EVERY_S = 1.0
# A client that takes longer to read than this is let go.
SEND_WAIT_S = 5.0
# Who is logged out is let go after so long at most.
WHO_EVERY_S = 10.0
LOGGED_OUT = 4401


class Events:
    """Tells all consoles what changes.

    Args:
        show: that they follow.
        guard: knows who is still logged in.
    """

    def __init__(self, show: Show, guard: Guard) -> None:
        self._show, self._guard = show, guard
        self.stream = Stream(lambda: snapshot(show), lambda: meters(show))
        self._sockets: set[web.WebSocketResponse] = set()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._troubled = False
        show.changed.append(self._changed.set)

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        return [web.get("/api/events", self._get, allow_head=False)]

    def start(self) -> None:
        """Begin to look at the show."""
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Let all consoles go."""
        with contextlib.suppress(ValueError):
            self._show.changed.remove(self._changed.set)
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

        async def close(socket: web.WebSocketResponse) -> None:
            with contextlib.suppress(TimeoutError, ConnectionError):
                await asyncio.wait_for(socket.close(), 0.5)

        await asyncio.gather(*(close(socket) for socket in list(self._sockets)))

    async def _follow(self) -> None:
        clock = asyncio.get_running_loop()
        looked_s = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), METERS_EVERY_S)
                await asyncio.sleep(GATHERED_S)
            due = self._changed.is_set() or clock.time() - looked_s >= LOOK_EVERY_S
            self._changed.clear()
            if not self.stream.listeners:
                continue
            try:
                if due:
                    looked_s = clock.time()
                    self.stream.refresh()
                self.stream.refresh_meters()
                self._troubled = False
            except ConductorError as error:
                # Such as a database that cannot be read: what is shown stays as it is, and the show goes on.
                if not self._troubled:
                    LOG.error("the consoles are told nothing new: %s", error)
                self._troubled = True

    async def _get(self, request: web.Request) -> web.StreamResponse:
        if not web.WebSocketResponse().can_prepare(request):
            raise Refusal(426, "this is a WebSocket: ask for an upgrade", {"Upgrade": "websocket"})
        if len(self._sockets) >= MOST:
            raise Refusal(503, f"{MOST} consoles are open already", {"Retry-After": "5"})
        since = request.query.get("since", "")
        known = int(since) if since.isascii() and since.isdecimal() and len(since) < 12 else None
        # Compressing for each costs the show more than it saves.
        socket = web.WebSocketResponse(heartbeat=10.0, max_msg_size=1024, compress=False)
        await socket.prepare(request)
        listener = self.stream.join(request.query.get("run", ""), known)
        self._sockets.add(socket)
        tasks = [
            asyncio.create_task(self._send(socket, listener, request.transport)),
            asyncio.create_task(self._watch(socket, request)),
        ]
        try:
            async for message in socket:
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            self._sockets.discard(socket)
            self.stream.leave(listener)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return socket

    async def _send(
        self, socket: web.WebSocketResponse, listener: Listener, transport: asyncio.Transport | None
    ) -> None:
        try:
            while not socket.closed:
                text = await listener.next(self.stream.snapshot)
                await asyncio.wait_for(socket.send_str(text), SEND_WAIT_S)
        except TimeoutError:
            # Its other end reads nothing, not even a goodbye.
            if transport:
                transport.abort()
        except (ConnectionError, RuntimeError):
            return

    async def _watch(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        while True:
            await asyncio.sleep(WHO_EVERY_S)
            if self._guard.who(request) is None:
                await socket.close(code=LOGGED_OUT, message=b"logged out")
                return
