"""The faults' fixtures, and their table at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import table
from tests.faults.house import House


@pytest.fixture
def folder() -> Iterator[Path]:
    # Short: a Unix socket's path may not be longer than 107 bytes.
    with tempfile.TemporaryDirectory(prefix="flt", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A show on air, one for all faults of a file."""
    with tempfile.TemporaryDirectory(prefix="flt", ignore_cleanup_errors=True) as name, House(Path(name)) as made:
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table; with FAULTS_TABLE=docs/faults.md, write it there too."""
    if not table.ROWS:
        return
    terminalreporter.write_line("")
    terminalreporter.write_line(table.markdown(row.cells for row in table.ROWS))
    if page := os.environ.get("FAULTS_TABLE"):
        table.write(table.ROWS, Path(page))
