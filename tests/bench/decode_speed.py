"""How fast music is decoded, beside others: `python -m tests.bench.decode_speed`.

Tokens a second of all candidates together after a prompt that they share, read
before the clock runs: our engine, our network in eager PyTorch, and Hugging
Face's `generate`, CTranslate2 and llama.cpp with a Llama of the same layers,
width, heads, shared key-value heads, feed-forward width and vocabulary. All
weights are random and all draw the likeliest token. Every peer decodes in a
process of its own, in all the variants it has; the fastest counts. The chosen
take turns, round by round, so that a neighbour's work falls on each alike;
speeds and ratios are medians over the rounds.

"Same shape" is not the same work: ours has windows on most layers, which the
peers' Llama has not. `roofline` is the part of the machine's rate, measured in
each round, that a step reaches: what it must read (weights once, keys and
values of the shared prompt once) and multiply over what was read and multiplied
a second, whichever takes longer; `memory` the same with the rate of memory
alone, more than 1 where the network fits in the caches.

A table, then one line of JSON. Refused when tests are red or logits of ours are
not those of the network.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.bench.decoders.case import SHAPES, Case
from tests.bench.decoders.contest import PEERS, Contest
from tests.bench.hardware import described, facts, green

HERE = Path(__file__).parents[2]
# Red ones mean that a figure of decoding is of something broken.
TESTS = (
    "tests/model/network/test_transformer.py",
    *(str(p.relative_to(HERE)) for p in HERE.glob("tests/**/test_decod*.py")),
)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows for a person."""
    lines = [
        f"{'shape':<7}{'threads':>8}{'case':>10}  {'decoder':<15}{'variant':<20}{'tokens/s':>9}"
        f"{'x HF':>7}{'x native':>9}{'roofline':>9}{'memory':>8}"
    ]
    for row in rows:
        case = f"{row['batch']} x {row['context']}"
        cells = [
            f"{row[name]:.2f}" if name in row else "" for name in ("times_hf", "times_native", "roofline", "memory")
        ]
        lines.append(
            f"{row['shape']:<7}{row['threads']:>8}{case:>10}  {PEERS[row['what']].title:<15}{row['variant']:<20}"
            f"{row['tokens_per_s']:>9.0f}{cells[0]:>7}{cells[1]:>9}{cells[2]:>9}{cells[3]:>8}"
        )
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """Return what the command understands."""

    def number(text: str) -> int:
        if (found := int(text)) < 1:
            raise argparse.ArgumentTypeError(f"{found}: 1 or more")
        return found

    def numbers(text: str) -> list[int]:
        return [number(part) for part in text.split(",")]

    def names(known: Sequence[str]) -> Any:
        def parse(text: str) -> list[str]:
            found = text.split(",")
            if wrong := [name for name in found if name not in known]:
                raise argparse.ArgumentTypeError(f"{', '.join(wrong)}: it can be {', '.join(known)}")
            return found

        return parse

    command = argparse.ArgumentParser(
        prog="python -m tests.bench.decode_speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--threads", type=numbers, default=[2, 1], help="processor cores, one or more (2,1)")
    command.add_argument("--shapes", type=names(list(SHAPES)), default=["small", "25m"], help="(small,25m)")
    command.add_argument(
        "--only",
        type=names(list(PEERS)),
        default=[name for name, peer in PEERS.items() if not peer.slow],
        help=f"of {', '.join(PEERS)} (all but compiled)",
    )
    command.add_argument("--batch", type=numbers, default=[1, 8], help="candidates (1,8)")
    command.add_argument("--context", type=numbers, default=[256, 3900], help="tokens of the prompt (256,3900)")
    command.add_argument("--tokens", type=number, default=64, help="steps of a turn (64)")
    command.add_argument("--rounds", type=number, default=5, help="turns of each (5)")
    command.add_argument("--json", type=Path, metavar="OUT", help="a file for the line of JSON as well")
    command.add_argument("--quick", action="store_true", help="no tests first, the tiny shape: no figures")
    return command


def main(argv: list[str] | None = None) -> int:
    """Print the table and the JSON line; 1 when tests or logits are wrong."""
    args = parser().parse_args(argv)
    if args.quick:
        args.shapes = ["tiny"]
    elif not green(TESTS):
        print(f"tests are red ({', '.join(TESTS)}): nothing is reported")
        return 1
    print(described(max(args.threads)))
    rows: list[dict[str, Any]] = []
    checks: list[dict[str, Any]] = []
    lost: dict[str, str] = {}
    for threads in args.threads:
        with closing(Contest(args.only, threads)) as contest:
            for shape in args.shapes:
                checks += contest.check(shape)
                if wrong := [row for row in checks if not row["right"]]:
                    for row in wrong:
                        print(
                            f"{row['what']}, {row['variant']}: logits of {row['shape']} are off by {row['error']:.3g}"
                        )
                    print("nothing is reported")
                    return 1
                for context in args.context:
                    for batch in args.batch:
                        rows += contest.measured(Case(shape, batch, context, args.tokens), args.rounds)
            lost |= contest.lost
    print(table(rows))
    for name, said in lost.items():
        print(f"{name}: {said}")
    asked = {"bench": "decode_speed", "quick": args.quick, "tokens": args.tokens, "rounds": args.rounds}
    line = json.dumps({**asked, **facts(max(args.threads)), "rows": rows, "checks": checks, "lost": lost})
    print(line)
    if args.json is not None:
        args.json.write_text(line + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
