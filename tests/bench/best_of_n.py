"""What selection brings: quality against the number of candidates, `python -m tests.bench.best_of_n`.

Many candidates of each prompt are composed once; for N = 1, 2, 4, ... some N of
them are drawn at random, many times, and one is selected as in a show. Whoever
selects is sure to like what is selected, so quality is also told by who had no
say: a second critic (--referee) that was trained with another seed on other
music. Beside it the faults that are left, and the share of candidates that are
ever selected: diversity has not collapsed where it stays well above one in all.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from model.composing.brief import header_of
from model.composing.composer import Composer
from model.composing.prompt import MOST_CANDIDATES, Prompt
from model.composing.quality import Judgement, Measures
from model.composing.selection import select
from model.critic.calibration import sigmoid
from model.critic.inner import InnerCritic
from model.critic.spans import span_of
from model.errors import ModelError
from model.network.checkpoint import SHIPPED
from tests.bench.hardware import described, facts, green

TESTS = ("tests/model/composing/test_selection.py", "tests/model/composing/test_composer.py")
# What a concert asks for: styles with the ensembles that they are played by.
CUES = (
    "mozart:piano,strings", "bach:organ", "schubert:piano", "folk:violin,piano", "hymn:piano,choir",
    "chopin:piano", "haydn:violin,cello", "jazz:piano,bass,drums", "beethoven:strings,winds", "game:piano,guitar,drums",
)  # fmt: skip
COLUMNS = ("selecting critic", "referee", "faults", "selected share")


@dataclass(frozen=True, slots=True)
class Pool:
    """All candidates of a prompt.

    Attributes:
        cue: style and instruments.
        seed: of the prompt.
        judgements: as a show makes them.
        referee: log-odds by a critic that has no say; of NaN without one.
    """

    cue: str
    seed: int
    judgements: tuple[Judgement, ...]
    referee: tuple[float, ...]


def composed(composer: Composer, referee: InnerCritic | None, cue: str, seed: int, args: argparse.Namespace) -> Pool:
    """Compose and judge all candidates of a prompt."""
    style, instruments = cue.split(":")
    prompt = Prompt(style, tuple(instruments.split(",")), args.seconds, args.candidates, seed)
    drafts = composer.drafts(prompt, apart=True)
    spans = [span_of(draft.candidate, header_of(prompt, composer.card.habits)) for draft in drafts]
    told = [float("nan")] * len(spans) if referee is None else referee.log_odds(spans)
    return Pool(cue, seed, tuple(draft.judgement for draft in drafts), tuple(told))


def read_pools(path: Path) -> dict[tuple[str, int], Pool]:
    """Return the pools that an earlier run composed."""
    pools: dict[tuple[str, int], Pool] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        found = json.loads(line)
        judgements = tuple(
            Judgement(**{**j, "faults": tuple(j["faults"]), "measures": Measures(**j["measures"])})
            for j in found["judgements"]
        )
        pools[found["cue"], found["seed"]] = Pool(found["cue"], found["seed"], judgements, tuple(found["referee"]))
    return pools


def quality(pool: Pool, candidates: int, draws: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the means over many selections among so many candidates, shape [4]: see `COLUMNS`."""
    everyone = len(pool.judgements)
    likings = sigmoid(np.array([j.critic or 0.0 for j in pool.judgements]))
    told = sigmoid(np.array(pool.referee))
    faults = np.array([len(j.faults) for j in pool.judgements], float)
    taken = np.empty(draws, np.int64)
    for n in range(draws):
        some = rng.choice(everyone, candidates, replace=False)
        taken[n] = some[select([pool.judgements[k] for k in some], seed=n)]
    share = len(set(taken.tolist())) / everyone
    return np.array([likings[taken].mean(), told[taken].mean(), faults[taken].mean(), share])


def curve(
    pools: list[Pool], numbers: list[int], draws: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return means, lower and upper bounds (95 %, bootstrap over prompts), each [numbers, columns]."""
    rng = np.random.default_rng(0)
    values = np.array([[quality(pool, n, draws, rng) for pool in pools] for n in numbers])
    again = rng.integers(len(pools), size=(2000, len(pools)))
    means = values[:, again].mean(axis=2)
    low, high = np.percentile(means, [2.5, 97.5], axis=1)
    return values.mean(axis=1), low, high


def draw(
    path: Path, numbers: list[int], mean: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> None:
    """Draw the curves as a PNG."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (liked, faulty) = plt.subplots(1, 2, figsize=(10, 4))
    for column, axes in ((0, liked), (1, liked), (2, faulty)):
        if np.isnan(mean[:, column]).any():
            continue
        axes.plot(numbers, mean[:, column], marker="o", label=COLUMNS[column])
        axes.fill_between(numbers, low[:, column], high[:, column], alpha=0.2)
    for axes, title in (
        (liked, "chance of being real, of the selected piece"),
        (faulty, "faults of the selected piece"),
    ):
        axes.set_xscale("log", base=2)
        axes.set_xticks(numbers, [str(n) for n in numbers])
        axes.set_xlabel("candidates")
        axes.set_title(title, fontsize=10)
        axes.grid(alpha=0.3)
    liked.legend()
    faulty.set_ylim(bottom=0)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def parsed() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.best_of_n",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--checkpoint", type=Path, default=SHIPPED, help="weights (the shipped ones)")
    parser.add_argument("--critic", type=Path, help="who selects (the critic beside the weights)")
    parser.add_argument("--referee", type=Path, help="a second critic of the same weights, who has no say")
    parser.add_argument("--cues", nargs="+", default=CUES, metavar="STYLE:INSTRUMENTS", help="what is asked for")
    parser.add_argument("--seeds", type=int, default=2, help="prompts a cue (2)")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each piece (60)")
    parser.add_argument("--candidates", type=int, default=MOST_CANDIDATES, help="composed for each prompt (32)")
    parser.add_argument("--draws", type=int, default=200, help="selections a prompt and N (200)")
    parser.add_argument("--threads", type=int, default=2, help="processor cores (2)")
    parser.add_argument("--out", type=Path, required=True, help="pools, table and plot; a second run goes on")
    return parser.parse_args()


def main() -> int:
    """Print the table and the JSON line; 1 when the tests are red, 2 when it cannot be done."""
    args = parsed()
    if not green(TESTS):
        print(f"tests are red ({', '.join(TESTS)}): nothing is reported")
        return 1
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "pools.jsonl"
    pools = read_pools(path)
    wanted = [(cue, seed) for seed in range(args.seeds) for cue in args.cues]
    try:
        composer = Composer(args.checkpoint, args.critic)
        referee = None if args.referee is None else InnerCritic(args.referee, composer.model)
        for cue, seed in tqdm([w for w in wanted if w not in pools], unit="prompt"):
            pools[cue, seed] = composed(composer, referee, cue, seed, args)
            with path.open("a") as file:
                file.write(json.dumps(asdict(pools[cue, seed])) + "\n")
    except ModelError as error:
        print(f"best_of_n: {error}", file=sys.stderr)
        return 2
    numbers = [n for n in (1, 2, 4, 8, 16, 32) if n <= args.candidates]
    mean, low, high = curve([pools[w] for w in wanted], numbers, args.draws)
    print(described(args.threads))
    print(f"{'N':>4}" + "".join(f"{name:>26}" for name in COLUMNS))
    for row, n in enumerate(numbers):
        cells = (f"{m:.3f} ({a:.3f}..{b:.3f})" for m, a, b in zip(mean[row], low[row], high[row], strict=True))
        print(f"{n:>4}" + "".join(f"{cell:>26}" for cell in cells))
    draw(args.out / "best-of-n.png", numbers, mean, low, high)
    table = {name: [round(float(v), 4) for v in mean[:, column]] for column, name in enumerate(COLUMNS)}
    result = {"N": numbers, **table, "prompts": len(wanted), "seconds": args.seconds, "machine": facts(args.threads)}
    (args.out / "best-of-n.json").write_text(json.dumps(result, indent=1))
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
