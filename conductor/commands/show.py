"""`conductor check` and `conductor run`."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from conductor.clock import minutes
from conductor.errors import ConductorError, SetlistError, UsageError
from conductor.logs import FORMS
from conductor.publication import chosen, warnings
from conductor.setlist import Setlist, load_setlist
from conductor.setlist.inforce import in_force
from conductor.show.stage import DEFAULT_OBS, RunFolder, ShowOptions, check_options, check_space, slug

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from conductor.controllers.plan import ControllerMap
    from conductor.logs import Terminal

LOG_NAME = "show.log"
# The folders of shows that are given none.
SHOWS = Path("shows")


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `check` and `run`."""
    check = subparsers.add_parser("check", help="check a setlist and print what it holds")
    check.add_argument("setlist", type=Path, metavar="SETLIST", help="a YAML file")
    check.set_defaults(run=run_check)

    run = subparsers.add_parser("run", help="run a show", description="Run a show from a setlist until Ctrl-C.")
    run.add_argument("setlist", type=Path, metavar="SETLIST", help="a YAML file")
    run.add_argument("--fast", action="store_true", help="play all cues as fast as it goes, into --record")
    add_show_options(run)
    run.set_defaults(run=run_show)


def add_show_options(run: argparse.ArgumentParser) -> None:
    """Add how a show is run, whatever it plays."""
    run.add_argument("--data", type=Path, metavar="DIR", help="folder of pieces, log and database (./shows/TITLE)")
    run.add_argument("--record", type=Path, metavar="FILE.mp4", help="record the programme")
    run.add_argument("--auto-reload", action="store_true", help="take up a changed setlist at once")
    again = run.add_mutually_exclusive_group()
    again.add_argument("--fresh", action="store_true", help="begin anew even where an earlier run broke off")
    again.add_argument("--resume", action="store_true", help="go on with the piece, and where it was, that was ended")
    run.add_argument("--port", type=int, default=8080, help="of the console (8080; 0: none)")
    run.add_argument("--host", default="127.0.0.1", help="address of the console (127.0.0.1: this machine alone)")
    run.add_argument(
        "--operators",
        type=Path,
        metavar="FILE",
        help="who may log in to the console; made by: conductor operators",
    )
    run.add_argument("--size", type=_size, default=(1280, 720), metavar="WxH", help="of the picture (1280x720)")
    run.add_argument("--fps", type=int, default=30, choices=(24, 25, 30, 50, 60), help="pictures a second (30)")
    run.add_argument("--nut", type=int, default=19003, metavar="PORT", help="where OBS reads (19003; 0: nowhere)")
    run.add_argument("--obs", default=DEFAULT_OBS, metavar="URL", help=f"OBS's WebSocket ({DEFAULT_OBS}; '': none)")
    run.add_argument("--stream", action="store_true", help="have OBS stream (to where its own settings say)")
    run.add_argument(
        "--publish",
        action="append",
        metavar="NAME|URL",
        help="where the feed streams to by itself, in place of the setlist's stream: (a name in it, twitch, youtube, "
        "an address; several times for several; none: nowhere). The key is never an argument: see docs/streaming.md",
    )
    run.add_argument("--stamp", action="store_true", help="draw picture numbers and flashes, for A/V measurements")
    run.add_argument("--checkpoint", type=Path, metavar="FILE", help="weights of the composer (the shipped ones)")
    run.add_argument("--log-format", choices=FORMS, default="text", help="of show.log (text), json for machines")
    run.add_argument(
        "--metrics-token",
        type=Path,
        metavar="FILE",
        help="a token in it lets others read /metrics: see docs/observing.md",
    )


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size like 1280x720")
    return int(width), int(height)


def run_check(args: argparse.Namespace) -> int:
    """Print a summary of the setlist."""
    setlist = load_setlist(args.setlist)
    maps_of(setlist)
    print(summary(setlist))
    return 0


def summary(setlist: Setlist) -> str:
    """Return a setlist as a table."""
    rows = [("no.", "id", "name", "style", "instruments", "length", "starts", "seed")]
    for cue in setlist.cues:
        early, over = f"{cue.follow.hang_s:g} s early", f"morph of {cue.follow.morph_s:g} s"
        starts = {"hang": early, "morph": over}.get(cue.follow.kind, cue.follow.kind)
        style, instruments = str(cue.style or "any"), " ".join(cue.instruments) or "any"
        rows.append((cue.number, cue.id, cue.name, style, instruments, minutes(cue.duration_s), starts, str(cue.seed)))
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    total = minutes(sum(cue.duration_s for cue in setlist.cues))
    lines = [f"{setlist.title}: {len(setlist.cues)} cues, {total}, {setlist.ahead} composed ahead"]
    if setlist.cues:
        lines += [
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
    if endless := setlist.endless:
        whole = sum(weight for _, weight in endless.styles)
        shares = ", ".join(f"{style} {weight / whole:.0%}" for style, weight in endless.styles)
        lines.append(f"then without end: {shares}; {minutes(endless.duration_s)} each")
        joins = ", ".join(kind for kind, _ in endless.radio.joins)
        parts = ", ".join(map(str, endless.radio.dayparts)) or "none"
        again_s = endless.radio.repeat_after_s
        again = f"again after {minutes(again_s)} at the earliest" if again_s else "again at any time"
        lines.append(f"  joined by {joins}; parts of the day: {parts}; a piece comes {again}")
    return "\n".join(lines)


def run_show(args: argparse.Namespace) -> int:
    """Run a show until it is over or somebody ends it."""
    setlist = setlist_of(args.setlist, args.data, fresh=args.fresh or args.fast)
    if args.fast and not setlist.cues:
        raise UsageError(f"--fast: {args.setlist} has no cues, only an endless part - it would never end")
    if args.fast and args.publish:
        raise UsageError("--fast plays into a file, not to an audience: leave out --publish")
    return asyncio.run(perform(setlist, options_of(args, setlist)))


def setlist_of(path: Path, data: Path | None, *, fresh: bool) -> Setlist:
    """Return a setlist; where its file is spoilt and a show by it broke off, as it was in force then.

    Args:
        path: of its file.
        data: the show's folder; None: any of this place.
        fresh: no show is gone on with.

    Raises:
        SetlistError: the file is spoilt, and nothing was in force.
    """
    try:
        return load_setlist(path)
    except SetlistError:
        folders = [data] if data else sorted(SHOWS.glob("*/"))
        found = None if fresh else in_force(path, folders)
        if found is None:
            raise
        # The show tells the mistakes, as it tells those that are made while it runs.
        return found


def options_of(args: argparse.Namespace, setlist: Setlist) -> ShowOptions:
    """Return how a show is run, as the command line says."""
    fast = getattr(args, "fast", False)
    return ShowOptions(
        data=args.data or SHOWS / slug(setlist.title),
        record=args.record,
        host=args.host,
        operators=args.operators,
        port=args.port,
        width=args.size[0],
        height=args.size[1],
        fps=args.fps,
        nut_port=args.nut,
        obs_url="" if fast else args.obs,
        obs_password=os.environ.get("OBS_PASSWORD", ""),
        stream=args.stream,
        fast=fast,
        auto_reload=args.auto_reload,
        fresh=args.fresh,
        resume=args.resume,
        checkpoint=args.checkpoint,
        publish=() if fast else chosen(setlist.stream, args.publish or ()),
        stamp=args.stamp,
        debug=args.debug,
        log_format=args.log_format,
        metrics_token=args.metrics_token,
    )


async def perform(setlist: Setlist, options: ShowOptions, *, hours: float | None = None) -> int:
    """Check what the show needs, run it, and put everything away.

    Args:
        setlist: what is played.
        options: how.
        hours: after which it ends with a fade; None: when it is over, or somebody ends it.

    Raises:
        ConductorError: it cannot start, or did not end well.
    """
    # Imported here: `check` needs none of it.
    from conductor.console.server import Console
    from conductor.controllers.operating import Controllers
    from conductor.library import Library
    from conductor.logs import Terminal, log_to, stop_logging
    from conductor.observing.lookout import Lookout
    from conductor.observing.redaction import Redactor, secrets_of
    from conductor.show.show import Show

    maps = maps_of(setlist)
    run = RunFolder(options.data)
    try:
        check_options(options, inhabited=run.inhabited())
        library = Library(options.data)
    except BaseException:
        run.close()
        raise
    log = options.data / LOG_NAME
    secrets = Redactor(secrets_of(options.publish, options.obs_password))
    handler = log_to(log, debug=options.debug, form=options.log_format, redact=secrets)
    terminal = Terminal()
    console = controllers = osc = chat = None
    try:
        show = Show(setlist, options, library, run, terminal, obs=make_obs(options, setlist))
        terminal.say(f"{setlist.title}: {len(setlist.cues)} cues{', then without end' if setlist.endless else ''}")
        show.beside(Lookout(show).follow)
        if options.port:
            console = Console(show, run=run.path)
            terminal.say(f"  console  {await console.start()}")
        if setlist.osc and not options.fast:
            from conductor.osc.server import Osc

            osc = Osc(show, setlist.osc)
            terminal.say(f"  osc      {await osc.start()}")
        if setlist.chat and not options.fast:
            from conductor.chat.room import Chat

            chat = Chat(show, setlist.chat)
            terminal.say(f"  chat     {setlist.chat.place}")
        terminal.say(f"  pieces   {library.pieces}")
        terminal.say(f"  log      {log}")
        for destination in options.publish:
            terminal.say(f"  streams  to {destination.name} ({destination.place})")
        for line in warnings(options.publish):
            terminal.warn(line)
        if warning := check_space(options.data):
            terminal.warn(warning)
        if maps and not options.fast:
            controllers = Controllers(show, maps)
            controllers.start()
        if chat:
            chat.start()
        if hours is not None:
            asyncio.get_running_loop().call_later(hours * 3600, show.end)
        try:
            await show.run()
        finally:
            if not options.fast:
                tell_end(options.data, terminal)
        return 0
    except Exception as error:
        error.add_note(f"the log is {log}")
        raise
    finally:
        if controllers:
            controllers.close()
        if chat:
            await chat.stop()
        if osc:
            await osc.stop()
        if console:
            await console.stop()
        library.close()
        run.close()
        stop_logging(handler)


def tell_end(data: Path, terminal: Terminal) -> None:
    """Leave the show's report in its folder, and print what matters most of it."""
    from conductor.commands.report import NAMES, leave
    from conductor.observing.telling import short

    try:
        report = leave(data)
    except (ConductorError, OSError) as error:
        terminal.warn(f"there is no report of this show: {error}")
        return
    terminal.say(short(report))
    terminal.say(f"  report     {data / NAMES[0]}, {NAMES[1]}")


def maps_of(setlist: Setlist) -> list[ControllerMap]:
    """Return the maps of the controllers that a setlist names.

    Raises:
        MapError: all their mistakes, each with its place.
    """
    from conductor.controllers.reading import read_maps
    from conductor.controllers.table import VERBS

    return read_maps(setlist.controllers, VERBS)


def make_obs(options: ShowOptions, setlist: Setlist) -> Obs | None:
    """Return who drives OBS, or nobody where none is wanted.

    Args:
        options: how the show is run.
        setlist: says what OBS is to do, and how the picture looks.

    Raises:
        ObsError: the address is none.
    """
    if not options.obs_url or not options.nut_port:
        return None
    from streaming.obs.director import ObsDirector
    from streaming.obs.kept import kept_offset_ms
    from streaming.picture.themefile import read_theme

    plan = setlist.obs
    return ObsDirector(
        options.obs_url,
        options.obs_password,
        f"tcp://127.0.0.1:{options.nut_port}",
        audio_offset_ms=kept_offset_ms(options.obs_url) if plan.offset_ms is None else plan.offset_ms,
        roll_after_s=plan.roll_after_s,
        keyed=read_theme(setlist.theme).transparent,
    )


if TYPE_CHECKING:
    from conductor.show.stage import Obs
