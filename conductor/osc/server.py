"""OSC over UDP: orders come in, each is answered, and whoever subscribed is told how the show is."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
from dataclasses import dataclass, field
from typing import Any

from pythonosc.osc_message_builder import BuildError, OscMessageBuilder
from pythonosc.osc_packet import OscPacket

from conductor.clock import Clock, SystemClock
from conductor.console.rates import Buckets, Rate
from conductor.errors import ConductorError, UsageError
from conductor.operating.order import Order
from conductor.osc.feedback import Told, told
from conductor.osc.plan import OscPlan
from conductor.osc.spelling import ROOT, spelled
from conductor.show.show import Show
from conductor.show.view import meters, snapshot

LOG = logging.getLogger("conductor.osc")

Address = tuple[str, int]

MOST = 16
# Who subscribed says so again within it, or is forgotten.
SUBSCRIBED_S = 60.0
TOLD_EVERY_S = 0.25
RATE = Rate(80, 40)
# Beside the others, so that no flood of them keeps it from being heard.
PANIC_RATE = Rate(20, 10)
# A datagram with more messages is no order of a person.
MOST_MESSAGES = 32


@dataclass(slots=True)
class _Subscriber:
    until_s: float
    known: Told = field(default_factory=dict)


class Osc(asyncio.DatagramProtocol):
    """Hears OSC for a show.

    Args:
        show: that is led.
        plan: where, and from whom.
        clock: for subscriptions and limits.
    """

    def __init__(self, show: Show, plan: OscPlan, clock: Clock | None = None) -> None:
        self._show, self._plan = show, plan
        self._now_s = (clock or SystemClock()).monotonic_s
        self._buckets, self._panic = Buckets(RATE, self._now_s), Buckets(PANIC_RATE, self._now_s)
        self._subscribers: dict[Address, _Subscriber] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._task: asyncio.Task[None] | None = None
        self._told: set[str] = set()

    async def start(self) -> str:
        """Begin to listen; return where.

        Raises:
            UsageError: the port cannot be used.
        """
        plan = self._plan
        try:
            self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: self, local_addr=(plan.host, plan.port)
            )
        except OSError as error:
            raise UsageError(
                f"osc: port {plan.port} on {plan.host} cannot be used ({error.strerror}); choose another"
            ) from None
        self._task = asyncio.create_task(self._tell())
        host, port, *_ = self._transport.get_extra_info("sockname")
        return f"osc://{f'[{host}]' if ':' in host else host}:{port}"

    async def stop(self) -> None:
        """Stop listening."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._transport:
            self._transport.close()

    # --- what comes ---

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Carry out what a datagram holds; whatever it is, the show goes on."""
        client: Address = (str(addr[0]), int(addr[1]))
        if not self._allowed(client[0]):
            self._once(f"not listened to: {client[0]} (osc: allow: [{client[0]}] would)")
            return
        try:
            messages = [timed.message for timed in OscPacket(data).messages]
        except (Exception, RecursionError) as error:
            # The parser raises errors of all kinds for noise.
            self._once(f"from {client[0]} comes what is not OSC ({type(error).__name__})")
            return
        for message in messages[:MOST_MESSAGES]:
            try:
                self._hear(client, message.address, list(message.params))
            except Exception:
                LOG.exception("osc: %s from %s", message.address, client[0])

    def error_received(self, exc: Exception) -> None:
        """Take note that somebody who is told does not listen any more."""
        self._once(f"somebody who subscribed cannot be reached ({exc})")

    def _allowed(self, host: str) -> bool:
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(host).is_loopback or host in self._plan.allow
        return False

    def _hear(self, client: Address, address: str, values: list[Any]) -> None:
        buckets = self._panic if address == f"/{ROOT}/panic" else self._buckets
        if buckets.wait_s(client[0]):
            self._once(f"{client[0]} sends too much; some of it is left out")
            return
        if address in (f"/{ROOT}/subscribe", f"/{ROOT}/unsubscribe"):
            self._subscribe(client, values, there=address.endswith("/subscribe"))
            return
        try:
            said = spelled(address, values)
        except UsageError as error:
            self._answer(client, address, 0, str(error))
            return
        if said is None:
            return
        verb, arguments = said
        answer = self._show.dispatcher.give(Order(verb, arguments, f"osc {client[0]}", "osc"))
        self._answer(client, verb, int(answer.ok), answer.reason)

    def _answer(self, client: Address, about: str, done: int, reason: str) -> None:
        self._send(client, f"/{ROOT}/answer", (about[:100], done, reason, self._show.revision))

    def _subscribe(self, client: Address, values: list[Any], *, there: bool) -> None:
        port = values[0] if values and isinstance(values[0], int) and 0 < values[0] < 65536 else client[1]
        subscriber = (client[0], port)
        if not there:
            self._subscribers.pop(subscriber, None)
        elif subscriber in self._subscribers:
            self._subscribers[subscriber].until_s = self._now_s() + SUBSCRIBED_S
        elif len(self._subscribers) >= MOST:
            self._answer(client, "subscribe", 0, f"{MOST} have subscribed already")
            return
        else:
            self._subscribers[subscriber] = _Subscriber(self._now_s() + SUBSCRIBED_S)
        self._answer(client, "subscribe" if there else "unsubscribe", 1, "")

    # --- what is told ---

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TOLD_EVERY_S)
            now_s = self._now_s()
            self._subscribers = {each: it for each, it in self._subscribers.items() if it.until_s > now_s}
            if not self._subscribers:
                continue
            try:
                messages = told(snapshot(self._show), meters(self._show))
            except ConductorError as error:
                self._once(f"nothing new is told: {error}")
                continue
            for client, subscriber in self._subscribers.items():
                for address, values in messages.items():
                    if subscriber.known.get(address) != values:
                        self._send(client, address, values)
                subscriber.known = messages

    def _send(self, client: Address, address: str, values: tuple[Any, ...]) -> None:
        builder = OscMessageBuilder(address)
        for value in values:
            builder.add_arg(value)
        if self._transport and not self._transport.is_closing():
            with contextlib.suppress(OSError, BuildError):
                self._transport.sendto(builder.build().dgram, client)

    def _once(self, text: str) -> None:
        """Write something down the first time; noise does not fill a log."""
        if text not in self._told and len(self._told) < 100:
            self._told.add(text)
            self._show.chronicle.warn(f"osc: {text}")
