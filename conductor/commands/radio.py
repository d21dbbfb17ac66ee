"""`conductor radio`: endless radio, with a setlist or without."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from conductor.clock import minutes
from conductor.commands.show import SHOWS, add_show_options, options_of, perform, setlist_of
from conductor.errors import LibraryError, UsageError
from conductor.radio.night import Planned, night
from conductor.radio.station import Station, weights_of
from conductor.setlist import Setlist, load_setlist
from conductor.setlist.radioparts import JOINS, MOST_S, span_of
from conductor.setlist.values import MAX_SEED, known_style
from model.composing.blend import main_style
from model.whole import whole

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from conductor.radio.plan import Radio

DATA = SHOWS / "radio"
FILE = "radio.yaml"


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `radio`."""
    radio = subparsers.add_parser(
        "radio",
        help="play for ever",
        description="Play for ever: pieces drawn by weight, with variety, until Ctrl-C. Without SETLIST a station of "
        f"the usual styles is made; its setlist is {FILE} in the folder of pieces and can be changed while it plays.",
    )
    radio.add_argument("setlist", nargs="?", type=Path, metavar="SETLIST", help="a YAML file with endless:")
    radio.add_argument("--styles", metavar="NAME=WEIGHT,...", help="what is drawn, such as chopin=3,jazz=1")
    radio.add_argument("--title", help="of the station")
    radio.add_argument("--minutes", type=float, metavar="N", help="length of a piece (4)")
    radio.add_argument("--join", choices=JOINS, help="how pieces follow (crossfade, now and then a morph)")
    radio.add_argument("--seed", type=int, metavar="N", help="the same seed draws the same night (another every time)")
    radio.add_argument("--hours", type=float, metavar="N", help="end with a fade after so long (for ever)")
    radio.add_argument("--plan", metavar="TIME", help="print what is drawn in the next 24h, or so, and play nothing")
    radio.add_argument("--from", dest="start", metavar="HH:MM", help="with --plan: when the radio begins (now)")
    add_show_options(radio)
    radio.set_defaults(run=run_radio)


def run_radio(args: argparse.Namespace) -> int:
    """Play, or print what would be played."""
    _check(args)
    station = Station(args.title, weights_of(args.styles) if args.styles else None, args.minutes, args.seed, args.join)
    if args.plan:
        span_s = _span(args.plan)
        setlist = load_setlist(args.setlist) if args.setlist else _planned(station, args.data)
        return _print_night(_seeded(setlist, args.seed), span_s, args.start)
    data = args.data or (None if args.setlist else DATA)
    path = args.setlist or _kept(station, data or DATA)
    setlist = setlist_of(path, data, fresh=args.fresh)
    options = options_of(argparse.Namespace(**{**vars(args), "data": data}), setlist)
    return asyncio.run(perform(_seeded(setlist, args.seed), options, hours=args.hours))


def _check(args: argparse.Namespace) -> None:
    wishes = [name for name in ("styles", "title", "minutes", "join") if getattr(args, name) is not None]
    if args.setlist and wishes:
        raise UsageError(
            f"--{wishes[0]} is for a radio without a file; write it into {args.setlist}, or leave that out"
        )
    if args.seed is not None and not 0 <= args.seed <= MAX_SEED:
        raise UsageError(f"--seed {args.seed}: 0 to {MAX_SEED}")
    if args.hours is not None and not 0 < args.hours <= 24 * 365:
        raise UsageError(f"--hours {args.hours:g}: above 0; leave it out to play for ever")
    if args.minutes is not None and not 0.25 <= args.minutes <= 20:
        raise UsageError(f"--minutes {args.minutes:g}: 0.25 to 20")
    if args.start and not args.plan:
        raise UsageError("--from is for --plan; a radio begins now")
    for name, _ in weights_of(args.styles) if args.styles else ():
        try:
            known_style(name)
        except ValueError as error:
            raise UsageError(f"--styles {args.styles}: {error}") from None


def _kept(station: Station, data: Path) -> Path:
    """Return the station's setlist in its folder: as it was left, or anew where something is wished of it."""
    path = data / FILE
    if path.exists() and station == Station():
        return path
    try:
        data.mkdir(parents=True, exist_ok=True)
        with whole(path) as partial:
            partial.write_text(station.setlist, encoding="utf-8")
    except OSError as error:
        raise LibraryError(f"{path}: cannot be written ({error.strerror}) - choose a folder with --data DIR") from None
    return path


def _planned(station: Station, data: Path | None) -> Setlist:
    """Return the station as it would play; nothing is left on the disk."""
    import tempfile

    kept = (data or DATA) / FILE
    if kept.exists() and replace(station, seed=None) == Station():
        return load_setlist(kept)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        path.write_text(station.setlist, encoding="utf-8")
        return load_setlist(path)


def _seeded(setlist: Setlist, seed: int | None) -> Setlist:
    if setlist.endless is None:
        raise UsageError(f"{setlist.path} has no endless: part, and a radio is that - write one, or use: conductor run")
    return setlist if seed is None else replace(setlist, endless=replace(setlist.endless, seed=seed))


def _span(text: str) -> float:
    try:
        return span_of(text, 60.0, MOST_S)
    except ValueError as error:
        raise UsageError(f"--plan {text}: {error}") from None


def _begins(text: str | None, radio: Radio) -> float:
    """Return a local time of today, in seconds since 1970."""
    if text is None:
        return time.time()
    try:
        at = datetime.strptime(text, "%H:%M")
    except ValueError:
        raise UsageError(f"--from {text}: write a time of the day such as 22:00") from None
    return radio.local(time.time()).replace(hour=at.hour, minute=at.minute, second=0, microsecond=0).timestamp()


def _print_night(setlist: Setlist, span_s: float, start: str | None) -> int:
    endless = setlist.endless
    if endless is None:
        return 1
    seed = secrets.randbelow(MAX_SEED) if endless.seed is None else endless.seed
    start_s = _begins(start, endless.radio)
    drawn = night(endless, seed, start_s, setlist.cues)
    pieces = list(itertools.takewhile(lambda piece: piece.moment_s < start_s + span_s, drawn))
    print(f"{setlist.title}: {len(pieces)} pieces of {minutes(endless.duration_s)}, seed {seed} (--seed {seed} again)")
    print(night_table(pieces, endless.radio))
    return 0


def night_table(pieces: Sequence[Planned], radio: Radio) -> str:
    """Return what is drawn as a table, and the share that each style has of it.

    Args:
        pieces: one after the other.
        radio: whose local time is told.
    """
    rows = [("on air", "no.", "style", "instruments", "key", "bpm", "energy", "starts", "card")]
    day = ""
    for piece in pieces:
        cue, local = piece.cue, radio.local(piece.moment_s)
        today = f"{local:%a %d}"
        when, day = f"{local:%H:%M}{'' if today == day else f'  {today}'}", today
        controls, follow = cue.controls, cue.follow
        starts = {"hang": f"{follow.hang_s:g} s early", "morph": f"morph {follow.morph_s:g} s"}.get(follow.kind, "")
        energy = "" if controls.energy is None else f"{controls.energy.at(0):g}"
        tempo = "" if controls.tempo_bpm is None else f"{controls.tempo_bpm:g}"
        rows.append(
            (when, cue.number, str(cue.style), " ".join(cue.instruments) or "any", controls.key or "", tempo, energy,
             starts, cue.ident)
        )  # fmt: skip
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    counts = Counter(main_style(piece.cue.style) for piece in pieces)
    shares = ", ".join(f"{style} {count / len(pieces):.0%}" for style, count in counts.most_common())
    return "\n".join([*lines, f"in all: {shares}"])
