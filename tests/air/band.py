"""The processes that make and send the notes, as a show has them, without a composer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from conductor import wire
from conductor.show.crew import MIDI_OUT, Crew
from conductor.show.take import Take, bed, take_of
from conductor.workers import command
from model.notes import Piece
from streaming.midi.out import MidiRoute

M = TypeVar("M", bound=wire.Message)
WAIT_S = 60.0


class Band:
    """A crew whose messages are kept.

    Attributes:
        crew: player, feed and the sender of notes.
        told: what they said, in order.
    """

    def __init__(self, run: Path, route: MidiRoute) -> None:
        self.told: list[wire.Message] = []
        self._news = asyncio.Event()
        small = {"feed": ("--size", "320x180")}
        self.crew = Crew(
            run,
            lambda name: command(name, run, *small.get(name, ())),
            bed=bed(),
            on_message=self._hear,
            on_up=lambda _: None,
            on_down=lambda _name, _reason: None,
            midi=route,
        )
        self.names = ("feed", "player", MIDI_OUT)

    def _hear(self, message: wire.Message) -> None:
        if not isinstance(message, wire.Levels | wire.FeedStatus):
            self.told.append(message)
        self._news.set()

    async def until(self, kind: type[M], true: Callable[[M], bool] = lambda _: True, *, since: int = 0) -> M:
        """Return the first message of a kind, told already (not before the `since`th) or to come."""
        async with asyncio.timeout(WAIT_S):
            while True:
                for message in self.told[since:]:
                    if isinstance(message, kind) and true(message):
                        return message
                self._news.clear()
                await self._news.wait()

    def give(self, number: int, piece: Piece) -> Take:
        """Give all a piece."""
        take = take_of(piece, Path("none.mid"), title="", caption="")
        self.crew.give(number, take)
        return take


@asynccontextmanager
async def band(run: Path, route: MidiRoute) -> AsyncIterator[Band]:
    """Start player, feed and sender; end them."""
    made = Band(run, route)
    try:
        await asyncio.gather(*(made.crew.workers[name].start() for name in made.names))
        yield made
    finally:
        await asyncio.gather(*(made.crew.workers[name].stop(5.0) for name in made.names))


async def wait_for(true: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Wait until something is so; fail the test when it is not in time."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + seconds
    while not true():
        assert loop.time() < until_s, f"no {what} within {seconds} s"
        await asyncio.sleep(0.01)
