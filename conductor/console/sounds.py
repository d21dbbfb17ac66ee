"""Pieces as sound files over HTTP: played by the show's orchestra in a process of its own, one at a time, and kept.

The first who asks is told 202 and how far it is, and asks again; whoever comes later gets the file, in parts if wanted.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import shutil
import sys
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

from aiohttp import web

from conductor.console.answers import Refusal
from conductor.console.guard import somebody_of
from conductor.console.reading import attachment, file_of, found
from conductor.console.roles import Role
from conductor.console.sounding import Job
from conductor.library import Kept
from conductor.setlist.plan import Cue
from conductor.show.show import Show
from conductor.show.stage import slug

LOG = logging.getLogger("conductor.console")

COMMAND = (sys.executable, "-m", "conductor.console.sounding")
FOLDER = "sounds"
# Files that wait to be played; more are told to come again.
MOST_WAITING = 4
# The longest unused files go above this.
MOST_BYTES = 2_000_000_000
# 24 bits of stereo at 48 kHz.
BYTES_PER_S = 48_000 * 6
# What the show itself may still want of the disk: its recording and its pieces.
SPARE_BYTES = 500_000_000
# Far slower than any machine that can play the piece live.
SLOWEST, LEAST_S = 20.0, 120.0
_AGAIN_S = 1
_BROKEN_KEPT = 64


@dataclass(slots=True)
class _Wanted:
    """A file that is being played, or waits for it."""

    job: Job
    duration_s: float
    fraction: float = 0.0


class Sounds:
    """The routes of sound files.

    Args:
        show: whose pieces they are of.
    """

    def __init__(self, show: Show) -> None:
        self._show = show
        self._folder = show.options.data / FOLDER
        self._wanted: OrderedDict[Path, _Wanted] = OrderedDict()
        self._broken: OrderedDict[Path, str] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        return [web.get("/api/pieces/{piece:[0-9]{1,12}}.wav", self._get)]

    async def stop(self) -> None:
        """Let what is being played go."""
        self._wanted.clear()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        somebody = somebody_of(request)
        kept = found(self._show, request)
        path, job = self._job(kept)
        if path.is_file():
            # The latest used stay.
            with contextlib.suppress(OSError):
                os.utime(path)
            return web.FileResponse(path, headers=attachment(f"{kept.id}-{slug(kept.title, 'piece')}.wav", "audio/wav"))
        if reason := self._broken.pop(path, ""):
            raise Refusal(503, f"it could not be played into a file: {reason}", {"Retry-After": "5"})
        if path not in self._wanted and request.method == "GET":
            # An image on a page of another site can make a browser send this.
            if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
                raise Refusal(403, "asked from a page of another site")
            if somebody.role < Role.CONTROL:
                somebody_of(request, Role.CONTROL, "playing a piece into a file")
            self._begin(path, job, kept.duration_s)
        wanted = self._wanted.get(path)
        body = {"ok": True, "fraction": round(wanted.fraction, 3) if wanted else 0.0}
        return web.json_response(body, status=202, headers={"Retry-After": str(_AGAIN_S)})

    def _job(self, kept: Kept) -> tuple[Path, Job]:
        """Return where the file of a piece is, and how it is made: as the show plays the piece."""
        midi = file_of(kept)
        setlist, slot = self._show.setlist, self._show.state.find(kept.cue_id)
        cue: Cue = slot.cue if slot else setlist.template
        lufs, dbtp = setlist.loudness
        job = Job(
            str(midi), "", kept.style or "", cue.bank, cue.expression, dict(cue.variants),
            str(setlist.patches or ""), lufs, dbtp,
        )  # fmt: skip
        # Another bank, or other music in the file, is another sound.
        stat = midi.stat()
        key = hashlib.sha256(f"{job.line} {stat.st_mtime_ns} {stat.st_size}".encode()).hexdigest()[:12]
        path = self._folder / f"{kept.id}-{key}.wav"
        return path, replace(job, out=str(path.with_suffix(".part.wav")))

    def _begin(self, path: Path, job: Job, duration_s: float) -> None:
        if len(self._wanted) > MOST_WAITING:
            raise Refusal(429, f"{MOST_WAITING} sound files wait already: again in 10 s", {"Retry-After": "10"})
        try:
            self._folder.mkdir(exist_ok=True)
            free = shutil.disk_usage(self._folder).free
        except OSError as error:
            raise Refusal(503, f"no sound file can be kept ({error.strerror})", {"Retry-After": "5"}) from None
        if free < duration_s * BYTES_PER_S + SPARE_BYTES:
            raise Refusal(503, f"the disk is too full for a sound file: {free // 10**6} MB free", {"Retry-After": "60"})
        self._wanted[path] = _Wanted(job, duration_s)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self._wanted:
            path, wanted = next(iter(self._wanted.items()))
            part = Path(wanted.job.out)
            try:
                reason = await self._play(wanted)
                if not reason:
                    part.replace(path)
                    self._make_room(path)
            except OSError as error:
                reason = error.strerror or str(error)
            finally:
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
                self._wanted.pop(path, None)
            if reason:
                LOG.error("%s: %s", path.name, reason)
                self._broken[path] = reason
                while len(self._broken) > _BROKEN_KEPT:
                    self._broken.popitem(last=False)

    async def _play(self, wanted: _Wanted) -> str:
        """Have a file played; return why it was not, empty where it was."""
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            *COMMAND, stdin=pipe, stdout=pipe, stderr=pipe,
            # A thread of numpy that spins would take a core from the player.
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        try:
            async with asyncio.timeout(max(LEAST_S, SLOWEST * wanted.duration_s)):
                assert child.stdin
                child.stdin.write(wanted.job.line.encode() + b"\n")
                _, last = await asyncio.gather(self._follow(child, wanted), _last_line(child.stderr))
                status = await child.wait()
        except TimeoutError:
            return "it took too long"
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
        return "" if status == 0 else last or f"it ended with {status}"

    async def _follow(self, child: asyncio.subprocess.Process, wanted: _Wanted) -> None:
        assert child.stdout
        async for line in child.stdout:
            with contextlib.suppress(ValueError):
                wanted.fraction = min(1.0, max(0.0, float(line)))

    def _make_room(self, newest: Path) -> None:
        files = sorted(self._folder.glob("*.wav"), key=lambda file: file.stat().st_mtime)
        size = sum(file.stat().st_size for file in files)
        for file in files:
            if size <= MOST_BYTES:
                return
            if file != newest:
                size -= file.stat().st_size
                file.unlink(missing_ok=True)


async def _last_line(stream: asyncio.StreamReader | None) -> str:
    assert stream
    kept = b""
    while chunk := await stream.read(4096):
        kept = (kept + chunk)[-2000:]
    lines = kept.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else ""
