"""`conductor quality`: whether a piece may go on stage, and the index that says what is copied."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from model.gate.gate import Gate, Verdict
    from model.gate.index import CopyIndex
    from model.notes import Piece

EXIT_REFUSED = 1
EXAMPLES = """\
examples:
  conductor quality piece.mid                         measures and verdict; exit status 1 where it is refused
  conductor quality --length 240 --prompt 20 piece.mid
  conductor quality --json *.mid                      a line of JSON a file
  conductor quality --index --corpus ~/midi -o run1/best-music.npz    the index of somebody's own training music

An index lies beside the weights it belongs to: best.safetensors, best-music.npz.
"""


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `quality`."""
    quality = subparsers.add_parser(
        "quality",
        help="measure pieces and say whether they may be played",
        description="Measure pieces as the gate does before a piece may be armed.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = quality.add_argument
    add("midi", type=Path, nargs="*", metavar="FILE.mid")
    add("--length", type=float, metavar="S", help="seconds that were asked for (whatever came)")
    add("--prompt", type=float, default=0.0, metavar="S", help="seconds at the beginning that were given (0)")
    add("--checkpoint", type=Path, metavar="FILE", help="weights beside which the index lies (the shipped ones)")
    add("--json", action="store_true", help="print a line of JSON for each file")
    add("--index", action="store_true", help="make the index of a corpus instead")
    add(
        "--corpus",
        type=Path,
        metavar="DIR",
        help="with --index: MIDI files as for `train`, or what was built of them",
    )
    add("-o", "--output", type=Path, metavar="FILE.npz", help="with --index: where it goes")
    quality.set_defaults(run=run_quality)


def run_quality(args: argparse.Namespace) -> int:
    """Examine pieces, or make an index."""
    from conductor.errors import UsageError

    if args.index:
        if args.corpus is None or args.output is None or args.midi:
            raise UsageError("--index needs --corpus DIR and -o FILE.npz, and no other files")
        return _make_index(args.corpus, args.output)
    if args.corpus is not None or args.output is not None:
        raise UsageError("--corpus and -o go with --index")
    if not args.midi:
        raise UsageError("no files to examine; name MIDI files, or make an index with --index")
    for name, least in (("length", 1.0), ("prompt", 0.0)):
        value = getattr(args, name)
        if value is not None and not least <= value < float("inf"):
            raise UsageError(f"--{name} {value:g}: it needs {least:g} s at least")
    return _examine(args.midi, _gate(args.checkpoint), args)


def _gate(checkpoint: Path | None) -> Gate:
    from conductor.errors import UsageError
    from model.gate.gate import SHIPPED_INDEX, Gate, index_of
    from model.gate.index import CopyIndex

    if checkpoint is None:
        return Gate(CopyIndex.load(SHIPPED_INDEX))
    if not index_of(checkpoint).exists():
        raise UsageError(f"{index_of(checkpoint)}: no index beside the weights; make one with --index")
    return Gate.of(checkpoint)


def _examine(paths: Sequence[Path], gate: Gate, args: argparse.Namespace) -> int:
    from model.learning.corpus import tidy
    from model.midi import read_midi

    refused = 0
    for path in paths:
        piece = tidy(read_midi(path).piece)
        verdict = gate.examine(piece, length_s=args.length, prompt_s=args.prompt)
        refused += bool(verdict.refusals)
        print(json.dumps(_facts(path, piece, verdict)) if args.json else _told(path, piece, verdict))
    return EXIT_REFUSED if refused else 0


def _facts(path: Path, piece: Piece, verdict: Verdict) -> dict[str, Any]:
    from model.composing.quality import measure

    return {
        "file": str(path),
        "refused": bool(verdict.refusals),
        "refusals": [asdict(refusal) for refusal in verdict.refusals],
        "measures": asdict(measure(piece)),
        "runs": [asdict(run) for run in verdict.runs],
    }


def _told(path: Path, piece: Piece, verdict: Verdict) -> str:
    from model.composing.quality import measure
    from model.gate.gate import LONGEST_RUN

    found = measure(piece)
    lines = [
        f"{path}: {'refused' if verdict.refusals else 'may be played'}",
        *(f"  {refusal}" for refusal in verdict.refusals),
        f"  {found.seconds:.1f} s, {found.notes_per_second:.1f} notes a second, {found.polyphony:.1f} at once",
        f"  silent {found.silence:.0%}, repeated spans {found.looped:.0%}, "
        f"pitch classes {found.entropy_bits:.1f} bits, longest note {found.longest_note_s:.1f} s",
    ]
    for run in verdict.runs:
        source = f", as in {run.source}" if run.source else ""
        lines.append(f"  longest run in the {run.line}: {run.notes} notes of {LONGEST_RUN[run.line]} allowed{source}")
    return "\n".join(lines)


def _make_index(corpus: Path, output: Path) -> int:
    from conductor.commands.output import check_output

    check_output(output, (".npz",))
    index = _index_of(corpus)
    index.save(output)
    print(f"{output}: {len(index.keys)} shingles of {len(index.names)} pieces, {output.stat().st_size / 1e6:.1f} MB")
    return 0


def _index_of(corpus: Path) -> CopyIndex:
    """Return the index of a built corpus, or of a folder of MIDI that is built for it."""
    import tempfile

    from conductor.commands.output import bar
    from model.errors import CorpusError
    from model.gate.index import CopyIndex
    from model.learning.corpus import Corpus, build

    with tempfile.TemporaryDirectory() as scratch:
        built = corpus
        if not (corpus / "pieces.json").exists():
            built = Path(scratch)
            with bar("reading") as tell:
                build(corpus, built, progress=lambda done, every: tell(done / every))
        music = Corpus(built)
        if not music.split("train"):
            raise CorpusError(f"{corpus}: no piece in its train split; there is nothing to index")
        with bar("indexing") as tell:
            return CopyIndex.of(music, tell)
