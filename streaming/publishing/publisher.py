"""One destination, cared for: its process, its queue, its watchdog, and the attempts to come back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from streaming.backoff import Backoff
from streaming.errors import PublishError
from streaming.publishing.destination import Destination, redact
from streaming.publishing.job import Job, Report
from streaming.publishing.parcels import Parcel, ParcelQueue, Stream

logger = logging.getLogger(__name__)

State = Literal["connecting", "live", "retrying", "refused"]

# From the last sign that the ingest reads; with what its machine may hold back, three seconds are not reached.
STALL_S = 1.8
# A process has to start and a far ingest to answer.
CONNECT_S = 25.0
# So long on air, and the next loss is a new one.
SOUND_S = 20.0
# Whoever ends the connection so soon and twice in a row does not want the stream.
EARLY_S = 5.0
GOODBYE_S = 2.0
WATCH_EVERY_S = 0.1
STREAMS: Mapping[str, tuple[Stream, Stream]] = {
    "rtmp": ("video", "aac"),
    "mpegts": ("video", "aac"),
    "whip": ("video", "opus"),
}
COMMAND = (sys.executable, "-m", "streaming.publishing.child")


@dataclass(frozen=True, slots=True)
class Programme:
    """What is published.

    Attributes:
        width, height, fps: of the pictures.
        video_bitrate, audio_bitrate: bits a second.
    """

    width: int
    height: int
    fps: int
    video_bitrate: int
    audio_bitrate: int


@dataclass(frozen=True, slots=True)
class News:
    """What a person should know of a destination.

    Attributes:
        name: of the destination.
        there: whether it is on air.
        text: one line.
    """

    name: str
    there: bool
    text: str


@dataclass(frozen=True, slots=True)
class Status:
    """How a destination is.

    Attributes:
        name: of the destination.
        place: its address, as it may be shown.
        state: as it is now.
        since_s: monotonic time since when.
        sent_bytes: delivered, over all connections.
        dropped: packets left out since they could not be sent in time.
        reconnects: times that it was on air again after a loss.
        last_error: empty where there was none.
    """

    name: str
    place: str
    state: State = "connecting"
    since_s: float = 0.0
    sent_bytes: int = 0
    dropped: int = 0
    reconnects: int = 0
    last_error: str = ""


class Publisher:
    """Publishes to one destination until it is told to end; lives in an asyncio loop.

    Args:
        destination: where to.
        programme: what is sent there.
        want_keyframe: called when the picture has to begin anew; must not block.
        on_news: told of every loss and every return, once.
        rng: of the jitter.
        clock: monotonic, in seconds.
        command: how the process is started.
        backoff: when to try again.
    """

    def __init__(
        self,
        destination: Destination,
        programme: Programme,
        *,
        want_keyframe: Callable[[], None],
        on_news: Callable[[News], None],
        rng: Random | None = None,
        clock: Callable[[], float] = time.monotonic,
        command: Sequence[str] = COMMAND,
        backoff: Backoff | None = None,
    ) -> None:
        self.destination = destination
        self._programme = programme
        self._want_keyframe, self._on_news = want_keyframe, on_news
        self._clock = clock
        self._command = tuple(command)
        self._backoff = backoff or Backoff(rng or Random())
        self._loop = asyncio.get_running_loop()
        self._queue = ParcelQueue(programme.fps, want_keyframe)
        self._waiting = asyncio.Event()
        self._woken = False
        self._ending = asyncio.Event()
        self._streams = STREAMS[destination.method]
        self._status = Status(destination.name, destination.place, since_s=clock())
        self._secrets: tuple[str, ...] = ()
        # Of the connection that is.
        self._delivered = 0
        self._sign_s: float | None = None
        self._live_s: float | None = None
        self._unanswered_s: float | None = None
        self._early = 0
        # Since when it is lost, for as long as that was told; None: it is on air, or never was.
        self._lost_s: float | None = None
        self._aired = False
        self._task = self._loop.create_task(self._run(), name=f"publish to {destination.name}")

    @property
    def status(self) -> Status:
        """How it is now."""
        return replace(self._status, dropped=self._queue.dropped)

    @property
    def wanted(self) -> bool:
        """Whether it takes packets."""
        return self._queue.open

    def put(self, parcel: Parcel) -> None:
        """Send a packet, if there is a connection; from any thread, never blocks."""
        if parcel.stream in self._streams and self._queue.put(parcel) and not self._woken:
            self._woken = True
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._waiting.set)

    async def close(self) -> None:
        """End the publication, properly if that can be had soon."""
        self._ending.set()
        self._waiting.set()
        done, _ = await asyncio.wait({self._task}, timeout=2 * GOODBYE_S)
        if not done:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # --- attempts ---

    async def _run(self) -> None:
        while not self._ending.is_set():
            try:
                end = await self._once()
            except Exception as error:
                # Whatever it was: a destination is never given up.
                logger.exception("publishing to %s broke off", self.destination.name)
                end = Report(end="lost", text=f"a mistake of this program ({type(error).__name__})")
            if self._ending.is_set():
                return
            pause_s = self._lost(end)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause_s)

    async def _once(self) -> Report:
        """Publish in a process until that ends; return why it did."""
        self._live_s = self._unanswered_s = None
        try:
            key = self.destination.key.read()
        except PublishError as error:
            return Report(end="refused", text=str(error))
        self._secrets = self.destination.secrets(key)
        kept = {name: value for name, value in os.environ.items() if name != self.destination.key.env}
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=kept,
                start_new_session=True,
            )
        except OSError as error:
            return Report(end="lost", text=f"its process cannot be started: {error.strerror}")
        assert process.stdin is not None
        process.stdin.write(self._job(key).pack())
        self._delivered, self._sign_s = 0, None
        feeding = asyncio.create_task(self._feed(process.stdin))
        hearing = asyncio.create_task(self._hear(process))
        watching = asyncio.create_task(self._watch())
        ending = asyncio.create_task(self._ending.wait())
        tasks: set[asyncio.Task[Report]] = {feeding, hearing, watching}
        try:
            await asyncio.wait({*tasks, ending}, return_when=asyncio.FIRST_COMPLETED)
            # It says why it ends before its input breaks.
            if feeding.done() and not watching.done():
                await asyncio.wait({hearing}, timeout=1.0)
            ended = next((task for task in (hearing, watching, feeding) if task.done()), None)
            return ended.result() if ended else Report(end="closed", text="it was ended")
        finally:
            self._queue.end()
            for task in (*tasks, ending):
                task.cancel()
            await asyncio.gather(*tasks, ending, return_exceptions=True)
            await self._dismiss(process, patient=self._ending.is_set())

    def _job(self, key: str) -> Job:
        p, to = self._programme, self.destination
        return Job(to.url, key, p.width, p.height, p.fps, p.video_bitrate, p.audio_bitrate, to.ca_file)

    async def _dismiss(self, process: asyncio.subprocess.Process, *, patient: bool) -> None:
        """End the process: by the end of its input where it may say goodbye, else at once."""
        assert process.stdin is not None
        if patient:
            process.stdin.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), GOODBYE_S)
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        process.stdin.close()
        # What it still said is read, so that the pipe is closed.
        assert process.stdout is not None
        with contextlib.suppress(TimeoutError, ValueError):
            await asyncio.wait_for(process.stdout.read(), 1.0)

    # --- while it runs ---

    async def _feed(self, pipe: asyncio.StreamWriter) -> Report:
        try:
            while True:
                self._woken = False
                while (parcel := self._queue.take()) is not None:
                    if self._unanswered_s is None:
                        self._unanswered_s = self._clock()
                    pipe.write(parcel.pack())
                    # The pipe holds a tenth of a second; what is more waits where it can be dropped.
                    await pipe.drain()
                await self._waiting.wait()
                self._waiting.clear()
        except ConnectionError:
            return Report(end="lost", text="its process ended")

    async def _hear(self, process: asyncio.subprocess.Process) -> Report:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
                if not line:
                    break
                report = Report.of(line)
            except ValueError:
                # No report, or a line without an end.
                continue
            if report.end:
                return report
            self._take(report)
        code = await process.wait()
        return Report(end="lost", text=f"its process ended ({code})")

    def _take(self, report: Report) -> None:
        now_s = self._clock()
        self._sign_s = now_s
        if report.delivered > self._delivered:
            self._status = replace(
                self._status, sent_bytes=self._status.sent_bytes + report.delivered - self._delivered
            )
            self._delivered = report.delivered
            self._unanswered_s = None
        if report.keyframe:
            self._want_keyframe()
        if report.ready and not self._queue.open:
            self._queue.begin()
        elif not report.ready and self._queue.open:
            # Nobody reads any more: what is not wanted need not be encoded.
            self._queue.end()
            self._live_s = self._unanswered_s = None
            self._enter("connecting")
        if report.ready and self._delivered and self._live_s is None:
            self._live_s = now_s
            self._come_live(now_s)

    async def _watch(self) -> Report:
        """Return when the process or the ingest stands still."""
        start_s = self._clock()
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            now_s = self._clock()
            if self._unanswered_s is not None and now_s - self._unanswered_s > STALL_S:
                return Report(end="lost", text=f"it has not read for {now_s - self._unanswered_s:.1f} s")
            silent_s = now_s - (start_s if self._sign_s is None else self._sign_s)
            if silent_s > (CONNECT_S if self._sign_s is None else STALL_S):
                return Report(end="lost", text=f"no word from its process for {silent_s:.1f} s")
            if self._live_s is not None and now_s - self._live_s > SOUND_S:
                self._backoff.reset()
                self._early = 0

    # --- what is told ---

    def _enter(self, state: State, error: str | None = None) -> None:
        was = self._status
        since_s = was.since_s if was.state == state else self._clock()
        last = was.last_error if error is None else error
        self._status = replace(was, state=state, since_s=since_s, last_error=last)

    def _come_live(self, now_s: float) -> None:
        self._enter("live")
        name = self.destination.name
        if self._lost_s is None:
            self._on_news(News(name, True, f"{name} is on air ({self.destination.place})"))
        else:
            again = "again " if self._aired else ""
            self._status = replace(self._status, reconnects=self._status.reconnects + self._aired)
            self._on_news(News(name, True, f"{name} is on air {again}after {now_s - self._lost_s:.1f} s"))
        self._lost_s, self._aired = None, True

    def _lost(self, end: Report) -> float:
        """Take in a loss; return the seconds until the next attempt."""
        now_s = self._clock()
        text = redact(end.text, self._secrets)
        early = self._live_s is None or now_s - self._live_s < EARLY_S
        self._early = self._early + 1 if end.end == "closed" and early else 0
        refused = end.end == "refused" or self._early >= 2
        if self._early >= 2:
            text = f"{text}, {self._early} times: is the key right?"
        pause_s = self._backoff.after_refusal() if refused else self._backoff.after_loss()
        was = self._status.state
        # Before it is told, so that who asks at once is told the same.
        self._enter("refused" if refused else "retrying", text)
        if self._lost_s is None or (refused and was != "refused"):
            name, often = self.destination.name, "every minute" if refused else "for as long as it takes"
            what = "refuses us" if refused else "is lost" if self._aired else "is not reached"
            self._on_news(News(name, False, f"{name} {what}: {text}; trying again {often}"))
        if self._lost_s is None:
            self._lost_s = now_s
        logger.debug("%s: %s, again in %.1f s", self.destination.name, text, pause_s)
        return pause_s
