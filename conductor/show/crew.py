"""What the show tells its workers: every decision as messages, and all of it again after a restart."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conductor import wire
from conductor.show.audience import Audience
from conductor.show.stage import RunFolder, ShowOptions
from conductor.show.take import Take
from conductor.workers import Worker, command, limits_of
from streaming.errors import RingError
from streaming.midi.out import MidiRoute
from streaming.playing.bed import BED
from streaming.programme.ice import ANYBODY, Watching
from streaming.ring import Ring

NAMES = ("feed", "player", "composer")
MIDI_OUT = "midi_out"
NOWHERE = wire.Publish([])
# Pieces that a new feed is told of, and more than are ever composed ahead.
ANNOUNCED = 32

# How a worker is started: its name to its command line.
Commands = Callable[[str], Sequence[str]]


def commands_of(
    options: ShowOptions,
    run: RunFolder,
    loudness: tuple[float, float] = (-14.0, -1.0),
    patches: Path | None = None,
    theme: str = "",
) -> Commands:
    """Return how the workers of a show are started.

    Args:
        options: of the show.
        run: its run folder.
        loudness: of the programme in LUFS, and its ceiling in dBTP.
        patches: folder of patches of the show's own; None: those of the program.
        theme: name or whole path of the picture's theme; empty: the default.
    """
    fast = ("--fast",) if options.fast else ()
    feed: tuple[str, ...] = ("--size", f"{options.width}x{options.height}", "--fps", str(options.fps), *fast)
    if options.nut_port and not options.fast:
        feed += ("--nut", str(options.nut_port))
    if theme:
        feed += (f"--theme={theme}",)
    if options.stamp:
        feed += ("--stamp",)
    # Player and feed need a core each; on a small machine the composer's priority is low.
    composer: tuple[str, ...] = ("--threads", str(max(1, (os.cpu_count() or 2) - 2)))
    if options.checkpoint:
        composer += ("--checkpoint", str(options.checkpoint.resolve()))
    lufs, dbtp = loudness
    player: tuple[str, ...] = (f"--lufs={lufs:g}", f"--dbtp={dbtp:g}", *fast)
    if patches is not None:
        player += (f"--patches={patches}",)
    own = {"feed": feed, "player": player, "composer": composer}
    return lambda name: command(name, run.path, *own.get(name, ()))


@dataclass(slots=True)
class Heard:
    """The latest that the workers said of themselves."""

    levels: wire.Levels | None = None
    feed: wire.FeedStatus | None = None
    recorded: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def sample(self) -> int:
        """Samples of the programme so far."""
        return max(self.levels.sample if self.levels else 0, self.feed.sample if self.feed else 0)


class Crew:
    """The workers together.

    Args:
        run: the run folder.
        commands: how each is started.
        on_message: called with every message that is for the show.
        on_up, on_down: called with the worker's name (and why it is gone).
        bed: what is drawn while nothing else is heard.
        midi: where the notes are sent, by a fourth worker; None: nowhere.
        banks: SoundFonts that the player is to have ready.
        watching: who may watch by WebRTC, and how they are reached.
        publish: what the feed is told of where to publish.
        fast: everything as fast as it goes: nobody is asked how he is.
        calm: whether a worker that holds too much memory may be replaced now.
    """

    def __init__(
        self,
        run: Path,
        commands: Commands,
        *,
        bed: Take,
        on_message: Callable[[wire.Message], None],
        on_up: Callable[[str], None],
        on_down: Callable[[str, str], None],
        midi: MidiRoute | None = None,
        banks: Sequence[str] = (),
        watching: Watching = ANYBODY,
        publish: wire.Publish = NOWHERE,
        fast: bool = False,
        calm: Callable[[], bool] = lambda: True,
    ) -> None:
        self.heard = Heard()
        self._run = run
        self._ring: Ring | None = None
        self._bed = bed
        self._midi = midi
        self._banks = list(banks)
        self._publish = publish
        self._announced: dict[int, Take] = {}
        self._resumed = False
        self._next = wire.Next("")
        self._ballot = wire.Ballot()
        self._record: Path | None = None
        self.recordings: list[Path] = []
        self._on_message, self._on_up, self._on_down = on_message, on_up, on_down
        self.workers = {
            name: Worker(
                name,
                commands(name),
                run,
                on_message=self._hear,
                on_up=lambda name=name: self._up(name),  # type: ignore[misc]
                on_down=lambda reason, name=name: self._down(name, reason),  # type: ignore[misc]
                limits=limits_of(name, fast=fast, banks=banks),
                calm=calm,
                place=self._aired if name == "feed" and not fast else None,
            )
            for name in (*NAMES, *((MIDI_OUT,) if midi else ()))
        }
        self.audience = Audience(self.workers["feed"], watching)

    def send(self, name: str, message: wire.Message) -> None:
        """Send a message to a worker."""
        self.workers[name].send(message)

    # --- what the show wants ---

    def give(self, number: int, take: Take) -> None:
        """Give a piece to the player and the feed, under a number."""
        self._announced[number] = take
        self.send("player", take.load(number))
        self.announce(number, take)

    def announce(self, number: int, take: Take) -> None:
        """Let the feed draw a piece that the player has as it is now, and those who play along know its tempo."""
        self._announced[number] = take
        # What was over when a player died is dropped by nobody.
        while len(self._announced) > ANNOUNCED:
            del self._announced[min(self._announced)]
        self.send("feed", take.announce(number))
        self._tell_tempi(number, take)

    def _tell_tempi(self, number: int, take: Take) -> None:
        if self._midi is not None:
            self.send(MIDI_OUT, wire.Tempi(number, take.tempi))

    def know(self, pieces: dict[int, Take]) -> None:
        """Remember pieces that workers of an earlier conductor have already."""
        self._announced.update(pieces)
        self._resumed = True

    def forget(self, number: int) -> None:
        """Let the player drop a piece."""
        self._announced.pop(number, None)
        self.send("player", wire.Drop([number]))

    def tell_next(self, coming: wire.Next) -> None:
        """Show what comes next."""
        if coming != self._next:
            self._next = coming
            self.send("feed", coming)

    def ask(self, ballot: wire.Ballot) -> None:
        """Show what the audience is asked, or that it is asked nothing."""
        self._ballot = ballot
        self.send("feed", ballot)

    def record(self, path: Path) -> None:
        """Record the programme to a file from now on, across restarts of the feed."""
        self._record = path
        if self.workers["feed"].up:
            self._start_recording()

    def _start_recording(self) -> None:
        assert self._record is not None
        path = self._record
        # What is recorded already stays; the rest goes beside it.
        part = 1
        while (self.recordings or self._resumed) and (path in self.recordings or path.exists()):
            part += 1
            path = self._record.with_stem(f"{self._record.stem}-{part}")
        self.recordings.append(path)
        self.send("feed", wire.Record(str(path.resolve())))

    async def finish_recording(self, stall_s: float) -> bool:
        """Finish the recording; return whether the feed said it has.

        Args:
            stall_s: how long the feed may show no progress.
        """
        if self._record is None:
            return True
        self._record = None
        self.heard.recorded.clear()
        self.send("feed", wire.Record(""))
        sample = -1
        while self.workers["feed"].up:
            try:
                await asyncio.wait_for(self.heard.recorded.wait(), stall_s)
            except TimeoutError:
                now = self.heard.feed.sample if self.heard.feed else 0
                if now == sample:
                    return False
                sample = now
                continue
            return True
        return False

    async def stop(self, wait_s: float) -> None:
        """End all workers: first who makes, last who sends."""
        first = [worker.stop(wait_s) for name, worker in self.workers.items() if name != "feed"]
        await asyncio.gather(*first)
        await self.workers["feed"].stop(wait_s)
        if self._ring is not None:
            self._ring.close()
            self._ring = None

    def _aired(self) -> int:
        """Return how many samples of the programme the feed has sent, by its own mark in the ring."""
        if self._ring is None:
            try:
                self._ring = Ring.open(self._run / "programme.ring")
            except RingError:
                return 0
        return self._ring.read_index

    # --- what the workers say ---

    def _hear(self, message: wire.Message) -> None:
        match message:
            case wire.Levels():
                self.heard.levels = message
            case wire.FeedStatus():
                self.heard.feed = message
                if not message.recording and self._record is None:
                    self.heard.recorded.set()
            case wire.Answer():
                self.audience.hear(message)
                return
        self._on_message(message)

    def _up(self, name: str) -> None:
        if name == "player":
            self.send("player", wire.Banks(self._banks))
        elif name == "feed":
            self.audience.feed_up()
            self.send("feed", self._bed.announce(BED))
            for number, take in self._announced.items():
                self.send("feed", take.announce(number))
            self.send("feed", self._next)
            self.send("feed", self._ballot)
            self.send("feed", self._publish)
            if self._record is not None:
                self._start_recording()
        elif name == MIDI_OUT and (to := self._midi) is not None:
            for number, take in self._announced.items():
                self._tell_tempi(number, take)
            route = wire.Route(to.port, dict(to.channels), to.clock, to.latency_ms, to.programs)
            self.send(MIDI_OUT, route)
        self._on_up(name)

    def _down(self, name: str, reason: str) -> None:
        if name == "player":
            self.heard.levels = None
        elif name == "feed":
            self.heard.feed = None
            self.audience.feed_down()
        self._on_down(name, reason)
