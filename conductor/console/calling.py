"""Speaking with the console of a running show from another program."""

from __future__ import annotations

import http.client
import http.cookies
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conductor.console.finding import CLIENT, Place, running
from conductor.errors import UsageError

WAIT_S = 10.0


@dataclass(slots=True)
class Reply:
    """What the console answers: a status of HTTP and plain values."""

    status: int
    body: dict[str, Any]

    @property
    def reason(self) -> str:
        """Why not."""
        return str(self.body.get("reason") or f"the console answers {self.status}")


@dataclass(slots=True)
class Caller:
    """Calls a console.

    Attributes:
        url: its address.
        token: lets programs of the same user in; empty: none.
        cookie: of a session, after a login.
        title: of the show, where it is known before anybody asks.
    """

    url: str
    token: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)
    title: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What each request says of who asks."""
        headers = {CLIENT: "ctl"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.cookie:
            headers["Cookie"] = self.cookie
        return headers

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        """Ask something.

        Raises:
            UsageError: nobody answers.
        """
        parts = urlsplit(self.url)
        make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        headers, raw = self.headers, None
        if body is not None:
            raw = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            connection = make(parts.hostname or "", parts.port, timeout=WAIT_S)
            try:
                connection.request(method, path, raw, headers)
                answer = connection.getresponse()
                text = answer.read()
                for name, value in answer.getheaders():
                    if name.lower() == "set-cookie":
                        self._keep(value)
            finally:
                connection.close()
            told = json.loads(text)
        except TimeoutError:
            raise UsageError(f"{self.url}: no answer within {WAIT_S:g} s") from None
        except ConnectionRefusedError:
            raise UsageError(f"{self.url}: nobody serves there - is the show running, and on this --port?") from None
        except socket.gaierror:
            raise UsageError(f"{self.url}: there is no such host") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UsageError(f"{self.url}: this is no console of a show ({type(error).__name__})") from None
        if not isinstance(told, dict):
            raise UsageError(f"{self.url}: this is no console of a show")
        return Reply(answer.status, told)

    def _keep(self, header: str) -> None:
        self.cookie = "; ".join(f"{name}={m.value}" for name, m in http.cookies.SimpleCookie(header).items() if m.value)

    def log_in(self, name: str, password: str) -> None:
        """Log in.

        Raises:
            UsageError: it is refused.
        """
        reply = self.call("POST", "/api/login", {"name": name, "password": password})
        if reply.status != 200:
            raise UsageError(f"{self.url}: {reply.reason}")


def caller(*, port: int | None = None, url: str | None = None, data: Path | None = None) -> Caller:
    """Return who calls the console that is meant.

    Args:
        port: of a console on this machine.
        url: of a console anywhere.
        data: folder of its show.

    Raises:
        UsageError: no such show runs, or several do.
    """
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"--url {url}: write it as http://host:8080")
        return Caller(url.rstrip("/"))
    places = running()
    if data is not None:
        places = [place for place in places if Path(place.data) == data.resolve()]
    if port is not None:
        places = [place for place in places if urlsplit(place.url).port == port]
        return _of(places[0]) if places else Caller(f"http://127.0.0.1:{port}")
    if not places:
        which = f" with its folder in {data}" if data else ""
        raise UsageError(f"no show is running here{which} - start one: conductor run SETLIST")
    if len(places) > 1:
        shows = "; ".join(f"{place.title}: --port {urlsplit(place.url).port}" for place in places)
        raise UsageError(f"{len(places)} shows are running here - say which ({shows})")
    return _of(places[0])


def _of(place: Place) -> Caller:
    return Caller(place.url, place.token, title=place.title)
