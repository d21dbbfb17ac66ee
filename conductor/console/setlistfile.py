"""The setlist's file over HTTP: read, checked, written in one step; what is different waits to be taken up."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path
from typing import Annotated, Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, StrictStr, StringConstraints, ValidationError

from conductor.console.answers import Refusal, read_object
from conductor.console.guard import somebody_of
from conductor.console.roles import Role
from conductor.errors import SetlistError
from conductor.setlist import Setlist, load_setlist
from conductor.setlist.diff import diff
from conductor.setlist.yamlfile import MAX_BYTES, explain
from conductor.show.chronicle import Chronicle
from conductor.show.show import Show
from model.whole import write_whole

# JSON writes some characters in two to six bytes.
MOST_BYTES = MAX_BYTES + 100_000
# More than anybody reads at once, or a browser draws in a moment.
MOST_MISTAKES = 100
_PLACE = re.compile(r"(\d+):(\d+): (.*)")


class Checking(BaseModel):
    """A setlist to be checked."""

    model_config = ConfigDict(extra="forbid")

    text: StrictStr


class Writing(Checking):
    """A setlist to be written; `version` is that of the text that it was made from."""

    version: Annotated[StrictStr, StringConstraints(max_length=100)]


_Said = TypeVar("_Said", bound=Checking)


class SetlistFile:
    """The routes of the setlist's file.

    Args:
        show: that it is of.
        chronicle: told who wrote it.
    """

    def __init__(self, show: Show, chronicle: Chronicle) -> None:
        self._show, self._chronicle = show, chronicle
        # One writer at a time: of two, the second is to see what the first has written.
        self._writing = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        return [
            web.get("/api/setlist", self._get),
            web.put("/api/setlist", self._put),
            web.post("/api/setlist/check", self._check),
        ]

    @property
    def _path(self) -> Path:
        return self._show.setlist.path

    async def _get(self, request: web.Request) -> web.Response:
        somebody_of(request)
        raw = await asyncio.to_thread(_raw, self._path)
        text = raw.decode("utf-8", "replace")
        _, mistakes = await asyncio.to_thread(_read, self._path)
        body = {"name": self._path.name, "text": text, "version": _version(raw), "mistakes": mistakes}
        return web.json_response({**body, "news": list(self._show.pending.lines)})

    async def _check(self, request: web.Request) -> web.Response:
        somebody_of(request, Role.EDIT, "the setlist")
        said = await _said(request, Checking)
        setlist, mistakes = await asyncio.to_thread(_read, self._path, said.text.encode())
        news = list(diff(self._show.setlist, setlist).lines) if setlist else []
        return web.json_response({"ok": not mistakes, "mistakes": mistakes, "news": news})

    async def _put(self, request: web.Request) -> web.Response:
        somebody = somebody_of(request, Role.EDIT, "the setlist")
        said = await _said(request, Writing)
        async with self._writing:
            if said.version != _version(await asyncio.to_thread(_raw, self._path)):
                raise Refusal(409, f"{self._path.name} is another by now: read it again")
            setlist, mistakes = await asyncio.to_thread(_read, self._path, said.text.encode())
            if setlist is None:
                count = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "a mistake"
                first = mistakes[0]
                reason = f"{count}, line {first['line']}: {first['text']}"
                raise Refusal(400, reason, mistakes=mistakes)
            await asyncio.to_thread(_write, self._path, said.text)
        self._chronicle.log("setlist", detail=f"{somebody.who} wrote {self._path.name}")
        await self._show.script.look()
        body = {"ok": True, "revision": self._show.revision, "version": _version(said.text.encode())}
        return web.json_response({**body, "news": list(self._show.pending.lines)})


async def _said(request: web.Request, kind: type[_Said]) -> _Said:
    try:
        return kind.model_validate(await read_object(request, MOST_BYTES))
    except ValidationError as error:
        details = error.errors()[0]
        raise Refusal(400, f"not understood: {explain(details)}", field=str(details["loc"][0])) from None


def _raw(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refusal(404, f"{path.name} cannot be read ({error.strerror})") from None


def _version(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:16]


def _read(path: Path, text: bytes | None = None) -> tuple[Setlist | None, list[dict[str, Any]]]:
    """Return what a file says, or would with another text; or all its mistakes."""
    try:
        return load_setlist(path, text), []
    except SetlistError as error:
        lines = str(error).splitlines()
        told = [_mistake(line, path) for line in lines[:MOST_MISTAKES]]
        if len(lines) > MOST_MISTAKES:
            told.append({**told[-1], "text": f"and {len(lines) - MOST_MISTAKES} mistakes more"})
        return None, told


def _mistake(line: str, path: Path) -> dict[str, Any]:
    place = _PLACE.fullmatch(line.removeprefix(f"{path}:"))
    text = (place[3] if place else line.removeprefix(f"{path}: ")).replace(str(path), path.name)
    return {"line": int(place[1]) if place else 1, "column": int(place[2]) if place else 1, "text": text}


def _write(path: Path, text: str) -> None:
    # Of a link, what it leads to is written.
    path = path.resolve()
    try:
        # Whoever could read it still can.
        write_whole(path, text.encode(), mode=path.stat().st_mode & 0o777)
    except OSError as error:
        raise Refusal(503, f"{path.name} cannot be written ({error.strerror})", {"Retry-After": "5"}) from None
