"""What the show tells OBS, and what it passes on of OBS to a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from conductor import wire
from conductor.cues import Phase, State, begin
from conductor.setlist import Cue, Setlist
from conductor.show.chronicle import Chronicle
from conductor.show.crew import Crew
from conductor.show.onair import OnAir
from conductor.show.stage import ShowOptions
from streaming.obs.wanted import ObsPlan, ObsState


class Director:
    """Takes down what is wanted of OBS."""

    def __init__(self) -> None:
        self.on_news: Callable[[str, bool], None] | None = None
        self.state = ObsState()
        self.now: dict[str, Any] = {}
        self.seams = 0
        self.peaks: list[float] = []
        self.readers: list[int] = []
        self.closed = False

    async def start(self) -> bool:
        return True

    def wanted(self, **wishes: Any) -> None:
        self.now.update({name: value for name, value in wishes.items() if value is not None})

    def feed_readers(self, readers: int) -> None:
        self.readers.append(readers)

    def played(self, peak_db: float) -> None:
        self.peaks.append(peak_db)

    def seam(self) -> None:
        self.seams += 1

    async def close(self) -> None:
        self.closed = True


class Told:
    """A crew and a chronicle that take down what they are told."""

    def __init__(self) -> None:
        self.next: list[str] = []
        self.lines: list[str] = []

    def tell_next(self, coming: wire.Next) -> None:
        self.next.append(coming.text)

    def say(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.lines.append(f"! {text}")

    def log(self, event: str, *, detail: str = "") -> None:
        self.lines.append(f"{event}: {detail}")


@pytest.fixture
def director() -> Director:
    return Director()


def made(director: Director | None, told: Told, plan: ObsPlan = ObsPlan(), *, stream: bool = False) -> OnAir:  # noqa: B008
    options = ShowOptions(data=Path(), stream=stream)
    return OnAir(options, cast(Crew, told), cast(Chronicle, told), director, plan)


def show(*scenes: str | None) -> State:
    """Return a show of a cue for each scene."""
    cues = [Cue(id=f"cue{n}", number=str(n), name=f"Piece {n}", scene=scene) for n, scene in enumerate(scenes, 1)]
    return begin(Setlist("Show", tuple(cues)))


def live(state: State, number: int) -> State:
    """Return the show while its piece of that number is live."""
    slots = [
        replace(slot, phase=Phase.LIVE if n == number else Phase.AIRED if n < number else Phase.ARMED, number=n)
        for n, slot in enumerate(state.slots, 1)
    ]
    return replace(state, slots=tuple(slots))


def test_a_cue_has_its_scene_from_the_moment_it_is_live(director: Director) -> None:
    on_air, state = made(director, Told()), show(None, "Pause", None)
    on_air.tell(live(state, 1))
    assert "scene" not in director.now
    on_air.tell(live(state, 2))
    assert (director.now["scene"], director.now["now"], director.now["next"]) == ("Pause", "Piece 2", "Piece 3")


def test_the_show_s_scene_is_for_cues_that_name_none(director: Director) -> None:
    on_air, state = made(director, Told(), ObsPlan(scene="Main")), show(None, "Pause", None)
    seen = []
    for number in (1, 2, 3):
        on_air.tell(live(state, number))
        seen.append(director.now["scene"])
    assert seen == ["Main", "Pause", "Main"]


def test_the_end_of_a_piece_is_a_seam_and_news_within_one_is_not(director: Director) -> None:
    on_air, state = made(director, Told()), show(None, None)
    on_air.tell(state)
    on_air.tell(live(state, 1))
    on_air.tell(live(state, 1))
    assert director.seams == 0
    on_air.tell(live(state, 2))
    assert director.seams == 1
    on_air.tell(live(state, 3))
    assert director.seams == 2, "the end of the last is one, too"


async def test_what_the_show_began_it_ends_and_nothing_else(director: Director) -> None:
    on_air = made(director, Told(), ObsPlan(record=True, volume_db=-3.0))
    await on_air.start()
    assert director.now == {"recording": True, "volume_db": -3.0}
    await on_air.close()
    assert director.now["recording"] is False
    assert "streaming" not in director.now
    assert director.closed


async def test_streaming_is_wanted_from_start_to_end(director: Director) -> None:
    on_air = made(director, Told(), stream=True)
    await on_air.start()
    assert director.now["streaming"] is True
    await on_air.close()
    assert director.now["streaming"] is False


def test_obs_is_told_how_loud_the_programme_is_and_who_reads_it(director: Director) -> None:
    on_air = made(director, Told())
    on_air.hear(wire.Levels(0, 1, 0.0, -20.0, -20.0, -9.5, 3))
    on_air.hear(wire.FeedStatus(0, 0, 0, 0, 1, "", False))
    assert (director.peaks, director.readers) == ([-9.5], [1])


async def test_news_of_obs_are_told_and_logged(director: Director) -> None:
    told = Told()
    await made(director, told).start()
    assert director.on_news is not None
    director.on_news("OBS is silent", False)
    director.on_news("OBS is heard", True)
    assert told.lines == ["! OBS is silent", "obs trouble: OBS is silent", "OBS is heard", "obs: OBS is heard"]


async def test_without_obs_the_feed_is_told_all_the_same() -> None:
    told = Told()
    on_air = made(None, told)
    await on_air.start()
    on_air.tell(live(show(None, None), 1))
    on_air.hear(wire.FeedStatus(0, 0, 0, 0, 0, "", False))
    await on_air.close()
    assert told.next == ["Piece 2"]
