"""A worker: started, connected to, asked how it is, restarted when it dies or hangs, ended.

A worker outlives a conductor that is killed, so a worker that already listens in
the run folder is taken over in place of starting another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from conductor import wire
from conductor.errors import WireError, WorkerError
from conductor.workers.forwarding import Forwarding
from conductor.workers.health import PING_EVERY_S, Health
from conductor.workers.limits import UNLIMITED, Limits
from conductor.workers.strays import end_strays

HELLO_WAIT_S = 90.0
# A worker that listens already: whoever holds the socket and says nothing for so long hangs, or is stopped.
ADOPT_WAIT_S = 3.0
# How often is looked whether it is late; how long one that is asked to make room may take.
LOOK_EVERY_S = 0.25
LEAVE_S = 5.0
CONNECT_EVERY_S = 0.05
# Who was sound until now is started again at once: what it does is missed meanwhile.
BACK_OFF_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
# A worker that lived so long is thought sound again.
SOUND_AFTER_S = 30.0
# Deaths before its first Hello that end the attempt to start a show.
START_TRIES = 3
NICE = {"composer": 5}
# OpenMP's default spins idle threads, which starves the sound.
ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1"}
THREADS = {"composer": max(1, (os.cpu_count() or 2) - 2), "player": 1, "feed": 2}


class Worker:
    """One worker process and the link to it (`adopted`: it outlived an earlier conductor).

    Args:
        name: `composer`, `player` or `feed`.
        command: how it is started, such as `[python, -m, conductor.player, --run, DIR]`.
        run: the run folder; it listens on `<name>.sock` there.
        on_message: called with every message but Hello.
        on_up: called with each new link, before any message of it.
        on_down: called when the link is gone, with a line about why.
        limits: how soon it answers, and how much memory it may hold.
        calm: whether it may be replaced now without being missed much.
        place: how far it has come with what the audience hears, where that can be seen from outside.

    Attributes:
        memory_mb: resident memory, as it was last looked at.
        since_s: time of the loop since when it is there.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        run: Path,
        *,
        on_message: Callable[[wire.Message], None],
        on_up: Callable[[], None],
        on_down: Callable[[str], None],
        limits: Limits = UNLIMITED,
        calm: Callable[[], bool] = lambda: True,
        place: Callable[[], int] | None = None,
    ) -> None:
        self.name = name
        self.restarts = 0
        self.adopted = False
        self.pid = 0
        self.memory_mb = 0.0
        self.since_s = 0.0
        self._run = run
        self._limits, self._calm, self._place = limits, calm, place
        self._ping_every_s = min(PING_EVERY_S, (limits.answer_s or PING_EVERY_S) / 2)
        # Why this conductor ended it; empty: it went by itself.
        self._why = ""
        self._command = list(command)
        self._socket = run / f"{name}.sock"
        self._on_message = on_message
        self._on_up = on_up
        self._on_down = on_down
        self._link: wire.Link | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._stderr: asyncio.Task[None] | None = None
        self._first = asyncio.Event()
        self._ending = False
        self._failure: WorkerError | None = None
        self._log = logging.getLogger(name)
        self._said = Forwarding(self._log)

    @property
    def up(self) -> bool:
        """Whether the worker is connected."""
        return self._link is not None and not self._link.closed

    def send(self, message: wire.Message) -> None:
        """Send a message; nothing happens while the worker is away (it is told all at `on_up`)."""
        if self._link:
            self._link.send(message)

    async def start(self) -> None:
        """Start the worker and wait for its Hello; it may be tried again.

        Raises:
            WorkerError: it does not come up; says its last words.
        """
        self._failure = None
        self._first.clear()
        self.launch()
        await self._first.wait()
        if self._failure:
            raise self._failure

    def launch(self) -> None:
        """Start the worker without waiting for it."""
        self._task = asyncio.create_task(self._care(), name=f"care for the {self.name}")

    async def _care(self) -> None:
        deaths = 0
        loop = asyncio.get_running_loop()
        while not self._ending:
            born_s = loop.time()
            reason = await self._live_once()
            if self._ending:
                return
            deaths = 1 if loop.time() - born_s > SOUND_AFTER_S else deaths + 1
            if not self._first.is_set() and deaths >= START_TRIES:
                words = f": {self._said.last_words}" if self._said.last_words else ""
                self._failure = WorkerError(f"the {self.name} does not start ({reason}){words}")
                self._first.set()
                return
            self.restarts += 1
            self._on_down(reason)
            await asyncio.sleep(BACK_OFF_S[min(deaths, len(BACK_OFF_S)) - 1])

    async def _live_once(self) -> str:
        """Start it (or take it over), serve its messages, and return why it is gone."""
        self._why = ""
        link = await self._hello(wait_s=ADOPT_WAIT_S, there=True) if self._socket.exists() else None
        self.adopted = link is not None
        if link is None:
            try:
                await self._spawn()
            except OSError as error:
                return f"cannot be started: {error.strerror}"
            link = await self._hello(wait_s=HELLO_WAIT_S)
        if link is None:
            reason = self._gone()
            await self._kill()
            return reason if reason != "it stopped answering" else f"no word from it in {HELLO_WAIT_S:.0f} s"
        self._link = link
        self.since_s = asyncio.get_running_loop().time()
        self._first.set()
        self._on_up()
        health = Health(self._limits, self.since_s)
        attending = asyncio.create_task(self._attend(link, health), name=f"ask the {self.name}")
        try:
            async for message in link.messages():
                if isinstance(message, wire.Pong):
                    health.answered(message.number, message.trouble)
                else:
                    self._on_message(message)
        except WireError as error:
            self._log.error("%s", error)
        finally:
            attending.cancel()
            await asyncio.gather(attending, return_exceptions=True)
            await link.close()
        self._link = None
        if self._process and not self._ending:
            # The link can close a moment before the process is gone.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), 1.0)
        reason = self._gone()
        if not self._ending:
            await self._kill()
        return reason

    # --- how it is ---

    async def _attend(self, link: wire.Link, health: Health) -> None:
        """Ask it how it is, until it has to be ended."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now_s = loop.time()
            if self._place is not None:
                health.reached(self._place(), now_s)
            if (number := health.ask(now_s, self._ping_every_s)) is not None:
                link.send(wire.Ping(number))
                self.memory_mb = resident_mb(self.pid)
                health.weigh(self.memory_mb)
            why = health.look(now_s)
            if why or (health.heavy and self._calm()):
                # What is only too heavy can still finish what it does.
                await self.renew(why or health.heavy, gently=bool(health.heavy))
                return

    async def renew(self, why: str, *, gently: bool = False) -> None:
        """End it, so that another one is started.

        Args:
            why: told when it is gone.
            gently: it may finish what it does (a recording), and is asked at first.
        """
        if self._ending or not self.up:
            return
        self._why, pid = why, self.pid
        self._log.warning("%s: another one is started", why)
        if gently:
            self.send(wire.Quit())
            await _ended(pid, LEAVE_S)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            # Also one that is stopped.
            os.kill(pid, signal.SIGKILL)

    def _gone(self) -> str:
        if self._why:
            return self._why
        code = self._process.returncode if self._process else None
        if code is None:
            return "it stopped answering"
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"it ended with code {code}"

    async def _spawn(self) -> None:
        threads = str(THREADS.get(self.name, 1))
        environment = {**os.environ, **ENVIRONMENT, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        if not self._first.is_set():
            # One that hangs, or is only starting, of a conductor that was killed.
            for pid in await asyncio.to_thread(end_strays, self.name, self._run):
                self._log.warning("process %d of an earlier conductor did not answer and is ended", pid)
        self._socket.unlink(missing_ok=True)
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            # A Ctrl-C in the terminal is for the conductor alone, which ends the workers in order.
            start_new_session=True,
        )
        self.pid = self._process.pid
        if self.name in NICE:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self.pid, NICE[self.name])
        assert self._process.stderr is not None
        self._stderr = asyncio.create_task(self._listen(self._process.stderr))

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await stderr.readline()
            except ValueError:
                # A line longer than the buffer; what is left of it follows.
                continue
            if not line:
                return
            self._said.line(line)

    async def _hello(self, wait_s: float, *, there: bool = False) -> wire.Link | None:
        """Connect and wait for Hello; None when the process ended, the time is over, or nobody is `there`."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        while loop.time() < until_s and not self._ending:
            link = None
            try:
                link = await wire.connect(self._socket)
                line = await asyncio.wait_for(link.reader.readline(), max(0.1, until_s - loop.time()))
                hello = wire.decode(line)
                if isinstance(hello, wire.Hello) and hello.worker == self.name:
                    self.pid = hello.pid
                    return link
            except (WireError, TimeoutError, ConnectionError):
                pass
            if link:
                await link.close()
            elif there:
                return None
            if self._process and self._process.returncode is not None:
                return None
            await asyncio.sleep(CONNECT_EVERY_S)
        return None

    async def _kill(self) -> None:
        if self._process:
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
            await self._process.wait()
        elif self.pid:
            # Taken over from an earlier conductor: not our child, but ours to end.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, signal.SIGKILL)
            await _ended(self.pid, 2.0)
        if self._stderr:
            await self._stderr
        self._process, self._stderr, self.pid = None, None, 0

    async def stop(self, wait_s: float = 5.0) -> None:
        """Ask it to quit, then insist; returns when it is gone."""
        self._ending = True
        self.send(wire.Quit())
        if self._process:
            for insist, patience_s in ((None, wait_s), (self._process.terminate, 2.0)):
                if insist:
                    with contextlib.suppress(ProcessLookupError):
                        insist()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), patience_s)
                    break
        elif self.pid:
            await _ended(self.pid, wait_s)
        if self._link:
            await self._link.close()
        await self._kill()
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._socket.unlink(missing_ok=True)


def resident_mb(pid: int) -> float:
    """Return how much memory a process holds, in megabytes; 0 where it is gone."""
    try:
        return float(psutil.Process(pid).memory_info().rss) / 1e6
    except psutil.Error:
        return 0.0


async def _ended(pid: int, wait_s: float) -> None:
    """Wait until a process that is not our child has ended, or the time is over."""
    for _ in range(int(wait_s / CONNECT_EVERY_S)):
        try:
            # Ended, but not yet collected by whoever is its parent.
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        await asyncio.sleep(CONNECT_EVERY_S)


def command(name: str, run: Path, *options: str) -> list[str]:
    """Return how a worker of this program is started."""
    return [sys.executable, "-m", f"conductor.{name}", "--run", str(run), *options]
