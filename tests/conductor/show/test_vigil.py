"""The vigil over a show, on a virtual clock with workers that are only looked at: what it does and writes down."""

from __future__ import annotations

import io
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from conductor import cues as c
from conductor import wire
from conductor.clock import SystemClock
from conductor.library import Library
from conductor.logs import Terminal
from conductor.show.chronicle import Chronicle
from conductor.show.crew import Crew, Heard
from conductor.show.ladder import FILLER_S, GOOD_S, PATIENCE_S, QUIET_S
from conductor.show.vigil import RETURN_S, Vigil
from tests.conductor.cues.stage import Stage, ready, stage

LEVELS = wire.Levels(0, 1, 3.0, -16.0, -14.0, -1.0, 9)
STATUS = wire.FeedStatus(0, 0, 0, 0, 1, "", False, level_db=-3.0)


class Clock(SystemClock):
    """Monotonic time that a test sets."""

    now_s = 50.0

    def monotonic_s(self) -> float:
        return self.now_s


@dataclass
class Looked:
    """A worker that is only looked at."""

    up: bool = True
    renewed: list[str] = field(default_factory=list)

    async def renew(self, why: str) -> None:
        self.renewed.append(why)


@dataclass
class House:
    """A show as the vigil sees it."""

    vigil: Vigil
    heard: Heard
    workers: dict[str, Looked]
    clock: Clock
    library: Library
    stage: Stage
    events: list[c.Event]
    notified: list[int]

    def see(self, seconds: float, **levels: Any) -> None:
        self.heard.levels = replace(LEVELS, **levels)
        until_s = self.clock.now_s + seconds
        while self.clock.now_s < until_s:
            self.clock.now_s += 0.2
            self.vigil.look()

    def written(self, event: str) -> list[str]:
        return [line.detail for line in self.library.as_run(100) if line.event == event]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return made(tmp_path, ready("auto", "auto"))


def made(folder: Path, on: Stage) -> House:
    library, clock = Library(folder), Clock()
    heard, workers = Heard(LEVELS, STATUS), {name: Looked() for name in ("feed", "player", "composer")}
    events: list[c.Event] = []
    notified: list[int] = []

    def emit(event: c.Event) -> None:
        events.append(event)
        on.send(event)

    def spawn(work: Coroutine[Any, Any, None]) -> None:
        with pytest.raises(StopIteration):
            work.send(None)

    crew = cast(Crew, type("Seen", (), {"heard": heard, "workers": workers}))
    vigil = Vigil(
        crew, Chronicle(library, clock, Terminal(io.StringIO()), lambda: 0), clock, lambda: on.state, emit, spawn,
        lambda: notified.append(1), fast=False,
    )  # fmt: skip
    return House(vigil, heard, workers, clock, library, on, events, notified)


def test_a_silent_piece_is_left_and_the_next_silence_ends_the_player_and_all_is_written_down(house: House) -> None:
    house.see(5.0)
    assert not house.events
    house.see(QUIET_S + 1.0, momentary_lufs=-120.0)
    assert house.events == [c.Unheard(1)]
    house.stage.obey()
    assert house.stage.playing == 2
    assert list(house.vigil.alarms) == ["silence"]
    house.see(PATIENCE_S + 1.0, momentary_lufs=-120.0, number=2)
    assert ["silence" in why for why in house.workers["player"].renewed] == [True]
    house.see(GOOD_S + 1.0, number=2)
    assert not house.vigil.alarms
    assert len(house.notified) == 2
    assert [len(house.written(event)) for event in ("alarm", "silence", "well")] == [1, 1, 1]


def test_a_gap_of_the_player_is_written_down_with_its_length(house: House) -> None:
    house.see(1.0)
    house.heard.feed = replace(STATUS, slate=True)
    house.see(3.0)
    house.heard.feed = STATUS
    house.see(1.0)
    assert len(house.written("silence")) == 1
    (text,) = house.written("sound")
    assert float(text.removeprefix("the player is heard again after ").removesuffix(" s")) == pytest.approx(
        3.0, abs=0.5
    )


def test_a_new_player_gets_its_pieces_when_it_is_heard_and_not_never(house: House) -> None:
    house.heard.feed = replace(STATUS, slate=True, emergency=True)
    house.vigil.player_came()
    house.see(2.0)
    assert not house.events
    house.heard.feed = STATUS
    house.see(0.3)
    assert house.events == [c.PlayerUp(new=True)]
    house.heard.feed = replace(STATUS, slate=True)
    house.vigil.player_came()
    house.see(RETURN_S + 0.5)
    assert house.events == [c.PlayerUp(new=True), c.PlayerUp(new=True)]


def test_the_bed_where_a_piece_is_awaited_is_an_alarm_and_a_cue_that_waits_for_go_is_none(tmp_path: Path) -> None:
    stuck = made(tmp_path / "a", stage("auto"))
    stuck.see(FILLER_S + 1.0, number=0, momentary_lufs=-32.0)
    assert list(stuck.vigil.alarms) == ["filler"]
    assert c.Starved() in stuck.events
    waiting = made(tmp_path / "b", ready("hold"))
    waiting.see(FILLER_S + 1.0, number=0, momentary_lufs=-32.0)
    assert not waiting.vigil.alarms
