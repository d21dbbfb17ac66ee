"""`conductor obs`: OBS made ready for a show, looked at, calibrated."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conductor.errors import UsageError
from conductor.show.stage import DEFAULT_OBS

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """\
Secrets come from the environment alone, and are never printed:

  OBS_PASSWORD        of OBS's WebSocket server (Tools, WebSocket Server Settings)
  OBS_STREAM_SERVER   rtmp://..., rtmps://..., or a service that OBS knows, such as Twitch
  OBS_STREAM_KEY      of the stream

  conductor obs setup             scenes and inputs, in the OBS that runs
  conductor obs setup --files     the same as files, for an OBS that does not
  conductor obs calibrate         measure how far sound and picture are apart in OBS, and keep the result
  conductor obs status            whether the programme is seen and heard
"""
DEFAULT_NUT = 19003


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `obs` with its own subcommands."""
    obs = subparsers.add_parser(
        "obs",
        help="make OBS ready for a show, look at it, calibrate it",
        description="Make OBS ready for a show, look at it, calibrate it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = obs.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--obs", default=DEFAULT_OBS, metavar="URL", help=f"OBS's WebSocket ({DEFAULT_OBS})")

    setup = verbs.add_parser("setup", parents=[common], help="make scenes and inputs; again as often as you like")
    setup.add_argument("--nut", type=int, default=DEFAULT_NUT, metavar="PORT", help="where OBS reads (19003)")
    setup.add_argument("--collection", metavar="NAME", help="scene collection to make them in (Conductor)")
    setup.add_argument("--here", action="store_true", help="in the scene collection that OBS shows now")
    setup.add_argument("--files", action="store_true", help="write OBS's files instead; OBS must not be running")
    setup.add_argument("--folder", type=Path, metavar="DIR", help="OBS's settings, for --files (where OBS has them)")
    setup.add_argument("--size", type=_size, default=(1280, 720), metavar="WxH", help="of OBS's picture, for --files")
    setup.add_argument("--fps", type=int, default=30, choices=(24, 25, 30, 50, 60), help="for --files (30)")
    setup.set_defaults(run=run_setup)

    status = verbs.add_parser("status", parents=[common], help="whether the programme is seen and heard in OBS")
    status.add_argument("--json", action="store_true", help="print JSON")
    status.set_defaults(run=run_status)

    calibrate = verbs.add_parser(
        "calibrate", parents=[common], help="measure how far sound and picture are apart in OBS (it records a moment)"
    )
    calibrate.add_argument("--starts", type=int, default=3, metavar="N", help="how often it is measured (3)")
    calibrate.set_defaults(run=run_calibrate)


def run_setup(args: argparse.Namespace) -> int:
    """Make scenes and inputs."""
    from streaming.obs.kept import kept_offset_ms
    from streaming.obs.layout import COLLECTION
    from streaming.obs.link import ObsLink, version_of
    from streaming.obs.scenes import set_up

    if args.here and args.collection:
        raise UsageError("--here and --collection: one of them")
    feed_url = f"tcp://127.0.0.1:{args.nut}"
    service = stream_settings(os.environ)
    if args.files:
        return _write(args, feed_url, service)
    link = ObsLink(args.obs, os.environ.get("OBS_PASSWORD", ""))
    try:
        print(f"OBS {version_of(link)} at {args.obs}")
        lines = set_up(
            link,
            feed_url,
            collection="" if args.here else args.collection or COLLECTION,
            offset_ms=kept_offset_ms(args.obs),
            service=service,
        )
        count = 0
        for count, line in enumerate(lines, 1):  # noqa: B007  # counted to the end
            print(f"  {line}")
        print("ready: conductor run SETLIST" if count else "all of it is there already")
    finally:
        link.close()
    return 0


def _write(args: argparse.Namespace, feed_url: str, service: Mapping[str, Any] | None) -> int:
    from streaming.obs.files import Plan, obs_folder, write_files
    from streaming.obs.kept import kept_offset_ms
    from streaming.obs.layout import COLLECTION, Canvas
    from streaming.obs.link import parse_url

    password = os.environ.get("OBS_PASSWORD", "")
    if not password:
        raise UsageError(
            "choose a password for OBS's WebSocket server, which others can reach: export OBS_PASSWORD=..."
        )
    name = args.collection or COLLECTION
    plan = Plan(
        canvas=Canvas(args.size[0], args.size[1], args.fps),
        feed_url=feed_url,
        password=password,
        port=parse_url(args.obs)[1],
        name=name,
        offset_ms=kept_offset_ms(args.obs),
        service=service,
    )
    count = 0
    for count, line in enumerate(write_files(args.folder or obs_folder(), plan), 1):  # noqa: B007
        print(f"  {line}")
    print(f"start OBS with: obs --profile {name} --collection {name}" if count else "all of it is there already")
    return 0


def stream_settings(environment: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the streaming service that the environment asks for; None: none.

    Raises:
        UsageError: there is a server without a key, or a key without a server.
    """
    from streaming.obs.scenes import stream_service

    server, key = environment.get("OBS_STREAM_SERVER", ""), environment.get("OBS_STREAM_KEY", "")
    if bool(server) != bool(key):
        missing = "OBS_STREAM_KEY" if server else "OBS_STREAM_SERVER"
        raise UsageError(f"{missing} is not set: set both OBS_STREAM_SERVER and OBS_STREAM_KEY, or neither")
    return stream_service(server, key) if server else None


def run_status(args: argparse.Namespace) -> int:
    """Tell how OBS is; the exit status is 1 when something keeps the programme from the audience."""
    from streaming.obs.survey import survey

    found = survey(args.obs, os.environ.get("OBS_PASSWORD", ""))
    print(json.dumps(found.as_json()) if args.json else "\n".join(found.lines()))
    return 1 if any(found.wrong()) else 0


def run_calibrate(args: argparse.Namespace) -> int:
    """Measure, set and keep the delay of the programme's sound."""
    from streaming.obs.calibration import calibrate
    from streaming.obs.kept import keep_offset

    if not 1 <= args.starts <= 20:
        raise UsageError(f"--starts {args.starts}: from 1 to 20")
    measured = calibrate(args.obs, os.environ.get("OBS_PASSWORD", ""), starts=args.starts, say=print)
    path = keep_offset(args.obs, measured.offset_ms)
    print(f"the programme's sound is delayed by {measured.offset_ms} ms in OBS from now on (kept in {path})")
    return 0


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size like 1280x720")
    return int(width), int(height)
