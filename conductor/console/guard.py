"""Who gets in: what is looked at before a request is answered, whatever it asks for."""

from __future__ import annotations

import logging
import os
import pwd
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from conductor.console.answers import Refusal, too_large
from conductor.console.finding import CLIENT
from conductor.console.rates import Buckets, Limits
from conductor.console.roles import Role, Somebody
from conductor.console.sessions import Sessions
from conductor.console.whep import Whep
from conductor.operating.vocabulary import VERBS
from conductor.setlist.yamlfile import did_you_mean
from conductor.show.stage import LOCAL_NAMES

LOG = logging.getLogger("conductor.console")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# No request of any kind is larger.
MAX_BYTES = 1_200_000
SOMEBODY: web.RequestKey[Somebody] = web.RequestKey("somebody", Somebody)
_READING = {"GET", "HEAD", "OPTIONS"}
# What a browser needs before anybody can have logged in.
_OPEN = {"/login", "/api/login"}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_POLICY = "default-src 'none'; frame-ancestors 'none'"
# What a browser may do in a page: run its own files and speak with its own server. No inline script or style.
_PAGE_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)


class Guard:
    """Looks at every request.

    Args:
        host: address that the console serves.
        port: of it; browsers do not keep the cookies of ports apart.
        sessions: of those who are logged in; None: whoever sits at this machine may do everything.
        whep: the programme for viewers, which has rules of its own.
        limits: how often somebody may ask.
        now_s: returns the time, in seconds.
    """

    def __init__(
        self, host: str, port: int, sessions: Sessions | None, whep: Whep, limits: Limits, now_s: Callable[[], float]
    ) -> None:
        self._host, self._whep = host, whep
        self.sessions = sessions
        self.cookie = f"conductor-{port}"
        # For programs of the same user on this machine, who may read it in the run folder.
        self.token = secrets.token_urlsafe(32)
        # For a program elsewhere that only reads; empty: there is none.
        self.reader = ""
        self._reading, self._acting = Buckets(limits.reading, now_s), Buckets(limits.acting, now_s)
        self._panic, self._login = Buckets(limits.panic, now_s), Buckets(limits.login, now_s)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request in or not, and sign the answer."""
        whep = self._whep.concerns(request)
        try:
            self._look(request, whep)
            response = await handler(request)
        except Refusal as refusal:
            response = refusal.response
        except web.HTTPRequestEntityTooLarge:
            response = too_large(MAX_BYTES).response
        except web.HTTPException as error:
            response = _named(request, error)
        except (ConnectionError, TimeoutError):
            raise
        except Exception:
            LOG.exception("%s %s", request.method, request.path)
            response = Refusal(500, "it could not be done (the log tells why)").response
        if not response.prepared:
            policy = _POLICY if request.path.startswith("/api/") else _PAGE_POLICY
            for name, value in {**_HEADERS, "Content-Security-Policy": policy}.items():
                response.headers.setdefault(name, value)
            if whep:
                self._whep.sign(request, response)
        return response

    def _look(self, request: web.Request, whep: bool) -> None:
        host = urlsplit(f"//{request.host}").hostname or ""
        # A name that was made to point here (DNS rebinding) must not reach a console meant for this machine.
        if self._host in LOCAL_NAMES and host not in LOCAL_NAMES:
            raise Refusal(403, f"this console answers to localhost, not to {host}")
        if request.content_length is not None and request.content_length > MAX_BYTES:
            raise too_large(MAX_BYTES)
        if whep:
            if not self._whep.admits(request):
                raise Refusal(403, "asked from a page of another site: list it in the setlist (webrtc: origins)")
            return
        # A WebSocket begins with a GET that any page may make a browser send.
        acts = request.method not in _READING or request.path == "/api/events"
        origin = request.headers.get("Origin")
        if acts and origin is not None and urlsplit(origin).netloc != request.host:
            raise Refusal(403, "asked from a page of another site")
        somebody = self.who(request)
        self._pace(request, somebody)
        if somebody is None:
            if request.path in _OPEN or not request.path.startswith("/api/"):
                if request.path == "/":
                    raise web.HTTPSeeOther("/login")
                return
            raise Refusal(401, "log in first: /login in a browser, POST /api/login for a program")
        if somebody.cookie and request.method not in _READING and CLIENT not in request.headers:
            raise Refusal(403, f"the header {CLIENT} is missing: name the program that asks, such as console")
        request[SOMEBODY] = somebody

    def who(self, request: web.Request) -> Somebody | None:
        """Return who asks; None: nobody knows."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            given = token.strip().encode("utf-8", "replace")
            if self.reader and secrets.compare_digest(given, self.reader.encode()):
                return Somebody("metrics", Role.VIEW)
            if not secrets.compare_digest(given, self.token.encode()):
                return None
            return Somebody(_own_name(), Role.EDIT)
        if self.sessions is None:
            return Somebody("console", Role.EDIT)
        return self.sessions.whose(request.cookies.get(self.cookie, ""))

    def _pace(self, request: web.Request, somebody: Somebody | None) -> None:
        client = somebody.who if somebody and somebody.cookie else request.remote or ""
        if request.path == "/api/login":
            buckets = self._login
        elif request.path == "/api/panic":
            buckets = self._panic
        else:
            buckets = self._reading if request.method in _READING else self._acting
        if wait_s := buckets.wait_s(client):
            raise Refusal(429, f"too many at once: again in {wait_s} s", {"Retry-After": str(wait_s)})


def somebody_of(request: web.Request, role: Role = Role.VIEW, what: str = "this") -> Somebody:
    """Return who asks.

    Raises:
        Refusal: they have not the role that it takes.
    """
    somebody = request[SOMEBODY]
    if somebody.role < role:
        raise Refusal(403, f"{what} takes the role {role}; {somebody.who} has {somebody.role}")
    return somebody


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _named(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    """Return what the router refuses, with a reason for a person."""
    if error.status < 400:
        return web.Response(status=error.status, headers={"Location": error.headers["Location"]})
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    reason = error.reason
    if error.status == 404:
        name = request.path.removeprefix("/api/")
        known = [*(f"/api/{each}" for each in VERBS), *_reads(request)]
        near = did_you_mean(request.path, known) if name != request.path else ""
        reason = f"there is nothing at {request.path}{near if 'did you mean' in near else ''}"
    elif error.status == 405:
        reason = f"{request.method} is not for {request.path}: it takes {headers.get('Allow', 'other methods')}"
    return Refusal(error.status, reason, headers).response


def _reads(request: web.Request) -> list[str]:
    return [str(each.canonical) for each in request.app.router.resources() if "{" not in str(each.canonical)]
