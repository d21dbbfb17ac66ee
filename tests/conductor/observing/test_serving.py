"""What a running show tells those who watch it from outside, over HTTP."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from conductor.cues import Phase
from tests.conductor.console.stage import consoled, operators_file
from tests.conductor.show.test_show import Running


async def get(it: Running, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
    async with ClientSession() as client, client.get(f"{it.url}{path}", headers=headers) as answer:
        return answer.status, await answer.json()


async def scraped(it: Running) -> dict[tuple[str, ...], float]:
    """Return the values of all samples, by name and labels."""
    async with ClientSession() as client, client.get(f"{it.url}/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        text = await answer.text()
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), "a name is told once"
    assert all(family.documentation for family in families)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


async def test_a_show_tells_how_it_is(tmp_path: Path) -> None:
    async with consoled(tmp_path, composer="--candidates") as it:
        await it.until(lambda: it.phase("one") is Phase.ARMED and it.show.observed.judge().audible)
        found = await scraped(it)
        assert found["conductor_audible",] == 1
        assert found["conductor_player_samples_total",] > 0
        assert found["conductor_output_samples_total",] > 0
        assert found["conductor_cues", "armed"] >= 1
        assert found["conductor_on_air", "bed"] == 1
        assert found["conductor_candidates_total", "chosen"] >= 1
        assert found["conductor_composing_seconds_count", "bach"] >= 1
        assert found["conductor_ahead_seconds",] > 30
        for worker in ("player", "feed", "composer"):
            assert found["conductor_worker_up", worker] == 1
            assert found["conductor_worker_restarts_total", worker] == 0
            assert found["conductor_process_resident_memory_bytes", worker] > 1e6
        assert found["conductor_process_cpu_seconds_total", "conductor"] > 0
        assert found["conductor_events_total", "armed"] >= 1
        assert (await get(it, "/health"))[0] == (await get(it, "/healthz?ready"))[0] == 200
        status, told = await get(it, "/api/status")
        assert (status, told["audible"], told["next"]["id"]) == (200, True, "one")
        assert told["workers"]["player"]["memory_mb"] > 1

        # The composer is gone: what is heard goes on, and yet the show is not ready for what comes.
        os.kill(it.show.crew.workers["composer"].pid, signal.SIGKILL)
        await it.until(lambda: not it.show.crew.workers["composer"].up)
        status, told = await get(it, "/health?ready")
        assert (status, told["audible"], told["reasons"]) == (503, True, ["composer: not there"])
        await it.until(lambda: it.show.crew.workers["composer"].up)
        assert (await scraped(it))["conductor_worker_restarts_total", "composer"] == 1


async def test_a_player_that_is_stopped_makes_the_show_unhealthy(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it:
        await it.until(lambda: it.show.observed.judge().audible)
        pid = it.show.crew.workers["player"].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            await it.until(lambda: not it.show.observed.judge().audible)
            status, told = await get(it, "/health")
            assert status == 503
            assert told["reasons"][0].startswith("player:")
        finally:
            # It may be ended meanwhile, for not answering.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


async def test_strangers_are_told_whether_it_is_heard_and_nothing_else(tmp_path: Path) -> None:
    async with consoled(tmp_path, operators=operators_file(tmp_path, ann="view")) as it:
        await it.until(lambda: it.show.observed.judge().audible)
        proxied = {"X-Forwarded-For": "192.0.2.1"}
        assert await get(it, "/health", **proxied) == (200, {"ok": True, "audible": True})
        status, told = await get(it, "/metrics", **proxied)
        assert (status, told["ok"]) == (401, False)
        assert (await get(it, "/api/status"))[0] == 401
        # This machine itself is no stranger.
        assert "reasons" in (await get(it, "/health"))[1]
        assert (await scraped(it))["conductor_audible",] == 1
