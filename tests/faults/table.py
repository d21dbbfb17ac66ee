"""The table of faults: what each did to the audience, in blocks, words and seconds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- the table: written by make test-faults -->", "<!-- end of the table -->"
_HEAD = ("fault", "what the audience hears", "gap (blocks of 256)", "what is said", "recovery (s)")


@dataclass(frozen=True, slots=True)
class Row:
    """A fault, and what came of it.

    Attributes:
        fault: what was done.
        hears: what the audience hears meanwhile.
        gap: blocks in a row that were silent or did not come; None: it is not measured here.
        line: what is said of it.
        recovery_s: until all was well again; None: nothing had to recover.
    """

    fault: str
    hears: str
    gap: int | None
    line: str
    recovery_s: float | None

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as words."""
        gap = "–" if self.gap is None else str(self.gap)
        back = "–" if self.recovery_s is None else f"{self.recovery_s:.1f}"
        # Without its time, and without the folders of a test.
        line = re.sub(r"^(! )?(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d(,\d+)?\s+", "", self.line)
        line = re.sub(r"/tmp/\S*/", "", line)
        return tuple(text.replace("|", "/") for text in (self.fault, self.hears, gap, line, back))


ROWS: list[Row] = []


def add(row: Row) -> Row:
    """Remember a row for the table at the end."""
    ROWS.append(row)
    return row


def markdown(rows: Iterable[Sequence[str]]) -> str:
    """Return the table for a page, of cells."""
    lines = [_HEAD, ("---",) * len(_HEAD), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def write(rows: list[Row], page: Path) -> None:
    """Put the rows into the table of a page, between its marks; faults that were not tried this time stay."""
    text = page.read_text()
    head, rest = text.split(BEGIN)
    table, tail = rest.split(END)
    there = [line.strip("|").split("|") for line in table.strip().splitlines()[2:]]
    found = {cells[0].strip(): tuple(cell.strip() for cell in cells) for cells in there}
    found |= {row.cells[0]: row.cells for row in rows}
    page.write_text(f"{head}{BEGIN}\n{markdown(found.values())}\n{END}{tail}")
