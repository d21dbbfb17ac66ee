"""How much of what is composed lies where real music lies, beside what real music reaches itself.

For a measure, the distances among excerpts of real music are one distribution,
the distances from real to other excerpts another. Their overlapped area (OA) is
1 where the others could be real. Two finite sets never reach it, and the fewer
the excerpts the less they do: so every OA stands beside its ceiling, the OA of
as many other real excerpts. Both are drawn many times, real pieces split at
random into two halves that share no piece; ratio and intervals come
from the draws.

    OA = area under min(p, q),  p = density of |a - a'|, q = density of |a - b|

Source: Yang and Lerch (2020), On the evaluation of generative models in music.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DRAWS = 200
GRID = 128
# Fewer excerpts have too few distances for a density.
FEWEST = 3


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over the draws, and where 95 % of them lie."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """Return the interval of some draws, at least one."""
        low, high = np.percentile(values, (2.5, 97.5)).tolist()
        return cls(float(np.mean(values)), low, high)


@dataclass(frozen=True, slots=True)
class Overlap:
    """How a set does in one measure.

    Attributes:
        ours: OA of the set with real music.
        ceiling: OA of real with other real music, of the same sizes.
        ratio: the one over the mean of the other.
        excerpts: how many of the set were compared at a draw, with as many real ones.
    """

    ours: Interval
    ceiling: Interval
    ratio: Interval
    excerpts: int


class Draw(NamedTuple):
    """Rows drawn once: of the set, of one half of real music and of the other."""

    ours: Ints
    half: Ints
    other: Ints


def shared_area(own: Floats, across: Floats) -> float:
    """Return the overlapped area of the densities of two samples of distances, 0 to 1.

    Kernel densities with Gaussian kernels, as wide for both (Scott's rule on the
    smaller, spread being that within the samples), mirrored at 0 because no distance is less.

    Args:
        own: distances, 0 or more; shape [any], not empty.
        across: others.
    """
    both = np.concatenate([own, across])
    most = float(both.max())
    if most <= 1e-12:
        return 1.0
    spread = float(np.sqrt((own.var() + across.var()) / 2))
    width = max(spread * min(len(own), len(across)) ** -0.2, most / GRID)
    step = most * 1.05 / GRID
    reach = min(GRID, int(np.ceil(4 * width / step)))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)

    def density(values: Floats) -> Floats:
        counts = np.bincount(np.minimum((values / step).astype(np.int64), GRID - 1), minlength=GRID).astype(float)
        mirrored = np.concatenate([counts[:reach][::-1], counts, np.zeros(reach)])
        smooth = np.convolve(mirrored, kernel, mode="valid")
        return np.asarray(smooth / smooth.sum())

    return float(np.minimum(density(own), density(across)).sum())


def draw(rng: np.random.Generator, ours: dict[str, Ints], real: dict[str, Ints], pieces: Ints) -> Draw:
    """Draw as many excerpts of the set as of two halves of real music, style by style.

    Args:
        rng: chance.
        ours: rows of the set's excerpts by style.
        real: rows of real excerpts by style.
        pieces: which piece each real excerpt is of; the halves share none.
    """
    drawn: list[Draw] = []
    for style in sorted(ours):
        rows = real.get(style, np.zeros(0, np.int64))
        mixed = rng.permutation(np.unique(pieces[rows]))
        # Pieces in turn to either half, so that both have enough excerpts.
        first = np.isin(pieces[rows], mixed[::2])
        half, other = rows[first], rows[~first]
        size = min(len(ours[style]), len(half), len(other))
        drawn.append(Draw(*(rng.permutation(some)[:size] for some in (ours[style], half, other))))
    return Draw(*(np.concatenate(some) if some else np.zeros(0, np.int64) for some in zip(*drawn, strict=True)))


def _apart(a: Floats, b: Floats) -> Floats:
    """Return the distances of rows, shape [rows of a, rows of b]."""
    if a.shape[1] == 1:
        return np.asarray(np.abs(a - b.T))
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def draws_of(
    ours: Sequence[str], real: Sequence[str], pieces: Sequence[str], seed: int, count: int = DRAWS
) -> dict[str | None, list[Draw]]:
    """Return the draws for all styles together (None) and for each alone.

    Args:
        ours: style of each excerpt of the set; empty for one that is not to be drawn.
        real: style of each real excerpt, likewise.
        pieces: name of the piece each real excerpt is of.
        seed: of the draws.
        count: how many.
    """
    by_style = {s: np.flatnonzero(np.array(ours) == s) for s in set(ours) if s}
    by_style_real = {s: np.flatnonzero(np.array(real) == s) for s in set(real) if s}
    numbers = np.unique(np.array(pieces), return_inverse=True)[1]
    found: dict[str | None, list[Draw]] = {}
    for place, key in enumerate([None, *sorted(by_style)]):
        rng = np.random.default_rng((seed, place))
        some = by_style if key is None else {key: by_style[key]}
        found[key] = [draw(rng, some, by_style_real, numbers) for _ in range(count)]
    return found


def compare(ours: Floats, real: Floats, draws: Sequence[Draw]) -> Overlap | None:
    """Return how a set does in one measure; None where there is too little music for it.

    Args:
        ours: the measure of the set's excerpts, shape [excerpts, bins]; not a number where it makes no sense.
        real: of the real excerpts.
        draws: which of them to compare.
    """
    known, known_real = (np.asarray(~np.isnan(some).any(axis=1)) for some in (ours, real))
    within, across = _apart(real, real), _apart(real, ours)
    got: list[tuple[float, float, int]] = []
    for drawn in draws:
        a, b, c = (
            rows[known_of[rows]]
            for rows, known_of in ((drawn.ours, known), (drawn.half, known_real), (drawn.other, known_real))
        )
        size = min(len(a), len(b), len(c))
        if size < FEWEST:
            continue
        a, b, c = a[:size], b[:size], c[:size]
        own = within[np.ix_(b, b)][np.triu_indices(size, 1)]
        got.append(
            (shared_area(own, across[np.ix_(b, a)].ravel()), shared_area(own, within[np.ix_(b, c)].ravel()), size)
        )
    if not got:
        return None
    mine, ceiling, sizes = zip(*got, strict=True)
    best = float(np.mean(ceiling))
    if best <= 0:
        return None
    ratio = Interval.of([m / best for m in mine])
    return Overlap(Interval.of(mine), Interval.of(ceiling), ratio, round(float(np.mean(sizes))))


def mean_ratio(overlaps: Sequence[Overlap | None], of: Callable[[Overlap], Interval] = lambda o: o.ratio) -> float:
    """Return the mean over measures of a figure, the ratio to the ceiling unless another is named."""
    values = [of(o).mean for o in overlaps if o is not None]
    return float(np.mean(values)) if values else float("nan")
