"""`conductor compose` and `conductor openings`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conductor.commands.output import ENDINGS, bar, check_output, first_interrupt, write_piece
from conductor.errors import UsageError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from model.composing.prompt import Prompt

COMPOSE_EXAMPLES = """\
examples:
  conductor compose --style chopin --instruments piano,strings --minutes 4 -o piece.mid
  conductor compose --style jazz --seconds 30 --candidates 8 --seed 7 -o tune.wav
  conductor compose --style chopin:0.6,jazz:0.4 --key "d minor" --form song -o blend.mid
  conductor compose --style "chopin>jazz@60s" --density 0s:low,60s:high --energy 0s:48,60s:100 -o morph.mp4
  conductor compose --opening clair-de-lune --minutes 2 -o moon.wav
  conductor compose --style bach --opening theme.mid --opening-notes 12 -o variation.mp4
  conductor compose --continue-from piece.mid --at 45 --style jazz --minutes 2 -o other-end.mid
"""
OPENINGS_EXAMPLES = """\
examples:
  conductor openings                          all of them
  conductor openings --style folk             those in a style
  conductor openings greensleeves             one, and where it comes from
  conductor openings greensleeves -o tune.wav and what it sounds like (.mid, .wav, .flac, .png, .mp4)
"""


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands that make new pieces."""
    compose = subparsers.add_parser(
        "compose",
        help="compose a piece",
        description="Compose a piece: several candidates, one of the best of which is written. "
        "Ctrl-C ends the piece where it is and writes it.",
        epilog=COMPOSE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_music(compose.add_argument_group("what it should be (all of it may be left to the model)"))
    _add_beginning(compose.add_argument_group("what it begins with (nothing)"))
    work = compose.add_argument_group("how it is composed")
    work.add_argument("--candidates", type=int, default=4, help="how many to choose from (4)")
    work.add_argument("--seed", type=int, default=1, help="another seed is another piece (1)")
    work.add_argument("--temperature", type=float, default=1.0, help="lower is tamer (1.0)")
    work.add_argument("--top-p", type=float, default=0.98, help="chance kept, the unlikeliest notes cut off (0.98)")
    work.add_argument("--checkpoint", type=Path, metavar="FILE", help="weights (the shipped ones)")
    work.add_argument("--threads", type=int, default=0, help="processor cores (all)")
    compose.add_argument("--title", default="", help="of the piece")
    compose.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help=f"one of {', '.join(ENDINGS)}"
    )
    compose.set_defaults(run=run_compose)

    openings = subparsers.add_parser(
        "openings",
        help="list the openings a piece can begin with",
        description="The openings that come with the program: beginnings of well-known pieces, to compose on from.",
        epilog=OPENINGS_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    openings.add_argument("name", nargs="?", metavar="NAME", help="of one (all)")
    openings.add_argument("--style", help="only those in a style")
    openings.add_argument("-o", "--output", type=Path, metavar="FILE", help=f"write it: one of {', '.join(ENDINGS)}")
    openings.set_defaults(run=run_openings)


def _add_music(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--style",
        metavar="STYLE",
        help="such as chopin, bach, jazz, folk, rock; several at once: chopin:0.6,jazz:0.4; "
        "a change from one to another: 'chopin>jazz@60s'",
    )
    group.add_argument(
        "--instruments",
        default="",
        metavar="A,B",
        help="such as piano,strings,drums; no other plays (those it begins with, or any)",
    )
    length = group.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, help="length (4)")
    length.add_argument("--seconds", type=float, help="length in seconds")
    group.add_argument("--key", metavar="KEY", help="such as 'd minor', Dm, 'Eb major'")
    group.add_argument("--tempo", type=float, metavar="BPM", help="quarter notes a minute")
    group.add_argument(
        "--density", metavar="D", help="low, mid, high or notes a second of all instruments; over time: 0s:low,60s:high"
    )
    group.add_argument(
        "--energy", metavar="E", help="low, mid, high or a MIDI velocity of 1 to 127; over time: 0s:48,60s:100"
    )
    group.add_argument(
        "--form",
        default="auto",
        help="order of the sections, A bringing the theme back: free, binary, ternary, song, rondo, arch, variations, "
        'or letters such as "A A\' B A" (auto: by the length)',
    )
    group.add_argument("--silence", type=float, default=2.0, metavar="S", help="the longest silence, in seconds (2)")


def _add_beginning(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--opening", metavar="NAME|FILE", help="a shipped opening (`conductor openings` lists them) or a MIDI file"
    )
    group.add_argument("--opening-notes", type=int, metavar="N", help="its first N notes (all within half the length)")
    group.add_argument("--opening-seconds", type=float, metavar="S", help="its first S seconds")
    group.add_argument(
        "--opening-tokens",
        metavar="TEXT|FILE",
        help="tokens as `conductor encode` prints them; what their header says holds where nothing else is asked for",
    )
    group.add_argument("--continue-from", metavar="FILE.mid", help="a piece that stays as it is up to --at")
    group.add_argument("--at", metavar="SECONDS", help="where composing begins in it, such as 45, 45s or 1m30s")


def prompt_of(args: argparse.Namespace) -> Prompt:
    """Return what the options of `conductor compose` ask for.

    Raises:
        PromptError: it cannot be composed.
    """
    from model.composing.course import seconds_of
    from model.composing.prompt import Prompt

    minutes = 4.0 if args.minutes is None else args.minutes
    values: dict[str, Any] = {
        "style": args.style,
        "instruments": tuple(name.strip() for name in args.instruments.split(",") if name.strip()),
        "duration_s": minutes * 60 if args.seconds is None else args.seconds,
        "candidates": args.candidates,
        "seed": args.seed,
        "temperature": args.temperature,
        "top_p": args.top_p,
        "tempo_bpm": args.tempo,
        "key": args.key,
        "density": args.density,
        "energy": args.energy,
        "silence_s": args.silence,
        "form": args.form,
        "opening": args.opening,
        "opening_notes": args.opening_notes,
        "opening_s": args.opening_seconds,
        "opening_tokens": None if args.opening_tokens is None else _text(args.opening_tokens),
        "continue_from": args.continue_from,
        "at_s": None if args.at is None else seconds_of(args.at),
        "title": args.title,
    }
    return Prompt.of(values)


def _text(value: str) -> str:
    """Return what an option says: the text itself, or that of the file it names."""
    path = Path(value)
    # Tokens are words apart by spaces; one word with an ending is a file.
    if len(value.split()) != 1 or not path.suffix:
        return value
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give tokens or a text file of tokens") from error
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not a text file; `conductor encode FILE.mid` prints such text") from None


def run_compose(args: argparse.Namespace) -> int:
    """Compose a piece and write it."""
    from model.composing.opening import opening_of
    from model.network.checkpoint import SHIPPED

    prompt = prompt_of(args)
    # What it begins with is read again by the composer; a mistake in it is told at once.
    opening = opening_of(prompt)
    check_output(args.output)
    # Only now: torch takes seconds to come.
    import torch

    from model.composing.composer import Composer

    if args.threads:
        torch.set_num_threads(args.threads)
    composer = Composer(args.checkpoint or SHIPPED)
    with bar("composing") as tell, first_interrupt("ending it here") as interrupted:
        take = composer.compose(prompt, progress=lambda fraction, _: tell(fraction), finish=interrupted)
    title = args.title or f"{prompt.style or take.piece.style or 'untitled'}, seed {prompt.seed}"
    report = write_piece(replace(take.piece, title=title), args.output)
    composed_s = sum(j.measures.seconds for j in take.judgements)
    print(
        f"{args.output}: {take.piece.duration_s:.1f} s, {len(take.piece.notes)} notes for "
        f"{', '.join(take.piece.instruments)}; chosen of {len(take.judgements)}, composed in {take.seconds:.1f} s "
        f"({composed_s / take.seconds:.1f} s of music a second)"
    )
    if opening is not None:
        print(f"  begins with {opening.seconds:.1f} s that were there before")
    for n, judgement in enumerate(take.judgements):
        mark = "*" if n == take.chosen else " "
        faults = "; ".join(judgement.faults) or "no faults"
        real = "" if judgement.critic is None else f"critic {judgement.critic:+.2f}, "
        surprise = f"{judgement.nats_per_token:.2f} nats a token"
        print(f"{mark} {n + 1}: score {judgement.score:+.2f}, {real}{surprise}, {faults}")
    if report is not None:
        print(f"{report.lufs:.1f} LUFS, {report.dbtp:.1f} dBTP")
    return 0


def run_openings(args: argparse.Namespace) -> int:
    """List the shipped openings, or write one."""
    from model.midi import read_midi
    from model.openings.shelf import find, shipped

    if args.name is None:
        if args.output is not None:
            raise UsageError(f"{args.output}: which opening? write conductor openings NAME -o {args.output}")
        found = [one for one in shipped().values() if args.style in (None, one.style)]
        if not found:
            styles = sorted({one.style for one in shipped().values()})
            raise UsageError(f"no opening in the style {args.style!r}; there are openings in {', '.join(styles)}")
        rows = [(one.name, one.style, ", ".join(one.instruments), f"{one.composer}: {one.title}") for one in found]
        widths = [max(len(row[n]) for row in rows) for n in range(3)]
        for row in rows:
            print("  ".join((*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3])))
        return 0
    one = find(args.name)
    piece = replace(read_midi(one.path).piece, title=one.title, style=one.style)
    if args.output is not None:
        check_output(args.output)
        write_piece(piece, args.output)
        print(f"{args.output}: {one.title}, {piece.duration_s:.1f} s")
        return 0
    print(f"{one.name}: {one.composer}, {one.title}")
    print(f"  {one.style}, {one.key or 'no key'}, {piece.tempi[0].bpm:.0f} bpm, {', '.join(one.instruments)}")
    print(f"  {piece.duration_s:.1f} s, {len(piece.notes)} notes; {one.path}")
    print(f"  {one.licence}, cut from {one.source}")
    return 0
