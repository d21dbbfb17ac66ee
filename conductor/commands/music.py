"""`conductor render`, `encode` and `decode`."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from conductor.clock import minutes
from conductor.commands.output import ENDINGS, check_output, write_piece
from conductor.errors import UsageError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from streaming.playing.render import Sound


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands about single files."""
    render = subparsers.add_parser("render", help="play a MIDI file into a sound file, picture or video")
    render.add_argument("midi", type=Path, metavar="FILE.mid")
    render.add_argument("output", type=Path, metavar="OUT.wav", help="or .flac, .png, .mp4")
    add = render.add_argument
    add(
        "--stems",
        type=Path,
        metavar="DIR",
        help="also a FLAC of each instrument and of the room: they add up to the mix",
    )
    add("--lufs", type=float, default=-14.0, metavar="N", help="loudness of the whole, -30 to -8 (default %(default)s)")
    add("--tail", type=float, default=3.0, metavar="S", help="seconds after the last note (default %(default)s)")
    add("--bank", metavar="PATH", help="play the samples of a SoundFont, .sf2 or .sf3, in place of the synth")
    add(
        "--variant",
        action="append",
        default=[],
        metavar="INSTRUMENT=NAME",
        help="who plays, such as bass=upright or guitar=steel; may be given several times",
    )
    add("--patches", type=Path, metavar="DIR", help="a folder of patches of one's own, before those of the program")
    add("--humanise", action="store_true", help="play written notes as people would, not exactly as the file says")
    where = render.add_mutually_exclusive_group()
    where.add_argument("--room", choices=("small", "hall"), help="default: the one of the piece's style")
    where.add_argument("--dry", action="store_true", help="in no room")
    render.set_defaults(run=run_render)

    encode = subparsers.add_parser("encode", help="print a MIDI file as tokens")
    encode.add_argument("midi", type=Path, metavar="FILE.mid")
    encode.add_argument("--style", help="say this style in the header")
    encode.set_defaults(run=run_encode)

    decode = subparsers.add_parser("decode", help="write tokens as a MIDI file")
    decode.add_argument("text", type=Path, metavar="FILE.txt", help="tokens apart by spaces ('-': standard input)")
    decode.add_argument("midi", type=Path, metavar="OUT.mid")
    decode.set_defaults(run=run_decode)


def run_render(args: argparse.Namespace) -> int:
    """Play a MIDI file into a file."""
    from model.midi import read_midi

    check_output(args.output, tuple(e for e in ENDINGS if e != ".mid"))
    sound, stems = _sound(args), args.stems
    found = read_midi(args.midi)
    # The pedal and what is turned are heard; the picture shows what is written.
    heard = read_midi(args.midi, pedal=True, controls=True).piece if sound is not None else None
    began = time.monotonic()
    report = write_piece(found.piece, args.output, sound=sound, stems=stems, heard=heard)
    seconds = time.monotonic() - began
    _tell_folded(found.folded)
    line = f"{args.output}: {minutes(found.piece.duration_s)} of music in {seconds:.1f} s"
    line += f" ({found.piece.duration_s / seconds:.1f} times real time)"
    if report is not None:
        line += f"; {report.lufs:.1f} LUFS, {report.dbtp:.1f} dBTP"
    print(line)
    if report is not None and report.stems:
        from streaming.playing.stemfiles import HEADROOM_DB

        print(f"{stems}: {len(report.stems)} stems that add up to the mix, each {HEADROOM_DB:.0f} dB softer")
        for name, samples in report.clipped.items():
            print(f"{stems / name}: {samples} samples were too loud for it; play softer with --lufs", file=sys.stderr)
    return 0


def _sound(args: argparse.Namespace) -> Sound | None:
    """Return how a file of sound is to be played; None where no sound is asked for.

    Raises:
        UsageError: what is asked for cannot be played.
    """
    sounds = args.output.suffix.lower() in (".wav", ".flac", ".mp4")
    if args.stems is not None and args.output.suffix.lower() not in (".wav", ".flac"):
        raise UsageError("--stems: only beside a .wav or .flac; name one as the output")
    if args.stems is not None and not args.stems.parent.is_dir():
        raise UsageError(f"{args.stems}: there is no folder {args.stems.parent}; make it first")
    if not -30.0 <= args.lufs <= -8.0:
        raise UsageError(f"--lufs {args.lufs:g}: give a loudness from -30 to -8")
    if not 0.0 <= args.tail <= 600.0:
        raise UsageError(f"--tail {args.tail:g}: give seconds, from 0 to 600")
    if not sounds:
        return None
    from conductor.setlist.banks import bank_of, bank_trouble
    from streaming.playing.render import Sound
    from streaming.soundfonts.sf2 import SYNTH

    bank = args.bank or SYNTH
    if wrong := bank_trouble(bank, Path()):
        raise UsageError(f"--bank: {wrong}")
    return Sound(
        tail_s=args.tail,
        lufs=args.lufs,
        room="dry" if args.dry else args.room,
        bank=bank_of(bank, Path()),
        expression=args.humanise,
        variants=_variants(args.variant, args.patches),
        patches=args.patches,
    )


def _variants(said: list[str], patches: Path | None) -> dict[str, str]:
    """Return the variants that are asked for as `bass=upright`.

    Raises:
        UsageError: they cannot be played.
    """
    from streaming.errors import PatchError
    from streaming.patches import library

    found: dict[str, str] = {}
    for each in said:
        name, equals, variant = each.partition("=")
        if not equals:
            raise UsageError(f"--variant {each}: write it as bass=upright")
        found[name.strip()] = variant.strip()
    try:
        library(patches).ensemble(variants=found)
    except PatchError as error:
        where = "--variant" if str(error).startswith("variants: ") else "--patches"
        raise UsageError(f"{where}: {str(error).removeprefix('variants: ')}") from error
    return found


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
