"""`conductor harmonise` and `conductor accompany`: others are composed to notes that stay as they are."""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from conductor.commands.output import ENDINGS, bar, check_output, write_piece
from conductor.errors import UsageError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from model.composing.prompt import Prompt
    from model.notes import Piece
    from model.parts import Parts

HARMONISE_EXAMPLES = """\
examples:
  conductor harmonise soprano.mid --style bach -o chorale.mid
  conductor harmonise chorale.mid --given outer --instruments choir -o inner.wav
"""
ACCOMPANY_EXAMPLES = """\
examples:
  conductor accompany melody.mid --instruments bass,drums,guitar,piano -o band.mid
  conductor accompany song.mid --tracks 1,2 --instruments drums --style rock -o song.mp4
"""


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands that compose to given notes."""
    harmonise = subparsers.add_parser(
        "harmonise",
        help="compose the other voices of a MIDI file",
        description="Compose the other voices: the file's own notes come back as they are.",
        epilog=HARMONISE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    harmonise.add_argument("midi", type=Path, metavar="FILE.mid")
    harmonise.add_argument("--instruments", default="", metavar="A,B", help="of the other voices (those of the file)")
    harmonise.add_argument("--voices", type=int, default=4, help="in all, those of the file counted (4)")
    harmonise.add_argument(
        "--given",
        choices=("all", "top", "bottom", "outer", "inner"),
        default="all",
        help="voices of the file that stay, the others left out (all)",
    )
    _add_common(harmonise)
    harmonise.set_defaults(run=run_harmonise)

    accompany = subparsers.add_parser(
        "accompany",
        help="compose other instruments to a MIDI file",
        description="Compose other instruments: the file's own notes come back as they are.",
        epilog=ACCOMPANY_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    accompany.add_argument("midi", type=Path, metavar="FILE.mid")
    accompany.add_argument("--instruments", required=True, metavar="A,B", help="that accompany, such as bass,drums")
    _add_common(accompany)
    accompany.set_defaults(run=run_accompany)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tracks", default="", metavar="1,2", help="tracks of the file that stay, others left out (all)"
    )
    parser.add_argument("--style", help="such as bach, jazz, folk, rock; unknown names are answered with near ones")
    parser.add_argument("--candidates", type=int, default=4, help="how many to choose from (4)")
    parser.add_argument("--seed", type=int, default=1, help="another seed is another piece (1)")
    parser.add_argument("--temperature", type=float, default=1.0, help="lower is tamer (1.0)")
    parser.add_argument("--top-p", type=float, default=0.98, help="chance kept, the unlikeliest notes cut off (0.98)")
    parser.add_argument("--title", default="", help="of the piece")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="weights (the shipped ones)")
    parser.add_argument("--threads", type=int, default=0, help="processor cores (all)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=f"one of {', '.join(ENDINGS)}")


def run_harmonise(args: argparse.Namespace) -> int:
    """Compose the other voices of a file."""
    from model.parts import read_parts

    parts = read_parts(args.midi, _numbers(args.tracks), args.given)
    return _arrange(args, parts, voices=args.voices)


def run_accompany(args: argparse.Namespace) -> int:
    """Compose other instruments to a file."""
    from model.parts import read_parts

    return _arrange(args, read_parts(args.midi, _numbers(args.tracks)), voices=None)


def _numbers(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(word.isdecimal() for word in words):
        raise UsageError(f"tracks {text!r}: write their numbers, such as 1,2")
    return tuple(int(word) for word in words)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _arrange(args: argparse.Namespace, parts: Parts, voices: int | None) -> int:
    """Compose to some parts of a file, and write them with what was composed."""
    from model.composing.arrangement import arrangement, length_of, others
    from model.composing.prompt import Prompt
    from model.midi import read_midi
    from model.parts import write_beside

    with TemporaryDirectory(prefix="conductor-") as folder:
        # Exactly what is given, and nothing else of the file.
        path = Path(folder) / "given.mid"
        parts.write(path)
        given = read_midi(path).piece
        arrangement(given, Prompt(given=str(args.midi)), voices)
        instruments = _names(args.instruments) or tuple(name for name in given.instruments if name != "drums")
        wishes: dict[str, Any] = {
            "style": args.style,
            "instruments": instruments,
            "duration_s": length_of(given),
            "candidates": args.candidates,
            "seed": args.seed,
            "temperature": args.temperature,
            "top_p": args.top_p,
            # What comes back is for the given notes to say.
            "form": "free",
            "given": str(path),
            "title": args.title or f"{args.midi.stem}, arranged",
        }
        prompt = Prompt.of(wishes if voices is None else {**wishes, "voices": voices})
        _check_parts(args, parts, given, prompt, voices)
        check_output(args.output)
        # Only now: torch takes seconds to come.
        import torch

        from model.composing.composer import Composer
        from model.network.checkpoint import SHIPPED

        if args.threads:
            torch.set_num_threads(args.threads)
        composer = Composer(args.checkpoint or SHIPPED)
        with bar("composing") as tell:
            take = composer.compose(prompt, progress=lambda fraction, _: tell(fraction))
    added = others(take.piece, given)
    report = None
    if args.output.suffix.lower() == ".mid":
        write_beside(parts, added, args.output)
    else:
        report = write_piece(take.piece, args.output)
    print(
        f"{args.output}: {len(given.notes)} given notes as they were, {len(added.notes)} composed for "
        f"{', '.join(added.instruments)}; {take.piece.duration_s:.1f} s, chosen of {len(take.judgements)}, "
        f"composed in {take.seconds:.1f} s"
    )
    if report is not None:
        print(f"{report.lufs:.1f} LUFS, {report.dbtp:.1f} dBTP")
    return 0


def _check_parts(args: argparse.Namespace, parts: Parts, given: Piece, prompt: Prompt, voices: int | None) -> None:
    """Refuse to compose what the file has, or nothing."""
    if not prompt.instruments:
        raise UsageError(f"{args.midi}: drums alone have no voices; name others with --instruments")
    if voices is not None:
        return
    twice = [name for name in prompt.ensemble if name in given.instruments]
    if twice:
        found = ", ".join(f"{n} {name}" for n, name in enumerate(parts.names, 1))
        raise UsageError(
            f"{args.midi}: it plays the {twice[0]} already; ask for others, or keep some of its tracks with --tracks "
            f"({found})"
        )
