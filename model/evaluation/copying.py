"""Verbatim runs: how long a composed piece says what a training piece says.

All shingles (`model.gate.shingles`) of the training pieces lie hashed and
sorted in one array. A run goes on while shingle after shingle is found there;
those that say nothing count for nothing. What is shipped is a small selection
of them (`model.gate.index`).

A run may be pieced together from several training pieces: its length is an
upper bound. Held-out music beside it says how much is common property.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.evaluation.excerpts import Excerpt
from model.gate.columns import columns
from model.gate.shingles import SHINGLE, Hashes, learned_symbols, shingles, symbols
from model.learning.corpus import Corpus
from model.notes import Piece


@dataclass(frozen=True, slots=True)
class Run:
    """The longest verbatim run of a piece.

    Attributes:
        name: of the piece.
        notes: how long it is, in notes; 0 for none.
        share: share of the piece's shingles that training pieces have, too.
        source: the training piece that most of the run is found in; empty for none.
    """

    name: str
    notes: int
    share: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class Copying:
    """Runs of a set in one line.

    Attributes:
        median, high, longest: of the longest runs of the pieces, in notes; high is the 95th percentile.
        share: mean share of shingles that are also in training pieces.
        worst: the pieces with the longest runs.
    """

    median: float
    high: float
    longest: int
    share: float
    worst: tuple[Run, ...]


class Index:
    """All shingles of the training pieces in one line.

    Attributes:
        hashes: sorted, each once.
        rows: which training piece has it first, beside each.
    """

    def __init__(self, corpus: Corpus, line: str, progress: Callable[[float], None] | None = None) -> None:
        self.line = line
        pieces = corpus.split("train")
        self.names = [row.path for row in pieces]
        found: list[Hashes] = []
        rows: list[NDArray[np.uint32]] = []
        for n, row in enumerate(pieces):
            if progress is not None and n % 50 == 0:
                progress(n / len(pieces))
            hashes = np.unique(shingles(learned_symbols(corpus, row, line))[0])
            found.append(hashes)
            rows.append(np.full(len(hashes), n, np.uint32))
        every = np.concatenate(found) if found else np.zeros(0, np.uint64)
        self.hashes, first = np.unique(every, return_index=True)
        self.rows = np.concatenate(rows)[first] if rows else np.zeros(0, np.uint32)

    def longest_run(self, piece: Piece, name: str = "") -> Run:
        """Return the longest run of a piece that training pieces have, too."""
        notes = columns(piece)
        hashes, telling = shingles(symbols(notes.ticks, notes.instrument, notes.pitch, self.line))
        if not len(hashes) or not len(self.hashes):
            return Run(name, 0, 0.0)
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        known = self.hashes[at] == hashes
        # A run is a stretch of known shingles; edges[n] begins one where known, ends one where not.
        edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
        best, where = 0, slice(0, 0)
        for start, stop in edges.reshape(-1, 2).tolist():
            says = int(telling[start:stop].sum())
            if says > best:
                best, where = says, slice(start, stop)
        share = float(known[telling].mean()) if telling.any() else 0.0
        if not best:
            return Run(name, 0, share)
        ((row, _),) = Counter(self.rows[at[where]].tolist()).most_common(1)
        # One symbol more than its shingles and their overhang: an interval has two notes.
        return Run(name, best + SHINGLE, share, self.names[row])


def find_copying(excerpts: Sequence[Excerpt], index: Index, worst: int = 3) -> Copying | None:
    """Return the verbatim runs of a set; None for an empty one."""
    runs = [index.longest_run(e.piece, e.sample.name) for e in excerpts]
    if not runs:
        return None
    lengths = [run.notes for run in runs]
    return Copying(
        median=float(np.median(lengths)),
        high=float(np.percentile(lengths, 95)),
        longest=max(lengths),
        share=float(np.mean([run.share for run in runs])),
        worst=tuple(sorted(runs, key=lambda run: -run.notes)[:worst]),
    )
