"""The connection to a chat: kept up for ever, bounded in all directions, and never in anybody's way.

The lines are read and written by pydle's parser; its client is not used, for it starts a task for every line,
remembers everybody who was ever there, and gives up after three tries.

Source: RFC 2812 (registration), IRCv3 capability negotiation, Twitch's IRC guide (tags, anonymous readers, limits).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
from collections import deque
from collections.abc import Callable

from conductor.chat.limits import SAME_S, SPOKEN, SPOKEN_S, Window
from conductor.chat.line import MAX_LINE, Line, Said, read_line, said_in, wanted, written
from conductor.chat.plan import ChatPlan
from conductor.clock import Clock, SystemClock
from streaming.backoff import Backoff
from streaming.errors import PublishError

LOG = logging.getLogger("conductor.chat")

CONNECT_S, REGISTER_S = 10.0, 20.0
# Nothing was heard for so long: we ask; and nothing after that either: it is gone.
QUIET_S, ANSWER_S = 120.0, 15.0
CHUNK = 16_384
# What waits to be said; the oldest goes.
MOST_WAITING = 12
MOST_TEXT = 400
_CAPABILITIES = "twitch.tv/tags twitch.tv/commands"
_TAGS = "twitch.tv/tags"
# After that much time without trouble a loss is a first one again.
STEADY_S = 60.0
# On Twitch, who is refused by name is let in without one.
REFUSED_WAIT_S = 2.0


class ChatGoneError(Exception):
    """The connection is lost, or was never there; the text says why."""


class LoginError(ChatGoneError):
    """The server does not take the name or its token."""


class Cutter:
    """Cuts what comes into lines; what is longer than any message is left out as a whole."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False
        self.skipped = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are whole by now, without their ends."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if lines and self._skipping:
            lines, self._skipping = lines[1:], False
        if len(self._rest) > MAX_LINE:
            self._rest, self._skipping = b"", True
            self.skipped += 1
        return [line.rstrip(b"\r") for line in lines]


class Irc:
    """Reads a channel, and says something in it now and then.

    Args:
        plan: where, and as whom.
        hear: called with what people say in the channel.
        news: called with what an operator should know, and whether it is good.
        digits: returns whether a number alone means something now.
        clock: for limits and deadlines.
        rng: of the jitter, and of anonymous names.
        quiet_s: without a line for so long the server is asked whether it is there.
    """

    def __init__(
        self,
        plan: ChatPlan,
        hear: Callable[[Said], None],
        news: Callable[[str, bool], None],
        *,
        digits: Callable[[], bool] = lambda: True,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        backoff: Backoff | None = None,
        quiet_s: float = QUIET_S,
    ) -> None:
        self._plan, self._hear, self._news, self._digits = plan, hear, news, digits
        self._now_s = (clock or SystemClock()).monotonic_s
        self._rng = rng or random.Random()
        self._backoff = backoff or Backoff(self._rng, first_s=1.0, longest_s=120.0)
        self._quiet_s = quiet_s
        self._window = Window(SPOKEN, SPOKEN_S, self._now_s)
        self._waiting: deque[str] = deque(maxlen=MOST_WAITING)
        self._spoken: dict[str, float] = {}
        self._something = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._nick = ""
        self._trusted = self._refused = False
        self._task: asyncio.Task[None] | None = None
        self._told = ""
        self.there = False
        self.lines = 0
        self.dropped = 0

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Leave."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def say(self, text: str) -> None:
        """Say a line in the channel as soon as the limits allow; where too much waits, the oldest is left out."""
        now_s = self._now_s()
        self._spoken = {said: at_s for said, at_s in self._spoken.items() if now_s - at_s < SAME_S}
        if not self._may_speak or not self.there or text in self._spoken:
            return
        if len(self._waiting) == MOST_WAITING:
            self.dropped += 1
        self._spoken[text] = now_s
        self._waiting.append(text[:MOST_TEXT])
        self._something.set()

    @property
    def _may_speak(self) -> bool:
        return self._plan.may_speak and not (self._refused and self._plan.is_twitch)

    # --- for ever ---

    async def _run(self) -> None:
        while True:
            begun_s = self._now_s()
            try:
                await self._once()
            except LoginError as error:
                self._refused = True
                self._lost(f"{error}; {'it is read without it' if self._plan.is_twitch else 'it is tried again later'}")
                await asyncio.sleep(REFUSED_WAIT_S if self._plan.is_twitch else self._backoff.after_refusal())
                continue
            except (ChatGoneError, OSError, TimeoutError, PublishError, ssl.SSLError) as error:
                self._lost(str(error) or "no answer in time")
            except Exception as error:
                # Whatever it was, the chat is a guest here.
                LOG.exception("the chat broke off")
                self._lost(f"a fault ({type(error).__name__}); see the log")
            if self._now_s() - begun_s > STEADY_S:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.after_loss())

    def _lost(self, reason: str) -> None:
        self.there = False
        self._waiting.clear()
        # A failure is told once, its recovery once.
        if reason != self._told:
            self._told = reason
            self._news(f"{self._plan.place} is away ({reason}); the show goes on without it", False)

    async def _once(self) -> None:
        """Connect, and read until that ends."""
        plan = self._plan
        context = ssl.create_default_context() if plan.tls else None
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(plan.host, plan.port, ssl=context, limit=CHUNK)
        self._writer = writer
        speaking: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(REGISTER_S) as registering:
                await self._register()
                speaking = asyncio.create_task(self._speak(writer))
                await self._read(reader, registering)
        finally:
            self._writer, self.there = None, False
            if speaking:
                speaking.cancel()
                await asyncio.gather(speaking, return_exceptions=True)
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await writer.wait_closed()

    async def _register(self) -> None:
        plan = self._plan
        # A token that was refused is not shown again: reading takes none.
        key = "" if self._refused and plan.is_twitch else plan.token.read()
        self._trusted = False
        named = plan.nick if key or not plan.is_twitch else ""
        self._nick = named or f"justinfan{self._rng.randint(1, 99999)}"
        self._send("CAP", "REQ", _CAPABILITIES)
        if key:
            self._send("PASS", f"oauth:{key.removeprefix('oauth:')}" if plan.is_twitch else key)
        self._send("NICK", self._nick)
        self._send("USER", self._nick, "0", "*", "conductor")

    async def _read(self, reader: asyncio.StreamReader, registering: asyncio.Timeout) -> None:
        cutter, asked = Cutter(), False
        while True:
            try:
                async with asyncio.timeout(ANSWER_S if asked else self._quiet_s):
                    data = await reader.read(CHUNK)
            except TimeoutError:
                if asked:
                    raise ChatGoneError("no sign of life") from None
                self._send("PING", "conductor")
                asked = True
                continue
            if not data:
                raise ChatGoneError("the server closed the connection")
            asked = False
            digits = self._digits()
            for raw in cutter.feed(data):
                self.lines += 1
                if wanted(raw, digits=digits) and (line := read_line(raw)):
                    self._take(line)
            if self.there:
                registering.reschedule(None)
            # A flood comes in chunks that lie ready: the show has its turn between them.
            await asyncio.sleep(0)

    def _take(self, line: Line) -> None:
        plan = self._plan
        match line.command:
            case "PRIVMSG":
                if said := said_in(line, plan.channel, trusted=self._trusted):
                    self._hear(said)
            case "PING":
                self._send("PONG", *line.params[-1:])
            case "CAP" if len(line.params) > 2 and line.params[1] in ("ACK", "NAK"):
                self._trusted = line.params[1] == "ACK" and _TAGS in line.params[2].split()
                self._send("CAP", "END")
            case "001":
                self._send("JOIN", plan.channel)
            case "366" | "JOIN" if not self.there:
                self.there = True
                self._told = ""
                self._news(f"{plan.place} is read{'' if self._may_speak else ', nothing is said there'}", True)
            case "433" | "432":
                self._nick = f"{plan.nick[:6]}{self._rng.randint(10, 99)}"
                self._send("NICK", self._nick)
            case "RECONNECT":
                raise ChatGoneError("the server asks to connect anew")
            case "464":
                raise LoginError("the token is not taken")
            case "NOTICE" if not self.there and plan.is_twitch and _is_refusal(line):
                raise LoginError("the token is not taken")
            case "403" | "405" | "471" | "473" | "474" | "475":
                raise ChatGoneError(f"the channel cannot be joined ({line.command})")
            case "ERROR":
                raise ChatGoneError("the server ends the connection")

    # --- what is said ---

    async def _speak(self, writer: asyncio.StreamWriter) -> None:
        while True:
            self._something.clear()
            while self._waiting:
                if wait_s := self._window.wait_s():
                    await asyncio.sleep(wait_s)
                    continue
                self._window.take()
                try:
                    self._send("PRIVMSG", self._plan.channel, self._waiting.popleft())
                    await writer.drain()
                except (OSError, ChatGoneError):
                    # Whoever reads finds out, and begins anew.
                    writer.close()
                    return
            await self._something.wait()

    def _send(self, command: str, *params: str) -> None:
        if self._writer and not self._writer.is_closing():
            # A server that does not read is soon found to be silent; nothing piles up for it.
            if self._writer.transport.get_write_buffer_size() > CHUNK:
                raise ChatGoneError("the server takes nothing any more")
            self._writer.write(written(command, *params))


def _is_refusal(line: Line) -> bool:
    text = line.params[-1].lower() if line.params else ""
    return "login" in text or "auth" in text
