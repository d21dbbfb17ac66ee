"""The console's server: the page, the state, the verbs, events; the programme itself is in `whep`.

`GET` reads, `POST` acts: `/api/VERB`, with the verbs of `conductor.operating.vocabulary`. A verb may carry
`expect_standby` and `revision`: it is refused with 409 when another cue is next by now, or the show has
changed; and `request_id`: what comes twice with the same one is carried out once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from urllib.parse import urlsplit

from aiohttp import WSMsgType, web
from pydantic import BaseModel, Field, StrictInt, StrictStr, ValidationError

from conductor.console.static import page_routes
from conductor.console.whep import Whep
from conductor.errors import UsageError
from conductor.operating.order import Order
from conductor.setlist.yamlfile import explain
from conductor.show import Show
from conductor.view import meters, snapshot

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_BODY_BYTES = 64 * 1024
MAX_CLIENTS = 32
METERS_EVERY_S = 0.1
# A client that takes longer to read than this is let go.
SEND_WAIT_S = 5.0
_LOCAL_NAMES = {"localhost", "127.0.0.1", "::1"}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; style-src 'unsafe-inline'; script-src 'self' 'unsafe-inline'; "
    "img-src data:; connect-src 'self' ws: wss:",
}


class Console:
    """Serves the console of a show.

    Args:
        show: whose state is shown and whose verbs are given.
    """

    def __init__(self, show: Show) -> None:
        self._show = show
        self._host, self._port = show.options.host, show.options.port
        self._whep = Whep(show.crew.audience)
        self._runner: web.AppRunner | None = None
        self._clients: set[asyncio.Event] = set()
        self._sockets: set[web.WebSocketResponse] = set()
        show.changed.append(self._changed)

    async def start(self) -> str:
        """Begin to serve; return the address for a browser.

        Raises:
            UsageError: the port cannot be used.
        """
        app = web.Application(middlewares=[self._guard], client_max_size=MAX_BODY_BYTES)
        app.add_routes(
            [
                *page_routes(),
                web.get("/api/state", self._get_state),
                web.get("/api/events", self._get_events),
                web.get("/pieces/{piece:[0-9]+}.mid", self._get_piece),
                web.post("/api/{verb:[a-z]+}", self._post_verb),
                *self._whep.routes(),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise UsageError(
                f"port {self._port} cannot be served ({error.strerror}) - choose another: --port"
            ) from None
        host = "127.0.0.1" if self._host in ("0.0.0.0", "") else self._host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    async def stop(self) -> None:
        """Let all clients go and stop serving."""
        for socket in list(self._sockets):
            with contextlib.suppress(TimeoutError, ConnectionError):
                await asyncio.wait_for(socket.close(), 0.5)
        if self._runner:
            await self._runner.cleanup()

    def _changed(self) -> None:
        for event in self._clients:
            event.set()

    # --- who may ---

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        host = urlsplit(f"//{request.host}").hostname or ""
        # A name that was made to point here (DNS rebinding) must not reach a console meant for this machine.
        if self._host in _LOCAL_NAMES and host not in _LOCAL_NAMES:
            return _refuse(403, f"this console answers to localhost, not to {host}")
        whep = self._whep.concerns(request)
        if whep and not self._whep.admits(request):
            return _refuse(403, "asked from a page of another site: list it in the setlist (webrtc: origins)")
        if not whep and (request.method == "POST" or request.path == "/api/events"):
            origin = request.headers.get("Origin")
            if origin is not None and urlsplit(origin).netloc != request.host:
                return _refuse(403, "asked from a page of another site")
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = _refuse(error.status, error.reason)
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        if not response.prepared:
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
            if whep:
                self._whep.sign(request, response)
        return response

    # --- reading ---

    async def _get_state(self, _: web.Request) -> web.Response:
        return web.json_response({**snapshot(self._show), "meters": meters(self._show)})

    async def _get_piece(self, request: web.Request) -> web.StreamResponse:
        piece = self._show.library.piece(int(request.match_info["piece"]))
        if piece is None or not piece.midi.is_file():
            return _refuse(404, "there is no such piece")
        disposition = f'attachment; filename="{piece.midi.name.encode("ascii", "replace").decode()}"'
        return web.FileResponse(piece.midi, headers={"Content-Disposition": disposition, "Content-Type": "audio/midi"})

    async def _get_events(self, request: web.Request) -> web.StreamResponse:
        """A snapshot at once and after every change; meters ten times a second.

        Nothing is queued: a slow client gets the latest and misses what was between.
        """
        if len(self._clients) >= MAX_CLIENTS:
            return _refuse(503, f"{MAX_CLIENTS} consoles are open already")
        socket = web.WebSocketResponse(heartbeat=10.0, max_msg_size=1024)
        await socket.prepare(request)
        changed = asyncio.Event()
        changed.set()
        self._clients.add(changed)
        self._sockets.add(socket)
        sender = asyncio.create_task(self._send(socket, changed))
        try:
            async for message in socket:
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            self._clients.discard(changed)
            self._sockets.discard(socket)
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender
        return socket

    async def _send(self, socket: web.WebSocketResponse, changed: asyncio.Event) -> None:
        last: dict[str, Any] = {}
        with contextlib.suppress(ConnectionError, TimeoutError, RuntimeError):
            while not socket.closed:
                if changed.is_set():
                    changed.clear()
                    body = {"kind": "state", **snapshot(self._show)}
                    await asyncio.wait_for(socket.send_json(body), SEND_WAIT_S)
                now = meters(self._show)
                if now != last:
                    last = now
                    await asyncio.wait_for(socket.send_json({"kind": "meters", **now}), SEND_WAIT_S)
                await asyncio.sleep(METERS_EVERY_S)
            return
        await socket.close()

    # --- acting ---

    async def _post_verb(self, request: web.Request) -> web.Response:
        raw = await request.text()
        try:
            order = _order(request.match_info["verb"], json.loads(raw) if raw.strip() else {})
        except ValueError as error:
            return _refuse(400, f"not understood: {error}")
        answer = self._show.dispatcher.give(order)
        return web.json_response(answer.plain, status=answer.status)


class _About(BaseModel):
    """What an order is given with, beside its arguments."""

    request_id: Annotated[StrictStr, Field(max_length=200)] = ""
    expect_standby: StrictStr | None = None
    revision: StrictInt | None = None


def _order(verb: str, body: Any) -> Order:
    if not isinstance(body, dict):
        raise ValueError("a JSON object is expected")
    try:
        about = _About.model_validate(body)
    except ValidationError as error:
        raise ValueError(explain(error.errors()[0])) from None
    arguments = {name: value for name, value in body.items() if name not in _About.model_fields}
    return Order(verb, arguments, "console", "http", about.request_id, about.expect_standby, about.revision)


def _refuse(status: int, reason: str) -> web.Response:
    return web.json_response({"ok": False, "reason": reason}, status=status)
