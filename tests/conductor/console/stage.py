"""A show with stand-ins for its workers, and its console."""

from __future__ import annotations

import contextlib
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from conductor.clock import Clock
from conductor.console.operators import Operator, with_operator, write_operators
from conductor.console.rates import Limits, Rate
from conductor.console.roles import ROLES
from conductor.console.server import Console
from conductor.library import Library
from conductor.logs import Terminal
from conductor.show.crew import Commands
from conductor.show.show import Show
from conductor.show.stage import RunFolder, ShowOptions
from tests.conductor.show.test_show import Running, free_port, setlist_of, under_way
from tests.fakes import fake_commands

HELD = (
    "cues: [{id: one, style: bach, duration: 60s, follow: hold}, {id: two, style: jazz, duration: 60s},"
    " {id: three, style: folk, duration: 60s}]"
)
UNLIMITED = Limits(*[Rate(1e9, 1e9)] * 4)
PASSWORD = "correct horse"


def operators_file(folder: Path, **roles: str) -> Path:
    """Write a file of operators, all with the same password."""
    path, known = folder / "operators.json", dict[str, Operator]()
    for name, role in roles.items():
        known = with_operator(known, name, ROLES[role], PASSWORD)
    write_operators(path, known)
    return path


@contextlib.asynccontextmanager
async def consoled(
    folder: Path, text: str = HELD, *, limits: Limits = UNLIMITED, operators: Path | None = None,
    clock: Clock | None = None, commands: Callable[[Path], Commands] | None = None, **fakes: str,
) -> AsyncIterator[Running]:  # fmt: skip
    """Run a show with a console; `commands` returns how the workers of a run folder are started."""
    options = ShowOptions(data=folder / "data", port=free_port(), nut_port=0, operators=operators)
    run, library, output = RunFolder(options.data), Library(options.data), io.StringIO()
    started = commands(run.path) if commands else fake_commands(run.path, **{"player": "--speed 10", **fakes})
    show = Show(setlist_of(folder, text), options, library, run, Terminal(output), commands=started)
    async with under_way(show, Console(show, limits=limits, clock=clock, run=run.path), run, output) as it:
        yield it
