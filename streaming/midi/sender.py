"""Sends what the tape tells to a MIDI port, each message when its sample is on air.

A loop for a thread of its own, in a process that does little else. The clock is the
programme's: the ring says when samples are on air, and that is looked at anew each
time, so that a programme that waited or hurried is followed. Between two messages
the thread sleeps until the very moment (`clock_nanosleep`, absolute).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from streaming.midi.out import MidiOut, MidiRoute
from streaming.notetape import NoteTape
from streaming.ring import Ring
from streaming.timeline import SAMPLE_RATE, to_samples

log = logging.getLogger(__name__)

# New notes are on the tape a tenth of a second and more before they are on air.
POLL_S = 0.01
# The programme has run so far past what the player wrote: nobody plays any more.
_GONE = to_samples(0.1)
# How far ahead of the air a player writes, where no feed tells.
_AHEAD = to_samples(0.25)
_PRIORITY, _NICE = 20, -11


class Outlet(Protocol):
    """Where messages go: see `streaming.midi.heldport.HeldPort`."""

    def take_fresh(self) -> bool:
        """Return whether it was opened since the last time this was asked."""

    def send(self, messages: list[bytes]) -> None:
        """Send messages, or lose them; never waits."""


class Sender:
    """Follows a tape and sends.

    Args:
        ring: of the programme, for its clock.
        tape: what sounds.
        outlet: where it goes.
        route: how.
        clock_ns: monotonic nanoseconds.
    """

    def __init__(
        self,
        ring: Ring,
        tape: NoteTape,
        outlet: Outlet,
        route: MidiRoute,
        *,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._ring, self._tape, self._outlet = ring, tape, outlet
        self._clock_ns = clock_ns
        self._out = MidiOut(route)
        self._earlier = round(route.latency_ms * SAMPLE_RATE / 1000)
        # What sounds already was written before we came.
        self._count = tape.oldest
        self._tempi: deque[tuple[int, list[tuple[float, float]]]] = deque()
        self._own_air_ns = 0
        self._gone = False
        self._ending = threading.Event()

    # --- what other threads may call -------------------------------------------------

    def tell(self, number: int, tempi: list[tuple[float, float]]) -> None:
        """Take the tempo marks of a piece."""
        self._tempi.append((number, tempi))

    def stop(self) -> None:
        """Let `run` let go of everything and return."""
        self._ending.set()

    # --- the loop --------------------------------------------------------------------

    def run(self) -> None:
        """Send until `stop`; whatever happens, nothing is left sounding."""
        hurry(_PRIORITY + 1)
        try:
            while not self._ending.is_set():
                wait_s = self.step()
                if wait_s > 0.0:
                    time.sleep(wait_s)
        finally:
            self._outlet.send(self._out.silence())

    def step(self) -> float:
        """Send what is due; return the seconds until more is, or may be."""
        while self._tempi:
            self._out.clock.tell(*self._tempi.popleft())
        self._read()
        now_ns = self._clock_ns()
        on_air = self._on_air(now_ns)
        if on_air is None:
            return POLL_S
        if on_air - self._ring.write_index > _GONE:
            if not self._gone:
                log.info("nothing is played any more since sample %d", self._ring.write_index)
                self._outlet.send(self._out.silence())
            self._gone = True
            return POLL_S
        self._gone = False
        position = on_air + self._earlier
        if self._outlet.take_fresh():
            self._outlet.send(self._out.resume(position))
        messages = self._out.due(position)
        if messages:
            self._outlet.send(messages)
        following = self._out.next_sample(position)
        if following is None:
            return POLL_S
        return max(0.0, min(POLL_S, (following - position) / SAMPLE_RATE - (self._clock_ns() - now_ns) / 1e9))

    def _read(self) -> None:
        if self._tape.oldest > self._count:
            log.warning("%d notes were written before they could be read", self._tape.oldest - self._count)
            self._outlet.send(self._out.silence())
        records = self._tape.read(self._count)
        self._count = max(self._count, self._tape.oldest) + len(records)
        if records:
            self._out.take(records)

    def _on_air(self, now_ns: int) -> int | None:
        """Return the sample that is on air; None: nothing is yet."""
        air_ns = self._ring.air_ns or self._own_air_ns
        if not air_ns:
            written = self._ring.write_index
            if written:
                self._own_air_ns = now_ns - (written - _AHEAD) * 1_000_000_000 // SAMPLE_RATE
            return None
        return (now_ns - air_ns) * SAMPLE_RATE // 1_000_000_000


def hurry(priority: int = _PRIORITY) -> None:
    """Let the system run this thread, and those it starts from now on, as soon as they wake, as far as we may.

    All threads of the process, for who holds the interpreter's lock holds up the one that sends.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))
    except (OSError, AttributeError):
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        except OSError:
            log.info("no priority above others is allowed here; on a busy machine notes may be sent late")
