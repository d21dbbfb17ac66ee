"""`conductor status`: whether the show is heard, what is on, and what keeps it going."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conductor.clock import minutes
from conductor.errors import UsageError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

AUDIBLE, INAUDIBLE, NO_SHOW = 0, 1, 2
WATCH_EVERY_S = 2.0
EPILOG = """\
The show is found by itself where one runs on this machine; --port or --data say which. Where its conductor does not
answer, the sound itself is looked at.

The exit status is 0 while the audience hears it, 1 while it does not, 2 where there is no show.
"""


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `status`."""
    parser = subparsers.add_parser(
        "status",
        help="whether the show is heard, what is on, and what keeps it going",
        description="Whether the show is heard, what is on, and what keeps it going.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--watch", action="store_true", help="look again every two seconds, until Ctrl-C")
    where = parser.add_argument_group("which show").add_mutually_exclusive_group()
    where.add_argument("--port", type=int, help="of its console")
    where.add_argument("--data", type=Path, metavar="DIR", help="its folder")
    parser.set_defaults(run=run_status)


def run_status(args: argparse.Namespace) -> int:
    """Tell how the show is, once or again and again."""
    while True:
        told, code = _look(args)
        text = json.dumps(told, ensure_ascii=False, indent=None if args.watch else 2) if args.json else shown(told)
        if args.watch and not args.json and sys.stdout.isatty():
            # From the top, without a flicker: what was longer before is wiped away.
            text = "\x1b[H" + "".join(f"{line}\x1b[K\n" for line in text.splitlines()) + "\x1b[J"
            print(text, end="", flush=True)
        else:
            print(text, file=sys.stderr if code == NO_SHOW and not args.json else sys.stdout, flush=True)
        if not args.watch:
            return code
        time.sleep(WATCH_EVERY_S)


def _look(args: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Return how the show is, and the exit status that says so."""
    from conductor.console.calling import caller

    try:
        reply = caller(port=args.port, data=args.data).call("GET", "/api/status")
        if reply.status != 200:
            raise UsageError(reply.reason)
    except UsageError as error:
        return _without_conductor(args, str(error))
    return reply.body, AUDIBLE if reply.body["audible"] else INAUDIBLE


def _without_conductor(args: argparse.Namespace, why: str) -> tuple[dict[str, Any], int]:
    from conductor.observing.ringside import look
    from conductor.show.stage import run_folder_of

    folders = [run_folder_of(args.data)] if args.data else None
    seen = look(folders)
    if len(seen) != 1:
        return {"ok": False, "audible": False, "reasons": [why]}, NO_SHOW
    reasons = [f"no conductor answers, only its workers are at work ({why})", *seen[0].reasons]
    told = {"ok": False, "audible": seen[0].audible, "reasons": reasons}
    return told, AUDIBLE if seen[0].audible else INAUDIBLE


def shown(told: dict[str, Any]) -> str:
    """Return a status as people read it."""
    how = "heard" if told["audible"] else "BRIDGED BY THE FEED" if told.get("bridged") else "NOT HEARD"
    lines = [f"{told.get('title', 'a show')}: {how}"]
    lines += [f"! {reason}" for reason in [*told["reasons"], *told.get("alarms", ())]]
    if "workers" not in told:
        return "\n".join(lines)
    lines[0] += "".join(f", {word}" for word in told["switches"])
    live, coming, out = told["live"], told["next"], told["outputs"]
    air = "the bed"
    if live:
        air = f"{live['number']} {live['name']}, {minutes(told['position_s'])} of {minutes(live['duration_s'])}"
    lines += [f"on air   {air}", f"next     {_coming(coming)}"]
    lines.append(f"ahead    {minutes(told['ahead_s'])} of music is ready")
    if told["momentary_lufs"] is not None:
        sound = f"sound    {told['momentary_lufs']:.1f} LUFS now, {told['integrated_lufs']:.1f} on the whole"
        lines.append(sound + (f"; not heard for {told['inaudible_s']:.0f} s in all" if told["inaudible_s"] else ""))
    lines += _outputs(out)
    lines.append("")
    lines.append(f"{'':9}  {'up':>9}  {'memory':>9}  {'CPU':>7}  {'restarts':>8}")
    for name, each in told["workers"].items():
        if not each["up"]:
            lines.append(f"{name:9}  {'DOWN':>9}  {'':>9}  {'':>7}  {each['restarts']:>8}")
            continue
        share = f"{100 * each['cpu_s'] / each['up_s']:.0f} %" if each["up_s"] else ""
        memory = f"{each['memory_mb']:.0f} MB"
        lines.append(f"{name:9}  {minutes(each['up_s']):>9}  {memory:>9}  {share:>7}  {each['restarts']:>8}")
    return "\n".join(lines)


def _coming(cue: dict[str, Any] | None) -> str:
    if cue is None:
        return "nothing"
    phase = f"composing {cue['fraction']:.0%}" if cue["phase"] == "composing" else cue["phase"]
    return f"{cue['number']} {cue['name']} ({phase})"


def _outputs(out: dict[str, Any]) -> list[str]:
    lines = []
    for to in out["destinations"]:
        text = f"{to['name']}: {to['state']} for {minutes(to['for_s'])}"
        text += f", {to['kbit_s']} kbit/s" if to["state"] == "live" else ""
        text += f", {to['dropped']} packets dropped" if to["dropped"] else ""
        text += f", {to['reconnects']} reconnects" if to["reconnects"] else ""
        lines.append(text + (f" ({to['last_error']})" if to["last_error"] and to["state"] != "live" else ""))
    if obs := out["obs"]:
        how = "streaming" if obs["streaming"] else "connected" if obs["connected"] else "not connected"
        lines.append(f"OBS: {how}{': ' + obs['text'] if obs['text'] else ''}")
    if out["viewers"]:
        lines.append(f"{out['viewers']} watch in a browser")
    if out["recording"]:
        lines.append(f"recording to {out['recording']}")
    return [f"{'out' if index == 0 else '':9}{line}" for index, line in enumerate(lines)]
