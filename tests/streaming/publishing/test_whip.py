"""WHIP, against an ingest made of aiortc in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from streaming.publishing.destination import Destination, KeySource
from tests.air.processes import Program, free_port, wait_for
from tests.streaming.publishing.onair import RATE
from tests.streaming.publishing.peers import on_air

KEY = "live_4711_secret"


class WhipIngest:
    """A running WHIP server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/whip"
        self._count = 0
        self.start()

    def start(self) -> None:
        self._count += 1
        self._log = self._folder / f"whip-{self._count}.log"
        command = [sys.executable, "-m", "tests.streaming.publishing.whip_server", str(self.port), KEY]
        self._server = Program(command, self._log, {**os.environ, "OMP_NUM_THREADS": "1"})
        wait_for(lambda: self._log.read_text() != "", "WHIP server")

    def told(self) -> dict[str, Any]:
        """Return the last that it told of what it got."""
        found: dict[str, Any] = json.loads(self._log.read_text().splitlines()[-1])
        return found

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._server.pid, number)

    def kill(self) -> None:
        self._server.kill()


@pytest.fixture
def ingest(tmp_path: Path) -> Iterator[WhipIngest]:
    made = WhipIngest(tmp_path)
    yield made
    made.kill()


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", KEY)


def to(url: str) -> Destination:
    return Destination("home", url, KeySource(env="A_KEY"))


async def test_an_ingest_decodes_picture_and_stereo_sound_and_is_left_politely(ingest: WhipIngest) -> None:
    async with on_air(to(ingest.url)) as show:
        await show.live("home")
        before = ingest.told()
        await asyncio.sleep(4)
        after = ingest.told()
        status = show.status("home")
    assert after["pictures"] - before["pictures"] > 3 * 30
    assert after["samples"] - before["samples"] > 3 * RATE
    assert after["channels"] == 2
    assert after["peak"] == pytest.approx(0.5, abs=0.1), "the beep"
    assert after["stamp"] > before["stamp"]
    assert status.sent_bytes > 200_000
    assert status.dropped == 0
    await asyncio.sleep(0.5)
    assert ingest.told()["deleted"] == 1


async def test_a_frozen_ingest_is_noticed_within_three_seconds_and_come_back_to(ingest: WhipIngest) -> None:
    async with on_air(to(ingest.url)) as show:
        await show.live("home")
        await asyncio.sleep(2)
        ingest.signal(signal.SIGSTOP)
        noticed_s = await show.until(lambda: show.status("home").state == "retrying", "notice", 10)
        ingest.signal(signal.SIGCONT)
        assert noticed_s < 3.0
        await show.live("home")
        assert show.told("home") == [True, False, True]


async def test_an_ingest_that_is_killed_is_found_again_when_it_is_back(ingest: WhipIngest) -> None:
    async with on_air(to(ingest.url)) as show:
        await show.live("home")
        ingest.kill()
        assert await show.until(lambda: show.status("home").state == "retrying", "notice", 10) < 5.0
        ingest.start()
        await show.live("home")
        await asyncio.sleep(2)
        assert ingest.told()["pictures"] > 30


async def test_a_wrong_token_is_told_plainly_and_tried_seldom(
    ingest: WhipIngest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "wrong_token_4711")
    async with on_air(to(ingest.url)) as show:
        await show.until(lambda: show.status("home").state == "refused", "refusal")
        assert "refuses us: it does not take the key (HTTP 401: unknown stream key)" in show.news[0][1].text
        assert "wrong_token" not in repr(show.news) + repr(show.publishers.statuses)
        await asyncio.sleep(2)
        assert len(show.news) == 1


@pytest.mark.parametrize(
    ("status", "body", "told", "refused"),
    [
        (403, "", "does not take the key (HTTP 403)", True),
        (404, "<html>not here</html>", "does not take the stream (HTTP 404)", True),
        (409, "busy", "HTTP 409: busy", False),
        (500, "", "HTTP 500", False),
        (503, "later", "HTTP 503: later", False),
        (201, "rubbish", "HTTP 201: rubbish", False),
        (201, "v=0\r\nrubbish", "its answer cannot be used", False),
        (200, "x" * 500_000, "HTTP 200", False),
    ],
)
async def test_what_the_server_answers_is_told(status: int, body: str, told: str, refused: bool) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    app = web.Application()
    app.router.add_post("/whip", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with on_air(to(f"http://127.0.0.1:{port}/whip")) as show:
        await show.until(lambda: show.news != [], "word")
        assert told in show.news[0][1].text
        assert show.status("home").state == ("refused" if refused else "retrying")
    await runner.cleanup()


async def test_an_ingest_that_is_not_there_is_told_of() -> None:
    async with on_air(to(f"http://127.0.0.1:{free_port()}/whip")) as show:
        await show.until(lambda: show.news != [], "word")
        assert "connection refused" in show.news[0][1].text
