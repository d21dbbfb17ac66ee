"""A small obs-websocket 5 server with OBS's answers and, on order, its faults.

Proved against real OBS in tests/air/test_obs.py, which asks both the same things.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import Callable
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from tests.fakes_obs_answers import ObsAnswers

PASSWORD = "correct horse"
_SALT, _CHALLENGE = "salt", "challenge"
_METERS = 1 << 16
_METERS_EVERY_S = 0.02


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


class FakeObs(ObsAnswers):
    """OBS as far as the show uses it.

    Attributes:
        told: how often the meters told; metering: whether they tell anything.
        requests: names of all requests so far, in order.
        connections: how many clients came so far; `identified` how many had the password and make requests,
            `listening` how many listen to the meters instead.
        deaf: requests that get no reply; `busy`: those refused since OBS changes its collection.
        out_of_step: requests that get the reply to another.
        speechless: says nothing to who connects, as obs-websocket 4 does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[str] = []
        self.connections = 0
        self.identified = 0
        self.listening = 0
        self.deaf: set[str] = set()
        self.busy: set[str] = set()
        self.out_of_step: set[str] = set()
        self.speechless = False
        self.metering = True
        self.port = 0
        self.told = 0
        self._runner: web.AppRunner | None = None
        self._sockets: set[web.WebSocketResponse] = set()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen, on the port of the last time if there was one."""
        app = web.Application()
        app.router.add_get("/", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        if not self.port:
            assert site._server is not None
            self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]

    async def stop(self, code: int = WSCloseCode.GOING_AWAY) -> None:
        """Close every connection and listen no more."""
        for socket in tuple(self._sockets):
            await socket.close(code=code)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def kick(self) -> None:
        """Do what the kick button does."""
        for socket in tuple(self._sockets):
            await socket.close(code=4011)

    async def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait for a condition; fail the test when it does not come."""
        async with asyncio.timeout(seconds):
            while not condition():  # the other side is a thread, with no event to wait for
                await asyncio.sleep(0.005)

    async def _serve(self, http: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=0.1)
        await socket.prepare(http)
        self.connections += 1
        self._sockets.add(socket)
        metering: asyncio.Task[None] | None = None
        try:
            if not self.speechless:
                await socket.send_json(
                    {"op": 0, "d": {"rpcVersion": 1, "authentication": {"challenge": _CHALLENGE, "salt": _SALT}}}
                )
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                body = message.json()
                if body["op"] == 1:
                    if body["d"].get("authentication") != _hash(_hash(PASSWORD + _SALT) + _CHALLENGE):
                        await socket.close(code=4009, message=b"Authentication failed.")
                        break
                    await socket.send_json({"op": 2, "d": {"negotiatedRpcVersion": 1}})
                    if not body["d"]["eventSubscriptions"] & _METERS:
                        self.identified += 1
                    else:
                        self.listening += 1
                        metering = asyncio.create_task(self._meter(socket))
                elif body["op"] == 6:
                    await self._reply(socket, body["d"])
        finally:
            self._sockets.discard(socket)
            if metering is not None:
                metering.cancel()
        return socket

    async def _meter(self, socket: web.WebSocketResponse) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                if self.metering:
                    await socket.send_json(
                        {"op": 5, "d": {"eventType": "InputVolumeMeters", "eventData": self.meters()}}
                    )
                self.told += 1
                await asyncio.sleep(_METERS_EVERY_S)

    async def _reply(self, socket: web.WebSocketResponse, request: dict[str, Any]) -> None:
        name, data = request["requestType"], request.get("requestData", {})
        self.requests.append(name)
        if name in self.deaf:
            return
        code, found = (207, {}) if name in self.busy else self.answer(name, data)
        await socket.send_json(
            {
                "op": 7,
                "d": {
                    "requestType": "GetStats" if name in self.out_of_step else name,
                    "requestId": request["requestId"],
                    "requestStatus": {"result": code == 100, "code": code},
                    "responseData": found,
                },
            }
        )
