"""The command `conductor`: finds the subcommand, runs it, and prints what went wrong as a line."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

OWN_PACKAGES = ("conductor", "model", "kernels", "streaming")
# Modules with `add_parsers(subparsers)`. The first is light: what it knows is run without importing the others.
COMMAND_MODULES = (
    "show",
    "radio",
    "ctl",
    "status",
    "report",
    "operators",
    "composing",
    "music",
    "arranging",
    "quality",
    "training",
    "critic",
    "evaluation",
    "about",
    "ports",
    "controllers",
    "obs",
    "doctor",
    "kernels",
)
EXIT_ERROR = 2
EXIT_INTERRUPTED = 130


def foreign_packages() -> list[str]:
    """Return a line for each of our packages that Python would import from somewhere else."""
    root = Path(__file__).resolve().parent.parent
    lines = []
    for name in OWN_PACKAGES:
        spec = importlib.util.find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or origin.parent != root / name:
            where = origin.parent if origin else "nowhere"
            lines.append(
                f"the package `{name}` comes from {where}, not from {root}: another project has the same name - "
                "use an environment of its own (python -m venv .venv; .venv/bin/pip install conductor-live)"
            )
    return lines


def make_parser(wanted: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command line.

    Args:
        wanted: the subcommand that was asked for; modules after the one that knows it are not imported.
    """
    parser = argparse.ArgumentParser(
        prog="conductor", description="A live performance engine: composes, plays, draws and streams concerts."
    )
    parser.add_argument("--version", action="version", version=f"conductor {_version()}")
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMAND_MODULES:
        module = f"conductor.commands.{name}"
        if importlib.util.find_spec(module) is None:
            continue
        importlib.import_module(module).add_parsers(subparsers)
        if wanted in subparsers.choices:
            break
    return parser


def _version() -> str:
    try:
        return version("conductor-live")
    except PackageNotFoundError:
        return "(not installed)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status.

    Args:
        arguments: of the command line; those of the process by default.
    """
    # The matrices of numpy are small here, those of the sound most of all: a second thread costs more than it brings.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    given = list(sys.argv[1:] if arguments is None else arguments)
    if foreign := foreign_packages():
        print("\n".join(f"conductor: {line}" for line in foreign), file=sys.stderr)
        return EXIT_ERROR
    wanted = next((word for word in given if not word.startswith("-")), None)
    args = make_parser(wanted).parse_args(given)
    # Only now: `--help` need not wait for them.
    from conductor.errors import ConductorError, SetlistError
    from model.errors import ModelError
    from streaming.errors import StreamingError

    try:
        return int(args.run(args))
    except (ConductorError, ModelError, StreamingError) as error:
        if args.debug:
            raise
        # A setlist's lines begin with file:line:column, which editors can jump to.
        text = str(error) if isinstance(error, SetlistError) else f"conductor: {error}"
        print(text, file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("conductor: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output is gone (such as `head`); nothing more to say to them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR
    except Exception as error:
        if args.debug:
            raise
        logging.getLogger("conductor").exception("unexpected")
        print(f"conductor: unexpected: {type(error).__name__}: {error}{_log_hint(error)}", file=sys.stderr)
        return EXIT_ERROR


def _log_hint(error: Exception) -> str:
    """Return where the whole story is: the note a command left on the error, or how to see it."""
    notes = getattr(error, "__notes__", [])
    return f" ({notes[0]})" if notes else " (run again with: conductor --debug ...)"


if __name__ == "__main__":
    sys.exit(main())
