"""`conductor controllers`: MIDI controllers of the operator listed, tried out, taught."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from conductor.errors import UsageError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from conductor.controllers.learning import Found
    from conductor.controllers.plan import ControllerMap

EXAMPLES = """\
  conductor controllers list                          the ports that can be heard, and the maps that are there
  conductor controllers monitor                       show what a controller sends
  conductor controllers learn go --map mine.yaml      press a key: it gives GO from now on
  conductor controllers learn standby cue=2 --map mine.yaml
  conductor controllers learn change.energy 20 110 --map mine.yaml      move a fader
  conductor controllers check mine.yaml               what the map does; its mistakes, each with its place
  conductor controllers monitor --map mine.yaml       try it out, without a show

In a setlist:

  controllers: [mine.yaml, nanokontrol2]
"""
# Moved for so long, a fader or an encoder is known.
_MOVING_S = 1.5


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `controllers` with its own subcommands."""
    controllers = subparsers.add_parser(
        "controllers",
        help="list, try out and teach MIDI controllers",
        description="List, try out and teach MIDI controllers.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = controllers.add_subparsers(dest="verb", metavar="COMMAND", required=True)

    listing = verbs.add_parser("list", help="list ports that can be heard, and the maps that come with the program")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(run=run_list)

    check = verbs.add_parser("check", help="check maps and print what they do")
    check.add_argument(
        "maps", nargs="+", metavar="MAP", help="a file, or the name of a map that comes with the program"
    )
    check.set_defaults(run=run_check)

    monitor = verbs.add_parser("monitor", help="show what controllers send, and what a map makes of it")
    which = monitor.add_mutually_exclusive_group()
    which.add_argument("--port", metavar="NAME", help="of the port, or a part of it (all ports)")
    which.add_argument("--map", metavar="MAP", help="show the orders that it makes, too; no show hears them")
    monitor.add_argument("--seconds", type=float, default=0.0, metavar="S", help="end after so long (Ctrl-C ends it)")
    monitor.set_defaults(run=run_monitor)

    learn = verbs.add_parser("learn", help="wait for a press, or a fader to be moved, and write it into a map")
    learn.add_argument("order", metavar="VERB", help="such as go, hold, standby; change.energy or fade.seconds")
    learn.add_argument(
        "arguments", nargs="*", metavar="NAME=VALUE", help="of the verb; for a fader, the values at its two ends"
    )
    learn.add_argument("--map", type=Path, default=Path("controller.yaml"), help="the file (controller.yaml)")
    learn.add_argument("--port", metavar="NAME", help="of the port, or a part of it (that of the map, or all)")
    learn.add_argument("--replace", action="store_true", help="though the key does something already")
    learn.add_argument("--seconds", type=float, default=30.0, metavar="S", help="how long it waits (30)")
    learn.set_defaults(run=run_learn)


def run_list(args: argparse.Namespace) -> int:
    """List ports and maps; none is no error."""
    from conductor.controllers.reading import read_map
    from conductor.controllers.shelf import shipped
    from conductor.controllers.table import VERBS
    from streaming.midi.heldport import chosen
    from streaming.midi.ports import SystemInPorts

    ports = SystemInPorts("controller")
    try:
        names = ports.names()
        missing = "" if names else ports.missing()
    finally:
        ports.close()
    maps = {name: read_map(path, VERBS) for name, path in shipped().items()}
    if args.json:
        told = {name: {"name": each.name, "port": each.port, "path": str(each.path)} for name, each in maps.items()}
        print(json.dumps({"ports": names, "missing": missing, "maps": told}))
        return 0
    print("\n".join(["ports that can be heard:", *(f"  {name}" for name in names or [missing])]))
    print("maps that come with the program:")
    width = max(map(len, maps))
    for name, each in maps.items():
        there = chosen(each.port, names)
        print(f"  {name:{width}}  {each.name}{f': {there}' if there else ''}")
    return 0


def run_check(args: argparse.Namespace) -> int:
    """Tell what maps do."""
    from conductor.controllers.reading import read_maps
    from conductor.controllers.shelf import find_map
    from conductor.controllers.table import VERBS

    maps = read_maps([find_map(name, Path()) for name in args.maps], VERBS)
    print("\n\n".join(summary(each) for each in maps))
    return 0


def summary(plan: ControllerMap) -> str:
    """Return a map as a table."""
    from conductor.controllers.plan import Deed

    def told(deed: Deed) -> str:
        return " ".join([deed.verb, *(f"{name}={value}" for name, value in deed.arguments.items())])

    rows = []
    for button in plan.buttons:
        does = told(button.does) + (f", then {told(button.undoes)}" if button.undoes else "")
        shows = " ".join(button.light.glows) if button.light else ""
        rows.append((button.name, str(button.key), does, shows))
    for dial in plan.dials:
        kind = "encoder" if dial.encoding else "fader"
        ends = f"{dial.verb} {dial.argument} {dial.scale.low:g} to {dial.scale.high:g}"
        rows.append((dial.name, str(dial.key), ends, kind))
    widths = [max(len(row[n]) for row in rows) for n in range(4)]
    lights = f"lights to {plan.lights_port}" if plan.lights_port else "no lights"
    lines = [f'{plan.name}: port "{plan.port}", {lights}']
    lines += ["  " + "  ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def run_monitor(args: argparse.Namespace) -> int:
    """Print what comes, until the time is over or somebody ends it."""
    from conductor.controllers.hearing import hearing
    from conductor.controllers.message import heard
    from conductor.controllers.reading import read_map
    from conductor.controllers.shelf import find_map
    from conductor.controllers.surface import Surface
    from conductor.controllers.table import VERBS

    plan = read_map(find_map(args.map, Path()), VERBS) if args.map else None
    surface = Surface(plan) if plan else None
    for name, messages in hearing(plan.port if plan else args.port, args.seconds or float("inf"), say=_tell):
        for message in messages:
            said = heard(message)
            print(f"{name}: {f'{said[0]}: {said[1]}' if said else message.hex(' ')}")
        if surface is None:
            continue
        now_s = time.monotonic()
        for press in [*surface.hear(messages, now_s), *surface.tick(now_s)]:
            print("  ->", " ".join([press.verb, *(f"{n}={v}" for n, v in press.arguments.items())]))
        for line in surface.news:
            print(f"  {line}")
        surface.news.clear()
        sys.stdout.flush()
    return 0


def run_learn(args: argparse.Namespace) -> int:
    """Wait for a press or a move, and write what it is into the map."""
    from conductor.controllers.learning import control_of, write_control
    from conductor.controllers.reading import read_map
    from conductor.controllers.table import VERBS
    from conductor.controllers.wish import wish_of

    does = wish_of(args.order, args.arguments)
    port = args.port
    if args.map.exists():
        port = port or read_map(args.map, VERBS).port
    found, name = _wait(port, args.seconds, fader="sets" in does)
    done = write_control(args.map, control_of(found, does), port=name, replace=args.replace)
    print(f"{found.key}: {args.order}, {done}")
    read_map(args.map, VERBS)
    return 0


def _wait(port: str | None, seconds: float, *, fader: bool) -> tuple[Found, str]:
    """Return the control that was used, and the name of its port."""
    from conductor.controllers.hearing import hearing
    from conductor.controllers.learning import moved, pressed

    prompt = "move the fader over its whole way, or turn the knob to and fro" if fader else "press the key"
    asked = threading.Event()

    def say(there: bool, text: str) -> None:
        _tell(there, text)
        # Not before it would be heard.
        if there and not asked.is_set():
            asked.set()
            print(prompt, flush=True)

    came: dict[str, list[bytes]] = {}
    began: dict[str, float] = {}
    for name, messages in hearing(port, seconds, say=say):
        if messages:
            came.setdefault(name, []).extend(messages)
            began.setdefault(name, time.monotonic())
        for heard_from, all_of_it in came.items():
            if fader and time.monotonic() - began[heard_from] < _MOVING_S:
                continue
            if found := (moved if fader else pressed)(all_of_it):
                return found, heard_from
    raise UsageError(f"nothing was {'moved' if fader else 'pressed'} within {seconds:g} seconds")


def _tell(_there: bool, text: str) -> None:
    print(text, file=sys.stderr, flush=True)
