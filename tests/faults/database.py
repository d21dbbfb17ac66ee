"""A database that does not take what it is given, or whose process ends as it writes."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, ClassVar
from unittest import mock

_READS = ("SELECT", "PRAGMA", "WITH")


class Database(sqlite3.Connection):
    """A connection that can be harmed.

    Attributes:
        full: nothing can be written.
        wrote: told of every write, before it is done and after.
    """

    full: ClassVar[bool] = False
    wrote: ClassVar[Callable[[], None]] = lambda: None

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Execute a statement, if it is to be."""
        if sql.lstrip().upper().startswith(_READS):
            return super().execute(sql, *values)
        if Database.full:
            raise sqlite3.OperationalError("database or disk is full")
        Database.wrote()
        done = super().execute(sql, *values)
        Database.wrote()
        return done


@contextlib.contextmanager
def harmful() -> Iterator[type[Database]]:
    """Let every database that is opened meanwhile be one that can be harmed."""
    real = sqlite3.connect

    def connect(*arguments: Any, **more: Any) -> sqlite3.Connection:
        made: sqlite3.Connection = real(*arguments, **{**more, "factory": Database})
        return made

    with mock.patch.object(sqlite3, "connect", connect):
        try:
            yield Database
        finally:
            Database.full, Database.wrote = False, lambda: None


@contextlib.contextmanager
def dying_at(moment: int) -> Iterator[Callable[[], int]]:
    """Be killed at the so-manieth moment of writing: before and after each statement, and each file put in its place.

    Args:
        moment: from 1 on; 0: never.

    Yields:
        What returns how many moments there were.
    """
    moments = 0

    def count() -> None:
        nonlocal moments
        moments += 1
        if moments == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def between(real: Callable[..., Any]) -> Callable[..., Any]:
        def done(*arguments: Any, **more: Any) -> Any:
            count()
            result = real(*arguments, **more)
            count()
            return result

        return done

    patches = [mock.patch.object(os, name, between(getattr(os, name))) for name in ("replace", "rename", "fsync")]
    with harmful() as database, contextlib.ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        database.wrote = count
        yield lambda: moments
