"""A whole show with stand-ins for the three workers: real processes, real sockets, real console."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession, WSMsgType

from conductor.console.server import Console
from conductor.cues import Phase
from conductor.errors import ConductorError, UsageError, WorkerError
from conductor.library import Library
from conductor.logs import Terminal
from conductor.observing.lookout import Lookout
from conductor.setlist import Setlist, load_setlist
from conductor.show.show import Show
from conductor.show.stage import Obs, RunFolder, ShowOptions, check_options
from conductor.show.take import bed
from streaming.publishing.destination import Destination
from tests.fakes import fake_commands

# Long enough for a busy machine; nothing waits that long when all is well.
PATIENCE_S = 40.0
TWO = "cues: [{id: one, style: bach, duration: 6s}, {id: two, style: jazz, duration: 6s}]"


@dataclass
class Running:
    """A show that runs, and how it is looked at."""

    show: Show
    library: Library
    output: io.StringIO
    url: str
    task: asyncio.Task[None]

    def phase(self, cue_id: str) -> Phase:
        slot = self.show.state.find(cue_id)
        assert slot is not None
        return slot.phase

    def events(self) -> list[tuple[str, str]]:
        return [(line.event, line.cue_id) for line in self.library.as_run(1000)]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                assert not self.task.done(), f"the show ended: {self.task}"
                await asyncio.sleep(0.02)

    async def end(self) -> None:
        self.show.end()
        async with asyncio.timeout(PATIENCE_S):
            await self.task


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def setlist_of(folder: Path, text: str) -> Setlist:
    path = folder / "show.yaml"
    path.write_text(f"version: 1\nshow: {{title: Trial, ahead: 2}}\n{text}\n")
    return load_setlist(path)


@contextlib.asynccontextmanager
async def running(
    folder: Path, text: str, *, fast: bool = False, record: bool = False, obs: Obs | None = None,
    publish: tuple[Destination, ...] = (), resume: bool = False, **fakes: str,
) -> AsyncIterator[Running]:  # fmt: skip
    options = ShowOptions(
        data=folder / "data", record=folder / "out.mp4" if record or fast else None, port=free_port(), nut_port=0,
        fast=fast, publish=publish, resume=resume,
    )  # fmt: skip
    run, library, output = RunFolder(options.data), Library(options.data), io.StringIO()
    fakes = {"player": "--speed 10", **fakes}
    show = Show(
        setlist_of(folder, text), options, library, run, Terminal(output), obs=obs,
        commands=fake_commands(run.path, **fakes),
    )  # fmt: skip
    async with under_way(show, Console(show), run, output) as it:
        yield it


@contextlib.asynccontextmanager
async def under_way(show: Show, console: Console, run: RunFolder, output: io.StringIO) -> AsyncIterator[Running]:
    """Run a show and its console, watched as `conductor run` does, and tidy up behind them."""
    show.beside(Lookout(show).follow)
    url = await console.start()
    task = asyncio.create_task(show.run())
    try:
        yield Running(show, show.library, output, url, task)
    finally:
        show.end()
        show.end()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(task, return_exceptions=True)
        await console.stop()
        show.library.close()
        run.close()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    # One that has ended and that nobody has collected yet is dead.
    return state != "Z"


def test_the_bed_comes_with_the_program_and_loops_without_a_seam() -> None:
    take = bed()
    assert take.duration_s == pytest.approx(40.0, abs=0.01)
    # Something sounds at every moment, so that the loop has no hole.
    edges = sorted((on, on + length) for on, _, _, length, *_ in take.notes)
    reach = 0.0
    for on, off in edges:
        assert on <= reach + 0.01
        reach = max(reach, off)
    assert max(velocity for *_, velocity, _ in take.notes) < 64


async def test_cues_go_on_air_in_order_and_are_kept_with_their_files(tmp_path: Path) -> None:
    async with running(tmp_path, TWO) as it:
        await it.until(lambda: it.phase("two") is Phase.AIRED)
        assert [e for e in it.events() if e[0] == "live"] == [("live", "one"), ("live", "two")]
        pieces = it.library.substitutes(None)
        assert len(pieces) == 2
        assert all(piece.midi.read_bytes().startswith(b"MThd") for piece in pieces)
        assert pieces[0].provenance["checkpoint"] == "fake"
        assert "first sound after" in it.output.getvalue()
        assert "the setlist is over" in it.output.getvalue()


async def test_a_hold_waits_for_go_from_the_console(tmp_path: Path) -> None:
    text = "cues: [{id: one, style: bach, duration: 6s, follow: hold}]"
    async with running(tmp_path, text) as it, ClientSession() as browser:
        async with browser.post(f"{it.url}/api/go") as answer:
            assert answer.status == 409
            assert (await answer.json())["reason"]
        await it.until(lambda: it.phase("one") is Phase.ARMED and it.show.crew.workers["player"].up)
        async with browser.post(f"{it.url}/api/go", json={"expect_standby": "another"}) as answer:
            assert answer.status == 409
        async with browser.post(f"{it.url}/api/go", json={"expect_standby": "one"}) as answer:
            assert answer.status == 200
        async with browser.post(f"{it.url}/api/go") as answer:
            assert answer.status == 409
        await it.until(lambda: it.phase("one") is Phase.AIRED)
        assert [e for e in it.events() if e[0] == "live"] == [("live", "one")]


async def test_a_killed_composer_and_a_killed_player_come_back_and_the_show_goes_on(tmp_path: Path) -> None:
    text = "cues: [{id: one, style: bach, duration: 30s}, {id: two, style: jazz, duration: 6s}]"
    async with running(tmp_path, text, player="--speed 2", composer="--seconds 0.6") as it:
        composer = it.show.crew.workers["composer"]
        await it.until(lambda: it.phase("one") is Phase.COMPOSING and composer.up)
        os.kill(composer.pid, signal.SIGKILL)
        await it.until(lambda: it.phase("one") is Phase.LIVE)
        player = it.show.crew.workers["player"]
        await it.until(lambda: it.phase("two") is Phase.ARMED)
        os.kill(player.pid, signal.SIGKILL)
        await it.until(lambda: it.phase("two") is Phase.LIVE)
        assert it.phase("one") is Phase.AIRED
        assert "killed by SIGKILL" in it.output.getvalue()
        assert composer.restarts == player.restarts == 1


async def test_a_killed_conductor_is_followed_by_one_that_takes_the_running_show_over(tmp_path: Path) -> None:
    text = (
        "cues: [{id: one, style: bach, duration: 8s}, {id: two, style: jazz, duration: 40s},"
        " {id: three, style: folk, duration: 40s}]"
    )
    program = (
        "import asyncio, sys, pathlib\nfrom tests.conductor.show.test_show import running\n"
        "async def main():\n    async with running(pathlib.Path(sys.argv[1]), sys.argv[2], player='--speed 2') as it:\n"
        "        await it.task\nasyncio.run(main())"
    )
    first = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(tmp_path), text)
    database = tmp_path / "data" / "show.db"
    async with asyncio.timeout(PATIENCE_S):
        while not (database.exists() and _is_ready(tmp_path, "two")):
            await asyncio.sleep(0.05)
    first.kill()
    await first.wait()
    async with running(tmp_path, text, player="--speed 2") as it:
        assert "taking up the show" in it.output.getvalue()
        assert ("fault", "") in it.events()
        workers = it.show.crew.workers
        await it.until(lambda: it.phase("two") is Phase.LIVE)
        await it.until(lambda: it.phase("three") is Phase.ARMED)
        assert all(worker.adopted and worker.restarts == 0 for worker in workers.values())
        assert it.phase("one") is Phase.AIRED
        assert [e for e in it.events() if e[0] == "live"] == [("live", "one"), ("live", "two")]
        pids = [worker.pid for worker in workers.values()]
        await it.end()
        assert not any(alive(pid) for pid in pids)


def _is_ready(folder: Path, cue_id: str) -> bool:
    library = Library(folder / "data")
    lines = [(line.event, line.cue_id) for line in library.as_run()]
    library.close()
    return ("armed", cue_id) in lines and ("live", "one") in lines


async def test_a_show_that_ended_well_begins_anew(tmp_path: Path) -> None:
    text = "cues: [{id: one, style: bach, duration: 6s}]"
    for _ in range(2):
        async with running(tmp_path, text) as it:
            await it.until(lambda: it.phase("one") is Phase.AIRED)
            assert "taking up" not in it.output.getvalue()


async def test_a_killed_feed_goes_on_recording_beside_the_first_file(tmp_path: Path) -> None:
    # Long enough to be on air still when the new feed is there, however busy the machine.
    text = "cues: [{id: one, style: bach, duration: 60s}]"
    async with running(tmp_path, text, record=True) as it:
        feed = it.show.crew.workers["feed"]
        await it.until(lambda: it.phase("one") is Phase.LIVE and bool(it.show.crew.recordings))
        os.kill(feed.pid, signal.SIGKILL)
        await it.until(lambda: feed.restarts == 1 and feed.up)
        # Up is the process; what it is to record it is told a moment later.
        await it.until(lambda: len(it.show.crew.recordings) == 2)
        await it.end()
        assert "out-2.mp4" in it.output.getvalue()
    # The new feed was told again what plays.
    assert "Bach" in (tmp_path / "out-2.mp4").read_text()


async def test_a_piece_of_the_library_stands_in_when_composing_fails(tmp_path: Path) -> None:
    async with running(tmp_path, TWO) as it:
        await it.until(lambda: it.phase("two") is Phase.AIRED)
    again = "cues: [{id: three, style: jazz, duration: 6s}]"
    async with running(tmp_path, again, composer="--fail 3") as it:
        await it.until(lambda: it.phase("three") is Phase.AIRED)
        assert "Jazz stands in (the muse is silent)" in it.output.getvalue()
        assert it.output.getvalue().count("composing") == 3


async def test_fast_ends_by_itself_after_the_last_cue_with_a_recording(tmp_path: Path) -> None:
    text = TWO.replace("style: jazz", "style: jazz, follow: hold") + "\nendless: {styles: {folk: 1}}"
    async with running(tmp_path, text, fast=True) as it:
        async with asyncio.timeout(PATIENCE_S):
            await it.task
        pids = [worker.pid for worker in it.show.crew.workers.values()]
        assert pids == [0, 0, 0]
    assert (tmp_path / "out.mp4").read_text().splitlines()[-2:] == ["Bach", "Jazz"]


async def test_fast_says_so_when_a_cue_failed(tmp_path: Path) -> None:
    text = "cues: [{id: one, style: bach, duration: 6s}]"
    async with running(tmp_path, text, fast=True, composer="--fail 99") as it:
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(ConductorError, match=r"1 of 1 cues failed.*the muse is silent"):
                await it.task


async def test_ctrl_c_ends_everything_in_order_and_leaves_no_process(tmp_path: Path) -> None:
    async with running(tmp_path, TWO, record=True, player="--speed 1") as it:
        await it.until(lambda: it.phase("one") is Phase.LIVE)
        pids = [worker.pid for worker in it.show.crew.workers.values()]
        assert all(alive(pid) for pid in pids)
        os.kill(os.getpid(), signal.SIGINT)
        async with asyncio.timeout(PATIENCE_S):
            await it.task
        assert not any(alive(pid) for pid in pids)
        assert it.events()[-1][0] == "end"
    assert (tmp_path / "out.mp4").exists()


async def test_a_composer_that_cannot_start_ends_the_show_with_its_last_words(tmp_path: Path) -> None:
    async with running(tmp_path, TWO, composer="--die") as it:
        with pytest.raises(ConductorError, match=r"the composer does not start.*no weights here"):
            await asyncio.wait_for(it.task, PATIENCE_S)


async def test_a_composer_that_cannot_start_is_tried_again_where_the_library_has_music(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conductor.show.show.COMPOSER_REST_S", 0.1)
    async with running(tmp_path, "cues: [{id: one, style: bach, duration: 6s}]") as it:
        await it.until(lambda: it.phase("one") is Phase.AIRED)
    async with running(tmp_path, TWO, composer="--die") as it:
        await it.until(lambda: it.output.getvalue().count("the composer does not start") == 2)
        assert it.show.crew.workers["player"].up
        await it.end()


async def test_a_player_that_cannot_start_ends_the_show_with_its_last_words(tmp_path: Path) -> None:
    async with running(tmp_path, TWO, player="--die") as it:
        with pytest.raises(WorkerError, match=r"the player does not start.*no weights here"):
            await asyncio.wait_for(it.task, PATIENCE_S)


async def test_the_console_tells_state_events_and_meters_and_serves_the_pieces(tmp_path: Path) -> None:
    async with running(tmp_path, TWO, player="--speed 3") as it, ClientSession() as browser:
        async with browser.get(it.url) as answer:
            assert answer.status == 200
            assert "<video" in await answer.text()
        await it.until(lambda: it.phase("one") is Phase.LIVE)
        async with browser.ws_connect(f"{it.url}/api/events") as events:
            first = await events.receive_json(timeout=PATIENCE_S)
            assert (first["kind"], first["state"]["title"]) == ("state", "Trial")
            assert first["state"]["revision"] >= 1
            kinds: set[str] = set()
            while kinds != {"delta", "meters"}:
                message = await events.receive(timeout=PATIENCE_S)
                assert message.type is WSMsgType.TEXT
                kinds.add(message.json()["kind"])
        async with browser.get(f"{it.url}/api/state") as answer:
            state = (await answer.json())["state"]
        (line,) = [line for line in state["as_run"] if line["event"] == "live" and line["cue_id"] == "one"]
        async with browser.get(f"{it.url}/pieces/{line['piece_id']}.mid") as answer:
            assert (await answer.read()).startswith(b"MThd")
        async with browser.get(f"{it.url}/pieces/999.mid") as answer:
            assert answer.status == 404
        async with browser.post(
            f"{it.url}/whep", data="v=0\r\n", headers={"Content-Type": "application/sdp"}
        ) as answer:
            assert answer.status == 503
            assert "no picture" in (await answer.json())["reason"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 409),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example:8080"}, 403),
    ],
)
async def test_only_its_own_page_may_act(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    async with running(tmp_path, TWO) as it, ClientSession() as browser:
        async with browser.post(f"{it.url}/api/release", headers=headers) as answer:
            assert answer.status == status
        async with browser.post(f"{it.url}/api/release", headers={"Origin": it.url}) as answer:
            assert answer.status == 409


@pytest.mark.parametrize("body", ["[]", "{", '{"cue": 3}', '{"seconds": "long"}'])
async def test_a_request_that_is_not_understood_is_refused(tmp_path: Path, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    async with running(tmp_path, TWO) as it, ClientSession() as browser:
        async with browser.post(f"{it.url}/api/fade", data=body, headers=headers) as answer:
            assert answer.status == 400
        assert it.show.state.held is False


async def test_a_port_in_use_is_told_before_anything_starts(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(UsageError, match=rf"port {port} on 127.0.0.1 is in use .*--port \d+"):
        check_options(ShowOptions(data=tmp_path, port=port, nut_port=0))
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fast": True}, "add --record"),
        ({"width": 641}, "both even"),
        ({"record": Path("film.avi")}, "film.mp4"),
        ({"record": Path("/nowhere/film.mp4")}, "no folder /nowhere"),
        ({"checkpoint": Path("/nowhere/x.safetensors")}, "no such file"),
        ({"port": 99999}, "1 to 65535"),
    ],
)
def test_options_that_cannot_work_are_refused(tmp_path: Path, options: dict[str, object], said: str) -> None:
    given: dict[str, object] = {"data": tmp_path, "port": 0, "nut_port": 0, **options}
    with pytest.raises(UsageError, match=said):
        check_options(ShowOptions(**given))  # type: ignore[arg-type]


def test_a_show_runs_once_at_a_time(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with pytest.raises(UsageError, match="already running"):
        RunFolder(tmp_path)
    run.close()
    RunFolder(tmp_path).close()
