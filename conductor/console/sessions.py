"""Sessions of operators who are logged in."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from conductor.console.operators import Operator, matches, read_operators
from conductor.console.roles import Somebody
from conductor.errors import UsageError

LOG = logging.getLogger("conductor.console")

IDLE_S = 8 * 3600.0
LONGEST_S = 24 * 3600.0
MOST = 200
# Passwords that wait to be checked; each check takes a quarter of a second of a processor.
MOST_WAITING = 8


@dataclass(slots=True)
class _Session:
    operator: Operator
    began_s: float
    seen_s: float


class Busy(Exception):  # noqa: N818 - no fault of anybody: to be tried again
    """Too many log in at once."""


class Sessions:
    """Who is logged in.

    Args:
        path: of the operators; read again when it changes, so that one who was taken out is out at once.
        now_s: returns the time, in seconds.

    Raises:
        UsageError: the file is no list of operators.
    """

    def __init__(self, path: Path, now_s: Callable[[], float]) -> None:
        self._path, self._now_s = path, now_s
        self._operators = read_operators(path)
        self._stamp = self._look()
        # By a hash of the token: who reads the memory, or a log of it, has no token.
        self._sessions: dict[bytes, _Session] = {}
        self._checking = asyncio.Semaphore(1)
        self._waiting = 0

    def _look(self) -> tuple[int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size

    def _reread(self) -> None:
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._operators = read_operators(self._path)
        except UsageError as error:
            # Who is known stays known: a slip in the file must not throw all operators out of a running show.
            LOG.error("%s (the operators known so far stay)", error)

    async def log_in(self, name: str, password: str) -> str | None:
        """Return a token for who gives the right password; None: they do not.

        Raises:
            Busy: too many ask at once.
        """
        self._reread()
        operator = self._operators.get(name)
        if self._waiting >= MOST_WAITING:
            raise Busy
        self._waiting += 1
        try:
            # One at a time: a flood of them takes one thread from the show, not all.
            async with self._checking:
                right = await asyncio.to_thread(matches, operator, password)
        finally:
            self._waiting -= 1
        if operator is None or not right:
            return None
        self._expire()
        while len(self._sessions) >= MOST:
            del self._sessions[min(self._sessions, key=lambda key: self._sessions[key].seen_s)]
        token, now_s = secrets.token_urlsafe(32), self._now_s()
        self._sessions[_key(token)] = _Session(operator, now_s, now_s)
        return token

    def log_out(self, token: str) -> None:
        """End a session, if it is one."""
        self._sessions.pop(_key(token), None)

    def whose(self, token: str) -> Somebody | None:
        """Return who a session is of; None: it is none, or over."""
        self._reread()
        self._expire()
        session = self._sessions.get(_key(token))
        if session is None:
            return None
        session.seen_s = self._now_s()
        return Somebody(session.operator.name, session.operator.role, cookie=True)

    def _expire(self) -> None:
        now_s = self._now_s()
        for key, session in list(self._sessions.items()):
            over = now_s - session.seen_s > IDLE_S or now_s - session.began_s > LONGEST_S
            # Taken out, or another password or role since.
            if over or self._operators.get(session.operator.name) != session.operator:
                del self._sessions[key]


def _key(token: str) -> bytes:
    # What is looked up by a hash tells nothing by how long it takes.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
