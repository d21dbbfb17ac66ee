"""What all benchmarks of training are told on the command line, and how they begin."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from model.errors import ModelError
from model.learning.corpus import Corpus, build
from model.learning.trainer import Plan
from model.network.config import PRESETS, Config
from tests.bench.hardware import described, green

# Red ones mean that a figure of training is of something broken.
TESTS = (
    "tests/model/learning/test_trainer.py",
    "tests/model/learning/test_windows.py",
    "tests/model/network/test_transformer.py",
)
PROCESSOR_CLOCK = "count seconds of processor time, which a neighbour's work does not eat; with --threads 1"


def parser(name: str, about: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that all benchmarks of training share.

    Args:
        name: of the module.
        about: its docstring.
    """
    command = argparse.ArgumentParser(
        prog=f"python -m tests.bench.{name}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = command.add_mutually_exclusive_group()
    source.add_argument("--data", type=Path, metavar="DIR", help="a corpus already built (by `conductor train`)")
    source.add_argument("--corpus", type=Path, metavar="DIR", help="a folder of MIDI files; built under --out first")
    command.add_argument("--out", type=Path, metavar="DIR", help="keeps each finished run, so that it goes on there")
    command.add_argument("--preset", choices=sorted(PRESETS), default="small", help="shape of our model (small)")
    command.add_argument("--rows", type=int, default=8, help="rows of a batch (8)")
    command.add_argument("--tokens", type=int, default=1024, help="tokens of a row (1024)")
    command.add_argument("--threads", type=int, default=1, help="processor cores for torch (1)")
    command.add_argument("--seed", type=int, default=0, help="of weights and batches (0)")
    command.add_argument("--pieces", type=int, default=64, help="held-out pieces read (64)")
    command.add_argument("--split", choices=("valid", "test"), default="valid", help="which are held out (valid)")
    command.add_argument("--quick", action="store_true", help="a made-up corpus, the tiny model, seconds: no figures")
    return command


def shape(args: argparse.Namespace) -> Config:
    """Return the shape of our model."""
    return PRESETS["tiny"] if args.quick else PRESETS[args.preset]


def command(main: Callable[[], int]) -> int:
    """Run a benchmark's main; what a person got wrong is one line and status 2."""
    try:
        return main()
    except ModelError as error:
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
        return 2


def plan(args: argparse.Namespace) -> Plan:
    """Return how our model is trained; its number of steps is the budget's business."""
    if args.quick:
        return Plan(rows=2, tokens=256, warmup=2, seed=args.seed)
    return Plan(rows=args.rows, tokens=args.tokens, seed=args.seed)


@contextmanager
def prepared(args: argparse.Namespace, tests: Sequence[str] = TESTS) -> Iterator[tuple[Corpus, Path] | None]:
    """Yield the corpus and the folder for finished runs, or None where tests are red and nothing may be reported.

    Args:
        args: of a `parser`.
        tests: files whose tests must pass; `--quick` reports no figures and runs none.

    Raises:
        CorpusError: there is nothing to learn from.
    """
    torch.set_num_threads(args.threads)
    if not args.quick and not green(tests):
        print(f"tests are red ({', '.join(tests)}): nothing is reported")
        yield None
        return
    print(described(args.threads))
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        out: Path = args.out or Path(scratch)
        out.mkdir(parents=True, exist_ok=True)
        yield Corpus(_data(args, out)), out


def _data(args: argparse.Namespace, out: Path) -> Path:
    """Return a folder of a built corpus."""
    if args.data is not None:
        return Path(args.data)
    built: Path = out / "corpus"
    if (built / "pieces.json").exists():
        return built
    midi = args.corpus
    if midi is None:
        if not args.quick:
            raise SystemExit("say what to learn from: --data DIR (built) or --corpus DIR (MIDI files)")
        midi = _made_up(out / "midi")
    build(Path(midi), built, processes=args.threads)
    return built


def _made_up(folder: Path) -> Path:
    """Write tunes and an index that holds some of them out."""
    from tests.model.making import write_corpus

    write_corpus(folder, pieces=16)
    lines = ["path,style,genre,split,performed"]
    for n, path in enumerate(sorted(folder.rglob("*.mid"))):
        split = ("valid", "train")[n % 2]
        lines.append(f"{path.relative_to(folder)},{path.parent.name},folk,{split},0")
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    return folder
