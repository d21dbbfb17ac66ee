"""What a person got wrong, as the command says it: one line for each, once, and the show plays on where it can."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.air.ingest import MODULE, Ingest
from tests.air.processes import free_port, wait_for
from tests.air.show import SETLIST, Show
from tests.fakes_obs import PASSWORD, FakeObs

KEY, WRONG = "a-key-that-is-refused", "a password that is wrong"
pytestmark = pytest.mark.skipif(not MODULE.exists(), reason="nginx's RTMP module is not installed")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bad", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
async def obs() -> AsyncIterator[FakeObs]:
    made = FakeObs()
    await made.start()
    yield made
    await made.stop()


class Gate:
    """Asked by an ingest whether a publication may be; says no to each, and counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.url = ""

    async def _refuse(self, _: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(status=403)

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/", self._refuse)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        return runner


async def played(folder: Path, obs: FakeObs, said: str, *options: str, setlist: str, env: dict[str, str]) -> str:
    """Run a show until it sounds and has said something, and some time more; return all it said."""
    show = Show(
        folder / "a", "--port", "0", "--nut", str(free_port()), "--size", "320x180", "--obs", obs.url, *options,
        setlist=setlist, env=env,
    )  # fmt: skip
    try:
        await asyncio.to_thread(show.on_air, 120.0)
        await asyncio.to_thread(wait_for, lambda: show.says(said), said, 60.0)
        # Long enough for what is tried again, or told again.
        await asyncio.sleep(15)
        show.conductor.check()
    finally:
        await asyncio.to_thread(show.close)
    return show.log.read_text()


async def test_a_wrong_password_a_refused_key_and_a_missing_font_are_told_once_and_the_show_plays(
    folder: Path, obs: FakeObs
) -> None:
    gate = Gate()
    runner = await gate.start()
    ingest = Ingest(folder / "ingest", on_publish=gate.url)
    (folder / "a").mkdir()
    (folder / "a" / "own.yaml").write_text("fonts: [No Such Family]\n")
    setlist = SETLIST.replace("title: On Air", "title: On Air, theme: own.yaml")
    try:
        said = await played(
            folder, obs, "refuses us", "--publish", ingest.url, setlist=setlist,
            env={"STREAM_KEY": KEY, "OBS_PASSWORD": WRONG},
        )  # fmt: skip
    finally:
        ingest.close()
        await runner.cleanup()
    print(said)
    lines = said.splitlines()
    for words in ("OBS refused the password", "refuses us", "No Such Family"):
        assert sum(words in line for line in lines) == 1, words
    assert obs.connections == 1, "it is not asked again"
    assert 1 <= gate.asked <= 3, "nor is the ingest, for a minute"
    assert "live" in said
    for secret in (KEY, WRONG):
        assert secret not in said


async def test_an_obs_that_is_too_old_is_told_once_and_left_alone(folder: Path, obs: FakeObs) -> None:
    obs.version = "27.2.4"
    said = await played(folder, obs, "OBS 27", setlist=SETLIST, env={"OBS_PASSWORD": PASSWORD})
    print(said)
    assert sum("OBS 27.2.4" in line for line in said.splitlines()) == 1
    assert obs.identified == 1


@pytest.mark.parametrize(
    ("setlist", "options", "told"),
    [
        (SETLIST, ["--size", "641x360"], "--size 641x360: both even, from 64x64 to 7680x4320"),
        (SETLIST.replace("On Air", "On Air, theme: none.yaml"), [], "none.yaml: there is no such file"),
        (SETLIST.replace("On Air", "On Air, theme: bad.yaml"), [], "bad.yaml:2:9: "),
        (SETLIST, ["--publish", "gopher://x"], "gopher"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_line_with_its_place(
    folder: Path, setlist: str, options: list[str], told: str
) -> None:
    path = folder / "show.yaml"
    path.write_text(setlist)
    (folder / "bad.yaml").write_text("colours:\n  text: maroonish\n")
    command = [sys.executable, "-m", "conductor.cli", "run", str(path), "--data", str(folder / "show"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    print(done.stderr)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert told in line
