"""The state as a stream: a snapshot, numbered deltas, resumed by number; one computation for all who listen."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from collections.abc import Callable
from typing import Any

from conductor.console.deltas import patch

# Deltas that are kept for those who come back.
HISTORY = 256
# What a client may have waiting; more, and it gets a new snapshot in place of all of it.
WAITING = 64


def encoded(value: object) -> str:
    """Return a value as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Listener:
    """One who listens: what is still to be sent to it, in order.

    Overflow: the deltas are dropped and a snapshot takes their place; meters are only ever the latest.
    """

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._meters = ""
        self._woken = asyncio.Event()
        # All that waits is void, the next thing it gets is the whole state.
        self.lost = False

    def tell(self, text: str) -> None:
        """Let it have a delta."""
        if not self.lost:
            self._waiting.append(text)
        if len(self._waiting) > WAITING:
            self.lose()
        self._woken.set()

    def lose(self) -> None:
        """Let it begin anew."""
        self._waiting.clear()
        self.lost = True
        self._woken.set()

    def meter(self, text: str) -> None:
        """Let it have meters, the latest alone."""
        self._meters = text
        self._woken.set()

    async def next(self, snapshot: Callable[[], str]) -> str:
        """Return what is to be sent next, as soon as there is something."""
        while True:
            if self.lost:
                text = snapshot()
                self.lost = False
                return text
            if self._waiting:
                return self._waiting.popleft()
            if self._meters:
                text, self._meters = self._meters, ""
                return text
            self._woken.clear()
            await self._woken.wait()


class Stream:
    """The state of a show as told to all who listen.

    Args:
        state: returns the state, plain values.
        meters: returns what changes many times a second.
    """

    def __init__(self, state: Callable[[], dict[str, Any]], meters: Callable[[], dict[str, Any]]) -> None:
        self._read, self._read_meters = state, meters
        self._state: dict[str, Any] = {}
        self._meters: dict[str, Any] = {}
        self._history: deque[tuple[int, str]] = deque(maxlen=HISTORY)
        self._snapshot = ""
        self.listeners: set[Listener] = set()
        # Numbers of another conductor mean nothing here.
        self.run = secrets.token_hex(4)
        self.number = 0

    def refresh(self) -> bool:
        """Read the state, and tell all who listen what is different; return whether anything is."""
        state = self._read()
        operations = patch(self._state, state)
        if not operations:
            return False
        first = not self._state
        self._state = state
        self.number += 1
        self._snapshot = ""
        if first:
            return True
        text = encoded({"kind": "delta", "number": self.number, "patch": operations})
        self._history.append((self.number, text))
        for listener in self.listeners:
            listener.tell(text)
        return True

    def refresh_meters(self) -> None:
        """Read the meters, and tell all who listen where they are different."""
        meters = self._read_meters()
        if meters != self._meters:
            self._meters = meters
            text = encoded({"kind": "meters", "meters": meters})
            for listener in self.listeners:
                listener.meter(text)

    @property
    def whole(self) -> dict[str, Any]:
        """The state now, with its number."""
        self.refresh()
        return {"run": self.run, "number": self.number, "state": self._state}

    def snapshot(self) -> str:
        """Return the state last read as a message; made once for all who want the same."""
        if not self._snapshot:
            self._snapshot = encoded({"kind": "state", "run": self.run, "number": self.number, "state": self._state})
        return self._snapshot

    def join(self, run: str = "", since: int | None = None) -> Listener:
        """Return one more who listens, from a number on where that is known here, else from a snapshot on."""
        self.refresh()
        listener = Listener()
        missed = [text for number, text in self._history if since is not None and number > since]
        if run == self.run and since is not None and self.number - len(missed) == since and len(missed) <= WAITING:
            for text in missed:
                listener.tell(text)
        else:
            listener.lose()
        if self._meters:
            listener.meter(encoded({"kind": "meters", "meters": self._meters}))
        self.listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Forget one who listened."""
        self.listeners.discard(listener)
