"""A report as people read it: a few lines at the end of a show, a page of Markdown, a page for a browser."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from conductor.clock import minutes
from conductor.observing.report import Aired, Line, Report

# Of a show of many days, the latest.
MOST_ROWS = 200
NONE = "-"
Table = tuple[Sequence[str], list[Sequence[str]]]
_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: .2rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.5rem } dt { opacity: .7 } dd { margin: 0 }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #8884; vertical-align: top }
th { font-weight: 600 } td { font-variant-numeric: tabular-nums }
"""


def summary(report: Report) -> list[tuple[str, str]]:
    """Return what matters most: names and values."""
    ended = "now" if report.running else _clock(report.ended)
    rows = [("time", f"{_day(report.began)} to {ended}, {minutes(report.seconds)}")]
    played = _counted(len(report.aired), "piece") + " on air"
    if report.stand_ins:
        played += f", {len(report.stand_ins)} of them stood in for others"
    rows.append(("music", played))
    if report.composed:
        text = f"{_counted(report.composed, 'piece')}, {_figure(report.composing_median_s, 's', 0)} each (median)"
        rows.append(("composed", text))
    if report.refusals:
        rows.append(("refused", ", ".join(f"{count} {kind}" for kind, count in report.refusals.items())))
    if report.lufs is not None:
        rows.append(("loudness", f"{report.lufs:.1f} LUFS, {_figure(report.peak_dbtp, 'dBTP')} at most"))
    if report.ahead_least_s is not None and report.ahead_median_s is not None:
        rows.append(("ready", f"{minutes(report.ahead_median_s)} of music (median), {minutes(report.ahead_least_s)} at "
                              "least"))  # fmt: skip
    lost = f"{report.inaudible_s:.0f} s of silence in all" if report.inaudible_s else ""
    bridged = f"{report.bridged_s:.0f} s bridged by the feed" if report.bridged_s else ""
    rows.append(("not heard", ", ".join(filter(None, (lost, bridged))) or "never"))
    if report.restarts:
        rows.append(("restarts", ", ".join(f"{name} {count}" for name, count in report.restarts.items())))
    rows.append(("faults", str(len(report.faults)) if report.faults else "none"))
    return rows


def short(report: Report) -> str:
    """Return the report in a few lines."""
    return "\n".join([report.title, *(f"  {name:<10} {value}" for name, value in summary(report))])


def tables(report: Report) -> list[tuple[str, Table]]:
    """Return what is told in tables, each with its heading; empty ones are left out."""
    played = (("began", "piece", "style", "length", "score", "composed in", "loudness", "peak", "note"),
              [_played(each) for each in report.aired[-MOST_ROWS:]])  # fmt: skip
    lines = ("at", "what", "told")
    found: list[tuple[str, Table]] = [
        ("Played", played),
        ("Not heard", (("until", "for", "why"), _rows(report.gaps))),
        ("Faults and restarts", (lines, _rows(report.faults))),
        ("Who did what", (lines, _rows(report.deeds))),
    ]
    return [(heading, table) for heading, table in found if table[1]]


def markdown(report: Report) -> str:
    """Return the report as Markdown."""
    lines = [f"# {_plain(report.title)}", "", "| | |", "| --- | --- |"]
    lines += [f"| {name} | {_plain(value)} |" for name, value in summary(report)]
    for heading, (head, rows) in tables(report):
        lines += ["", f"## {heading}", "", f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
        lines += [f"| {' | '.join(map(_plain, row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def page(report: Report) -> str:
    """Return the report as a page that needs nothing beside it."""
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in summary(report))
    parts = [f"<h1>{escape(report.title)}</h1><dl>{facts}</dl>"]
    for heading, (head, rows) in tables(report):
        names = "".join(f"<th>{escape(name)}</th>" for name in head)
        body = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        parts.append(
            f"<h2>{escape(heading)}</h2><div class=scroll><table><thead><tr>{names}</tr></thead>\n{body}</table></div>"
        )
    title = f"<title>{escape(report.title)}</title>"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width">{title}<style>{_STYLE}</style>'
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _played(each: Aired) -> Sequence[str]:
    length = minutes(each.seconds) if each.seconds else NONE
    return (
        _clock(each.at), each.title, each.style or NONE, length, _figure(each.score, "", 2),
        _figure(each.composing_s, "s", 0), _figure(each.lufs, "LUFS"), _figure(each.peak_dbtp, "dBTP"), each.note,
    )  # fmt: skip


def _rows(lines: Iterable[Line]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [(_clock(line.at), line.what, line.text) for line in lines]
    return rows[-MOST_ROWS:]


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _figure(value: float | None, unit: str, digits: int = 1) -> str:
    return NONE if value is None else f"{value:.{digits}f} {unit}".strip()


def _day(at: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M:%S}"


def _clock(at: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone():%H:%M:%S}"


def _plain(text: str) -> str:
    """Return a text that does not break out of a cell of a table."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
