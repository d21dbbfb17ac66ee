"""Consoles follow by number: none misses a change, none holds the others up."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from conductor.console.stream import HISTORY, WAITING, Listener, Stream
from tests.conductor.console.test_deltas import applied


class Watched:
    """A stream of a state that is changed by hand."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {"revision": 0, "live": None}
        self.meters: dict[str, Any] = {"lufs": -20.0}
        self.stream = Stream(lambda: dict(self.state), lambda: dict(self.meters))

    def change(self, count: int = 1) -> None:
        for _ in range(count):
            self.state["revision"] += 1
            self.stream.refresh()

    async def heard(self, listener: Listener, count: int) -> list[dict[str, Any]]:
        return [json.loads(await listener.next(self.stream.snapshot)) for _ in range(count)]

    async def all(self, listener: Listener) -> list[dict[str, Any]]:
        found = []
        while True:
            try:
                async with asyncio.timeout(0.01):
                    found += await self.heard(listener, 1)
            except TimeoutError:
                return found


async def test_a_new_console_gets_the_whole_state_and_then_what_changes() -> None:
    it = Watched()
    listener = it.stream.join()
    (first,) = await it.heard(listener, 1)
    assert (first["kind"], first["state"]) == ("state", it.state)
    it.change(3)
    state = first["state"]
    for number, delta in enumerate(await it.heard(listener, 3), start=first["number"] + 1):
        assert (delta["kind"], delta["number"]) == ("delta", number)
        state = applied(state, delta["patch"])
    assert state == it.state


async def test_who_comes_back_gets_what_was_missed_and_nothing_else() -> None:
    it = Watched()
    (first,) = await it.heard(it.stream.join(), 1)
    it.change(5)
    listener = it.stream.join(first["run"], first["number"] + 2)
    numbers = [delta["number"] for delta in await it.all(listener)]
    assert numbers == [first["number"] + n for n in (3, 4, 5)]


async def test_who_missed_nothing_gets_nothing() -> None:
    it = Watched()
    it.change(2)
    assert await it.all(it.stream.join(it.stream.run, it.stream.number)) == []


async def test_who_comes_back_too_late_or_to_another_conductor_or_from_the_future_begins_anew() -> None:
    it = Watched()
    it.change(HISTORY + 10)
    for run, since in ((it.stream.run, 1), ("another", it.stream.number), (it.stream.run, it.stream.number + 1)):
        first = (await it.all(it.stream.join(run, since)))[0]
        assert (first["kind"], first["state"]) == ("state", it.state)


async def test_a_slow_console_gets_one_fresh_state_in_place_of_all_it_missed() -> None:
    it = Watched()
    slow, quick = it.stream.join(), it.stream.join()
    await it.heard(slow, 1)
    await it.heard(quick, 1)
    for _ in range(3 * WAITING):
        it.change()
        await it.heard(quick, 1)
    found = await it.all(slow)
    assert [message["kind"] for message in found] == ["state"]
    assert (found[0]["state"], found[0]["number"]) == (it.state, it.stream.number)
    it.change()
    assert [message["number"] for message in await it.all(slow)] == [found[0]["number"] + 1]


async def test_meters_are_the_latest_alone_and_come_after_what_is_numbered() -> None:
    it = Watched()
    listener = it.stream.join()
    await it.heard(listener, 1)
    for lufs in (-19.0, -18.0, -17.0):
        it.meters["lufs"] = lufs
        it.stream.refresh_meters()
    it.change()
    found = await it.all(listener)
    assert [message["kind"] for message in found] == ["delta", "meters"]
    assert found[1]["meters"] == {"lufs": -17.0}


async def test_who_has_left_is_told_nothing() -> None:
    it = Watched()
    listener = it.stream.join()
    await it.heard(listener, 1)
    it.stream.leave(listener)
    it.change()
    assert await it.all(listener) == []
