"""A small obs-websocket 5 server with OBS's answers and, on order, its faults.

Proved against real OBS in tests/air/test_obs.py, which asks both the same things.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

PASSWORD = "correct horse"
_SALT, _CHALLENGE = "salt", "challenge"


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


class FakeObs:
    """OBS as far as the show uses it.

    Attributes:
        scenes, scene: names, and the one on program.
        inputs: settings by input name; `kinds` and `items` tell kind and scene item.
        streaming: whether the stream runs.
        requests: names of all requests so far, in order.
        connections: how many clients came so far; `identified` how many had the password.
        deaf: requests that get no reply.
        out_of_step: requests that get the reply to another.
    """

    def __init__(self) -> None:
        self.scenes = ["Main", "Break"]
        self.scene = "Main"
        self.inputs: dict[str, dict[str, Any]] = {}
        self.kinds: dict[str, str] = {}
        self.items: dict[str, dict[str, Any]] = {}
        self.offsets: dict[str, int] = {}
        self.streaming = False
        self.requests: list[str] = []
        self.connections = 0
        self.identified = 0
        self.deaf: set[str] = set()
        self.out_of_step: set[str] = set()
        self.port = 0
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
        try:
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
                    self.identified += 1
                    await socket.send_json({"op": 2, "d": {"negotiatedRpcVersion": 1}})
                elif body["op"] == 6:
                    await self._reply(socket, body["d"])
        finally:
            self._sockets.discard(socket)
        return socket

    async def _reply(self, socket: web.WebSocketResponse, request: dict[str, Any]) -> None:
        name, data = request["requestType"], request.get("requestData", {})
        self.requests.append(name)
        if name in self.deaf:
            return
        code, found = self._answer(name, data)
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

    def _answer(self, name: str, data: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return status code and answer, by OBS's rules: 600 for what does not exist, 601 for what does."""
        match name:
            case "GetVersion":
                return 100, {"obsVersion": "29.0.2", "obsWebSocketVersion": "5.1.0"}
            case "GetVideoSettings":
                return 100, {"baseWidth": 640, "baseHeight": 360}
            case "GetInputKindList":
                return 100, {"inputKinds": ["ffmpeg_source", "text_ft2_source_v2"]}
            case "GetCurrentProgramScene":
                return 100, {"currentProgramSceneName": self.scene}
            case "SetCurrentProgramScene":
                if data["sceneName"] not in self.scenes:
                    return 600, {}
                self.scene = data["sceneName"]
            case "GetStreamStatus":
                return 100, {"outputActive": self.streaming, "outputReconnecting": False}
            case "StartStream" | "StopStream":
                if self.streaming == (name == "StartStream"):
                    return (500 if self.streaming else 501), {}
                self.streaming = name == "StartStream"
            case "CreateInput":
                if data["inputName"] in self.inputs:
                    return 601, {}
                if data["sceneName"] not in self.scenes:
                    return 600, {}
                self.inputs[data["inputName"]] = dict(data["inputSettings"])
                self.kinds[data["inputName"]] = data["inputKind"]
                self.items[data["inputName"]] = {"scene": data["sceneName"], "enabled": data["sceneItemEnabled"]}
                return 100, {"sceneItemId": len(self.items)}
            case "SetSceneItemTransform":
                if data["sceneItemId"] > len(self.items):
                    return 600, {}
            case "GetInputSettings" | "SetInputSettings" | "SetInputAudioSyncOffset":
                if data["inputName"] not in self.inputs:
                    return 600, {}
                settings = self.inputs[data["inputName"]]
                if name == "GetInputSettings":
                    return 100, {"inputSettings": settings, "inputKind": self.kinds[data["inputName"]]}
                if name == "SetInputSettings":
                    settings.update(data["inputSettings"])
                else:
                    self.offsets[data["inputName"]] = data["inputAudioSyncOffset"]
            case _:
                return 204, {}
        return 100, {}
