"""A set of music beside real music of the same styles and lengths."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import CorpusError, MidiError
from model.evaluation.copying import Copying, Index, find_copying
from model.evaluation.critics import Critic, Scores, score, separation
from model.evaluation.endings import Faults, find_faults
from model.evaluation.excerpts import ANY, Excerpt, Sample, choose_rows, excerpts, read_sample, style_lengths
from model.evaluation.measures import FEATURES, features
from model.evaluation.overlap import Overlap, compare, draws_of
from model.evaluation.sets import MusicSet
from model.learning.corpus import Corpus

Floats = NDArray[np.float64]

# Real pieces of a style to compare with: more than a set has, and no fewer than this.
FEWEST_REAL = 16
EXCERPTS_A_PIECE = 2


@dataclass(frozen=True, slots=True)
class Result:
    """A set in one measure.

    Attributes:
        overlap: see `model.evaluation.overlap`; None where there is too little music for it.
        ours: mean of the set, a value for each bin.
        real: mean of real music of the same styles.
    """

    overlap: Overlap | None
    ours: tuple[float, ...]
    real: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A set beside real music.

    Attributes:
        name, folder: of the set.
        pieces: how many it has, by style.
        skipped: a line for each of its files that is no music.
        lengths_s: length of the excerpts by style.
        learned: real pieces that had to be taken from the training split, by style.
        overall: measures of all styles together, by key.
        by_style: the same of each style.
        faults, real_faults: of whole pieces.
        style_faults: of the set's pieces by style.
        copying: verbatim runs by line, of the set and of held-out music.
        critic: scores of the set, of real music, and how well the critic tells them apart (AUC).
        nats_per_token: the model's own surprise at what it composed, by style.
        values: each measure of every excerpt, of the set and of real music; for the plots.
    """

    name: str
    folder: str
    pieces: dict[str, int]
    skipped: tuple[str, ...]
    lengths_s: dict[str, float]
    learned: dict[str, int]
    overall: dict[str, Result]
    by_style: dict[str, dict[str, Result]]
    faults: Faults
    real_faults: Faults | None
    style_faults: dict[str, Faults]
    copying: dict[str, tuple[Copying | None, Copying | None]]
    critic: tuple[Scores, Scores, float] | None
    nats_per_token: dict[str, float]
    values: dict[str, tuple[Floats, Floats]]


class Reference:
    """Real music to compare with: held-out pieces, and training pieces where those are too few."""

    def __init__(self, corpus: Corpus, split: str, seed: int) -> None:
        self.corpus, self.split, self.seed = corpus, split, seed
        self.skipped: list[str] = []
        self._read: dict[str, Sample | None] = {}

    def lengths_s(self, music: MusicSet, most_s: float) -> dict[str, float]:
        """Return how long excerpts of each style of a set are.

        Raises:
            CorpusError: the corpus has no music of a style.
        """
        styles = sorted({sample.style for sample in music.samples})
        lengths = style_lengths(self.corpus.rows, styles, most_s)
        for style in styles:
            own = [s.piece.duration_s for s in music.samples if s.style == style and s.piece.notes]
            lengths[style] = min(lengths[style], float(math.ceil(np.median(own)))) if own else lengths[style]
        return {style: max(1.0, length) for style, length in lengths.items()}

    def pieces(self, style: str, length_s: float, count: int) -> list[Sample]:
        """Return real pieces of a style, long enough for excerpts; `any` stands for all styles."""
        rng = np.random.default_rng((self.seed, *style.encode()))
        found: list[Sample] = []
        for row in choose_rows(self.corpus.rows, style, length_s, count, self.split, rng):
            if row.path not in self._read:
                try:
                    self._read[row.path] = read_sample(
                        Path(row.path), row.style, performed=row.performed, held_out=row.split == self.split
                    )
                except MidiError as error:
                    self.skipped.append(str(error))
                    self._read[row.path] = None
            sample = self._read[row.path]
            if sample is not None:
                found.append(sample)
        return found


def compare_set(
    music: MusicSet,
    reference: Reference,
    *,
    most_s: float,
    indexes: Sequence[Index],
    common: NDArray[np.int64],
    critic: Critic | None,
    seed: int,
    progress: Callable[[float], None] | None = None,
) -> Comparison:
    """Measure a set beside real music.

    Args:
        music: the set.
        reference: real music.
        most_s: length of the excerpts, or less where music is shorter.
        indexes: training music to look for verbatim runs in.
        common: see `model.evaluation.endings.common_pitches`.
        critic: asked for its scores where there is one.
        seed: of what is drawn.
        progress: told the fraction done.

    Raises:
        CorpusError: the corpus has no music of a style of the set.
    """
    tell = progress or (lambda _: None)
    lengths = reference.lengths_s(music, most_s)
    ours = [e for s in music.samples for e in excerpts(s, lengths[s.style], EXCERPTS_A_PIECE)]
    if not ours:
        raise CorpusError(f"{music.folder}: there are no notes in its music")
    real: list[tuple[str, Excerpt]] = []
    whole: dict[str, Sample] = {}
    counts = Counter(e.sample.style for e in ours)
    learned: dict[str, int] = {}
    for style, count in sorted(counts.items()):
        pieces = reference.pieces(style, lengths[style], max(FEWEST_REAL, 2 * count))
        learned[style] = sum(not p.held_out for p in pieces)
        real += [(style, e) for p in pieces for e in excerpts(p, lengths[style], EXCERPTS_A_PIECE)]
        whole.update({p.name: p for p in pieces if p.held_out})
    tell(0.1)
    measured, measured_real = (
        _columns([features(e.piece, opening=e.opening) for e in some]) for some in (ours, [e for _, e in real])
    )
    tell(0.5)
    styles, real_styles = [e.sample.style for e in ours], [style for style, _ in real]
    names = [e.sample.name for _, e in real]
    draws = draws_of(styles, real_styles, names, seed)
    # Form is measured of openings: only they are drawn for it.
    openings = [e.sample.style * e.opening for e in ours], [style * e.opening for style, e in real]
    for_form = draws_of(*openings, names, seed)
    results: dict[str | None, dict[str, Result]] = {}
    for done, (key, drawn) in enumerate(draws.items(), 1):
        mine = np.array([key in (None, s) for s in styles])
        # Real means weigh the styles as the set does.
        weights = np.array(
            [counts[s] / real_styles.count(s) if key in (None, s) else 0.0 for s in real_styles], np.float64
        )
        results[key] = {
            f.key: Result(
                compare(measured[f.key], measured_real[f.key], for_form.get(key, []) if f.structure else drawn),
                _mean(measured[f.key], mine.astype(np.float64)),
                _mean(measured_real[f.key], weights),
            )
            for f in FEATURES
        }
        tell(0.5 + 0.4 * done / len(draws))
    held_out = [e for _, e in real if e.sample.held_out]
    by_style = {s: [p for p in music.samples if p.style == s and p.piece.notes] for s in counts}
    overall = results.pop(None)
    return Comparison(
        name=music.name,
        folder=music.folder,
        pieces={style: len(some) for style, some in by_style.items()},
        skipped=music.skipped,
        lengths_s=lengths,
        learned=learned,
        overall=overall,
        by_style={str(style): found for style, found in results.items()},
        faults=find_faults([p for some in by_style.values() for p in some], common),
        real_faults=find_faults(list(whole.values()), common) if whole else None,
        style_faults={style: find_faults(some, common) for style, some in by_style.items()},
        copying={i.line: (find_copying(ours, i), find_copying(held_out, i)) for i in indexes},
        # A critic knows training music by heart: it is asked about held-out music where there is any.
        critic=_scores(critic, ours, held_out or [e for _, e in real]),
        nats_per_token=_by_style(music),
        values={f.key: (measured[f.key], measured_real[f.key]) for f in FEATURES},
    )


def _columns(rows: Sequence[dict[str, Floats]]) -> dict[str, Floats]:
    if not rows:
        return {f.key: np.zeros((0, max(1, len(f.bins)))) for f in FEATURES}
    return {f.key: np.stack([row[f.key] for row in rows]) for f in FEATURES}


def _mean(values: Floats, weights: Floats) -> tuple[float, ...]:
    known = ~np.isnan(values).any(axis=1)
    if not (weights * known).any():
        return tuple(math.nan for _ in range(values.shape[1]))
    means: Floats = (values[known] * weights[known, None]).sum(axis=0) / weights[known].sum()
    return tuple(map(float, means))


def _scores(
    critic: Critic | None, ours: Sequence[Excerpt], real: Sequence[Excerpt]
) -> tuple[Scores, Scores, float] | None:
    if critic is None:
        return None
    mine, others = score(ours, critic), score(real, critic)
    if mine is None or others is None:
        return None
    return mine, others, separation(others.odds, mine.odds)


def _by_style(music: MusicSet) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for sample in music.samples:
        if sample.name in music.nats_per_token and sample.style != ANY:
            found.setdefault(sample.style, []).append(music.nats_per_token[sample.name])
    return {style: float(np.mean(nats)) for style, nats in found.items()}
