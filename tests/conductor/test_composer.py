"""The composer's process: answers every request over its socket, and never falls over one."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conductor.composer import run
from conductor.wire import Cancel, Compose, Composed, Hello, Link, Message, Progress, Quit, Refused, connect
from model.composing.composer import Composer
from model.midi import read_midi
from model.network.checkpoint import fingerprint

WAIT_S = 60.0
BRIEF: dict[str, Any] = {"style": "bach", "instruments": ["piano"], "duration_s": 6.0, "candidates": 2, "seed": 3}
# Long enough to be interrupted, short enough to be waited for.
LONG: dict[str, Any] = {**BRIEF, "duration_s": 1800.0, "candidates": 8}


@pytest.fixture
def folder() -> Iterator[Path]:
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="composer") as folder:
        yield Path(folder)


@pytest.fixture(name="composer", scope="module")
def _composer(tiny_checkpoint: Path) -> Composer:
    return Composer(tiny_checkpoint)


@dataclass
class Conductor:
    """The other end: sends, and keeps what is answered."""

    link: Link
    folder: Path
    heard: list[Message] = field(default_factory=list)
    messages: AsyncIterator[Message] = field(init=False)

    def __post_init__(self) -> None:
        # One for the whole connection: the link closes when it is given up.
        self.messages = self.link.messages()

    def ask(self, request_id: str, prompt: dict[str, Any]) -> None:
        self.link.send(Compose(request_id, prompt, str(self.folder / request_id)))


async def next_of(conductor: Conductor, *kinds: type[Message]) -> Any:
    """Read up to the next message of some kinds."""
    async with asyncio.timeout(WAIT_S):
        async for message in conductor.messages:
            conductor.heard.append(message)
            if isinstance(message, kinds):
                return message
    raise AssertionError(f"the composer went away; it said {conductor.heard}")


@contextlib.asynccontextmanager
async def conducting(folder: Path) -> AsyncIterator[Conductor]:
    for _ in range(int(WAIT_S / 0.02)):
        if (folder / "composer.sock").exists():
            break
        await asyncio.sleep(0.02)
    link = await connect(folder / "composer.sock")
    conductor = Conductor(link, folder)
    try:
        yield conductor
    finally:
        await link.close()


@pytest.fixture
async def conductor(folder: Path, composer: Composer) -> AsyncIterator[Conductor]:
    """A composer in this process, and a conductor that has been greeted."""
    serving = asyncio.create_task(run(folder, composer))
    async with conducting(folder) as conductor:
        assert isinstance(await next_of(conductor, Hello), Hello)
        yield conductor
        conductor.link.send(Quit())
        await asyncio.wait_for(serving, WAIT_S)


async def test_a_request_is_answered_with_progress_and_then_the_take(
    conductor: Conductor, tiny_checkpoint: Path
) -> None:
    conductor.ask("one", {**BRIEF, "duration_s": 60.0})
    take = await next_of(conductor, Composed, Refused)
    assert isinstance(take, Composed)
    told = [m for m in conductor.heard if isinstance(m, Progress)]
    assert told
    assert [m.fraction for m in told] == sorted(m.fraction for m in told)
    assert {m.request_id for m in told} == {take.request_id} == {"one"}
    written = read_midi(Path(take.midi)).piece
    assert Path(take.midi) == conductor.folder / "one.mid"
    assert sorted((n.pitch, n.instrument) for n in written.notes) == sorted((row[1], row[2]) for row in take.notes)
    assert take.duration_s == max(row[0] + row[3] for row in take.notes)
    assert take.tempi[0][0] == 0.0
    assert take.provenance["checkpoint"] == fingerprint(tiny_checkpoint)
    assert take.provenance["prompt"]["seed"] == 3
    assert len(take.provenance["candidates"]) == 2


async def test_the_same_request_is_answered_with_the_same_notes(conductor: Conductor) -> None:
    takes = []
    for request_id in ("one", "two"):
        conductor.ask(request_id, BRIEF)
        takes.append(await next_of(conductor, Composed, Refused))
    assert takes[0].notes == takes[1].notes
    assert takes[0].notes


async def test_requests_queue_and_are_answered_in_order(conductor: Conductor) -> None:
    for request_id in ("one", "two", "three"):
        conductor.ask(request_id, BRIEF)
    answered = [(await next_of(conductor, Composed, Refused)).request_id for _ in range(3)]
    assert answered == ["one", "two", "three"]


async def test_a_request_that_is_cancelled_while_it_is_composed_is_refused(conductor: Conductor) -> None:
    conductor.ask("long", LONG)
    await next_of(conductor, Progress)
    conductor.link.send(Cancel("long"))
    answer = await next_of(conductor, Composed, Refused)
    assert answer == Refused("long", "composing was cancelled", retryable=False)
    assert not (conductor.folder / "long.mid").exists()
    conductor.ask("next", BRIEF)
    assert isinstance(await next_of(conductor, Composed, Refused), Composed)


async def test_a_request_that_is_cancelled_while_it_waits_is_never_begun(conductor: Conductor) -> None:
    conductor.ask("long", LONG)
    conductor.ask("waiting", LONG)
    conductor.link.send(Cancel("waiting"))
    conductor.link.send(Cancel("long"))
    answers = [await next_of(conductor, Composed, Refused) for _ in range(2)]
    assert [(a.request_id, type(a)) for a in answers] == [("long", Refused), ("waiting", Refused)]
    assert not [m for m in conductor.heard if isinstance(m, Progress) and m.request_id == "waiting"]


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ({**BRIEF, "style": "chopan"}, "did you mean chopin?"),
        ({**BRIEF, "style": "jazz"}, "it knows bach, folk"),
        ({**BRIEF, "mood": "merry"}, "a prompt has no field 'mood'"),
        ({**BRIEF, "duration_s": "long"}, "duration_s 'long': input should be a valid number"),
        ({**BRIEF, "seed": -1}, "a seed of -1"),
        ({**BRIEF, "opening": "/nowhere.mid"}, "/nowhere.mid: no such file"),
    ],
)
async def test_a_bad_prompt_is_refused_in_a_line_and_the_next_is_composed(
    conductor: Conductor, prompt: dict[str, Any], reason: str
) -> None:
    conductor.ask("bad", prompt)
    answer = await next_of(conductor, Composed, Refused)
    assert isinstance(answer, Refused)
    assert reason in answer.reason
    assert "\n" not in answer.reason
    assert answer.retryable is False
    conductor.ask("good", BRIEF)
    assert isinstance(await next_of(conductor, Composed, Refused), Composed)


async def test_a_place_that_cannot_be_written_is_refused(conductor: Conductor) -> None:
    conductor.link.send(Compose("lost", BRIEF, str(conductor.folder / "nowhere" / "piece")))
    answer = await next_of(conductor, Composed, Refused)
    assert isinstance(answer, Refused)
    assert "cannot be written" in answer.reason


async def test_whatever_breaks_while_composing_costs_one_take(
    conductor: Conductor, composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(composer.sampler, "begin", broken)
        conductor.ask("broken", BRIEF)
        answer = await next_of(conductor, Composed, Refused)
    assert answer == Refused("broken", "RuntimeError: out of memory", retryable=True)
    conductor.ask("good", BRIEF)
    assert isinstance(await next_of(conductor, Composed, Refused), Composed)


async def test_a_conductor_that_comes_back_is_greeted_and_the_old_ones_requests_are_dropped(
    conductor: Conductor,
) -> None:
    conductor.ask("long", LONG)
    await next_of(conductor, Progress)
    async with conducting(conductor.folder) as second:
        assert isinstance(await next_of(second, Hello), Hello)
        second.ask("mine", BRIEF)
        answer = await next_of(second, Composed, Refused)
        assert (type(answer), answer.request_id) == (Composed, "mine")
        assert {m.request_id for m in second.heard if isinstance(m, Progress)} <= {"mine"}
    assert not (conductor.folder / "long.mid").exists()


async def test_as_a_process_it_greets_composes_and_quits_with_0(folder: Path, tiny_checkpoint: Path) -> None:
    words = ["--run", str(folder), "--checkpoint", str(tiny_checkpoint), "--threads", "1"]
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "conductor.composer", *words)
    try:
        async with conducting(folder) as conductor:
            hello = await next_of(conductor, Hello)
            assert hello == Hello("composer", process.pid)
            conductor.ask("one", BRIEF)
            assert isinstance(await next_of(conductor, Composed, Refused), Composed)
            # Told to quit in the midst of a long piece, it does not finish that first.
            conductor.ask("long", LONG)
            await next_of(conductor, Progress)
            conductor.link.send(Quit())
            assert await asyncio.wait_for(process.wait(), WAIT_S) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_without_its_checkpoint_it_says_so_in_a_line_and_exits_with_2(folder: Path) -> None:
    words = [sys.executable, "-m", "conductor.composer", "--run", str(folder), "--checkpoint", str(folder / "none")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=WAIT_S)
    assert done.returncode == 2
    assert done.stderr.startswith("composer: ")
    assert "no such checkpoint" in done.stderr
    assert done.stderr.count("\n") == 1
