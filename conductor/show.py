"""The show: the rules' decisions carried out, from the first process to the last."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from conductor import cues as c
from conductor import publication, wire
from conductor.chronicle import Chronicle
from conductor.clock import Clock, SystemClock
from conductor.commission import Commissions
from conductor.crew import MIDI_OUT, Commands, Crew, commands_of
from conductor.cues import Phase, State, outline, step
from conductor.errors import ConductorError, LibraryError
from conductor.library import Library
from conductor.lifetime import Lifetime
from conductor.logs import Terminal
from conductor.onair import OnAir
from conductor.operating.dispatcher import Dispatcher
from conductor.operating.order import Order
from conductor.operating.pending import Pending
from conductor.operating.script import Script
from conductor.resume import KEY, restore, save
from conductor.revision import Revisions
from conductor.setlist import Setlist
from conductor.stage import Obs, RunFolder, ShowOptions
from conductor.take import bed
from streaming.playing.bed import BED

LOG = logging.getLogger("conductor.show")

TICK_S = 0.2
END_FADE_S = 3.0
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
        # Counts what an operator would call a change: not the progress of composing.
        self.revision = 0
        self.state: State = c.begin(setlist, seed=secrets.randbelow(2**31), unattended=options.fast)
        self._clock: Clock = clock or SystemClock()
        self._events: deque[c.Event] = deque()
        self._busy = False
        self._lifetime = Lifetime()
        self.crew = Crew(
            run.path,
            commands or commands_of(options, run, setlist.loudness, setlist.patches, setlist.theme),
            bed=bed(),
            on_message=self._hear,
            on_up=self._up,
            on_down=self._down,
            # As fast as it goes, nobody can play along.
            midi=None if options.fast else setlist.midi,
            banks=setlist.banks,
            watching=setlist.watching,
            publish=publication.message(options.publish),
        )
        self.chronicle = Chronicle(library, self._clock, terminal, lambda: self.crew.heard.sample)
        self.script = Script(
            setlist,
            self.chronicle,
            take_up=self._take_up,
            notify=self._notify,
            at_once=options.auto_reload,
        )
        self.on_air = OnAir(options, self.crew, self.chronicle, obs, setlist.obs)
        self.commissions = Commissions(
            library, self.chronicle, self._clock, lambda message: self.crew.send("composer", message), self.event
        )
        self.revisions = Revisions(library, self.chronicle, self._clock, self.crew, self.commissions.takes, self.event)
        self.dispatcher = Dispatcher(self)
        self._saved: dict[str, Any] = {}
        # The player said Hello, and it is not known yet what it plays.
        self._player_asked = False
        self._resume()

    def _resume(self) -> None:
        """Go on from where an earlier conductor broke off, if one did."""
        saved = self.library.recall(KEY)
        if not saved or saved.get("ended") or self.options.fresh or self.options.fast:
            return
        self.state, takes = restore(self.state, saved, self.library)
        self.revision = int(saved.get("revision", 0)) + 1
        self.commissions.takes.update(takes)
        numbers = {slot.cue.id: slot.number for slot in self.state.slots}
        self.crew.know({numbers[cue_id]: take for cue_id, take in takes.items()})
        self.chronicle.say("taking up the show where it broke off (--fresh begins anew)")

    def _save(self) -> None:
        saved = save(self.state, self.commissions.takes, self.setlist, self.revision)
        if saved != self._saved:
            self._saved = saved
            try:
                self.library.remember(KEY, saved)
            except LibraryError as error:
                LOG.error("%s", error)

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

    def obey(self, verb: c.Verb) -> None:
        """Carry out an operator's wish; orders come through the dispatcher, which writes down who gave them.

        Raises:
            RefusalError: it cannot be met now.
        """
        live = self.state.live
        match verb:
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
            self.pending.take_up()
            self._save()
            self._notify()

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
                self._do(action)
            self.commissions.tidy(self.state.slots)
        finally:
            self._busy = False
        if self.state != before:
            self.revision += outline(self.state) != outline(before)
            self._save()
            self.on_air.tell(self.state, self.setlist.title)
            self._notify()

    def _do(self, action: c.Action) -> None:
        match action:
            case c.StartComposing(cue, order, seed, after):
                self.commissions.order(cue, order, seed, after)
            case c.StartChange():
                self.revisions.order(action)
            case c.StopChange(cue_id, change_id):
                self.revisions.cancel(cue_id, change_id)
            case c.StopComposing(cue_id, order):
                self.commissions.cancel(cue_id, order)
            case c.Borrow(cue, order, reason):
                coming = [slot.cue.id for slot in self.state.upcoming]
                self._lifetime.spawn(self.commissions.borrow(cue, order, reason, coming))
            case c.Recall(cue, order, piece):
                self._lifetime.spawn(self.commissions.recall(cue, order, piece))
            case c.Keep(cue_id, number):
                take, candidates = self.commissions.keep(cue_id)
                self.crew.give(number, take)
                self.event(c.Kept(cue_id, number, take.piece_id, candidates))
            case c.Give(cue_ids):
                for cue_id in cue_ids:
                    slot = self.state.find(cue_id)
                    if slot and slot.number and (dressed := self.commissions.dress(slot.cue)):
                        self.crew.give(slot.number, dressed)
            case c.Play(number, fade_s, from_s):
                self.crew.send("player", wire.Go(number, fade_s, from_s))
            case c.QueueUp(numbers, gap_s, cuts):
                self.crew.send("player", wire.Follow(list(numbers), gap_s, list(cuts)))
            case c.FadeNow(seconds):
                self.crew.send("player", wire.Fade(seconds))
            case c.Forget(number):
                self.crew.forget(number)
            case c.ListOver():
                self._list_over()

    def _list_over(self) -> None:
        if not self.options.fast:
            self.chronicle.say("the setlist is over; the bed plays on (Ctrl-C ends the show)")
            return
        failed = [slot for slot in self.state.slots if slot.phase is Phase.FAILED]
        if failed:
            self._lifetime.fail(f"{len(failed)} of {len(self.state.slots)} cues failed; the first: {failed[0].reason}")
        self._lifetime.ending.set()

    # --- what the workers say ---

    def _hear(self, message: wire.Message) -> None:
        if self.revisions.hear(message):
            return
        match message:
            case wire.Progress() | wire.Composed() | wire.Refused():
                self.commissions.hear(message)
                slot = next((s for s in self.state.slots if s.phase is Phase.COMPOSING), None)
                if slot:
                    self.terminal.status(f"composing {slot.cue.name} {slot.fraction:4.0%}")
            case wire.Started(number, sample):
                self.chronicle.first_sound()
                if number == BED:
                    self.chronicle.log("bed", sample=sample)
                else:
                    self.event(c.Began(number), sample=sample)
            case wire.Ended(number, sample):
                if number != BED:
                    self.event(c.Finished(number), sample=sample)
            case wire.Levels(number=number) if self._player_asked:
                self._player_asked = False
                self.event(c.PlayerUp(number))
                self.chronicle.first_sound()
            case wire.FeedStatus() | wire.Levels():
                self.on_air.hear(message)
            case wire.PublishNews(there=there, text=text):
                (self.chronicle.say if there else self.chronicle.warn)(text)
                self.chronicle.log("on air" if there else "off air", detail=text)
            case wire.PortNews(there, text):
                (self.chronicle.say if there else self.chronicle.warn)(text)
                self.chronicle.log("midi", detail=text)
            case wire.Fault(worker, reason):
                self.chronicle.warn(f"{worker}: {reason}")
                self.chronicle.log("fault", detail=f"{worker}: {reason}")

    def _up(self, name: str) -> None:
        if self.crew.workers[name].restarts:
            self.chronicle.say(f"the {name} is back")
        match name:
            case "composer":
                self.commissions.lost()
                self.event(c.ComposerUp())
            case "player" if self.crew.workers[name].adopted:
                # Its next levels tell what it plays.
                self._player_asked = True
            case "player":
                self.event(c.PlayerUp())

    def _down(self, name: str, reason: str) -> None:
        if self._lifetime.ending.is_set():
            return
        self.chronicle.warn(f"the {name} is gone ({reason}); it is started again")
        self.chronicle.log("restart", detail=f"{name}: {reason}")
        match name:
            case "composer":
                self.revisions.lost(name)
                self.event(c.ComposerLost())
            case "player":
                self.revisions.lost(name)
                self.event(c.PlayerLost())

    # --- from beginning to end ---

    def end(self) -> None:
        """Ask the show to end: with a fade at first, at once when asked again."""
        self._lifetime.end()

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
                self.event(c.Tick())
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
        if not self.options.fast:
            self._lifetime.spawn(self.script.follow())
        for name in workers.keys() - {"feed", "player"}:
            self._lifetime.spawn(self._watch(name))
        await self._lifetime.all_of(starting)
        if not self._lifetime.ending.is_set():
            self._lifetime.spawn(self._go_on_air())

    async def _watch(self, name: str) -> None:
        """Start a worker beside the show; without the composer nothing will ever be played, and it ends."""
        try:
            await self.crew.workers[name].start()
        except ConductorError as error:
            if name == MIDI_OUT:
                self.chronicle.warn(f"no notes are sent to MIDI: {error}")
            else:
                self._lifetime.fail(str(error))

    async def _go_on_air(self) -> None:
        await self.on_air.start()
        self.on_air.tell(self.state, self.setlist.title)

    async def _finish(self) -> None:
        """Fade, finish the recording, end the workers."""
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
        with contextlib.suppress(LibraryError):
            self.library.remember(KEY, {"ended": True})
