"""`conductor compose`, `render`, `encode` and `decode`."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from conductor.clock import minutes
from conductor.commands.output import ENDINGS, bar, check_output, write_piece
from conductor.errors import UsageError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

COMPOSE_EXAMPLES = """\
examples:
  conductor compose --style chopin --instruments piano,strings --minutes 4 -o piece.mid
  conductor compose --style jazz --seconds 30 --candidates 8 --seed 7 -o tune.wav
  conductor compose --style bach --opening theme.mid --opening-notes 12 -o variation.mp4
"""


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands about single pieces."""
    compose = subparsers.add_parser(
        "compose",
        help="compose a piece",
        description="Compose a piece: several candidates, one of the best of which is written.",
        epilog=COMPOSE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    compose.add_argument(
        "--style", help="such as chopin, bach, jazz, folk, rock; unknown names are answered with near ones"
    )
    compose.add_argument("--instruments", default="", metavar="A,B", help="such as piano,strings,drums (any)")
    length = compose.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, help="length (4)")
    length.add_argument("--seconds", type=float, help="length in seconds")
    compose.add_argument("--candidates", type=int, default=4, help="how many to choose from (4)")
    compose.add_argument("--seed", type=int, default=1, help="another seed is another piece (1)")
    compose.add_argument("--tempo", type=float, metavar="BPM", help="quarter notes a minute (any)")
    compose.add_argument("--temperature", type=float, default=1.0, help="lower is tamer (1.0)")
    compose.add_argument("--top-p", type=float, default=0.98, help="chance kept, the unlikeliest notes cut off (0.98)")
    compose.add_argument("--opening", type=Path, metavar="FILE.mid", help="music to go on from")
    compose.add_argument("--opening-notes", type=int, metavar="N", help="its first N notes alone")
    compose.add_argument("--title", default="", help="of the piece")
    compose.add_argument("--checkpoint", type=Path, metavar="FILE", help="weights (the shipped ones)")
    compose.add_argument("--threads", type=int, default=0, help="processor cores (all)")
    compose.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help=f"one of {', '.join(ENDINGS)}"
    )
    compose.set_defaults(run=run_compose)

    render = subparsers.add_parser("render", help="play a MIDI file into a sound file, picture or video")
    render.add_argument("midi", type=Path, metavar="FILE.mid")
    render.add_argument("output", type=Path, metavar="OUT.wav", help="or .flac, .png, .mp4")
    render.set_defaults(run=run_render)

    encode = subparsers.add_parser("encode", help="print a MIDI file as tokens")
    encode.add_argument("midi", type=Path, metavar="FILE.mid")
    encode.add_argument("--style", help="say this style in the header")
    encode.set_defaults(run=run_encode)

    decode = subparsers.add_parser("decode", help="write tokens as a MIDI file")
    decode.add_argument("text", type=Path, metavar="FILE.txt", help="tokens apart by spaces ('-': standard input)")
    decode.add_argument("midi", type=Path, metavar="OUT.mid")
    decode.set_defaults(run=run_decode)


def run_compose(args: argparse.Namespace) -> int:
    """Compose a piece and write it."""
    from model.composing.prompt import Prompt
    from model.network.checkpoint import SHIPPED

    prompt = Prompt.of(
        {
            "style": args.style,
            "instruments": tuple(name.strip() for name in args.instruments.split(",") if name.strip()),
            "duration_s": (4.0 if args.minutes is None else args.minutes) * 60
            if args.seconds is None
            else args.seconds,
            "candidates": args.candidates,
            "seed": args.seed,
            "tempo_bpm": args.tempo,
            "temperature": args.temperature,
            "top_p": args.top_p,
            "opening": None if args.opening is None else str(args.opening),
            "opening_notes": args.opening_notes,
            "title": args.title,
        }
    )
    check_output(args.output)
    # Only now: torch takes seconds to come.
    import torch

    from model.composing.composer import Composer

    if args.threads:
        torch.set_num_threads(args.threads)
    composer = Composer(args.checkpoint or SHIPPED)
    with bar("composing") as tell:
        take = composer.compose(prompt, progress=lambda fraction, _: tell(fraction))
    title = args.title or f"{prompt.style or 'untitled'}, seed {prompt.seed}"
    report = write_piece(replace(take.piece, title=title), args.output)
    composed_s = sum(j.measures.seconds for j in take.judgements)
    print(
        f"{args.output}: {take.piece.duration_s:.1f} s, {len(take.piece.notes)} notes for "
        f"{', '.join(take.piece.instruments)}; chosen of {len(take.judgements)}, composed in {take.seconds:.1f} s "
        f"({composed_s / take.seconds:.1f} s of music a second)"
    )
    for n, judgement in enumerate(take.judgements):
        mark = "*" if n == take.chosen else " "
        faults = "; ".join(judgement.faults) or "no faults"
        real = "" if judgement.critic is None else f"critic {judgement.critic:+.2f}, "
        surprise = f"{judgement.nats_per_token:.2f} nats a token"
        print(f"{mark} {n + 1}: score {judgement.score:+.2f}, {real}{surprise}, {faults}")
    if report is not None:
        print(f"{report.lufs:.1f} LUFS, {report.dbtp:.1f} dBTP")
    return 0


def run_render(args: argparse.Namespace) -> int:
    """Play a MIDI file into a file."""
    from model.midi import read_midi

    check_output(args.output, tuple(e for e in ENDINGS if e != ".mid"))
    found = read_midi(args.midi)
    began = time.monotonic()
    report = write_piece(found.piece, args.output)
    seconds = time.monotonic() - began
    _tell_folded(found.folded)
    line = f"{args.output}: {minutes(found.piece.duration_s)} of music in {seconds:.1f} s"
    line += f" ({found.piece.duration_s / seconds:.1f} times real time)"
    if report is not None:
        line += f"; {report.lufs:.1f} LUFS, {report.dbtp:.1f} dBTP"
    print(line)
    return 0


def run_encode(args: argparse.Namespace) -> int:
    """Print a MIDI file as tokens."""
    from model.composing.prompt import Prompt
    from model.language.tokenizer import encode, to_text
    from model.midi import read_midi

    if args.style is not None:
        Prompt(style=args.style).check()
    found = read_midi(args.midi)
    print(to_text(encode(replace(found.piece, style=args.style))))
    _tell_folded(found.folded)
    return 0


def run_decode(args: argparse.Namespace) -> int:
    """Write tokens as a MIDI file."""
    from model.errors import TokenError
    from model.language.tokenizer import decode, from_text
    from model.midi import write_midi

    try:
        text = sys.stdin.read() if str(args.text) == "-" else args.text.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{args.text}: {error.strerror}; give a text file of tokens") from error
    except UnicodeDecodeError:
        raise UsageError(f"{args.text}: not a text file; `conductor encode FILE.mid` prints such text") from None
    try:
        piece = decode(from_text(text), args.midi.stem)
    except TokenError as error:
        raise UsageError(f"{args.text}: {error}") from error
    if not piece.notes:
        raise UsageError(f"{args.text}: no notes in it")
    check_output(args.midi, (".mid",))
    write_midi(piece, args.midi)
    print(f"{args.midi}: {len(piece.notes)} notes, {piece.duration_s:.1f} s")
    return 0


def _tell_folded(folded: int) -> None:
    if folded:
        print(f"{folded} notes were moved by octaves into their instrument's range", file=sys.stderr)
