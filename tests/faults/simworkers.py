"""Workers of a simulated show: they keep times, queues and promises as real ones do, and sleep in between."""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from conductor import wire
from conductor.show.take import note_rows
from model.midi import write_midi
from model.notes import Note, Piece
from streaming.playing.bed import BED
from streaming.timeline import SAMPLE_RATE

LEVELS_S, STATUS_S = 0.5, 1.0
STARTS_S = {"player": 2.0, "feed": 1.5, "composer": 6.0}
LOUD, SILENT = -16.0, -90.0


class Machine:
    """A worker's process: it lives on while conductors come and go.

    Attributes:
        name: of the worker.
        alive: whether it runs.
        born: how often it was started.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = False
        self.born = 0
        self.link: SimWorker | None = None
        self._waiting: deque[wire.Message] = deque(maxlen=1000)
        self._timers: dict[str, asyncio.TimerHandle] = {}

    @property
    def now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def tell(self, message: wire.Message) -> None:
        """Tell the conductor, or the next one."""
        if self.link and self.link.up:
            self.link.hear(message)
        else:
            self._waiting.append(message)

    def attend(self, link: SimWorker) -> None:
        """Serve a conductor."""
        self.link = link
        while self._waiting:
            link.hear(self._waiting.popleft())

    def later(self, name: str, seconds: float, what: Callable[[], None]) -> None:
        """Do something after a time; what was to be done by that name is not."""
        self.never(name)
        self._timers[name] = asyncio.get_running_loop().call_later(max(0.0, seconds), what)

    def never(self, name: str) -> None:
        """Take back what was to be done."""
        if timer := self._timers.pop(name, None):
            timer.cancel()

    def start(self) -> None:
        """Come to life."""
        self.alive = True
        self.born += 1

    def die(self, reason: str = "killed by SIGKILL") -> None:
        """End as a crash would."""
        self.alive = False
        for name in list(self._timers):
            self.never(name)
        self._waiting.clear()
        if self.link:
            self.link.lost(reason)

    def hear(self, message: wire.Message) -> None:
        """Take in a message of the conductor."""
        raise NotImplementedError


class SimPlayer(Machine):
    """Plays what it has, and the bed between; see `tests.fakes.FakePlayer`.

    Args:
        source: told what sounds from now on.
    """

    def __init__(self, source: Callable[[str, int], None]) -> None:
        super().__init__("player")
        self._source = source
        self.pieces: dict[int, float] = {}
        self.silent: set[int] = set()
        self.queue: list[int] = []
        self.cuts: list[float | None] = []
        self.gap_s = 1.0
        self.playing = BED
        self.begun_s = 0.0
        self.began: deque[int] = deque(maxlen=10_000)

    def start(self) -> None:
        super().start()
        self.pieces, self.queue, self.cuts = {BED: math.inf}, [], []
        self.silent.clear()
        self._begin(BED)
        self._levels()

    def die(self, reason: str = "killed by SIGKILL") -> None:
        self.playing = BED
        self._source("bridge", 0)
        super().die(reason)

    @property
    def sample(self) -> int:
        return int(self.now_s * SAMPLE_RATE)

    def hear(self, message: wire.Message) -> None:
        match message:
            case wire.Load(number, notes, duration_s):
                self.pieces[number] = duration_s
                if max((row[4] for row in notes), default=0) < 2:
                    self.silent.add(number)
            case wire.Follow(numbers, gap_s, cuts):
                self.queue, self.gap_s = [n for n in numbers if n in self.pieces], gap_s
                self.cuts = [cuts[k] if k < len(cuts) else None for k, n in enumerate(numbers) if n in self.pieces]
                if self.playing == BED:
                    self.later("next", 0.0, self._next)
                else:
                    self._plan()
            case wire.Go(number, _, from_s):
                if number not in self.pieces:
                    self.tell(wire.Fault("player", f"Go: piece {number} is not loaded"))
                    return
                self._unqueue(number)
                old = self.playing
                self._begin(number, from_s)
                if old not in (BED, number):
                    self.tell(wire.Ended(old, self.sample))
            case wire.Fade(seconds):
                if self.playing != BED:
                    self.later("end", min(seconds, self._left_s), self._ended)
            case wire.Drop(numbers):
                for number in numbers:
                    self.pieces.pop(number, None)
                    self.silent.discard(number)
                    self._unqueue(number)

    def _unqueue(self, number: int) -> None:
        if number in self.queue:
            del self.cuts[self.queue.index(number)]
            self.queue.remove(number)

    @property
    def _left_s(self) -> float:
        return max(0.0, self.pieces.get(self.playing, 0.0) - (self.now_s - self.begun_s))

    def _begin(self, number: int, from_s: float = 0.0) -> None:
        self.playing, self.begun_s = number, self.now_s - from_s
        self.never("next")
        self.never("end")
        self.began.append(number)
        self._source("bed" if number == BED else "silence" if number in self.silent else "piece", number)
        self.tell(wire.Started(number, self.sample))
        self._plan()

    def _plan(self) -> None:
        """Know when what plays is over."""
        if self.playing == BED:
            return
        early_s = -min(0.0, self.gap_s) if self.queue else 0.0
        cut_s = self.cuts[0] if self.queue and self.cuts else None
        cut = cut_s is not None and cut_s >= self.now_s - self.begun_s
        until_s = (cut_s or 0.0) - (self.now_s - self.begun_s) if cut else self._left_s - early_s
        self.later("end", until_s, self._overlapped if self.queue and (cut or early_s) else self._ended)

    def _overlapped(self) -> None:
        old = self.playing
        self._next()
        self.tell(wire.Ended(old, self.sample))

    def _ended(self) -> None:
        old = self.playing
        self._begin(BED)
        self.tell(wire.Ended(old, self.sample))
        if self.queue:
            self.later("next", self.gap_s, self._next)

    def _next(self) -> None:
        if self.queue:
            number = self.queue[0]
            self._unqueue(number)
            self._begin(number)

    def _levels(self) -> None:
        self.later("levels", LEVELS_S, self._levels)
        if self.link and self.link.up:
            loud = SILENT if self.playing in self.silent else LOUD
            position_s = self.now_s - self.begun_s
            self.link.hear(wire.Levels(self.sample, self.playing, position_s, loud, LOUD, loud + 10.0, 8))


class SimFeed(Machine):
    """Sends status.

    Args:
        player: that it hears.
    """

    def __init__(self, player: SimPlayer) -> None:
        super().__init__("feed")
        self._player = player
        self.frames = 0

    def start(self) -> None:
        super().start()
        self._status()

    def hear(self, message: wire.Message) -> None:
        pass

    def _status(self) -> None:
        self.later("status", STATUS_S, self._status)
        self.frames += int(30 * STATUS_S)
        if self.link and self.link.up:
            sample, player = int(self.now_s * SAMPLE_RATE), self._player
            silent = player.alive and player.playing in player.silent
            self.link.hear(
                wire.FeedStatus(
                    sample, self.frames, 0, 1, 1, "", not player.alive, level_db=SILENT if silent else -20.0,
                    quiet_s=self.now_s - player.begun_s if silent else 0.0, emergency=not player.alive,
                )
            )  # fmt: skip


class SimComposer(Machine):
    """Composes for a minute or so; `moods` say what is to go wrong with the next requests.

    Args:
        rng: for how long it takes.
    """

    def __init__(self, rng: random.Random) -> None:
        super().__init__("composer")
        self._rng = rng
        self.moods: deque[str] = deque()
        self._requests: deque[wire.Compose] = deque()
        self._at_work = ""
        self.slow = 1.0
        self.disk_full = False
        self.most_waiting = 0

    def start(self) -> None:
        super().start()
        self._requests.clear()
        self._at_work = ""

    def hear(self, message: wire.Message) -> None:
        match message:
            case wire.Compose():
                self._requests.append(message)
                self.most_waiting = max(self.most_waiting, len(self._requests))
                self._work()
            case wire.Change():
                self.tell(wire.Refused(message.request_id, "nothing is changed here", retryable=False))
            case wire.Cancel(request_id):
                self._requests = deque(r for r in self._requests if r.request_id != request_id)
                if request_id == self._at_work:
                    self.never("progress")
                    self._at_work = ""
                    self.later("work", 0.0, self._work)
                self.tell(wire.Refused(request_id, "composing was cancelled", retryable=False))

    def _work(self) -> None:
        if self._at_work or not self._requests:
            return
        request = self._requests.popleft()
        self._at_work = request.request_id
        mood = self.moods.popleft() if self.moods else ""
        # As a small machine does: a third of the music's length, and now and then much more.
        seconds = request.prompt["duration_s"] * self._rng.lognormvariate(-1.2, 0.4) * self.slow
        self._step(request, mood, seconds, 1)

    def _step(self, request: wire.Compose, mood: str, seconds: float, n: int) -> None:
        if mood == "hangs" and n == 5:
            return
        if n <= 10:
            self.tell(wire.Progress(request.request_id, n / 10, request.prompt["duration_s"] * n / 10))
            self.later("progress", seconds / 10, lambda: self._step(request, mood, seconds, n + 1))
            return
        self._at_work = ""
        self.later("work", 0.0, self._work)
        self.tell(self._answer(request, mood, seconds))

    def _answer(self, request: wire.Compose, mood: str, seconds: float) -> wire.Message:
        if mood == "raises":
            return wire.Refused(request.request_id, "RuntimeError: out of memory", retryable=True)
        if self.disk_full:
            return wire.Refused(request.request_id, f"{request.out}.mid: No space left on device", retryable=True)
        length_s = 3.0 if mood == "short" else float(request.prompt["duration_s"])
        velocity = 1 if mood == "silent" else 80
        rng = random.Random(request.prompt["seed"])
        notes = tuple(
            Note(length_s * n / 24, 48 + rng.randrange(36), "piano", length_s / 24, velocity) for n in range(24)
        )
        piece = Piece(() if mood == "empty" else notes)
        path = Path(f"{request.out}.mid")
        write_midi(piece, path)
        duration_s = math.nan if mood == "nan" else piece.duration_s
        return wire.Composed(
            request.request_id, str(path), note_rows(piece), [(0.0, 120.0)], duration_s, seconds,
            {"checkpoint": "simulated", "seed": request.prompt["seed"]},
        )  # fmt: skip


class SimWorker:
    """Stands in for `conductor.workers.Worker`: the conductor's end of the line to a machine.

    Attributes:
        machines: of the simulated show, by name.
    """

    machines: ClassVar[dict[str, Machine]] = {}

    def __init__(
        self, name: str, *_: Any, on_message: Callable[[wire.Message], None], on_up: Callable[[], None],
        on_down: Callable[[str], None], **__: Any,
    ) -> None:  # fmt: skip
        self.name, self.restarts, self.adopted, self.pid, self.up = name, 0, False, 1, False
        self.memory_mb = self.since_s = 0.0
        self._on_message, self._on_up, self._on_down = on_message, on_up, on_down
        self._machine = self.machines[name]
        self._ended = False

    def send(self, message: wire.Message) -> None:
        if self.up:
            self._machine.hear(message)

    def hear(self, message: wire.Message) -> None:
        # As over a socket: what is answered comes after what is being done.
        asyncio.get_running_loop().call_soon(self._deliver, message)

    def _deliver(self, message: wire.Message) -> None:
        if self.up and not self._ended:
            self._on_message(message)

    async def start(self) -> None:
        if not self._machine.alive:
            await asyncio.sleep(STARTS_S[self.name])
            self._machine.start()
        else:
            self.adopted = True
        self._connect()

    def launch(self) -> None:
        asyncio.get_running_loop().create_task(self.start())

    def _connect(self) -> None:
        if not self._ended:
            self.up = True
            self._on_up()
            self._machine.attend(self)

    def lost(self, reason: str) -> None:
        if self._ended:
            return
        self.up = self.adopted = False
        self.restarts += 1
        self._on_down(reason)
        asyncio.get_running_loop().call_later(0.2 + STARTS_S[self.name], self._again)

    def _again(self) -> None:
        if not self._ended:
            self._machine.start()
            self._connect()

    def abandon(self) -> None:
        """Be left by a conductor that was killed."""
        self._ended, self.up = True, False
        self._machine.link = None

    async def renew(self, why: str, *, gently: bool = False) -> None:  # noqa: ARG002
        """Start the machine anew."""
        if self._machine.alive:
            self._machine.die(why)

    async def stop(self, wait_s: float = 5.0) -> None:  # noqa: ARG002
        self.abandon()
        if self._machine.alive:
            self._machine.die()
