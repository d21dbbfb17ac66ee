"""The composer's process when a piece is changed: at once, beside other work, section by section."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from conductor.composer import LOWLY_NICE, run
from conductor.show.take import SEAM_S
from conductor.wire import Cancel, Change, Compose, Composed, Hello, Message, Progress, Quit, Refused, Revised
from model.composing.prompt import Prompt
from model.midi import read_midi, write_midi
from tests.conductor.test_composer import WAIT_S, Conductor, conducting, next_of
from tests.fakes import fake_piece
from tests.fakes_muse import FakeMuse

LENGTH_S = 40.0


@pytest.fixture
def folder() -> Iterator[Path]:
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="composer") as folder:
        yield Path(folder)


@pytest.fixture(name="muse")
def _muse() -> FakeMuse:
    return FakeMuse()


@pytest.fixture
async def conductor(folder: Path, muse: FakeMuse) -> AsyncIterator[Conductor]:
    serving = asyncio.create_task(run(folder, muse))
    async with conducting(folder) as conductor:
        await next_of(conductor, Hello)
        yield conductor
        conductor.link.send(Quit())
        await asyncio.wait_for(serving, WAIT_S)


def change(conductor: Conductor, request_id: str, *, piece: str = "one", at_s: float = 10.0, seed: int = 1) -> None:
    path = conductor.folder / "on-air.mid"
    if not path.exists():
        write_midi(fake_piece(7, LENGTH_S, ["piano"]), path)
    prompt = Prompt(
        instruments=("flute",), duration_s=LENGTH_S, seed=seed, continue_from=str(path), at_s=at_s, title="On air"
    )
    conductor.link.send(Change(request_id, piece, prompt.as_dict(), str(conductor.folder / request_id)))


async def until_answered(conductor: Conductor, request_id: str) -> Any:
    while True:
        answer = await next_of(conductor, Composed, Refused)
        if answer.request_id == request_id:
            return answer


def revisions(conductor: Conductor, request_id: str) -> list[Revised]:
    return [m for m in conductor.heard if isinstance(m, Revised) and m.request_id == request_id]


async def test_a_change_is_told_section_by_section_and_then_whole(conductor: Conductor) -> None:
    change(conductor, "change")
    whole = await until_answered(conductor, "change")
    assert isinstance(whole, Composed)
    told = revisions(conductor, "change")
    assert [(r.until_s, r.final) for r in told] == [(18.0, False), (LENGTH_S, False), (told[-1].duration_s, True)]
    for revised in told:
        assert revised.notes
        assert min(row[0] for row in revised.notes) >= 10.0 - SEAM_S
        assert {row[2] for row in revised.notes} == {"flute"}
    assert told[0].notes == told[-1].notes[: len(told[0].notes)]
    written = read_midi(Path(whole.midi)).piece
    assert {n.instrument for n in written.notes if n.onset_s < 9.99} == {"piano"}
    assert len(written.notes) == len(whole.notes) > len(told[-1].notes)


async def test_a_change_does_not_wait_for_what_is_composed_and_that_waits_for_its_first_notes(
    conductor: Conductor, muse: FakeMuse
) -> None:
    muse.step_s = 0.4
    conductor.link.send(Compose("next", Prompt(duration_s=600.0).as_dict(), str(conductor.folder / "next")))
    while not muse.at_work:
        await asyncio.sleep(0.01)
    change(conductor, "change")
    answers = [await next_of(conductor, Composed, Refused) for _ in range(2)]
    assert {(a.request_id, type(a)) for a in answers} == {("change", Composed), ("next", Composed)}
    assert muse.beside == 2
    order = [m for m in conductor.heard if isinstance(m, Revised | Progress)]
    first = next(n for n, m in enumerate(order) if isinstance(m, Revised))
    assert not [m for m in order[:first] if m.request_id == "next"]
    # What is composed for later has the lower priority.
    assert muse.nice == {"change": os.nice(0), "piece": max(os.nice(0), LOWLY_NICE)}


async def test_a_second_change_of_the_same_piece_takes_the_place_of_the_first(conductor: Conductor) -> None:
    change(conductor, "first", seed=1)
    await next_of(conductor, Revised)
    change(conductor, "other", piece="two", seed=2)
    change(conductor, "second", seed=3)
    answers: list[Message] = [await next_of(conductor, Composed, Refused) for _ in range(3)]
    kinds = {m.request_id: type(m) for m in answers if isinstance(m, Composed | Refused)}
    assert kinds == {"first": Refused, "other": Composed, "second": Composed}
    assert not any(r.final for r in revisions(conductor, "first"))


async def test_a_change_is_cancelled_like_any_request_and_what_stood_still_goes_on(
    conductor: Conductor, muse: FakeMuse
) -> None:
    muse.step_s = 0.5
    change(conductor, "change")
    conductor.link.send(Compose("next", Prompt(duration_s=60.0).as_dict(), str(conductor.folder / "next")))
    conductor.link.send(Cancel("change"))
    assert await until_answered(conductor, "change") == Refused("change", "composing was cancelled", retryable=False)
    assert not revisions(conductor, "change")
    assert isinstance(await until_answered(conductor, "next"), Composed)


async def test_a_change_that_breaks_half_way_has_told_what_it_had(conductor: Conductor, muse: FakeMuse) -> None:
    muse.breaks_after = 1
    change(conductor, "change")
    answer = await until_answered(conductor, "change")
    assert answer == Refused("change", "RuntimeError: out of memory", retryable=True)
    assert [(r.until_s, r.final) for r in revisions(conductor, "change")] == [(18.0, False)]


async def test_what_is_wrong_with_a_change_is_one_line(conductor: Conductor) -> None:
    change(conductor, "late", at_s=LENGTH_S)
    answer = await until_answered(conductor, "late")
    assert isinstance(answer, Refused)
    assert "ask for a longer piece" in answer.reason
    assert "\n" not in answer.reason
