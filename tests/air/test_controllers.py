"""MIDI controllers over real ports: heard, lit, pulled out, put in again, out of their minds."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conductor.controllers.flood import CALM_S
from conductor.controllers.operating import Controllers
from conductor.controllers.reading import read_map
from conductor.controllers.scene import Scene
from conductor.controllers.station import Answered, Station
from conductor.controllers.surface import Press
from conductor.controllers.table import VERBS
from conductor.cues import Phase
from tests.air.box import Box
from tests.air.jack import Jack
from tests.air.processes import Program, wait_for
from tests.conductor.show.test_show import running

pytestmark = pytest.mark.air

MAP = """\
version: 1
name: Box
port: box
lights: lightsbox
controls:
  - {note: 36, does: go, light: {ready: 21, composing: {blink: 13}, refused: 5}}
  - {note: 37, does: hold, undoes: release, light: {on: 9}}
  - {note: 38, does: panic}
"""
READY = Scene(standby="noon", phases={"noon": "ready"})
GO, HOLD = 36, 37


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="box") as name:
        (Path(name) / "box.yaml").write_text(MAP)
        yield Path(name)


@pytest.fixture
def jack(folder: Path) -> Iterator[Jack]:
    # A key needs no finer grid, and a busy machine keeps up with this one.
    made = Jack(folder / "jackd.log", period=512)
    yield made
    made.close()


@pytest.fixture
def box(jack: Jack) -> Iterator[Box]:
    assert jack.name
    made = Box()
    yield made
    made.unplug()


class Desk:
    """A station at real ports, and what it ordered and said."""

    def __init__(self, folder: Path) -> None:
        self.orders: list[str] = []
        self.said: list[tuple[bool, str]] = []
        self.refusal = ""
        self._station = Station([read_map(folder / "box.yaml", VERBS)], self._give, self._say)
        self.show = self._station.show
        self.show(READY)
        self._station.start()
        self.until(lambda: bool(self.said), "news of the port")

    def _give(self, press: Press, who: str, answered: Answered) -> None:
        self.orders.append(press.verb)
        answered(self.refusal if who == "Box" else "who is that?")

    def _say(self, good: bool, text: str) -> None:
        self.said.append((good, text))

    def until(self, holds: Callable[[], bool], what: str) -> None:
        wait_for(holds, what, 20.0)

    def close(self) -> None:
        self._station.close()


@pytest.fixture
def desk(folder: Path, box: Box) -> Iterator[Desk]:
    assert box
    made = Desk(folder)
    yield made
    made.close()


def test_a_press_is_an_order_and_the_light_of_the_key_shows_the_show(box: Box, desk: Desk) -> None:
    assert desk.said == [(True, "Box is heard from box:keys")]
    desk.until(lambda: box.light(GO) == 21, "green light")
    box.press(GO)
    desk.until(lambda: desk.orders == ["go"], "go")
    desk.show(Scene(standby="noon", phases={"noon": "planned"}, lit=frozenset({"hold"})))
    desk.until(lambda: (box.light(GO), box.light(HOLD)) == (0, 9), "lights of a show on hold")
    box.press(HOLD)
    desk.until(lambda: desk.orders == ["go", "release"], "release")
    desk.refusal = "not now"
    desk.show(READY)
    desk.until(lambda: box.light(GO) == 21, "green light")
    box.press(GO)
    desk.until(lambda: box.light(GO) == 5, "flash")
    desk.until(lambda: box.light(GO) == 21, "green light after the flash")
    desk.close()
    desk.until(lambda: (box.light(GO), box.light(HOLD)) == (0, 0), "dark")


def test_pulled_out_with_go_down_and_put_in_again_it_is_lit_and_obeyed(box: Box, desk: Desk) -> None:
    box.send(bytes((0x90, GO, 100)))
    desk.until(lambda: desk.orders == ["go"], "go")
    box.unplug()
    desk.until(lambda: desk.said[-1][0] is False, "news that it is gone")
    again = Box()
    try:
        desk.until(lambda: desk.said[-1][0] is True, "news that it is back")
        desk.until(lambda: again.light(GO) == 21, "green light")
        again.press(GO)
        desk.until(lambda: desk.orders == ["go", "go"], "go")
    finally:
        again.unplug()
    assert [good for good, _ in desk.said] == [True, False, True], "said once each"


def test_a_server_that_dies_takes_nobody_with_it(jack: Jack, box: Box, desk: Desk) -> None:
    desk.until(lambda: box.light(GO) == 21, "green light")
    jack.stop()
    box.abandon()
    desk.until(lambda: desk.said[-1][0] is False, "news that it is gone")
    jack.start()
    again = Box()
    try:
        desk.until(lambda: again.light(GO) == 21, "green light")
        again.press(GO)
        desk.until(lambda: desk.orders == ["go"], "go")
    finally:
        again.unplug()


def test_noise_harms_nobody_is_told_once_and_the_controller_is_obeyed_when_it_is_calm(box: Box, desk: Desk) -> None:
    """Ten thousand messages a second: keys, places, clock, active sensing, system exclusive, and half messages."""
    keys = [bytes((0x90, GO, 100)), bytes((0x80, GO, 0)), bytes((0x90, 38, 100)), bytes((0x80, 38, 0))]
    others = [b"\xf8", b"\xfe", b"\xf0" + bytes(60) + b"\xf7", bytes((0xB0, 7, 64)), bytes((0xE0, 1, 2)), b"\xfa"]
    began_s, sent = time.monotonic(), 0
    while sent < 20_000:
        box.send(*keys, *others, *keys, *keys, *keys)
        sent += 22
        time.sleep(max(0.0, began_s + sent / 10_000 - time.monotonic()))
    desk.until(lambda: len(desk.said) > 1, "news of the noise")
    assert len(desk.orders) <= 2, "at most what came before it was known for noise"
    given = len(desk.orders)
    desk.until(lambda: "calm again" in desk.said[-1][1], "calm")
    assert len([text for _, text in desk.said if "faster than any hand" in text]) == 1
    assert len(desk.orders) == given
    time.sleep(CALM_S / 10)
    box.press(GO)
    desk.until(lambda: len(desk.orders) == given + 1, "go")


async def test_a_show_is_led_by_a_controller(folder: Path, box: Box) -> None:
    text = (
        "cues: [{id: one, style: bach, duration: 6s, follow: hold}, {id: two, style: jazz, duration: 6s, follow: hold}]"
    )
    async with running(folder, text) as show:
        controllers = Controllers(show.show, [read_map(folder / "box.yaml", VERBS)])
        controllers.start()
        try:
            await show.until(lambda: show.phase("one") is Phase.ARMED)
            await show.until(lambda: box.light(GO) == 21)
            box.press(GO)
            await show.until(lambda: show.phase("one") is Phase.LIVE)
            box.press(HOLD)
            await show.until(lambda: show.show.state.held)
            await show.until(lambda: box.light(HOLD) == 9)
            # Nothing of the show depends on it.
            box.unplug()
            await show.until(lambda: "is gone" in show.output.getvalue())
            await show.until(lambda: show.phase("one") is Phase.AIRED)
        finally:
            await asyncio.to_thread(controllers.close)


def test_a_key_is_taught_by_pressing_it(folder: Path, box: Box) -> None:
    path, log = folder / "mine.yaml", folder / "learn.txt"
    command = [sys.executable, "-m", "conductor.cli", "controllers", "learn", "go", "--map", str(path), "--port", "box"]
    learning = Program(command, log, dict(os.environ))
    try:
        wait_for(lambda: "press the key" in log.read_text(), "ear", 30.0)
        box.press(41)
        wait_for(path.exists, "map", 30.0)
    finally:
        learning.stop()
    plan = read_map(path, VERBS)
    assert [(button.key.number, button.does.verb) for button in plan.buttons] == [(41, "go")]
    assert plan.port == "box:keys"
