"""The show: the rules' decisions carried out, from the first process to the last."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from conductor import cues as c
from conductor import publication, wire
from conductor.chat.poll import Closed, Opened
from conductor.clock import Clock, SystemClock
from conductor.cues import State, outline, step
from conductor.errors import ConductorError, LibraryError
from conductor.library import Library
from conductor.logs import Terminal
from conductor.observing.diary import Diary
from conductor.observing.observed import Observed
from conductor.operating.dispatcher import Dispatcher
from conductor.operating.order import Order
from conductor.operating.pending import Pending
from conductor.operating.script import Script
from conductor.setlist import Setlist
from conductor.show.chronicle import Chronicle
from conductor.show.commission import Commissions
from conductor.show.crew import MIDI_OUT, Commands, Crew, commands_of
from conductor.show.deeds import Deeds
from conductor.show.hearing import Hearing
from conductor.show.lifetime import Lifetime
from conductor.show.onair import OnAir
from conductor.show.pace import keep_pace, known_pace
from conductor.show.polling import Polls
from conductor.show.repeats import Repeats
from conductor.show.resume import KEY, Playhead, save, take_up
from conductor.show.revision import Revisions
from conductor.show.stage import Obs, RunFolder, ShowOptions
from conductor.show.take import bed
from conductor.show.vigil import Vigil

LOG = logging.getLogger("conductor.show")

TICK_S = 0.2
END_FADE_S = 3.0
# A composer that does not start is tried again after so long.
COMPOSER_REST_S = 60.0
# How long the feed may be without progress while it finishes a recording.
RECORD_STALL_S = 15.0


class Show:
    """A running show.

    Args:
        setlist: what is to be played.
        options: how.
        library: where pieces and the log are kept.
        run: the run folder.
        terminal: where a person reads along.
        commands: how the workers are started; those of this program by default.
        clock: where the time is read.
        obs: who drives OBS; None: nobody.
    """

    def __init__(
        self,
        setlist: Setlist,
        options: ShowOptions,
        library: Library,
        run: RunFolder,
        terminal: Terminal,
        *,
        commands: Commands | None = None,
        clock: Clock | None = None,
        obs: Obs | None = None,
    ) -> None:
        self.options = options
        self.library = library
        self.terminal = terminal
        self.changed: list[Callable[[], None]] = []
        self._beside: list[Callable[[], Coroutine[Any, Any, None]]] = []
        # Counts what an operator would call a change: not the progress of composing.
        self.revision = 0
        self._clock: Clock = clock or SystemClock()
        clock_s = self._clock.wall().timestamp() - self._clock.monotonic_s()
        self.state: State = c.begin(setlist, seed=secrets.randbelow(2**31), unattended=options.fast, clock_s=clock_s)
        self._events: deque[c.Event] = deque()
        self._busy = False
        self._lifetime = Lifetime()
        self.crew = Crew(
            run.path,
            commands or commands_of(options, run, setlist.loudness, setlist.patches, setlist.theme),
            bed=bed(),
            on_message=self._heard,
            on_up=lambda name: self.hearing.up(name),
            on_down=lambda name, reason: self.hearing.down(name, reason),
            # As fast as it goes, nobody can play along.
            midi=None if options.fast else setlist.midi,
            banks=setlist.banks,
            watching=setlist.watching,
            publish=publication.message(options.publish),
            fast=options.fast,
            calm=lambda: self.state.live is None and not self.state.fired,
        )
        self.chronicle = Chronicle(library, self._clock, terminal, lambda: self.crew.heard.sample)
        library.heard_by(self.chronicle.warn)
        # What is played as fast as it goes is heard by nobody.
        diary = None if options.fast else Diary(options.data)
        self.observed = Observed(diary, self._clock, lambda: self.state)
        self.chronicle.logged.append(self.observed.tally.logged)
        self.script = Script(
            setlist,
            self.chronicle,
            take_up=self._take_up,
            notify=self._notify,
            at_once=options.auto_reload,
            folder=None if options.fast else options.data,
        )
        self.on_air = OnAir(options, self.crew, self.chronicle, obs, setlist.obs)
        self.commissions = Commissions(
            library, self.chronicle, self._clock, lambda message: self.crew.send("composer", message), self.event,
            Repeats(library, self._clock, lambda: self.state.endless),
        )  # fmt: skip
        self.polls = Polls(
            library, self.crew, self.chronicle, self._clock, self._composing_rates,
            lambda: self.setlist, lambda: self.state, self.event, self._notify,
        )  # fmt: skip
        self.revisions = Revisions(library, self.chronicle, self._clock, self.crew, self.commissions.takes, self.event)
        self._deeds = Deeds(
            self.crew, self.commissions, self.revisions, self.chronicle, self._lifetime, lambda: self.state, self.event,
            fast=options.fast,
        )  # fmt: skip
        self.vigil = Vigil(
            self.crew, self.chronicle, self._clock, lambda: self.state, self.event, self._lifetime.spawn, self._notify,
            fast=options.fast,
        )  # fmt: skip
        self.hearing = Hearing(
            self.crew, self.commissions, self.revisions, self.on_air, self.vigil, self.chronicle, self._lifetime,
            lambda: self.state, self.event,
        )  # fmt: skip
        self.dispatcher = Dispatcher(self)
        self.state = replace(self.state, pace=known_pace(library))
        self._saved: dict[str, Any] = {}
        self._unsaved = False
        self._playhead = Playhead(library)
        self._resume()

    def _resume(self) -> None:
        """Go on from where an earlier conductor broke off, if one did."""
        if self.options.fresh or self.options.fast:
            return
        found = take_up(self.state, self.library, resume=self.options.resume)
        if found is None:
            if self.options.resume:
                self.chronicle.warn("there is no show to go on with: it begins anew")
            return
        self.state, self.revision = found.state, found.revision
        self.commissions.takes.update(found.takes)
        numbers = {slot.cue.id: slot.number for slot in self.state.slots}
        self.crew.know({numbers[cue_id]: take for cue_id, take in found.takes.items()})
        self.polls.take_up()
        self.chronicle.say(found.told)
        if found.broke_off:
            self.chronicle.log("fault", detail="the conductor broke off; this one has taken the show up")

    def _save(self) -> None:
        saved = save(self.state, self.commissions.takes, self.setlist, self.revision)
        if saved != self._saved:
            try:
                self.library.remember(KEY, saved)
            except LibraryError as error:
                # Told once, and tried again at each tick: whoever took the show over from an old state would repeat it.
                if not self._unsaved:
                    LOG.error("%s", error)
                self._unsaved = True
            else:
                self._saved, self._unsaved = saved, False

    def _heard(self, message: wire.Message) -> None:
        self.observed.hear(message)
        self.hearing.message(message)

    # --- the rules ---

    def event(self, event: c.Event, *, sample: int | None = None) -> None:
        """Let the rules answer what happened (at a sample, where known), and carry it out."""
        self._events.append(event)
        # What an action leads to comes after the actions that are still to be done.
        if self._busy:
            return
        while self._events:
            self._step(self._events.popleft(), sample)

    @property
    def setlist(self) -> Setlist:
        """What is played."""
        return self.pending.setlist

    @property
    def pending(self) -> Pending:
        """What the setlist's file says since, until it is taken up."""
        return self.script.pending

    def _composing_rates(self) -> list[float]:
        """Return how long composing took for a second of music, of the pieces at hand."""
        takes = self.commissions.takes.values()
        return [take.composing_s / take.duration_s for take in takes if take.composing_s and take.duration_s]

    def obey(self, verb: c.Verb | Opened | Closed) -> None:
        """Carry out an operator's wish; orders come through the dispatcher, which writes down who gave them.

        Raises:
            RefusalError: it cannot be met now.
        """
        live = self.state.live
        match verb:
            case Opened() | Closed():
                self.polls.obey(verb)
                return
            case c.Change():
                verb = self.revisions.placed(verb, live)
            case c.Go() | c.Undo() | c.Redo():
                levels = self.crew.heard.levels
                there = live and levels and levels.number == live.number
                verb = replace(verb, position_s=levels.position_s if there and levels else 0.0)
        self._step(verb, None)
        while self._events:
            self._step(self._events.popleft(), None)
        if isinstance(verb, c.Reload):
            self.script.take_up()
            self._save()
            self._notify()

    @property
    def now_s(self) -> float:
        """Monotonic time."""
        return self._clock.monotonic_s()

    def _take_up(self, name: str) -> None:
        self.dispatcher.give(Order("reload", who=name, via="file"))

    def _notify(self) -> None:
        for notify in self.changed:
            notify()

    def _step(self, event: c.Event, sample: int | None) -> None:
        self._busy = True
        try:
            before = self.state
            self.state, actions = step(before, event, self._clock.monotonic_s())
            for slot in self.state.slots:
                was = before.find(slot.cue.id)
                if was is None or was.phase is not slot.phase:
                    take = self.commissions.takes.get(slot.cue.id)
                    self.chronicle.moved(slot, take.piece_id if take else None, sample)
            for action in actions:
                self._deeds.do(action)
            self.commissions.tidy(self.state.slots)
        finally:
            self._busy = False
        if self.state != before:
            self.revision += outline(self.state) != outline(before)
            self._save()
            if self.state.pace is not before.pace:
                keep_pace(self.library, self.state.pace)
            self.on_air.tell(self.state, self.setlist.title)
            self._notify()

    # --- from beginning to end ---

    def end(self) -> None:
        """Ask the show to end: with a fade at first, at once when asked again."""
        self._lifetime.end()

    def beside(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Let something run from the show's start to its end, when it is cancelled."""
        self._beside.append(work)

    def give_up(self, reason: str) -> None:
        """End the show at once, as failed: whoever started it is to start it afresh."""
        self._lifetime.fail(reason)

    async def run(self) -> None:
        """Run the show until it is over or asked to end.

        Raises:
            WorkerError: a worker does not start.
            ConductorError: the recording was not finished, or a cue of a fast show failed.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.end)
        try:
            await self._start()
            while not self._lifetime.ending.is_set():
                self.event(c.Tick(self._clock.wall().timestamp()))
                self.vigil.look()
                self._playhead.look(self.state, self.crew.heard.levels, self.now_s)
                self.chronicle.catch_up()
                if self._unsaved:
                    self._save()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._lifetime.ending.wait(), TICK_S)
        finally:
            await self._finish()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
        if self._lifetime.failure:
            raise ConductorError(self._lifetime.failure)

    async def _start(self) -> None:
        """Start everything, or as much as there is time for when the end is asked meanwhile."""
        if self.options.record:
            self.crew.record(self.options.record)
        # The composer loads its weights meanwhile; the bed is heard without it.
        workers = self.crew.workers
        starting: set[asyncio.Task[Any]] = {asyncio.create_task(workers[name].start()) for name in ("feed", "player")}
        for work in self._beside:
            self._lifetime.spawn(work())
        if not self.options.fast:
            self._lifetime.spawn(self.script.follow())
            self._lifetime.spawn(self.polls.follow())
        for name in workers.keys() - {"feed", "player"}:
            self._lifetime.spawn(self._watch(name))
        await self._lifetime.all_of(starting)
        if not self._lifetime.ending.is_set():
            self._lifetime.spawn(self._go_on_air())

    async def _watch(self, name: str) -> None:
        """Start a worker beside the show; one that plays from the library can wait for its composer."""
        while True:
            try:
                await self.crew.workers[name].start()
                return
            except ConductorError as error:
                if name == MIDI_OUT:
                    self.chronicle.warn(f"no notes are sent to MIDI: {error}")
                    return
                if self.options.fast or not self._has_music():
                    self._lifetime.fail(str(error))
                    return
                self.chronicle.warn(f"{error} - what is there plays on; tried again in {COMPOSER_REST_S:.0f} s")
                self.chronicle.log("fault", detail=str(error))
            await asyncio.sleep(COMPOSER_REST_S)

    def _has_music(self) -> bool:
        """Return whether something can be played though nothing is composed."""
        try:
            return bool(self.library.substitutes(None))
        except LibraryError:
            return False

    async def _go_on_air(self) -> None:
        await self.on_air.start()
        self.on_air.tell(self.state, self.setlist.title)

    async def _finish(self) -> None:
        """Fade, finish the recording, end the workers."""
        was = self._saved
        self._playhead.look(self.state, self.crew.heard.levels, float("inf"))
        self._lifetime.ending.set()
        player, feed = self.crew.workers["player"], self.crew.workers["feed"]
        if self.chronicle.heard and player.up and not self.options.fast and not self._lifetime.hurry.is_set():
            self.chronicle.say("ending with a fade (Ctrl-C again: at once)")
            player.send(wire.Follow([]))
            player.send(wire.Fade(END_FADE_S))
            await self._lifetime.soon(asyncio.sleep(END_FADE_S + 0.3, result=True))
        if self.options.record and feed.up:
            done = await self._lifetime.soon(self.crew.finish_recording(RECORD_STALL_S))
            if done:
                self.chronicle.say(f"recorded   {', '.join(map(str, self.crew.recordings))}")
            else:
                self._lifetime.fail(f"{self.options.record}: the recording was not finished properly")
        await self._lifetime.dismiss()
        await self.on_air.close()
        await self.crew.stop(1.0 if self._lifetime.hurry.is_set() else 5.0)
        self.chronicle.log("end")
        if not self._lifetime.failure:
            self.script.over()
        with contextlib.suppress(LibraryError):
            # As it was before the fade; what failed goes on by itself when it is started again.
            self.library.remember(KEY, {**was, "ended": not self._lifetime.failure})
