"""A show that broke off, or was ended, goes on with the piece that was on air, within a second of where it was."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace

from conductor import wire
from conductor.chat.poll import Opened
from conductor.cues import Phase
from conductor.library import Library
from conductor.show.polling import KEY as POLLS
from conductor.show.resume import KEY, PLAYHEAD
from tests.conductor.show.test_show import PATIENCE_S, Running, running

TEXT = "cues: [{id: one, style: bach, duration: 90s}, {id: two, style: jazz, duration: 40s}]"
# Says, ten times a second, who runs and where the piece is.
PROGRAM = """
import asyncio, json, pathlib, sys
from tests.conductor.show.test_show import running
async def main():
    async with running(pathlib.Path(sys.argv[1]), sys.argv[2], player="--speed 2") as it:
        while True:
            levels = it.show.crew.heard.levels
            at_s = levels.position_s if levels and levels.number else 0.0
            print(json.dumps([at_s, [worker.pid for worker in it.show.crew.workers.values()]]), flush=True)
            await asyncio.sleep(0.1)
asyncio.run(main())
"""


def orders(it: Running) -> list[wire.Go]:
    """Return the starts that the player is sent from now on."""
    sent: list[wire.Go] = []
    send = it.show.crew.send

    def spy(name: str, message: wire.Message) -> None:
        if isinstance(message, wire.Go):
            sent.append(message)
        send(name, message)

    it.show.crew.send = spy  # type: ignore[method-assign]
    return sent


async def test_after_all_processes_were_killed_the_piece_goes_on_where_it_was(tmp_path: Path) -> None:
    first = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(tmp_path), TEXT, stdout=asyncio.subprocess.PIPE
    )
    assert first.stdout is not None
    at_s, pids = 0.0, []
    async with asyncio.timeout(PATIENCE_S):
        while at_s < 12.0:
            at_s, pids = json.loads(await first.stdout.readline())
    for pid in (first.pid, *pids):
        os.kill(pid, signal.SIGKILL)
    said = [line for line in (await first.stdout.read()).splitlines() if line.endswith(b"]")]
    at_s = json.loads(said[-1])[0] if said else at_s
    await first.wait()
    async with running(tmp_path, TEXT, player="--speed 2") as it:
        sent = orders(it)
        assert " into Bach" in it.output.getvalue()
        await it.until(lambda: it.phase("one") is Phase.LIVE and bool(sent))
        await it.until(lambda: it.phase("two") is Phase.ARMED)
        assert [e for e in it.events() if e[0] == "live"] == [("live", "one")] * 2
        # Twice as fast as it is: half a second of ours is one of the piece.
        assert abs(sent[0].from_s - at_s) <= 2.0
        await it.end()


async def test_a_show_that_was_ended_goes_on_where_it_was_if_that_is_wished(tmp_path: Path) -> None:
    async with running(tmp_path, TEXT, player="--speed 4") as it:
        await it.until(lambda: (levels := it.show.crew.heard.levels) is not None and levels.position_s > 8.0)
        # Twice: at once.
        it.show.end()
        await it.end()
    library = Library(tmp_path / "data")
    kept = library.recall(PLAYHEAD)
    assert library.recall(KEY)["ended"] is True
    library.close()
    assert kept["cue"] == "one"
    async with running(tmp_path, TEXT, player="--speed 4", resume=True) as it:
        sent = orders(it)
        assert "where it was ended" in it.output.getvalue()
        await it.until(lambda: bool(sent))
        assert sent[0].from_s == kept["position_s"] > 8.0
        await it.end()


async def test_a_poll_that_was_open_goes_on(tmp_path: Path) -> None:
    text = "cues: [{id: one, style: bach, duration: 90s}]\nendless: {styles: {jazz: 1, bach: 1, folk: 1}}"
    async with running(tmp_path, text, player="--speed 1") as it:
        it.show.polls.rooms.append(SimpleNamespace(there=True, say=lambda _: None))
        await it.until(lambda: it.phase("one") is Phase.LIVE)
        it.show.obey(Opened(("jazz", "bach"), 300.0))
        it.show.polls.vote("ann", 1)
        await it.until(lambda: bool((it.show.library.recall(POLLS)["poll"] or {}).get("votes")))
        it.show.end()
        await it.end()
    async with running(tmp_path, text, player="--speed 1", resume=True) as it:
        poll = it.show.polls.poll
        assert poll is not None
        assert (poll.choices, poll.votes) == (("jazz", "bach"), {"ann": 1})
        assert it.show.polls.plain
        assert it.show.polls.plain["left_s"] > 200
        await it.end()


async def test_a_state_that_means_nothing_is_set_aside_and_the_show_begins_anew(tmp_path: Path) -> None:
    library = Library(tmp_path / "data")
    library.remember(KEY, {"slots": [{"id": "one", "phase": "wandering"}]})
    library.close()
    async with running(tmp_path, TEXT) as it:
        assert "the state 'show' cannot be read" in it.output.getvalue()
        await it.until(lambda: it.phase("one") is Phase.LIVE)
        await it.end()
    with closing(sqlite3.connect(tmp_path / "data" / "show.db")) as db:
        kept = [row[0] for row in db.execute("SELECT value FROM state WHERE key LIKE 'show that could%'")]
    assert "wandering" in kept[0]


async def test_with_nothing_to_go_on_with_that_is_said(tmp_path: Path) -> None:
    async with running(tmp_path, TEXT, resume=True) as it:
        assert "there is no show to go on with" in it.output.getvalue()
        with suppress(AssertionError):
            await it.end()
