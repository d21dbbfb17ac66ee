"""`conductor ports`: the MIDI ports of this machine."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """\
In a setlist, a port is named by its name or a part of it:

  midi: {port: Piano, channels: {piano: 1, drums: 10}, clock: true, latency: 20ms}
"""


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `ports`."""
    ports = subparsers.add_parser(
        "ports",
        help="list the MIDI ports that a show's notes can be sent to",
        description="List the MIDI ports that a show's notes can be sent to.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ports.add_argument("--json", action="store_true", help="print JSON")
    ports.set_defaults(run=run_ports)


def run_ports(args: argparse.Namespace) -> int:
    """List the ports; none is no error."""
    from streaming.midi.ports import SystemPorts

    ports = SystemPorts()
    try:
        names = ports.names()
        if args.json:
            print(json.dumps({"ports": names, "missing": "" if names else ports.missing()}))
        else:
            print("\n".join(names) if names else ports.missing())
    finally:
        ports.close()
    return 0
