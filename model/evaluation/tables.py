"""The pieces a page is made of, as HTML; what is given as text is made safe here, cells of tables are HTML already."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from model.evaluation.plots import Picture

NONE = "–"


def picture(picture: Picture, alt: str) -> str:
    """Return a picture that follows the page into the dark."""
    light, dark = (f"data:image/png;base64,{base64.b64encode(png).decode()}" for png in (picture.light, picture.dark))
    return (
        f'<div class=panel><picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" alt="{escape(alt)}"></picture></div>'
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]], wide: Sequence[int] = ()) -> str:
    """Return a table; cells are HTML already, columns in `wide` are text."""

    def row(cells: Sequence[str], tag: str) -> str:
        marked = (f"<{tag}{' class=wide' if n in wide else ''}>{cell}</{tag}>" for n, cell in enumerate(cells))
        return f"<tr>{''.join(marked)}</tr>"

    body = "".join(row(cells, "td") for cells in rows)
    return f"<div class=panel><table><thead>{row(head, 'th')}</thead><tbody>{body}</tbody></table></div>"


def fold(title: str, text: str) -> str:
    """Return text that is shown on demand."""
    return f"<details><summary>{escape(title)}</summary>{text}</details>"


def files(lines: Sequence[str]) -> str:
    """Return how many files there are, in words."""
    return "1 file" if len(lines) == 1 else f"{len(lines):,} files"


def items(lines: Sequence[str], most: int = 200) -> str:
    """Return lines as a list, at most so many."""
    shown = "".join(f"<li>{escape(line)}</li>" for line in lines[:most])
    more = f"<li>and {len(lines) - most} more</li>" if len(lines) > most else ""
    return f"<ul>{shown}{more}</ul>"


def percent(value: float | None) -> str:
    """Return a share for people."""
    if value is None:
        return NONE
    return f"{value:.1%}" if 0 < value < 0.1 else f"{value:.0%}"


def figure(value: float | None) -> str:
    """Return a number for people."""
    return NONE if value is None else f"{value:.2f}"


def interval(interval: dict[str, float]) -> str:
    """Return a mean and where the draws lie."""
    return f"{interval['mean']:.2f} <span class=soft>{interval['low']:.2f}–{interval['high']:.2f}</span>"
