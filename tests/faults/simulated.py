"""Days of radio in minutes: the real show, its rules, its library, with simulated workers, clock and misfortune."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import psutil

from conductor import cues as c
from conductor.library import Library
from conductor.logs import Terminal
from conductor.observing.lookout import Lookout
from conductor.operating.order import Order
from conductor.setlist import load_setlist
from conductor.show import crew as crew_module
from conductor.show import show as show_module
from conductor.show.show import Show
from conductor.show.stage import RunFolder, ShowOptions
from tests.faults.database import Database, harmful
from tests.faults.simworkers import Machine, SimComposer, SimFeed, SimPlayer, SimWorker
from tests.faults.virtual import VirtualClock, VirtualLoop, virtual_time

RADIO = """\
version: 1
show: {title: Soak, ahead: 3}
defaults: {duration: 3m, candidates: 1}
cues:
  - {id: first, name: First, style: bach, seed: 1}
  - {id: second, name: Second, style: chopin, seed: 2}
endless: {styles: {chopin: 3, bach: 2, jazz: 1}, duration: 3m}
"""
OTHER = RADIO.replace("jazz: 1", "jazz: 2, folk: 1")
BROKEN = RADIO.replace("{chopin: 3", "{[chopin: 3")
# Something goes wrong so often, on average.
FAULT_EVERY_S = 900.0
DOWN_S = (2.0, 60.0)
FULL_S = (60.0, 600.0)
SLOW_S = (600.0, 3600.0)
HOUR_S = 3600.0


@dataclass
class Spell:
    """A time during which one thing was the source of the sound."""

    source: str
    number: int
    since_s: float
    until_s: float = 0.0

    @property
    def seconds(self) -> float:
        return self.until_s - self.since_s


@dataclass
class Sample:
    """How much there was of everything at an hour."""

    hour: float
    blocks: int
    rss_mb: float
    lengths: dict[str, int]


@dataclass
class Result:
    """What came of a soak.

    Attributes:
        hours: of simulated time.
        began: how often each cue was on air.
        phases: the last phase of each cue that is over.
        unplayed: cues that were planned and vanished.
        longest_s: the longest spell of each source of sound, seconds; `total_s`: all of them.
        faults: how often each was injected.
        samples: memory and queues, by hour.
        errors: what the show logged as an error, by text.
    """

    hours: float = 0.0
    began: Counter[str] = field(default_factory=Counter)
    phases: dict[str, str] = field(default_factory=dict)
    unplayed: list[str] = field(default_factory=list)
    longest_s: dict[str, float] = field(default_factory=dict)
    total_s: dict[str, float] = field(default_factory=dict)
    beds: list[tuple[float, float]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    stand_ins: int = 0
    conductors: int = 1
    most_requests: int = 0
    tasks: int = 0
    story: list[tuple[float, str]] = field(default_factory=list)
    said: str = ""

    @property
    def twice(self) -> list[str]:
        """Cues that were on air more than once."""
        return sorted(cue for cue, times in self.began.items() if times > 1)

    def slope(self, of: Callable[[Sample], float], warm_h: float = 4.0) -> float:
        """Return how fast something grows, per hour: the median of all pairs' slopes (Theil, Sen)."""
        late = [sample for sample in self.samples if sample.hour >= min(warm_h, self.hours / 3)]
        slopes = sorted(
            (of(b) - of(a)) / (b.hour - a.hour) for n, a in enumerate(late) for b in late[n + 1 :] if b.hour > a.hour
        )
        return slopes[len(slopes) // 2] if slopes else 0.0


class Soak:
    """A show in simulated time, and what befalls it.

    Args:
        folder: of the show.
        loop: whose time it is.
        seed: of the misfortune.
        faults: whether there is any.
    """

    def __init__(self, folder: Path, loop: VirtualLoop, seed: int, *, faults: bool = True) -> None:
        self._loop, self._rng = loop, random.Random(seed)
        self._path = folder / "radio.yaml"
        self._path.write_text(RADIO)
        self._data = folder / "data"
        self._run = RunFolder(self._data)
        self.clock = VirtualClock(loop)
        self.result = Result()
        self._spell: Spell | None = None
        self._faults = faults
        self._under_way: set[str] = set()
        self.player = SimPlayer(self._sounds)
        self.composer = SimComposer(random.Random(seed + 1))
        self.feed = SimFeed(self.player)
        machines: tuple[Machine, ...] = (self.player, self.composer, self.feed)
        SimWorker.machines = {machine.name: machine for machine in machines}
        self._output = io.StringIO()
        self._known: dict[str, str] = {}
        self._numbers: dict[int, str] = {}

    # --- the conductor ---

    def _conduct(self) -> None:
        """Start a conductor, who takes up what he finds."""
        self.library = Library(self._data)
        # What was said before is in nobody's memory.
        self.result.said = (self.result.said + self._output.getvalue())[-20_000:]
        self._output = io.StringIO()
        options = ShowOptions(data=self._data, port=0, nut_port=0, obs_url="", auto_reload=True)
        self.show = Show(
            load_setlist(self._path), options, self.library, self._run, Terminal(self._output), clock=self.clock
        )
        self.show.beside(Lookout(self.show).follow)
        told = self.show.chronicle.moved

        def moved(slot: c.Slot, *rest: Any, **more: Any) -> None:
            self._moved(slot)
            told(slot, *rest, **more)

        self.show.chronicle.moved = moved  # type: ignore[method-assign]
        for slot in self.show.state.slots:
            self._known.setdefault(slot.cue.id, str(slot.phase))
            if slot.number:
                self._numbers[slot.number] = slot.cue.id
        self._task = self._loop.create_task(self.show.run())

    async def _kill_conductor(self) -> None:
        """End the conductor as SIGKILL does: nothing of it runs on, nothing is put away."""
        show = self.show

        async def nothing() -> None:
            await show._lifetime.dismiss()

        show._finish = nothing  # type: ignore[method-assign]
        for worker in show.crew.workers.values():
            worker.abandon()  # type: ignore[attr-defined]
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self.library.close()

    def _moved(self, slot: c.Slot) -> None:
        cue, phase = slot.cue.id, str(slot.phase)
        self._known[cue] = phase
        if slot.number:
            self._numbers[slot.number] = cue
        if phase in ("aired", "skipped", "failed"):
            self.result.phases[cue] = phase
        if "stands in" in slot.reason and phase == "checked":
            self.result.stand_ins += 1

    # --- what sounds ---

    def _sounds(self, source: str, number: int) -> None:
        now_s = self._loop.time()
        if source == "bridge" and not self.feed.alive:
            source = "nothing"
        if self._spell:
            self._spell.until_s = now_s
            seconds = self._spell.seconds
            total_s = self.result.total_s
            total_s[self._spell.source] = total_s.get(self._spell.source, 0.0) + seconds
            before = self.result.longest_s.get(self._spell.source, 0.0)
            self.result.longest_s[self._spell.source] = max(before, seconds)
            if self._spell.source == "bed" and seconds > 30.0:
                self.result.beds.append((self._spell.since_s - self._began_s, seconds))
        self._spell = Spell(source, number, now_s)
        if source in ("piece", "silence"):
            self.result.began[self._numbers.get(number, f"number {number}")] += 1

    # --- what goes wrong ---

    async def _misfortune(self) -> None:
        """Let things go wrong, some of them at the same time."""
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(self._rng.expovariate(1.0 / FAULT_EVERY_S))
                name = self._rng.choice(list(FAULTS))
                if name in self._under_way:
                    continue
                self.result.faults[name] += 1
                self.result.story.append((self._loop.time() - self._began_s, name))
                group.create_task(self._befall(name))

    async def _befall(self, name: str) -> None:
        self._under_way.add(name)
        await FAULTS[name](self)
        self._under_way.remove(name)

    async def _of_player(self) -> None:
        if self.player.alive:
            self.player.die()

    async def _of_feed(self) -> None:
        if self.feed.alive:
            self.feed.die()

    async def _of_composer(self) -> None:
        if self.composer.alive:
            self.composer.die()

    async def _of_both(self) -> None:
        await self._of_feed()
        await self._of_player()

    async def _of_mood(self) -> None:
        mood = self._rng.choice(["raises", "empty", "nan", "short", "silent", "hangs"])
        self.result.faults[f"  music: {mood}"] += 1
        self.composer.moods.extend([mood] * self._rng.choice([1, 1, 3]))

    async def _of_speed(self) -> None:
        self.composer.slow = 10.0
        await asyncio.sleep(self._rng.uniform(*SLOW_S))
        self.composer.slow = 1.0

    async def _of_disk(self) -> None:
        Database.full = self.composer.disk_full = True
        await asyncio.sleep(self._rng.uniform(*FULL_S))
        Database.full = self.composer.disk_full = False

    async def _of_conductor(self) -> None:
        # What could not be written is lost with who knew it: two faults at once.
        while Database.full:
            await asyncio.sleep(10.0)
        await self._kill_conductor()
        await asyncio.sleep(self._rng.uniform(*DOWN_S))
        # As systemd does: again and again, while somebody spoils the setlist.
        while self._path.read_text() == BROKEN:
            await asyncio.sleep(5.0)
        self.result.conductors += 1
        self._conduct()

    async def _of_setlist(self) -> None:
        self._path.write_text(self._rng.choice([RADIO, OTHER, BROKEN]))
        await asyncio.sleep(30.0)
        self._path.write_text(RADIO)
        await asyncio.sleep(30.0)

    async def _of_clock(self) -> None:
        self.clock.wrong_s = self._rng.choice([3600.0, -3600.0, 0.0])

    async def _of_operator(self) -> None:
        verb = self._rng.choice(["go", "go", "skip", "back", "fade", "panic", "hold", "regenerate"])
        self._say(verb)
        if verb in ("hold", "panic", "fade"):
            await asyncio.sleep(self._rng.uniform(10.0, 300.0))
            self._say("release")
            self._say("go")

    def _say(self, verb: str) -> None:
        if self._task.done():
            return
        standby = self.show.state.standby
        arguments: dict[str, Any] = {"cue": standby.cue.id} if verb == "regenerate" and standby else {}
        try:
            self.show.dispatcher.give(Order(verb, arguments, who="soak", via="test"))
        except c.RefusalError:
            self.result.refused[verb] += 1

    async def _of_double_go(self) -> None:
        self._say("go")
        self._say("go")

    # --- from beginning to end ---

    async def run(self, hours: float) -> Result:
        """Run it for some hours of its own time."""
        self._began_s = self._loop.time()
        self._sounds("nothing", 0)
        self._conduct()
        await asyncio.sleep(60.0)
        trouble = self._loop.create_task(self._misfortune()) if self._faults else None
        hour = 0.0
        while hour < hours:
            step = min(1.0, hours - hour)
            await asyncio.sleep(step * HOUR_S)
            hour += step
            assert not self._task.done() or trouble, self._task
            if trouble and trouble.done():
                trouble.result()
            self._measure(hour)
        if trouble:
            trouble.cancel()
            await asyncio.gather(trouble, return_exceptions=True)
        await self._settle()
        self.result.hours = hours
        return self.result

    async def _settle(self) -> None:
        """Let all be well for a while: whatever happened, the next pieces are on air."""
        self.composer.slow = 1.0
        self.composer.moods.clear()
        Database.full = self.composer.disk_full = False
        if self._task.done():
            self.library.close()
            self._conduct()
        await asyncio.sleep(120.0)
        self._say("release")
        before = self.player.began.copy()
        await asyncio.sleep(900.0)
        assert len(self.player.began) > len(before) + 2, "after all, nothing is played"
        present = {slot.cue.id for slot in self.show.state.slots}
        self.result.unplayed = sorted(self._known.keys() - present - self.result.phases.keys())
        self.result.most_requests = self.composer.most_waiting
        self.result.tasks = len(asyncio.all_tasks())
        self.show.end()
        self.show.end()
        await self._task
        self.library.close()
        self.result.said += self._output.getvalue()

    def _measure(self, hour: float) -> None:
        gc.collect()
        show = self.show
        lengths = {
            "slots": len(show.state.slots),
            "takes": len(show.commissions.takes),
            "undo": len(show.state.undo),
            "loaded": len(self.player.pieces),
            "queue": len(show.state.queue or ()),
            "requests": len(show.commissions._requests),
            "announced": len(show.crew._announced),
            "latest": len(show.commissions._latest),
            "others": len(show.commissions._others),
            "tasks": len(asyncio.all_tasks()),
        }
        rss_mb = psutil.Process().memory_info().rss / 1e6
        self.result.samples.append(Sample(hour, sys.getallocatedblocks(), rss_mb, lengths))


FAULTS: dict[str, Callable[[Soak], Any]] = {
    "player dies": Soak._of_player,
    "feed dies": Soak._of_feed,
    "composer dies": Soak._of_composer,
    "player and feed die": Soak._of_both,
    "music goes wrong": Soak._of_mood,
    "composer is 10x slower": Soak._of_speed,
    "disk full": Soak._of_disk,
    "conductor SIGKILL": Soak._of_conductor,
    "setlist rewritten": Soak._of_setlist,
    "wall clock +-1 h": Soak._of_clock,
    "an operator": Soak._of_operator,
    "double GO": Soak._of_double_go,
}


@contextlib.contextmanager
def simulated() -> Iterator[VirtualLoop]:
    """Have a loop of virtual time, in which shows have simulated workers."""
    # Days are long: the show looks at itself once a second.
    rarely = mock.patch.object(show_module, "TICK_S", 1.0)
    with virtual_time() as loop, mock.patch.object(crew_module, "Worker", SimWorker), rarely, harmful():
        asyncio.set_event_loop(loop)
        try:
            yield loop
        finally:
            asyncio.set_event_loop(None)


def soak(folder: Path, hours: float, seed: int, *, faults: bool = True) -> Result:
    """Run a simulated radio.

    Args:
        folder: for what it writes.
        hours: of simulated time.
        seed: of all that goes wrong.
        faults: whether anything does.
    """
    with simulated() as loop:
        made = Soak(folder, loop, seed, faults=faults)
        try:
            return loop.run_until_complete(made.run(hours))
        finally:
            made._run.close()
