"""What the console serves to those who watch the show from outside: metrics, health, status."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from conductor.console.answers import Refusal
from conductor.console.guard import SOMEBODY, somebody_of
from conductor.errors import UsageError
from conductor.observing.metrics import CONTENT_TYPE, exposition
from conductor.observing.state import health, status

if TYPE_CHECKING:
    from conductor.show.show import Show

LEAST_TOKEN = 16
# What a proxy says of those it asks for: they are not of this machine though it is.
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


class Serving:
    """The routes of observing.

    Args:
        show: that is watched.
    """

    def __init__(self, show: Show) -> None:
        self._show = show

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        return [
            web.get("/metrics", self._metrics),
            web.get("/health", self._health),
            web.get("/healthz", self._health),
            web.get("/api/status", self._status),
        ]

    async def _metrics(self, request: web.Request) -> web.Response:
        if not _known(request):
            reason = "metrics are for this machine, for who is logged in, and for the token of --metrics-token"
            raise Refusal(401, reason, {"WWW-Authenticate": "Bearer"})
        return web.Response(body=exposition(self._show), headers={"Content-Type": CONTENT_TYPE})

    async def _health(self, request: web.Request) -> web.Response:
        told = health(self._show, ready="ready" in request.query)
        # A balancer need not log in; what is wrong is for those who are known.
        if not _known(request):
            told = {"ok": told["ok"], "audible": told["audible"]}
        return web.json_response(told, status=200 if told["ok"] else 503)

    async def _status(self, request: web.Request) -> web.Response:
        somebody_of(request)
        return web.json_response(status(self._show))


def read_token(path: Path) -> str:
    """Return the token that a file holds.

    Raises:
        UsageError: it holds none that is worth the name.
    """
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--metrics-token {path}: cannot be read ({error})") from None
    if len(token) < LEAST_TOKEN or not token.isascii() or len(token.split()) != 1:
        advice = f"openssl rand -hex 24 > {path}"
        raise UsageError(f"--metrics-token {path}: should hold one word of {LEAST_TOKEN} signs or more - {advice}")
    return token


def _known(request: web.Request) -> bool:
    """Return whether somebody is logged in, has a token, or asks from this machine without a proxy."""
    if SOMEBODY in request:
        return True
    try:
        own = ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        own = False
    return own and not any(name in request.headers for name in _FORWARDED)
