"""Pieces as sound files: played beside the show, one at a time, kept, and never in its way."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from aiohttp import ClientSession

from conductor.console import sounds
from conductor.console.sounding import Job
from conductor.cues import Phase
from model.midi import write_midi
from tests.conductor.console.stage import consoled, operators_file
from tests.conductor.console.test_acting import ask
from tests.conductor.console.test_roles import OURS, log_in, surfer
from tests.conductor.show.test_show import PATIENCE_S, Running
from tests.fakes import fake_piece

# In place of the orchestra: says how far it is, waits until it may go on, and writes what it was told.
PLAYER = """
import json, pathlib, sys, time
job = json.loads(sys.stdin.readline())
gate = pathlib.Path(sys.argv[1])
(gate / "began").open("a").write(pathlib.Path(job["out"]).name + "\\n")
print("0.5", flush=True)
while not (gate / "go").exists():
    time.sleep(0.01)
if (gate / "fail").exists():
    sys.exit("the strings are out of tune")
pathlib.Path(job["out"]).write_bytes(b"RIFF" + json.dumps(job).encode() + bytes(1000))
"""


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "gate"
    folder.mkdir()
    monkeypatch.setattr(sounds, "COMMAND", (sys.executable, "-c", PLAYER, str(folder)))
    return folder


async def fetched(it: Running, piece: int, path: str = "") -> bytes:
    """Return a file, waiting as a client does."""
    async with asyncio.timeout(PATIENCE_S), ClientSession() as browser:
        while True:
            async with browser.get(f"{it.url}{path or f'/api/pieces/{piece}.wav'}") as answer:
                if answer.status != 202:
                    assert answer.status == 200, await answer.text()
                    return await answer.read()
            await asyncio.sleep(0.05)


async def composed(it: Running) -> list[int]:
    await it.until(lambda: it.phase("one") is Phase.ARMED and it.phase("two") is Phase.READY)
    return [kept.id for kept in it.library.latest()]


async def test_a_piece_is_played_once_and_then_served_whole_or_in_parts(tmp_path: Path, gate: Path) -> None:
    async with consoled(tmp_path) as it:
        piece, other = await composed(it)
        path = f"/api/pieces/{piece}.wav"
        assert (await ask(it, "/api/pieces/99.wav", "GET"))[0] == 404
        async with ClientSession() as browser:
            async with browser.head(f"{it.url}{path}") as answer:
                assert answer.status == 202, "to ask whether it is there begins nothing"
            assert not (gate / "began").exists()
            async with browser.get(f"{it.url}{path}", headers={"Sec-Fetch-Site": "cross-site"}) as answer:
                assert answer.status == 403
        status, _, headers = await ask(it, path, "GET")
        assert (status, headers["Retry-After"]) == (202, "1")
        while (await ask(it, path, "GET"))[1]["fraction"] != 0.5:
            await asyncio.sleep(0.02)
        # Another one waits: one orchestra beside the show is enough.
        assert (await ask(it, f"/api/pieces/{other}.wav", "GET"))[1]["fraction"] == 0.0
        assert len((gate / "began").read_text().splitlines()) == 1
        (gate / "go").touch()
        whole = await fetched(it, piece)
        assert whole.startswith(b"RIFF")
        assert b'"style": "jazz"' in whole
        async with (
            ClientSession() as browser,
            browser.get(f"{it.url}{path}", headers={"Range": "bytes=1-3"}) as answer,
        ):
            assert (answer.status, await answer.read()) == (206, b"IFF")
            assert answer.headers["Content-Type"] == "audio/wav"
            assert answer.headers["Content-Disposition"].startswith("attachment")
        await fetched(it, other)
        assert len((gate / "began").read_text().splitlines()) == 2
        assert not list((tmp_path / "data" / "sounds").glob("*.part.wav"))


async def test_what_cannot_be_played_is_told_and_tried_again_when_asked_again(tmp_path: Path, gate: Path) -> None:
    (gate / "go").touch()
    (gate / "fail").touch()
    async with consoled(tmp_path) as it:
        path = f"/api/pieces/{(await composed(it))[0]}.wav"
        while (answer := await ask(it, path, "GET"))[0] == 202:
            await asyncio.sleep(0.02)
        assert answer[0] == 503
        assert "the strings are out of tune" in answer[1]["reason"]
        (gate / "fail").unlink()
        assert (await fetched(it, 0, path)).startswith(b"RIFF")


async def test_more_than_can_wait_a_full_disk_and_who_may_only_look_are_refused(
    tmp_path: Path, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operators = operators_file(tmp_path, vera="view", carl="control")
    async with consoled(tmp_path, operators=operators) as it, surfer() as looking, surfer() as browser:
        piece, other = await composed(it)
        paths = [f"{it.url}/api/pieces/{number}.wav" for number in (piece, other)]
        assert await log_in(looking, it, "vera") == await log_in(browser, it, "carl") == 200
        async with looking.get(paths[0], headers=OURS) as answer:
            assert answer.status == 403
        with monkeypatch.context() as full:
            full.setattr(sounds, "SPARE_BYTES", 10**18)
            async with browser.get(paths[0], headers=OURS) as answer:
                assert answer.status == 503
                assert "the disk is too full" in (await answer.json())["reason"]
        monkeypatch.setattr(sounds, "MOST_WAITING", 0)
        async with browser.get(paths[0], headers=OURS) as answer:
            assert answer.status == 202
        async with browser.get(paths[1], headers=OURS) as answer:
            assert answer.status == 429
        (gate / "go").touch()
        # Once it is there, whoever may look may have it.
        async with asyncio.timeout(PATIENCE_S):
            while True:
                async with looking.get(paths[0], headers=OURS) as answer:
                    if answer.status == 200:
                        break
                await asyncio.sleep(0.05)


async def test_files_that_were_not_asked_for_longest_make_room(
    tmp_path: Path, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (gate / "go").touch()
    async with consoled(tmp_path) as it:
        first, second = await composed(it)
        await fetched(it, first)
        monkeypatch.setattr(sounds, "MOST_BYTES", 1500)
        await fetched(it, second)
        assert [file.name.split("-")[0] for file in (tmp_path / "data" / "sounds").iterdir()] == [str(second)]


async def test_the_orchestra_plays_the_piece_into_a_file_and_ends_with_who_wants_it(tmp_path: Path) -> None:
    piece, out = fake_piece(1, 2.0, ["piano"]), tmp_path / "out.wav"
    write_midi(piece, tmp_path / "piece.mid")
    job = Job(str(tmp_path / "piece.mid"), str(out), "bach", "synth", True, {}, "", -14.0, -1.0)
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*sounds.COMMAND, stdin=pipe, stdout=pipe, stderr=pipe)
    assert child.stdin
    child.stdin.write(job.line.encode() + b"\n")
    assert child.stdout
    told = [float(line) async for line in child.stdout]
    assert await child.wait() == 0
    assert told == sorted(told)
    assert told[-1] == 1.0
    sound, rate = soundfile.read(out)
    assert (rate, sound.shape[1]) == (48_000, 2)
    assert sound.shape[0] / rate == pytest.approx(piece.duration_s + 3.0, abs=0.1)
    assert np.abs(sound[: rate * 2]).max() > 0.05
    # Who wants it is gone before the music is read: it ends, and leaves nothing half.
    other = await asyncio.create_subprocess_exec(*sounds.COMMAND, stdin=pipe, stdout=pipe, stderr=pipe)
    await other.communicate(job.line.encode() + b"\n")
    assert other.returncode == 1
