"""How fast music is composed: `python -m tests.bench.bench_compose`. A table, then one line of JSON.

Several candidates share each step, so that tokens a second rise with their
number. A take is ready when all of them are: `take` is its length over the time
it took, and must stay well above 1 for a show that composes ahead of playback.
Refused when the sampler's and the transformer's tests are red.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import torch

from model.composing.sampler import Sampler
from model.composing.settings import Settings
from model.errors import ModelError
from model.language.header import Header, groups_of
from model.network.checkpoint import SHIPPED, load, read_card

TESTS = (
    "tests/model/composing/test_sampler.py",
    "tests/model/network/test_transformer.py",
    "tests/model/composing/test_grammar.py",
)
ENSEMBLE = ("piano", "violin", "cello", "flute")
DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}


def processor() -> str:
    """Return the name of the processor, as the kernel says it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def measured(sampler: Sampler, candidates: int, length_s: float) -> dict[str, float]:
    """Compose once; return what it cost."""
    header = Header(groups=groups_of(ENSEMBLE), tempo_bpm=100.0)
    settings = Settings(length_s, ENSEMBLE, header, candidates=candidates, seed=1)
    wall, processor_s = time.monotonic(), time.process_time()
    drawn = sampler.draw(settings)
    wall, processor_s = time.monotonic() - wall, time.process_time() - processor_s
    tokens = sum(candidate.composed for candidate in drawn)
    return {
        "candidates": candidates,
        "tokens": tokens,
        "tokens_per_s": round(tokens / wall, 1),
        "tokens_per_processor_s": round(tokens / processor_s, 1),
        "music_s_per_s": round(candidates * length_s / wall, 2),
        "take_s_per_s": round(length_s / wall, 2),
    }


def main() -> int:
    """Print the table and the JSON line; 1 when the tests are red, 2 without a checkpoint."""
    parser = argparse.ArgumentParser(prog="tests.bench.bench_compose", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=SHIPPED, help="weights (the shipped ones)")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each piece (20)")
    parser.add_argument("--candidates", default="1,4,8", help="numbers of candidates (1,4,8)")
    parser.add_argument("--threads", type=int, default=1, help="processor cores (1, as in a show)")
    parser.add_argument("--dtypes", default="bfloat16,float32", help="of the weights; a show uses the first")
    args = parser.parse_args()
    if subprocess.run([sys.executable, "-m", "pytest", "-q", *TESTS], capture_output=True, check=False).returncode:
        print("the tests of sampler, transformer or grammar are red: nothing is reported")
        return 1
    torch.set_num_threads(args.threads)
    try:
        card = read_card(args.checkpoint)
    except ModelError as error:
        print(f"bench_compose: {error}", file=sys.stderr)
        return 2
    rows = []
    columns = f"{'tokens/s':>10}{'tok/cpu s':>11}{'music s/s':>11}{'take s/s':>10}"
    print(f"{'weights':<10}{'candidates':>11}{'tokens':>8}{columns}")
    for dtype in args.dtypes.split(","):
        sampler = Sampler(load(args.checkpoint, DTYPES[dtype])[0])
        measured(sampler, 1, 2.0)
        for candidates in map(int, args.candidates.split(",")):
            row = measured(sampler, candidates, args.seconds)
            rows.append({"weights": dtype, **row})
            print(
                f"{dtype:<10}{row['candidates']:>11}{row['tokens']:>8}{row['tokens_per_s']:>10.0f}"
                f"{row['tokens_per_processor_s']:>11.0f}{row['music_s_per_s']:>11.1f}{row['take_s_per_s']:>10.2f}",
                flush=True,
            )
    facts = {
        "bench": "compose",
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": args.threads,
        "load": round(os.getloadavg()[0], 1),
        "torch": torch.__version__,
        "checkpoint_steps": card.steps,
        "seconds": args.seconds,
        "rows": rows,
    }
    print(json.dumps(facts))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
