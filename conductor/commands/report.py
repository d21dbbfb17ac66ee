"""`conductor report`: what a show came to."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from conductor.errors import UsageError
from model.whole import write_whole

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from conductor.observing.report import Report

NAMES = ("report.md", "report.html")


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `report`."""
    parser = subparsers.add_parser(
        "report",
        help="what a show came to: pieces, faults, loudness, who did what",
        description="What the latest show in a folder came to; also while it runs.",
        epilog=f"At its end a show writes {NAMES[0]} and {NAMES[1]} into its folder by itself.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of the show, such as shows/my-concert")
    parser.add_argument("--all", action="store_true", help="all shows of the folder as one")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--text", action="store_true", help="print a few lines (without any of these: everything)")
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--html", action="store_true", help="print a page for a browser")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it there in place of printing it")
    parser.set_defaults(run=run_report)


def run_report(args: argparse.Namespace) -> int:
    """Print a report."""
    from conductor.observing import telling
    from conductor.observing.report import report_of

    report = report_of(args.folder, whole=args.all)
    if args.json:
        text = json.dumps(report.as_dict(), ensure_ascii=False, indent=2) + "\n"
    elif args.html:
        text = telling.page(report)
    else:
        text = f"{telling.short(report)}\n" if args.text else telling.markdown(report)
    if args.out is None:
        print(text, end="")
        return 0
    try:
        args.out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--out {args.out}: cannot be written ({error.strerror})") from None
    return 0


def leave(folder: Path) -> Report:
    """Write the report of a show that has ended into its folder.

    Args:
        folder: of the show.

    Raises:
        LibraryError: there is nothing to tell of.
        OSError: it cannot be written.
    """
    from conductor.observing import telling
    from conductor.observing.report import report_of

    report = report_of(folder)
    for name, text in zip(NAMES, (telling.markdown(report), telling.page(report)), strict=True):
        write_whole(folder / name, text.encode())
    return report
