"""The programme for any player of WebRTC, by WHEP: an offer is posted, the answer is a session that can be deleted.

The console's own preview is a player like any other. Source: draft-ietf-wish-whep; RFC 9725 (WHIP), whose rules for
sessions it shares; RFC 8840 (addresses that come later).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from conductor import wire
from conductor.errors import WireError
from conductor.show.audience import Ask, Audience

PATH = "/whep"
SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
# Chromium's offer is 6 kB.
MAX_OFFER_BYTES = 32 * 1024
METHODS = "POST, DELETE, PATCH, OPTIONS"
RETRY_AFTER_S = 2
_STATUS = {"offer": 400, "media": 406, "full": 503, "gone": 404}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Whep:
    """The routes of WHEP.

    Args:
        audience: of the show.
    """

    def __init__(self, audience: Audience) -> None:
        self._audience = audience

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        session = PATH + "/{session:[A-Za-z0-9_-]{1,64}}"
        return [
            web.post(PATH, self._post),
            web.options(PATH, self._options),
            web.patch(session, self._patch),
            web.delete(session, self._delete),
            web.options(session, self._options),
        ]

    def concerns(self, request: web.Request) -> bool:
        """Return whether a request is about the programme, and not about the console."""
        return request.path == PATH or request.path.startswith(f"{PATH}/")

    def admits(self, request: web.Request) -> bool:
        """Return whether the page that asks may show the programme."""
        origin = request.headers.get("Origin")
        return origin is None or urlsplit(origin).netloc == request.host or self._listed(origin)

    def sign(self, request: web.Request, response: web.StreamResponse) -> None:
        """Let a listed page of another site read the response."""
        origin = request.headers.get("Origin", "")
        if self._listed(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = "Location, Link, ETag, Retry-After"
            response.headers["Vary"] = "Origin"

    def _listed(self, origin: str) -> bool:
        return origin in self._audience.origins or bool(origin and "*" in self._audience.origins)

    # --- the methods ---

    async def _options(self, request: web.Request) -> web.Response:
        response = web.Response(status=204)
        response.headers["Allow"] = METHODS
        response.headers["Accept-Post"] = SDP
        response.headers["Accept-Patch"] = FRAGMENT
        if self._listed(request.headers.get("Origin", "")):
            response.headers["Access-Control-Allow-Methods"] = METHODS
            response.headers["Access-Control-Allow-Headers"] = "Content-Type, If-Match, Authorization"
            response.headers["Access-Control-Max-Age"] = "86400"
        self._link(response)
        return response

    async def _post(self, request: web.Request) -> web.Response:
        sdp = await _body(request, SDP, "an SDP offer")
        if isinstance(sdp, web.Response):
            return sdp
        session = secrets.token_urlsafe(16)
        answer = await self._ask(lambda request_id: wire.Offer(request_id, session, sdp))
        if isinstance(answer, web.Response):
            return answer
        response = web.Response(status=201, body=answer.sdp.encode(), content_type=SDP)
        response.headers["Location"] = f"{PATH}/{session}"
        response.headers["ETag"] = _tag(session)
        response.headers["Accept-Patch"] = FRAGMENT
        self._link(response)
        return response

    async def _patch(self, request: web.Request) -> web.Response:
        session = request.match_info["session"]
        matches = request.headers.get("If-Match")
        if matches is None:
            return refuse(428, f"If-Match is missing: send the ETag of the answer, {_tag(session)}")
        if matches not in (_tag(session), "*"):
            return refuse(412, "If-Match is of another session of ICE")
        fragment = await _body(request, FRAGMENT, "addresses of ICE")
        if isinstance(fragment, web.Response):
            return fragment
        answer = await self._ask(lambda request_id: wire.Trickle(request_id, session, fragment))
        return answer if isinstance(answer, web.Response) else web.Response(status=204)

    async def _delete(self, request: web.Request) -> web.Response:
        session = request.match_info["session"]
        answer = await self._ask(lambda request_id: wire.Leave(request_id, session))
        return answer if isinstance(answer, web.Response) else web.json_response({"ok": True})

    async def _ask(self, ask: Ask) -> wire.Answer | web.Response:
        try:
            answer = await self._audience.ask(ask)
        except WireError as error:
            return refuse(503, str(error))
        return refuse(_STATUS.get(answer.why, 503), answer.error) if answer.error else answer

    def _link(self, response: web.Response) -> None:
        """Name the servers by which a viewer may be reached."""
        for url in self._audience.ways.stun:
            response.headers.add("Link", f'<{url}>; rel="ice-server"')
        for url, username, password in self._audience.ways.turn:
            response.headers.add(
                "Link",
                f'<{url}>; rel="ice-server"; username="{_quoted(username)}"; '
                f'credential="{_quoted(password)}"; credential-type="password"',
            )


def refuse(status: int, reason: str) -> web.Response:
    """Return a refusal, with the reason on one line."""
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None
    return web.json_response({"ok": False, "reason": reason}, status=status, headers=headers)


async def _body(request: web.Request, kind: str, name: str) -> str | web.Response:
    if request.content_type != kind:
        return refuse(415, f"{name} is sent as Content-Type: {kind}, not {request.content_type}")
    if request.content_length is not None and request.content_length > MAX_OFFER_BYTES:
        return refuse(413, f"{name} has at most {MAX_OFFER_BYTES} bytes")
    try:
        text = await request.text()
    except (UnicodeDecodeError, LookupError):
        return refuse(400, f"not {name}: no text")
    if len(text) > MAX_OFFER_BYTES:
        return refuse(413, f"{name} has at most {MAX_OFFER_BYTES} bytes")
    return text


def _tag(session: str) -> str:
    # Of the session alone: a conductor that takes over a running feed knows it as well.
    return f'"{hashlib.sha256(session.encode()).hexdigest()[:12]}"'


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
