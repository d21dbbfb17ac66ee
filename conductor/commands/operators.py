"""`conductor operators`: who may log in to the console."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from conductor.errors import UsageError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """\
  conductor operators add ada --role edit       asks for a password, and writes operators.json
  conductor operators add guest --role view
  conductor operators list
  conductor operators remove guest
  conductor run setlist.yaml --host 0.0.0.0 --operators operators.json

view reads, control runs the show, edit changes what is to come and the setlist.
A running show takes a change of the file up at once. The file holds no password, only salted hashes (scrypt).
"""
FILE = Path("operators.json")
_PASSWORD = "CONDUCTOR_PASSWORD"


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `operators` with its own subcommands."""
    operators = subparsers.add_parser(
        "operators",
        help="say who may log in to the console",
        description="Say who may log in to the console of a show.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = operators.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    add = verbs.add_parser("add", help=f"add somebody, or change role and password; asked for, or in ${_PASSWORD}")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--role", required=True, choices=("view", "control", "edit"), help="what they may")
    add.set_defaults(run=run_add)
    remove = verbs.add_parser("remove", help="take somebody out")
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(run=run_remove)
    listing = verbs.add_parser("list", help="list who there is")
    listing.set_defaults(run=run_list)
    for each in (add, remove, listing):
        each.add_argument("--file", type=Path, default=FILE, metavar="FILE", help=f"({FILE})")


def run_add(args: argparse.Namespace) -> int:
    """Add an operator."""
    from conductor.console.operators import read_operators, with_operator, write_operators
    from conductor.console.roles import ROLES

    known = read_operators(args.file) if args.file.exists() else {}
    was_there = args.name in known
    after = with_operator(known, args.name, ROLES[args.role], _password(args.name))
    write_operators(args.file, after)
    print(f"{args.file}: {args.name} ({args.role}){' has a new password' if was_there else ''}")
    return 0


def _password(name: str) -> str:
    given = os.environ.get(_PASSWORD)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise UsageError(f"the password is asked for at a terminal, or taken from ${_PASSWORD}")
    password = getpass.getpass(f"password of {name}: ")
    if getpass.getpass("once more: ") != password:
        raise UsageError("these were two different passwords")
    return password


def run_remove(args: argparse.Namespace) -> int:
    """Take an operator out."""
    from conductor.console.operators import read_operators, write_operators
    from conductor.setlist.yamlfile import did_you_mean

    known = read_operators(args.file)
    if args.name not in known:
        raise UsageError(f'{args.file}: there is no "{args.name}"{did_you_mean(args.name, known)}')
    write_operators(args.file, {name: each for name, each in known.items() if name != args.name})
    print(f"{args.file}: {args.name} is out")
    return 0


def run_list(args: argparse.Namespace) -> int:
    """List the operators."""
    from conductor.console.operators import read_operators

    known = read_operators(args.file)
    width = max(map(len, known), default=0)
    print("\n".join(f"{name:{width}}  {each.role}" for name, each in sorted(known.items())) or "nobody")
    return 0
