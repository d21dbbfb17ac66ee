"""The files of the console's page: read once, served compressed, and nothing else is ever run in it."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from aiohttp import web

_KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
# Below it, compressing costs more than it saves.
_LEAST_COMPRESSED_BYTES = 512


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent.

    Attributes:
        kind: of its content, as of HTTP.
        plain, packed: its bytes, and compressed by gzip.
        tag: changes with its content.
    """

    kind: str
    plain: bytes
    packed: bytes
    tag: str

    def answer(self, request: web.Request) -> web.Response:
        """Return the file, or word that the browser has it already."""
        headers = {"ETag": self.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if request.headers.get("If-None-Match") == self.tag:
            return web.Response(status=304, headers=headers)
        body = self.plain
        if len(self.packed) < len(body) and "gzip" in request.headers.get("Accept-Encoding", ""):
            body, headers["Content-Encoding"] = self.packed, "gzip"
        return web.Response(body=body, content_type=self.kind, charset="utf-8", headers=headers)


def read(file: Traversable) -> File:
    """Read a file of the page."""
    plain = file.read_bytes()
    packed = gzip.compress(plain, mtime=0) if len(plain) >= _LEAST_COMPRESSED_BYTES else plain
    kind = _KINDS.get(file.name.rpartition(".")[2], "application/octet-stream")
    return File(kind, plain, packed, f'"{hashlib.sha256(plain).hexdigest()[:16]}"')


def page_files() -> dict[str, File]:
    """Return the files of the page by their paths on the server."""
    room = resources.files("conductor.console")
    files = {f"/{file.name}": read(file) for file in (room / "page").iterdir() if file.name.endswith(tuple(_KINDS))}
    files["/"] = files.pop("/index.html")
    # Pages of other sites take it, too.
    files["/player.js"] = read(room / "player.js")
    # What a browser needs before anybody can have logged in.
    files["/login"] = read(room / "login.html")
    files |= {f"/{name}": read(room / name) for name in ("login.css", "login.js")}
    return files


def page_routes() -> Iterable[web.RouteDef]:
    """Return a route for each file of the page."""
    for path, file in page_files().items():

        async def get(request: web.Request, file: File = file) -> web.Response:
            return file.answer(request)

        yield web.get(path, get)
